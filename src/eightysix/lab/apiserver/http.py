"""HTTP/1.1 over TCP or TLS for the API server: keep-alive, streams, upgrades; bounded against whoever may connect.

h11 takes the protocol apart. A connection has a thread; how many there are, how large heads and bodies may be and how
long a request may take to arrive is limited.
"""

from __future__ import annotations

import importlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import responses
from types import ModuleType
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from eightysix.lab.apiserver.messages import Answer, Request, as_json
from eightysix.lab.apiserver.status import ApiError, internal
from eightysix.model.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    import h11

__all__ = ["HttpServer", "Limits"]

_CHUNK = 1 << 16
_LINGER_BYTES = 8 << 20


class Limits(Struct, frozen=True):
    """Bounds. `body_bytes` is what a real API server takes of a request (3 MiB). `idle_s` is between requests,
    `request_s` for a whole request to arrive, `send_s` for one piece of an answer to be taken."""

    connections: int = 256
    head_bytes: int = 64 << 10
    body_bytes: int = 3 << 20
    idle_s: float = 90.0
    request_s: float = 30.0
    send_s: float = 30.0
    handshake_s: float = 10.0
    linger_s: float = 1.0


class HttpServer:
    """Serves `handle` at an address until it is closed. `closing` is called before connections are cut."""

    def __init__(
        self,
        address: tuple[str, int],
        handle: Callable[[Request], Answer],
        *,
        tls: ssl.SSLContext | None = None,
        limits: Limits | None = None,
    ) -> None:
        _h11()
        self._handle = handle
        self._tls = tls
        self._limits = limits or Limits()
        self._slots = threading.BoundedSemaphore(self._limits.connections)
        self._lock = threading.Lock()
        self._open: dict[threading.Thread, socket.socket] = {}
        self._stopping = False
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        try:
            self._socket = socket.create_server(address, family=family, backlog=128)
        except OSError as error:
            raise UsageError(
                f"cannot listen at {address[0]} port {address[1]}: {error.strerror}",
                "choose another address or port",
            ) from error
        self.port = int(self._socket.getsockname()[1])
        self._accepting = threading.Thread(target=self._accept, name="apiserver", daemon=True)

    def start(self) -> None:
        """Take connections from now on."""
        self._accepting.start()

    def close(self) -> None:
        """Take no more connections and end those that there are."""
        self._stopping = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if self._accepting.is_alive():
            self._accepting.join()
        self._socket.close()
        with self._lock:
            left = list(self._open.items())
        for _, connection in left:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        deadline = time.monotonic() + 2.0
        for thread, connection in left:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._stopping:
            try:
                connection, peer = self._socket.accept()
            except OSError:  # closed by `close`; or no descriptors are left, which passes
                if not self._stopping:
                    time.sleep(0.05)
                continue
            if not self._slots.acquire(blocking=False):
                connection.close()
                continue
            thread = threading.Thread(
                target=self._serve, args=(connection, str(peer[0])), name="apiserver-connection", daemon=True
            )
            with self._lock:
                self._open[thread] = connection
            thread.start()

    def _serve(self, connection: socket.socket, peer: str) -> None:
        thread = threading.current_thread()
        try:
            certificate = b""
            subject: tuple[tuple[str, str], ...] = ()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                connection.settimeout(self._limits.handshake_s)
                secured = self._tls.wrap_socket(connection, server_side=True)
                with self._lock:
                    self._open[thread] = secured
                connection = secured
                certificate, subject = _client(secured)
            exchange = _Exchange(connection, peer, certificate, subject, self._handle, self._limits)
            while not self._stopping and exchange.once():
                pass
        except Exception:  # noqa: BLE001, S110 - it went away or was too slow, or a stream failed: nobody is left to tell
            pass
        finally:
            with suppress(OSError):
                connection.close()
            with self._lock:
                self._open.pop(thread, None)
            self._slots.release()


def _client(secured: ssl.SSLSocket) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    """The certificate that the client showed, which TLS has verified, and its subject."""
    certificate = secured.getpeercert(binary_form=True)
    told: Any = secured.getpeercert()
    if not certificate or not told:
        return b"", ()
    return certificate, tuple((str(kind), str(value)) for part in told["subject"] for kind, value in part)


