"""A small HTTP/1.1 server for machines that send records and for scrapers, made to be left alone on a node.

h11 takes the protocol apart (strictly, without I/O); this module owns what attacks aim at: how many connections there
are, how long each may take, how large a head and a body may be, and that nobody is answered before being admitted. The
standard library's `http.server` was not taken: it reads heads of 6 MB, lets a client that sends a byte a minute stay
for ever, and its own documentation advises against it.
"""

from __future__ import annotations

import importlib
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from eightysix.model.errors import MissingExtraError, UsageError
from eightysix.serve.tls import ServerTls

if TYPE_CHECKING:
    import h11

__all__ = ["Answer", "Handler", "HttpLimits", "Listener", "Request", "is_loopback", "parse_address"]


_LINGER_BYTES = 16 << 20
"""What is taken of a refused client at most."""


class HttpLimits(Struct, frozen=True):
    """Bounds of one listener, the defaults with their reasons.

    `connections`: at once; a node has one Falco and a cluster some sidekicks, and each costs a thread. `head_bytes`: of
    a request line with its headers. `idle_s`: between requests. `request_s`: for a whole request from its first byte,
    however slowly it is sent. `handshake_s`: for TLS. `stop_s`: for requests that are being answered when it stops.
    """

    connections: int = 64
    head_bytes: int = 16 << 10
    idle_s: float = 75.0
    request_s: float = 20.0
    first_s: float = 5.0
    linger_s: float = 2.0
    stop_s: float = 5.0


class Request(Struct, frozen=True):
    """The head of a request: header names in lower case. `verified` tells of a client certificate that was checked; `query` is
    what stands behind the `?`, as it was sent."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    verified: bool = False
    query: str = ""

    def header(self, name: str) -> str | None:
        """The value of a header; None where it is absent or comes more than once, which no honest client does."""
        values = [value for each, value in self.headers if each == name]
        return values[0] if len(values) == 1 else None


class Answer(Struct, frozen=True):
    """What is answered. A refused request ends its connection: its body was not read."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


class Handler(Protocol):
    """What a listener serves. Called from many threads."""

    def admit(self, request: Request) -> Answer | int:
        """Before the body is read: a refusal, or how many bytes of it may be."""
        ...

    def answer(self, request: Request, body: bytes) -> Answer:
        """Answer an admitted request."""
        ...


