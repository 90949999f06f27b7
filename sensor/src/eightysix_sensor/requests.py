"""Requests over HTTP, as far as the standard library tells of them (urllib, http.client and all that is built on it)."""

from __future__ import annotations

from posix import environ

from eightysix_sensor.own import BUILTINS as __builtins__  # type: ignore[no-redef]  # noqa: F401
from eightysix_sensor.own import TYPE_CHECKING
from eightysix_sensor.told import PLATFORM, WITHHELD, is_platform, text, told_host, told_target, told_url

if TYPE_CHECKING:
    from types import FrameType
    from typing import Any, Dict, Optional, Tuple

    from eightysix_sensor.core import Core

_MAX_HEAD = 4096
_METHODS = frozenset("GET POST PUT HEAD PATCH DELETE OPTIONS CONNECT".split())


class Requests:
    """Tells requests: each to a cloud's platform or the API server, the others once for each host and stack."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._api_server = environ.get(b"KUBERNETES_SERVICE_HOST", b"").decode("ascii", "replace").lower()

    def urllib(self, args: Tuple[Any, ...], frame: Optional[FrameType]) -> None:
        """`urllib.Request(fullurl, data, headers, method)`."""
        url = told_url(text(args[0], _MAX_HEAD), self._api_server)
        if url == WITHHELD:
            return
        method = text(args[3], 8) if len(args) > 3 else ""
        host = url.partition("://")[2].partition("/")[0]
        self._tell(
            url, method, host.rpartition(":")[0] if host[-1:].isdigit() and ":" in host else host, frame
        )

    def client(self, args: Tuple[Any, ...], frame: Optional[FrameType]) -> None:
        """`http.client.send(connection, data)`: the request line is in the data, the host in the connection."""
        known = _attributes(args[0])
        if type(known) is not dict:
            return
        given = known.get("host") or known.get("_dns_host")
        host = given if type(given) is str else ""
        key: Any = host if b"://" not in args[1][:32] else args[1][:64]  # the second is to a proxy
        steps = self._core.news("http", None if host in PLATFORM or host == self._api_server else key, frame)
        if steps is None:
            return
        method, _, rest = args[1][:_MAX_HEAD].partition(b"\r\n")[0].partition(b" ")
        target, mark, _ = rest.rpartition(b" HTTP/")
        told = text(method, 8)
        if told not in _METHODS or not mark:
            return
        host = told_host(host)
        path = text(target, _MAX_HEAD)
        if "://" in path[:16]:
            url = told_url(path, self._api_server)
        elif host and path[:1] == "/":
            url = self._url(host, known, path)
        else:
            return
        fields = {"url": url, "method": told}
        self._core.tell("http", fields, steps, is_platform(host, self._api_server))

    def _url(self, host: str, known: Dict[str, Any], target: str) -> str:
        """The URL of a request on a connection of which the attributes are `known`."""
        port = known.get("port")
        path, _, query = target.partition("?")
        scheme = "https" if port == 443 or known.get("cert_reqs") or "_context" in known else "http"
        where = "[" + host + "]" if ":" in host else host
        if type(port) is int and 0 < port < 65536:
            where += ":%d" % port
        return scheme + "://" + where + told_target(path, query, is_platform(host, self._api_server))

    def _tell(self, url: str, method: str, host: str, frame: Optional[FrameType]) -> None:
        platform = is_platform(host, self._api_server)
        fields = {"url": url, "method": method if method in _METHODS else None}
        self._core.emit("http", fields, frame, platform, None if platform else host)


_mro = type.__dict__["__mro__"].__get__
_names = type.__dict__["__dict__"].__get__
_GETSET = type(type.__dict__["__dict__"])


def _attributes(thing: Any) -> Any:
    """The dictionary of an object, as Python itself made it: a class may have a property of that name, and its code must not
    run in here, where nothing that it does is told."""
    for kind in _mro(type(thing)):
        found = _names(kind).get("__dict__")
        if found is not None:
            return found.__get__(thing) if type(found) is _GETSET else None
    return None
