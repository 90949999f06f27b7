"""Bytes that were read once and are not changed again: what a guard scans is what the loader gets."""

from __future__ import annotations

import fcntl
import io
import os
import stat
from contextlib import suppress
from mmap import MAP_PRIVATE, PROT_READ, mmap
from types import TracebackType

from eightysix.model.errors import ScanRefusedError
from eightysix.model.finding import FileVerdict

__all__ = ["Held"]

CHUNK = 1 << 20


class Held:
    """A copy in memory of the file at `path`, under a name of its own, which no other process can change.

    `data` is for the scan, `name` for a loader that wants a path: it may open it, also more than once, until the copy is
    let go of. Where the system has no such files, `name` is None. Raises `OSError` as `open` would, and
    `ScanRefusedError` for what cannot be read as a file (a pipe, a device).
    """

    def __init__(self, path: str) -> None:
        source = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            told = os.fstat(source)
            if stat.S_ISDIR(told.st_mode):
                raise IsADirectoryError(None, "is a folder", path)
            if not stat.S_ISREG(told.st_mode):
                raise ScanRefusedError(
                    "a guard reads regular files only, and this is none",
                    "copy it to one, and load that",
                    verdict=FileVerdict.UNSCANNABLE,
                )
            self._copy = _sealed(source, told.st_size) if hasattr(os, "memfd_create") else None
            self.data: bytes | mmap = b""
            if self._copy is None:
                with os.fdopen(os.dup(source), "rb") as stream:
                    self.data = stream.read(told.st_size)
        finally:
            os.close(source)
        self.name: str | None = None
        if self._copy is not None:
            size = os.fstat(self._copy).st_size
            # Private: older kernels refuse to share what is sealed, even for reading.
            self.data = mmap(self._copy, size, flags=MAP_PRIVATE, prot=PROT_READ) if size else b""
            name = f"/proc/self/fd/{self._copy}"
            self.name = name if os.path.exists(name) else None

    def file(self) -> io.BytesIO:
        """A file in memory, for where there is no `name`."""
        return io.BytesIO(self.data)

    def close(self) -> None:
        """Let go of the copy. What a loader has opened or mapped stays."""
        if self._copy is not None:
            os.close(self._copy)
            self._copy = None
        if isinstance(self.data, mmap):
            # A reader may still hold a view; the map then goes with it.
            with suppress(BufferError):
                self.data.close()

    def __enter__(self) -> Held:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _sealed(source: int, size: int) -> int:
    """A file in memory with the first `size` bytes of `source`: one that grows while it is read is not followed."""
    copy = os.memfd_create("eightysix", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        left = size
        while left > 0 and (sent := os.sendfile(copy, source, None, min(left, CHUNK))):
            left -= sent
        seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(copy, fcntl.F_ADD_SEALS, seals)
    except BaseException:
        os.close(copy)
        raise
    return copy
