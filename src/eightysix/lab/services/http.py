"""The HTTP of the stand-ins: a thread a connection, h11 for the protocol, bounds for everything that a pod may send.

A pod of the lab is hostile by purpose. What it sends is bounded in bytes, headers, connections and time; what a handler
fails at ends one request with 500, never the service. `eightysix.serve` has a listener of its own; that room lies above
this one, drops the query of a request, and admits before it reads, which none of the stand-ins wants.
"""

from __future__ import annotations

import socket
import ssl
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import parse_qsl

import h11
import msgspec
from msgspec import Struct

__all__ = ["Answer", "Handler", "Limits", "Listener", "Request", "json_answer"]

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing sends a reset, as a network policy that rejects does."""
_REASONS = {status.value: status.phrase for status in HTTPStatus}
_FIELDS = 200
_LINGER_BYTES = 4 << 20


class Limits(Struct, frozen=True):
    """Bounds of one listener. `body_bytes` of a request, `head_bytes` of its first line with its headers, `headers` in
    number, `connections` at once, `idle_s` between requests, `request_s` for a whole request however slowly it comes."""

    body_bytes: int = 1 << 20
    head_bytes: int = 32 << 10
    headers: int = 100
    connections: int = 64
    idle_s: float = 75.0
    request_s: float = 20.0


class Request(Struct, frozen=True):
    """A whole request: header names in lower case, the path still percent-encoded, `body` complete."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    peer: str
    port: int
    secure: bool = False

    def header(self, name: str) -> str:
        """A header's first value, or nothing."""
        return next((value for each, value in self.headers if each == name), "")

    @property
    def host(self) -> str:
        """The host asked for, without a port, in small letters."""
        return self.header("host").partition(":")[0].lower()

    def fields(self) -> dict[str, str]:
        """The query's fields, the first of each name."""
        return _first(self.query)

    def form(self) -> dict[str, str]:
        """The fields of a form in the body."""
        return _first(self.body.decode("utf-8", "replace"))

    def bearer(self) -> str:
        """The bearer token that was presented, or nothing."""
        kind, _, token = self.header("authorization").partition(" ")
        return token.strip() if kind.lower() == "bearer" else ""


