"""The control socket: how the run (never a pod) tells the services what happens in its world.

A unix stream socket that only this user can open; one JSON request a line, one JSON answer a line. A failure is answered as
`{"error": ...}` and ends nothing.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from eightysix.model.errors import EightysixError

__all__ = ["LONGEST_LINE", "Control", "ControlError", "ask"]

LONGEST_LINE = 96 << 20
"""Bytes of a request: an artifact of 64 MiB in base64, and what is around it."""

_CONNECTIONS = 16

Operation = Callable[[msgspec.Raw], Mapping[str, object]]


class ControlError(Exception):
    """A request that the services could not carry out, with their reason."""


class _Op(Struct):
    op: str


class Control:
    """Serves `operations` at `path` from `start` to `stop`."""

    def __init__(self, path: Path, operations: Mapping[str, Operation]) -> None:
        self._path = path
        self._operations = operations
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(_CONNECTIONS)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            path.unlink(missing_ok=True)
            with _Short(path) as short:
                self._socket.bind(short)
        finally:
            os.umask(before)
        self._socket.listen(8)
        self._thread = threading.Thread(target=self._accept, name="control", daemon=True)

    def start(self) -> None:
        """Take requests from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if self._thread.ident is not None:
            self._thread.join()
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            if not self._slots.acquire(blocking=False):
                connection.close()
                continue
            threading.Thread(
                target=self._serve, args=(connection,), name="control-of-one", daemon=True
            ).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as lines, suppress(OSError):
                while line := lines.readline(LONGEST_LINE + 1):
                    if len(line) > LONGEST_LINE:
                        connection.sendall(b'{"error":"the request is too long"}\n')
                        return
                    connection.sendall(msgspec.json.encode(self._answer(line)) + b"\n")
        finally:
            self._slots.release()

    def _answer(self, line: bytes) -> Mapping[str, object]:
        try:
            name = msgspec.json.decode(line, type=_Op).op
            operation = self._operations.get(name)
            if operation is None:
                return {"error": f"no operation is called {name}"}
            with self._lock:  # one at a time: what is answered has happened
                return operation(msgspec.Raw(line))
        except (msgspec.MsgspecError, ValueError, OSError, ControlError, EightysixError) as error:
            return {"error": str(error)}
        except Exception as error:  # noqa: BLE001 - the boundary: one request must not end the services
            sys.stderr.write(traceback.format_exc(limit=-8))
            return {"error": f"the services failed at this: {type(error).__name__}: {error}"}


def ask(path: Path, op: str, *, timeout_s: float = 60.0, **members: object) -> dict[str, object]:
    """Ask the services at `path` for `op`, and return the answer; `ControlError` tells why they could not."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        with _Short(path) as short:
            connection.connect(short)
        connection.sendall(msgspec.json.encode({"op": op, **members}) + b"\n")
        with connection.makefile("rb") as lines:
            line = lines.readline(LONGEST_LINE)
    if not line.endswith(b"\n"):
        raise ControlError("the services closed the control socket")
    answer = msgspec.json.decode(line, type=dict[str, object])
    if "error" in answer:
        raise ControlError(str(answer["error"]))
    return answer


class _Short:
    """A name for a socket's path that fits into 108 bytes, however deep the folder of the run lies."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> str:
        self._folder = os.open(self._path.parent, os.O_PATH | os.O_DIRECTORY)
        return f"/proc/self/fd/{self._folder}/{self._path.name}"

    def __exit__(self, *_: object) -> None:
        os.close(self._folder)
