"""Where records go: a datagram each to a unix socket, or a line each to a file (for CI). Never waits, never raises.

The host may close descriptors that are not its own (every daemon does) and get the same number again for a file of its
own. So a socket is never connected: each record names its receiver's path, which also finds a receiver that was
restarted; sending to a foreign descriptor fails or reaches the same path. The file is compared by device and inode
before each line.
"""

from __future__ import annotations

import _socket
import errno
from posix import O_APPEND, O_CLOEXEC, O_CREAT, O_NOCTTY, O_NONBLOCK, O_WRONLY, fstat
from posix import close as posix_close
from posix import open as posix_open
from posix import write as posix_write
from time import monotonic

from eightysix_sensor.own import BUILTINS as __builtins__  # type: ignore[no-redef]  # noqa: F401
from eightysix_sensor.own import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Optional, Tuple

MAX_RECORD = 60_000
"""Bytes of one record; below net.core.wmem_default (212,992) by far."""

MAX_FILE = 1 << 30
"""Bytes of a file that is written to; the rest is dropped and counted."""

_AGAIN_S = 1.0
_LOST = frozenset({errno.EBADF, errno.ENOTSOCK, errno.EAFNOSUPPORT, errno.EPROTOTYPE, errno.EISCONN, errno.EINVAL,
                   errno.EOPNOTSUPP, errno.EDESTADDRREQ})  # fmt: skip
"""The descriptor is closed, or is the host's."""
_REGULAR = 0o100000
_KIND = 0o170000


class Transport:
    """One endpoint: `unix:/path` or `file:/path`. `send` tells whether the record left."""

    __slots__ = ("_fd", "_is_file", "_path", "_retry", "_same", "_socket")

    def __init__(self, endpoint: str) -> None:
        kind, _, path = endpoint.partition(":")
        if kind not in ("unix", "file") or not path.startswith("/") or "\0" in path:
            raise ValueError("no endpoint")
        self._is_file = kind == "file"
        self._path = path
        self._socket: Optional[_socket.socket] = None
        self._fd = -1
        self._same: Tuple[int, int] = (0, 0)
        self._retry = 0.0
        self._open()

    def send(self, record: bytes) -> bool:
        """Send one record, whole or not at all."""
        if len(record) > MAX_RECORD:
            return False
        return self._write(record + b"\n") if self._is_file else self._datagram(record)

    def _open(self) -> bool:
        try:
            if not self._is_file:
                kind = _socket.SOCK_DGRAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC
                self._socket = _socket.socket(_socket.AF_UNIX, kind)
                return True
            flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK
            fd = posix_open(self._path, flags | O_NOCTTY, 0o600)
            about = fstat(fd)
            if about.st_mode & _KIND != _REGULAR:
                posix_close(fd)
                return False
            self._fd = fd
            self._same = (about.st_dev, about.st_ino)
        except OSError:
            return False
        return True

    def _again(self) -> bool:
        """Open anew, at most once a second."""
        now = monotonic()
        if now < self._retry:
            return False
        self._retry = now + _AGAIN_S
        if self._socket is not None:
            self._socket.detach()  # its number is the host's now: it must not be closed with the object
            self._socket = None
        self._fd = -1
        return self._open()

    def _datagram(self, record: bytes) -> bool:
        for _ in (1, 2):
            if self._socket is None and not self._again():
                return False
            try:
                self._socket.sendto(record, self._path)  # type: ignore[union-attr]
            except OSError as error:
                if error.errno in _LOST and self._again():
                    continue
                return False
            return True
        return False

    def _write(self, line: bytes) -> bool:
        for _ in (1, 2):
            try:
                about = fstat(self._fd)
                if (about.st_dev, about.st_ino) == self._same:
                    return about.st_size < MAX_FILE and posix_write(self._fd, line) == len(line)
            except OSError as error:
                if error.errno != errno.EBADF:
                    return False
            if not self._again():
                return False
        return False