class Answer(Struct, frozen=True):
    """What is answered. With `reset` nothing is: the connection is reset."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    reset: bool = False
    length: int | None = None
    """What `Content-Length` tells to HEAD, where no body is read for it."""


Handler = Callable[[Request], Answer]


def json_answer(status: int, value: object, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """`value` as JSON."""
    return Answer(status, msgspec.json.encode(value), headers=headers)


class Listener:
    """Serves `handler` at `ip` and `port` (0: any free one, told by the attribute) from `start` to `stop`."""

    def __init__(
        self,
        ip: str,
        port: int,
        handler: Handler,
        *,
        tls: ssl.SSLContext | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.ip = ip
        self._handler = handler
        self._tls = tls
        self._limits = limits or Limits()
        self._slots = threading.BoundedSemaphore(self._limits.connections)
        self._lock = threading.Lock()
        self._open: dict[threading.Thread, socket.socket] = {}
        self._stopping = False
        self._socket = socket.create_server((ip, port), backlog=128)
        self.port = int(self._socket.getsockname()[1])
        self._accepting = threading.Thread(target=self._accept, name=f"accept-{ip}:{self.port}", daemon=True)

    def start(self) -> None:
        """Take connections from now on."""
        self._accepting.start()

    def stop(self) -> None:
        """Close everything; what is being answered is cut off after two seconds."""
        self._stopping = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if self._accepting.ident is not None:
            self._accepting.join()
        self._socket.close()
        with self._lock:
            left = list(self._open.items())
        for _, connection in left:
            with suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RD)
        deadline = time.monotonic() + 2.0
        for thread, connection in left:
            thread.join(max(0.0, deadline - time.monotonic()))
            with suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._stopping:
            try:
                connection, address = self._socket.accept()
            except OSError:  # closed by `stop`; or no descriptors are left, which passes
                if not self._stopping:
                    time.sleep(0.05)
                continue
            if not self._slots.acquire(blocking=False):
                connection.close()
                continue
            thread = threading.Thread(target=self._serve, args=(connection, address), daemon=True)
            with self._lock:
                self._open[thread] = connection
            try:
                thread.start()
            except RuntimeError:  # no more threads on this machine
                self._over(thread, connection)

    def _serve(self, connection: socket.socket, address: tuple[str, int]) -> None:
        thread = threading.current_thread()
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                connection.settimeout(5.0)
                connection = self._tls.wrap_socket(connection, server_side=True)
                with self._lock:
                    self._open[thread] = connection  # the plain socket gave its descriptor away
            talk = _Talk(connection, address, self._handler, self._limits, secure=self._tls is not None)
            while talk.once() and not self._stopping:
                pass
        except (OSError, ValueError):
            pass  # it went away, is no TLS, or was too slow: there is nobody to tell
        finally:
            self._over(thread, connection)

    def _over(self, thread: threading.Thread, connection: socket.socket) -> None:
        with suppress(OSError):
            connection.close()
        with self._lock:
            self._open.pop(thread, None)
        self._slots.release()


class _Talk:
    """The requests of one connection."""

    def __init__(
        self,
        connection: socket.socket,
        address: tuple[str, int],
        handler: Handler,
        limits: Limits,
        *,
        secure: bool,
    ) -> None:
        self._connection = connection
        self._address = address
        self._handler = handler
        self._limits = limits
        self._secure = secure
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.head_bytes)
        self._deadline = 0.0
        self._begun = False

    def once(self) -> bool:
        """Answer one request; whether another may follow."""
        self._deadline, self._begun = time.monotonic() + self._limits.idle_s, False
        head = False
        try:
            event = self._next()
            if not isinstance(event, h11.Request):
                return False
            head = event.method == b"HEAD"
            if len(event.headers) > self._limits.headers or self._size(event) > self._limits.head_bytes:
                return self._send(json_answer(431, {"error": "the head is too large"}), close=True)
            body = self._body()
            if body is None:
                return self._send(json_answer(413, {"error": "the body is too large"}), close=True)
            answer = self._answer(self._request(event, body))
            if answer.reset:
                self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                return False
            return self._send(answer, head=head)
        except h11.RemoteProtocolError as error:
            answer = json_answer(error.error_status_hint, {"error": "the request is no proper HTTP"})
            return self._send(answer, close=True, head=head)
        except TimeoutError:
            if self._begun:
                self._send(json_answer(408, {"error": "the request came too slowly"}), close=True)
            return False

    def _size(self, event: h11.Request) -> int:
        """h11 bounds only heads that come in pieces."""
        return len(event.target) + sum(len(name) + len(value) for name, value in event.headers)

    def _answer(self, request: Request) -> Answer:
        try:
            return self._handler(request)
        except Exception:  # noqa: BLE001 - the boundary: one request that a stand-in fails at must not end the others
            sys.stderr.write(traceback.format_exc(limit=-8))
            return json_answer(500, {"error": "the stand-in failed at this request"})

    def _request(self, event: h11.Request, body: bytes) -> Request:
        path, _, query = event.target.decode("latin-1").partition("?")
        if path.startswith(("http://", "https://")):  # as to a proxy: only what follows the host counts
            path = "/" + path.partition("://")[2].partition("/")[2]
        return Request(
            event.method.decode("ascii"),
            path,
            query,
            tuple((name.decode("ascii"), value.decode("latin-1")) for name, value in event.headers),
            body,
            *self._address[:2],
            self._secure,
        )

    def _body(self) -> bytes | None:
        """The whole body; None where it is larger than allowed."""
        parts: list[bytes] = []
        size = 0
        while isinstance(event := self._next(), h11.Data):
            size += len(event.data)
            if size > self._limits.body_bytes:
                return None
            parts.append(bytes(event.data))
        return b"".join(parts)

    def _next(self) -> object:
        """The next event. The time for a request counts from its first byte, so that slow senders gain nothing."""
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                self._put(self._http.send(h11.InformationalResponse(status_code=100, headers=[])))
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._connection.settimeout(left)
            data = self._connection.recv(1 << 16)
            if data and not self._begun:
                self._begun, self._deadline = True, time.monotonic() + self._limits.request_s
            self._http.receive_data(data)
        return event

    def _send(self, answer: Answer, *, close: bool = False, head: bool = False) -> bool:
        http = self._http
        if http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return False
        length = len(answer.body) if answer.length is None else answer.length
        headers = [*answer.headers]
        if answer.status not in (204, 304):
            headers += [("content-length", str(length)), ("content-type", answer.content_type)]
        if close:
            headers.append(("connection", "close"))
        reason = _REASONS.get(answer.status, "")
        parts = [http.send(h11.Response(status_code=answer.status, headers=headers, reason=reason))]
        if answer.body and not head and answer.status not in (204, 304):
            parts.append(http.send(h11.Data(data=answer.body)))
        parts.append(http.send(h11.EndOfMessage()))
        self._deadline = max(self._deadline, time.monotonic() + 1.0)
        self._put(b"".join(part or b"" for part in parts))
        ours: object = http.our_state  # mypy took it for what it was before anything was sent
        if close or ours is not h11.DONE or http.their_state is not h11.DONE:
            self._end()
            return False
        http.start_next_cycle()
        return True

    def _put(self, data: bytes | None) -> None:
        self._connection.settimeout(max(1.0, self._deadline - time.monotonic()))
        if data:
            self._connection.sendall(data)

    def _end(self) -> None:
        """End the connection as the protocols want it."""
        if self._http.their_state not in (h11.DONE, h11.MUST_CLOSE, h11.CLOSED):
            self._linger()
        elif isinstance(self._connection, ssl.SSLSocket):
            self._connection.settimeout(0.5)
            with suppress(OSError):
                self._connection.unwrap()  # tells that nothing was cut off

    def _linger(self) -> None:
        """Take a little of what is still on its way: closing on unread bytes resets the connection, and the client
        would never see why it was refused."""
        left, deadline = _LINGER_BYTES, time.monotonic() + 1.0
        with suppress(OSError):
            if not isinstance(self._connection, ssl.SSLSocket):
                self._connection.shutdown(socket.SHUT_WR)
            while left > 0 and (left_s := deadline - time.monotonic()) > 0:
                self._connection.settimeout(left_s)
                data = self._connection.recv(1 << 16)
                if not data:
                    break
                left -= len(data)


def _first(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    with suppress(ValueError):  # more fields than any of the stand-ins takes
        for name, value in parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS, errors="replace"):
            found.setdefault(name, value)
    return found
