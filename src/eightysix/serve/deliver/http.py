"""HTTP to receivers, out of the standard library: verified TLS, no redirects, bounded answers, a deadline for all of it.

`http.client` does what is needed here and nothing more: it follows no redirect, knows no cookie and reads no `.netrc`.
The libraries for it bring five to seven distributions and no deadline for a whole exchange; theirs, like a socket's
timeout, begin anew with each byte that a slow receiver drips.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from threading import Timer
from time import time
from typing import NamedTuple
from urllib.parse import urlsplit

from eightysix import __version__
from eightysix.model.errors import DeliveryError, UsageError
from eightysix.serve.deliver.proxy import Proxy, proxy_for

__all__ = ["Address", "Answer", "HttpClient", "check", "parse_address"]

MAX_ANSWER = 65_536
"""Bytes of an answer that are read; receivers say "ok", and a token has about 2,000."""
MAX_RETRY_AFTER_S = 3_600.0
"""A receiver cannot ask for a longer pause than an hour."""
TIMEOUT_S = 10.0
"""For the connection, and for each silence within an exchange."""
DEADLINE_S = 30.0
"""For the whole exchange."""

_RETRIED = frozenset({408, 425, 429})
_EXCERPT = 120
_TELLING = 8  # characters of a path's part from which on it may be a secret


class Address(NamedTuple):
    """Where to send. `label` names it without path and query, which may hold a secret."""

    scheme: str
    host: str
    port: int
    path: str
    label: str


class Answer(NamedTuple):
    """What came back; `retry_after_s` is None where the receiver did not ask for a pause."""

    status: int
    body: bytes
    retry_after_s: float | None


def parse_address(kind: str, text: str, environment: Mapping[str, str], *, plain: bool = False) -> Address:
    """The parts of an `http(s)` URL. Without TLS only to this machine, or where `plain` or EIGHTYSIX_ALLOW_HTTP allow it.

    Raises `UsageError`, which never repeats `text`.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
        host = parts.hostname or ""
    except ValueError:
        raise UsageError(f"{kind}: the address is no URL", "write it as https://host/path") from None
    if parts.scheme not in ("http", "https") or not host or not (text.isascii() and text.isprintable()):
        raise UsageError(f"{kind}: the address is no http or https URL", "write it as https://host/path")
    if parts.username is not None or parts.password is not None or " " in text:
        raise UsageError(
            f"{kind}: the address of {host} holds a user name or a blank", "leave them out of the URL"
        )
    allowed = plain or _is_loopback(host) or environment.get("EIGHTYSIX_ALLOW_HTTP") == "1"
    if parts.scheme == "http" and not allowed:
        raise UsageError(
            f"{kind}: the address of {host} has no TLS: everybody on the way could read and change incidents",
            "use https, or set EIGHTYSIX_ALLOW_HTTP=1 where the network is trusted",
        )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    port = port or (443 if parts.scheme == "https" else 80)
    shown = f"[{host}]" if ":" in host else host
    usual = port == (443 if parts.scheme == "https" else 80)
    mark = blake2b(path.encode(), digest_size=4).hexdigest()
    label = f"{kind}:{parts.scheme}://{shown}{'' if usual else f':{port}'}/#{mark}"
    return Address(parts.scheme, host, port, path, label)