class Listener:
    """Serves `handler` at `host` and `port` (0: any free one; the attribute tells which) while its `with` block lasts."""

    def __init__(
        self,
        host: str,
        port: int,
        handler: Handler,
        *,
        tls: ServerTls | None = None,
        limits: HttpLimits | None = None,
    ) -> None:
        _h11()
        self._handler = handler
        self._tls = tls
        self._limits = limits or HttpLimits()
        self._slots = threading.BoundedSemaphore(self._limits.connections)
        self._lock = threading.Lock()
        self._open: dict[threading.Thread, socket.socket] = {}
        self._stopping = False
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._socket = socket.create_server((host, port), family=family, backlog=128)
        except OSError as error:
            raise UsageError(
                f"cannot listen at {host} port {port}: {error.strerror}", "choose another address or port"
            ) from error
        self.port = int(self._socket.getsockname()[1])
        self._accepting = threading.Thread(target=self._accept, name="listener", daemon=True)

    @property
    def connections(self) -> int:
        """Connections that are open."""
        return len(self._open)

    def __enter__(self) -> Listener:
        self._accepting.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Take no more connections, let requests that are being answered end, and close everything."""
        self._stopping = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._socket.close()
        with self._lock:
            left = list(self._open.items())
        for _, connection in left:
            _shut(connection, socket.SHUT_RD)
        deadline = time.monotonic() + self._limits.stop_s
        for thread, connection in left:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                _shut(connection, socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._stopping:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # closed by `stop`; or no descriptors are left, which passes
                if not self._stopping:
                    time.sleep(0.05)
                continue
            if not self._slots.acquire(blocking=False):
                _turn_away(connection)
                continue
            thread = threading.Thread(target=self._serve, args=(connection,), name="connection", daemon=True)
            with self._lock:
                self._open[thread] = connection
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        thread = threading.current_thread()
        try:
            verified = False
            if self._tls is not None:
                connection.settimeout(self._limits.first_s)
                secured = self._tls.context().wrap_socket(connection, server_side=True)
                with self._lock:
                    self._open[thread] = secured  # the plain socket gave its descriptor away
                connection, verified = secured, bool(secured.getpeercert())
            with suppress(OSError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            exchange = _Exchange(connection, self._handler, self._limits, verified, self._is_stopping)
            while exchange.once():
                pass
        except (OSError, ssl.SSLError):
            pass  # it went away, or was too slow: there is nobody to tell
        finally:
            with suppress(OSError):
                connection.close()
            with self._lock:
                self._open.pop(thread, None)
            self._slots.release()

    def _is_stopping(self) -> bool:
        return self._stopping


class _Exchange:
    """The requests of one connection."""

    def __init__(
        self,
        connection: socket.socket,
        handler: Handler,
        limits: HttpLimits,
        verified: bool,
        stopping: Callable[[], bool],
    ) -> None:
        self._h11 = _h11()
        self._connection = connection
        self._handler = handler
        self._limits = limits
        self._verified = verified
        self._stopping = stopping
        self._http = self._h11.Connection(self._h11.SERVER, max_incomplete_event_size=limits.head_bytes)
        self._deadline = 0.0
        self._begun = False
        self._method = ""
        self._served = False

    def once(self) -> bool:
        """Answer one request; whether another may follow."""
        h11 = self._h11
        quiet_s = self._limits.idle_s if self._served else self._limits.first_s
        self._deadline, self._begun = time.monotonic() + quiet_s, False
        try:
            event = self._next()
            if not isinstance(event, h11.Request):
                return False
            request = self._request(event)
            self._method = request.method
            admitted = self._handler.admit(request)
            if isinstance(admitted, Answer):
                return self._send(admitted, close=True)
            body = self._body(request, admitted)
            if isinstance(body, Answer):
                return self._send(body, close=True)
            return self._send(self._answer(request, body), close=self._stopping())
        except h11.RemoteProtocolError as error:
            status = error.error_status_hint
            return self._send(Answer(status, _reason("the request is no proper HTTP")), close=True)
        except TimeoutError:
            if self._begun:
                self._send(Answer(408, _reason("the request came too slowly")), close=True)
            return False

    def _answer(self, request: Request, body: bytes) -> Answer:
        try:
            return self._handler.answer(request, body)
        except Exception:  # noqa: BLE001 - the boundary: one request that we fail at must not end the others
            return Answer(500, _reason("this is our fault: the request was not taken"))

    def _body(self, request: Request, most: int) -> bytes | Answer:
        """The body, up to `most` bytes; a refusal where it is larger, if possible before it is sent."""
        told = request.header("content-length")
        too_large = Answer(413, _reason(f"the body is larger than {most} bytes"))
        if told is not None and int(told) > most:  # h11 let only digits through
            return too_large
        parts: list[bytes] = []
        size = 0
        while True:
            event = self._next()
            if isinstance(event, self._h11.EndOfMessage):
                return b"".join(parts)
            if not isinstance(event, self._h11.Data):
                return Answer(400, _reason("the request ended early"))
            size += len(event.data)
            if size > most:
                return too_large
            parts.append(bytes(event.data))

    def _next(self) -> object:
        """The next event. The time for a request counts from its first byte, so that slow senders gain nothing."""
        while (event := self._http.next_event()) is self._h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                self._put(self._http.send(self._h11.InformationalResponse(status_code=100, headers=[])))
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._connection.settimeout(left)
            data = self._connection.recv(1 << 16)
            if data and not self._begun:
                self._begun, self._deadline = True, time.monotonic() + self._limits.request_s
            self._http.receive_data(data)
        return event

    def _request(self, event: h11.Request) -> Request:
        headers = tuple((name.decode("ascii"), value.decode("latin-1")) for name, value in event.headers)
        path, _, query = event.target.decode("latin-1").partition("?")
        return Request(event.method.decode("ascii"), path, headers, self._verified, query)

    def _send(self, answer: Answer, *, close: bool) -> bool:
        h11, http = self._h11, self._http
        if http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return False
        headers = [
            ("content-length", str(len(answer.body))),
            ("content-type", answer.content_type),
            ("x-content-type-options", "nosniff"),
            *answer.headers,
            *([("connection", "close")] if close else []),
        ]
        parts = [http.send(h11.Response(status_code=answer.status, headers=headers))]
        if answer.body and self._method != "HEAD":
            parts.append(http.send(h11.Data(data=answer.body)))
        parts.append(http.send(h11.EndOfMessage()))
        self._put(b"".join(part or b"" for part in parts))
        if close or http.our_state is h11.MUST_CLOSE or http.their_state is not h11.DONE:
            self._linger()
            return False
        http.start_next_cycle()
        self._served = True
        return True

    def _put(self, data: bytes | None) -> None:
        self._connection.settimeout(max(1.0, self._deadline - time.monotonic()))
        if data:
            self._connection.sendall(data)

    def _linger(self) -> None:
        """Take a little of what is still on its way: closing on unread bytes resets the connection, and the client
        would never see why it was refused."""
        left = _LINGER_BYTES
        deadline = time.monotonic() + self._limits.linger_s
        with suppress(OSError):
            if not isinstance(self._connection, ssl.SSLSocket):
                self._connection.shutdown(socket.SHUT_WR)
            while left > 0 and (left_s := deadline - time.monotonic()) > 0:
                self._connection.settimeout(left_s)
                data = self._connection.recv(1 << 16)
                if not data:
                    break
                left -= len(data)


def parse_address(text: str, default_port: int) -> tuple[str, int]:
    """Host and port of `127.0.0.1:8686`, `[::1]:8686`, `:8686` (every address) or a host alone."""
    host, separator, port = text.rpartition(":")
    if not separator or text.endswith("]"):
        host, port = text, str(default_port)
    if port == "" or not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"{text!r} is no address", "write HOST:PORT, as 127.0.0.1:8686")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    return host or "0.0.0.0", int(port)  # noqa: S104 - asked for by leaving the host out


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _reason(text: str) -> bytes:
    return b'{"error": "' + text.encode() + b'"}\n'


def _shut(connection: socket.socket, how: int) -> None:
    """Of the socket itself: `SSLSocket.shutdown` would make what is still to be answered go out in the clear."""
    with suppress(OSError):
        socket.socket.shutdown(connection, how)


def _turn_away(connection: socket.socket) -> None:
    """There are too many: say so without waiting for anything."""
    with suppress(OSError):
        connection.setblocking(False)
        connection.send(
            b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        )
    connection.close()


def _h11() -> ModuleType:
    try:
        return importlib.import_module("h11")
    except ImportError as error:
        raise MissingExtraError(
            "the receiver and the metrics need h11", "pip install 'eightysix[watch]'"
        ) from error
