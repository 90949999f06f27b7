"""Requests over HTTP, as far as the standard library tells of them (urllib, http.client and all that is built on it)."""

from __future__ import annotations

from posix import environ

from eightysix_sensor.own import BUILTINS as __builtins__  # type: ignore[no-redef]  # noqa: F401
from eightysix_sensor.own import TYPE_CHECKING
from eightysix_sensor.told import WITHHELD, is_platform, text, told_host, told_target, told_url

if TYPE_CHECKING:
    from types import FrameType
    from typing import Any, Optional, Tuple

    from eightysix_sensor.core import Core

_MAX_HEAD = 4096
_METHODS = frozenset("GET POST PUT HEAD PATCH DELETE OPTIONS CONNECT".split())


class Requests:
    """Tells requests: each to a cloud's platform or the API server, the others once for each host and stack."""

    def __init__(self, core: Core) -> None:
        self._emit = core.emit
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
        method, _, rest = args[1][:_MAX_HEAD].partition(b"\r\n")[0].partition(b" ")
        target, mark, _ = rest.rpartition(b" HTTP/")
        told = text(method, 8)
        if told not in _METHODS or not mark:
            return
        try:
            known = object.__getattribute__(args[0], "__dict__")
        except AttributeError:
            return
        if type(known) is not dict:
            return
        given = known.get("host") or known.get("_dns_host")
        host = told_host(given) if type(given) is str else ""
        port = known.get("port")
        path = text(target, _MAX_HEAD)
        if "://" in path:  # to a proxy
            url = told_url(path, self._api_server)
        elif host and path[:1] == "/":
            path, _, query = path.partition("?")
            scheme = "https" if port == 443 or known.get("cert_reqs") or "_context" in known else "http"
            shown = "[" + host + "]" if ":" in host else host
            where = shown + (":%d" % port if type(port) is int and 0 < port < 65536 else "")
            url = scheme + "://" + where + told_target(path, query, is_platform(host, self._api_server))
        else:
            return
        self._tell(url, told, host, frame)

    def _tell(self, url: str, method: str, host: str, frame: Optional[FrameType]) -> None:
        platform = is_platform(host, self._api_server)
        fields = {"url": url, "method": method if method in _METHODS else None}
        self._emit("http", fields, frame, platform, None if platform else host)