class HttpClient:
    """One POST or GET at a time, each on a connection of its own: incidents are rare, and none is left half open."""

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        timeout_s: float = TIMEOUT_S,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._timeout_s = timeout_s
        self._deadline_s = deadline_s
        self._environment = environment
        self._ca_file = environment.get("EIGHTYSIX_CA_FILE", "")
        self._tls: ssl.SSLContext | None = None
        if self._ca_file:
            self._context()
        proxy_for("", environment)  # refuses a wrong one now, not when the first incident is to go

    def send(self, to: Address, method: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """The answer of the receiver, whatever its status; `DeliveryError` where there is none."""
        connection = self._connection(to)
        cut = _Cut(connection)
        timer = Timer(self._deadline_s, cut.now)
        timer.daemon = True
        timer.start()
        try:
            connection.connect()
            cut.check()
            with _exchange(connection, to, method, body, headers) as response:
                data = response.read(MAX_ANSWER)
                cut.check()  # the end of a connection also ends a header, so that is no error to http.client
                return Answer(response.status, data, _retry_after(response.getheader("Retry-After", "")))
        except (OSError, HTTPException, ValueError) as error:
            raise DeliveryError(
                f"{to.label} cannot be reached: {self._reason(error, cut.done)}", "check address and network"
            ) from error
        finally:
            timer.cancel()
            connection.close()

    def _connection(self, to: Address) -> HTTPConnection:
        if to.scheme == "http":
            return HTTPConnection(to.host, to.port, timeout=self._timeout_s)
        proxy = proxy_for(to.host, self._environment)
        connection = _Tls(proxy or to, to.host, self._timeout_s, self._context())
        if proxy:
            connection.set_tunnel(to.host, to.port, proxy.headers)
        return connection

    def _context(self) -> ssl.SSLContext:
        """Certificates of the system, or only those of EIGHTYSIX_CA_FILE; names are always compared."""
        if self._tls is None:
            try:
                self._tls = ssl.create_default_context(cafile=self._ca_file or None)
            except OSError as error:
                raise UsageError(
                    f"EIGHTYSIX_CA_FILE {self._ca_file} cannot be used", "name a file of PEM certificates"
                ) from error
        return self._tls

    def _reason(self, error: Exception, cut: bool) -> str:
        if cut:
            return f"the exchange took longer than {self._deadline_s:g} s"
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"its certificate is not valid: {error.verify_message}"
        if isinstance(error, OSError):
            return error.strerror or str(error)[:_EXCERPT] or type(error).__name__
        return f"its answer is no HTTP ({type(error).__name__})"


def check(answer: Answer, to: Address, hidden: Sequence[str] | None = None) -> None:
    """Raise `DeliveryError` unless `answer` says that the receiver took it.

    The start of what it says is in the error, unless it repeats what is `hidden`: by default the parts of the path.

    Permanent is a 4xx other than 408, 425 and 429. A redirect is not: it is never followed, and its cause is repaired
    by people.
    """
    status = answer.status
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise DeliveryError(
            f"{to.label} answers {status}, a redirect, which is not followed", "give the final address"
        )
    permanent = 400 <= status < 500 and status not in _RETRIED
    said = answer.body[:_EXCERPT].decode("utf-8", "replace").strip()
    secrets = to.path.replace("?", "/").split("/") if hidden is None else hidden
    if any(part[:_TELLING] in said for part in secrets if len(part) >= _TELLING):
        said = ""
    raise DeliveryError(
        f"{to.label} answers {status}{f': {said}' if said else ''}",
        retry_after_s=answer.retry_after_s,
        permanent=permanent,
    )


class _Tls(HTTPSConnection):
    """TLS whose handshake happens on `sock`, where `_Cut` can reach it."""

    def __init__(self, to: Address | Proxy, name: str, timeout_s: float, context: ssl.SSLContext) -> None:
        super().__init__(to.host, to.port, timeout=timeout_s, context=context)
        self._name = name
        self._verified = context

    def connect(self) -> None:
        """Connect, through the proxy where there is one, then shake hands."""
        HTTPConnection.connect(self)
        sock = self._verified.wrap_socket(
            self.sock, server_hostname=self._name, do_handshake_on_connect=False
        )
        self.sock = sock
        sock.do_handshake()


class _Cut:
    """Ends an exchange from another thread, by closing both directions of its socket."""

    def __init__(self, connection: HTTPConnection) -> None:
        self._connection = connection
        self.done = False

    def check(self) -> None:
        """Raise if time is over, also where it was over before there was a socket."""
        if self.done:
            raise TimeoutError

    def now(self) -> None:
        self.done = True
        sock = self._connection.sock
        if sock is not None:
            with suppress(OSError):
                # NOTE: SSLSocket's own shutdown() would take the TLS object away from the thread that reads.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _exchange(
    connection: HTTPConnection, to: Address, method: str, body: bytes, headers: Mapping[str, str]
) -> HTTPResponse:
    told = {"User-Agent": f"eightysix/{__version__}", "Connection": "close", **headers}
    try:
        connection.request(method, to.path, body or None, told)
    except (BrokenPipeError, ConnectionResetError):
        # A receiver that refuses by size answers and closes before it has read everything.
        return connection.getresponse()
    return connection.getresponse()


def _retry_after(text: str) -> float | None:
    """Seconds of a `Retry-After` header: a number or a date (RFC 9110, 10.2.3)."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), MAX_RETRY_AFTER_S)
    try:
        seconds = parsedate_to_datetime(text).timestamp() - time()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
