"""A registry on loopback that answers what a test wants, byte for byte: slow, endless, lying, hostile.

A thread a connection on raw sockets, because what is tried here is what no HTTP server would send.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl

from eightysix.gate.digests import digest_of

__all__ = ["Asked", "Handler", "Liar", "Out", "bearer"]

_LAST = 20.0
"""No connection is held longer, so that a test that fails ends."""


class Asked(NamedTuple):
    """One request: header names in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


class Out:
    """Where an answer goes."""

    def __init__(self, connection: socket.socket, method: str) -> None:
        self._connection = connection
        self._head_only = method == "HEAD"
        self._until = time.monotonic() + _LAST
        self.keep = True

    def raw(self, data: bytes) -> None:
        """These bytes."""
        self._connection.sendall(data)

    def reply(
        self,
        status: int = 200,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        length: int | None = None,
    ) -> None:
        """A whole answer; `length` is what it says of itself."""
        told = {"content-length": str(len(body) if length is None else length), **(headers or {})}
        head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        self.raw(f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + (b"" if self._head_only else body))
        self.keep = length is None

    def manifest(self, body: bytes, media_type: str, digest: str | None = None) -> None:
        """A manifest as a registry sends it; `digest` is what it says of it, by default the truth, without it nothing."""
        told = digest_of(body) if digest is None else digest
        headers = {"content-type": media_type} | ({"docker-content-digest": told} if told else {})
        self.reply(200, body, headers)

    def for_ever(self, piece: bytes, every_s: float = 0.0) -> None:
        """The same piece again and again."""
        self.keep = False
        while time.monotonic() < self._until:
            self.raw(piece)
            if every_s:
                time.sleep(every_s)

    def silence(self) -> None:
        """Nothing, until the other side goes."""
        self.keep = False
        self._connection.settimeout(_LAST)
        with contextlib.suppress(OSError):
            self._connection.recv(1)


Handler = Callable[[Asked, Out], None]


class Liar:
    """Listens while its `with` block lasts. `asked` is everything that was asked."""

    def __init__(self, handler: Handler, tls: ssl.SSLContext | None = None) -> None:
        self._handler = handler
        self._tls = tls
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}"
        self.asked: list[Asked] = []
        self.connections = 0
        self._open: list[tuple[threading.Thread, socket.socket]] = []
        self._stopping = False

    def __enter__(self) -> Liar:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_arguments: object) -> None:
        self._stopping = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for each in self._open:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(each[1], socket.SHUT_RDWR)
        for each in self._open:
            each[0].join(5.0)

    def paths(self) -> list[str]:
        """Methods and paths, in order."""
        return [f"{each.method} {each.path}" for each in self.asked]

    def _accept(self) -> None:
        while not self._stopping:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._run, args=(connection,), daemon=True)
            self._open.append((thread, connection))
            thread.start()

    def _run(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, ValueError):
            connection.settimeout(_LAST)
            if self._tls is None:
                self._serve(connection)
                return
            with self._tls.wrap_socket(connection.dup(), server_side=True) as secured:
                self._serve(secured)

    def _serve(self, connection: socket.socket) -> None:
        held = b""
        while True:
            while b"\r\n\r\n" not in held:
                more = connection.recv(65_536)
                if not more:
                    return
                held += more
            head, _, held = held.partition(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            method, target, _ = lines[0].split(" ")
            pairs = (line.partition(":") for line in lines[1:])
            headers = {name.lower(): value.strip() for name, _, value in pairs}
            length = int(headers.get("content-length", "0"))
            while len(held) < length:
                held += connection.recv(65_536)
            body, held = held[:length], held[length:]
            path, _, query = target.partition("?")
            asked = Asked(method, path, dict(parse_qsl(query, keep_blank_values=True)), headers, body)
            self.asked.append(asked)
            out = Out(connection, method)
            self._handler(asked, out)
            if not out.keep:
                return


def bearer(realm: str, **more: str) -> dict[str, str]:
    """The header that asks for a token."""
    rest = "".join(f',{name}="{value}"' for name, value in more.items())
    return {"www-authenticate": f'Bearer realm="{realm}"{rest}'}