class _Exchange:
    """The requests of one connection."""

    def __init__(
        self,
        connection: socket.socket,
        peer: str,
        certificate: bytes,
        subject: tuple[tuple[str, str], ...],
        handle: Callable[[Request], Answer],
        limits: Limits,
    ) -> None:
        self._h11 = _h11()
        self._connection = connection
        self._peer = peer
        self._certificate = certificate
        self._subject = subject
        self._handle = handle
        self._limits = limits
        self._http = self._h11.Connection(self._h11.SERVER, max_incomplete_event_size=limits.head_bytes)
        self._deadline = 0.0
        self._begun = False
        self._head = False
        self._early = 0
        self._rest = b""

    def once(self) -> bool:
        """Answer one request; whether another may follow."""
        h11 = self._h11
        self._deadline, self._begun = time.monotonic() + self._limits.idle_s, False
        try:
            event = self._next()
            if not isinstance(event, h11.Request):
                return False
            self._head = event.method == b"HEAD"
            body = self._body(event)
            request = self._request(event, body if isinstance(body, bytes) else b"")
            if isinstance(body, ApiError):
                return self._send(_refused(body), close=True)
        except h11.RemoteProtocolError as error:
            return self._send(_plain(error.error_status_hint, "400 Bad Request"), close=True)
        except TimeoutError:
            if self._begun:
                self._send(_plain(408, "408 Request Timeout"), close=True)
            return False
        answer = self._answered(request)
        if answer.stream is None:
            return self._send(answer)
        return self._stream(answer)

    def _answered(self, request: Request) -> Answer:
        try:
            return self._handle(request)
        except Exception as error:  # noqa: BLE001 - the boundary: one request that we fail at must not end the others
            return _refused(internal(f"{type(error).__name__}"))

    def _request(self, event: h11.Request, body: bytes) -> Request:
        headers = tuple((name.decode("ascii"), value.decode("latin-1")) for name, value in event.headers)
        target = event.target.decode("latin-1")
        if not target.startswith("/"):  # the absolute form that is meant for proxies
            target = "/" + target.partition("://")[2].partition("/")[2]
        return Request(
            event.method.decode("ascii"), target, headers, body, self._peer, self._certificate, self._subject
        )

    def _body(self, event: h11.Request) -> bytes | ApiError:
        """The body; a refusal where it is too large, if possible before it is sent."""
        most = self._limits.body_bytes
        too_large = ApiError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {most}", {})
        told = next((value for name, value in event.headers if name == b"content-length"), b"")
        if told and (len(told) > 18 or int(told) > most):
            return too_large
        parts: list[bytes] = []
        size = 0
        while True:
            piece = self._next()
            if isinstance(piece, self._h11.EndOfMessage):
                return b"".join(parts)
            if not isinstance(piece, self._h11.Data):
                return ApiError(400, "BadRequest", "unexpected EOF")
            size += len(piece.data)
            if size > most:
                return too_large
            parts.append(bytes(piece.data))

    def _next(self) -> object:
        """The next event. The time for a request counts from its first byte, so that slow senders gain nothing."""
        while (event := self._http.next_event()) is self._h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                self._put(self._http.send(self._h11.InformationalResponse(status_code=100, headers=[])))
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._connection.settimeout(left)
            data = self._connection.recv(_CHUNK)
            if data and not self._begun:
                self._begun, self._deadline = True, time.monotonic() + self._limits.request_s
            self._http.receive_data(data)
        return event

    def _put(self, data: bytes | None) -> None:
        self._connection.settimeout(self._limits.send_s)
        if data:
            self._connection.sendall(data)

    def _send(self, answer: Answer, *, close: bool = False) -> bool:
        h11, http = self._h11, self._http
        if http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return False
        headers = [
            *answer.headers,
            ("content-type", answer.content_type),
            ("content-length", str(len(answer.body))),
            *([("connection", "close")] if close else []),
        ]
        parts = [
            http.send(h11.Response(status_code=answer.status, headers=headers, reason=_reason(answer.status)))
        ]
        if answer.body and not self._head:
            parts.append(http.send(h11.Data(data=answer.body)))
        parts.append(http.send(h11.EndOfMessage()))
        self._put(b"".join(part or b"" for part in parts))
        if close or http.our_state is h11.MUST_CLOSE or http.their_state is not h11.DONE:
            self._linger()
            return False
        http.start_next_cycle()
        return True

    def _stream(self, answer: Answer) -> bool:
        """An answer in chunks, or a connection that changes its protocol; either way the last on it."""
        h11, http = self._h11, self._http
        stream = answer.stream
        assert stream is not None  # noqa: S101 - the caller has looked
        chunks = stream.chunks
        try:
            if stream.upgrade and stream.talk is not None:
                switch = [*answer.headers, ("upgrade", stream.upgrade), ("connection", "Upgrade")]
                self._put(http.send(h11.InformationalResponse(status_code=101, headers=switch)))
                self._rest = bytes(http.trailing_data[0])
                stream.talk(self._receive, self._put)
                return False
            headers = [
                *answer.headers,
                ("content-type", answer.content_type),
                ("transfer-encoding", "chunked"),
            ]
            self._put(
                http.send(
                    h11.Response(status_code=answer.status, headers=headers, reason=_reason(answer.status))
                )
            )
            for chunk in chunks:
                if chunk:
                    self._put(http.send(h11.Data(data=chunk)))
                elif self._is_gone():
                    return False
            self._put(http.send(h11.EndOfMessage()))
            if http.their_state is not h11.DONE or http.our_state is not h11.DONE:
                return False
            http.start_next_cycle()
            return True
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()

    def _receive(self, seconds: float) -> bytes:
        """Of an upgraded connection: what comes next; empty at its end. Raises TimeoutError."""
        if self._rest:
            data, self._rest = self._rest, b""
            return data
        self._connection.settimeout(seconds)
        return self._connection.recv(_CHUNK)

    def _is_gone(self) -> bool:
        """Whether the client has hung up. An empty chunk is a question whether anybody still listens."""
        self._connection.settimeout(0.0)
        try:
            data = self._connection.recv(_CHUNK)
            self._early += len(data)
            self._http.receive_data(data)
            return not data or self._early > self._limits.head_bytes
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            return True

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
                data = self._connection.recv(_CHUNK)
                if not data:
                    break
                left -= len(data)


def _reason(status: int) -> bytes:
    """The phrase beside a status: some clients show it."""
    return responses.get(status, "").encode("ascii")


def _refused(error: ApiError) -> Answer:
    return Answer(error.code, as_json(error.status()))


def _plain(status: int, text: str) -> Answer:
    return Answer(status, text.encode(), "text/plain; charset=utf-8")


def _h11() -> ModuleType:
    try:
        return importlib.import_module("h11")
    except ImportError as error:
        raise MissingExtraError(
            "the API server needs the package h11", "pip install 'eightysix[lab]'"
        ) from error
