"""A durable place for records that came over the network: they are on the disk before the sender hears that they are.

Append-only segments in one folder that a `Follower` follows like any other. A segment is deleted when the positions that
were committed say that all of it was read, so each record is delivered at least once, whenever the process dies.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from eightysix.model.errors import EightysixError
from eightysix.serve.follow.places import printable
from eightysix.serve.follow.position import Position

__all__ = ["MAX_SPOOL_BYTES", "MIN_FREE_BYTES", "SEGMENT_BYTES", "Spool", "SpoolFullError"]

MAX_SPOOL_BYTES = 256 << 20
"""Bytes of all segments: at 2 KB a record and 500 records a second, four minutes in which nobody reads."""

SEGMENT_BYTES = 16 << 20
"""A segment of this size is closed, and a new one begun."""

MIN_FREE_BYTES = 64 << 20
"""What is left free on the disk: the state beside it must be able to grow, or nothing could be committed any more."""

_ENDING = ".jsonl"


class SpoolFullError(EightysixError):
    """Nothing was taken: the sender must come again later."""


class Spool:
    """The segments of one folder. `append` may be called from many threads; they share one flush to the disk. What is not
    `durable` outlives the process and not the machine: nobody was promised more, and whoever appends cannot wait."""

    def __init__(
        self,
        folder: str,
        *,
        max_bytes: int = MAX_SPOOL_BYTES,
        segment_bytes: int = SEGMENT_BYTES,
        min_free_bytes: int = MIN_FREE_BYTES,
        durable: bool = True,
    ) -> None:
        self.folder = folder
        self._durable = durable
        self.refused = 0
        self._max_bytes = max_bytes
        self._segment_bytes = segment_bytes
        self._min_free_bytes = min_free_bytes
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._written = self._flushed = self._failed = 0  # appends
        self._descriptor = -1
        self._path = ""
        self._size = 0
        self._left: list[int] = []  # descriptors of closed segments that were not flushed yet
        Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        present = self._segments()
        self._number = max((_number(path) for path in present), default=0)
        self._bytes = sum(os.stat(path).st_size for path in present)

    @property
    def size_bytes(self) -> int:
        """Bytes of all segments."""
        return self._bytes

    def append(self, lines: bytes) -> None:
        """Take whole lines, each ended by a newline; they are on the disk when this returns.

        Raises `SpoolFullError` where they cannot be, for want of room or because the disk fails. A part of them may
        then be there all the same: who sends them again sends duplicates, which are told apart by their content.
        """
        with self._lock:
            try:
                self._make_room(len(lines))
                self._write(lines)
            except SpoolFullError:
                self.refused += 1
                raise
            except OSError as error:
                self._leave_segment()  # it may end in half a line: nothing is written behind that
                self.refused += 1
                raise SpoolFullError(f"the spool cannot be written: {error.strerror}") from error
            self._written += 1
            ticket = self._written
        self._flush(ticket)

    def release(self, committed: Mapping[str, Position]) -> int:
        """Delete closed segments that were read to their end, by positions that are committed; how many went."""
        read = {told.path: told for told in committed.values() if not told.gone}
        gone = 0
        with self._lock:
            current = self._path
        for path in self._segments():
            told = read.get(printable(path))
            if path == current or told is None:
                continue
            with suppress(OSError):
                status = os.stat(path)
                same = (status.st_dev, status.st_ino) == (told.dev, told.ino)
                if same and told.offset >= _end_of_lines(path, status.st_size):
                    os.unlink(path)
                    gone += 1
                    with self._lock:
                        self._bytes -= status.st_size
        return gone

    def close(self) -> None:
        """Flush and close. What was appended stays for the next start."""
        with self._lock:
            self._leave_segment()
            ticket = self._written
        self._flush(ticket)

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _segments(self) -> list[str]:
        return sorted(str(path) for path in Path(self.folder).glob(f"*{_ENDING}") if _number(str(path)))

    def _make_room(self, count: int) -> None:
        if self._bytes + count > self._max_bytes:
            raise SpoolFullError(f"the spool is full: {self._bytes} bytes were not read yet")
        room = os.statvfs(self.folder)
        if room.f_bavail * room.f_frsize - count < self._min_free_bytes:
            raise SpoolFullError("the disk of the spool is nearly full")
        if self._descriptor >= 0 and self._size + count > self._segment_bytes and self._size:
            self._leave_segment()
        if self._descriptor < 0:
            self._begin_segment()

    def _begin_segment(self) -> None:
        self._number += 1
        self._path = str(Path(self.folder) / f"{self._number:012}{_ENDING}")
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, 0o600)
        self._size = 0
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)  # the name, too, survives a crash
        finally:
            os.close(folder)

    def _leave_segment(self) -> None:
        if self._descriptor >= 0:
            self._left.append(self._descriptor)
        self._descriptor, self._path, self._size = -1, "", 0

    def _write(self, lines: bytes) -> None:
        left = memoryview(lines)
        while left:
            count = os.write(self._descriptor, left)
            self._size += count
            self._bytes += count
            left = left[count:]

    def _flush(self, ticket: int) -> None:
        """Return when the append `ticket` is on the disk; whoever comes first flushes for all who wait."""
        with self._flushing:
            if self._failed >= ticket > self._flushed:
                raise SpoolFullError("the spool cannot be written: flushing it failed")
            if self._flushed >= ticket and not self._left:
                return
            with self._lock:
                written = self._written
                left, self._left = self._left, []
                current = self._descriptor
            try:
                if self._durable:
                    for descriptor in (*left, *([current] if current >= 0 else [])):
                        os.fdatasync(descriptor)
            except OSError as error:
                # What the kernel failed to write it may count as written from now on: none of it is acknowledged.
                self._failed = written
                with self._lock:
                    self._leave_segment()
                    self.refused += 1
                raise SpoolFullError(f"the spool cannot be written: {error.strerror}") from error
            finally:
                for descriptor in left:
                    os.close(descriptor)
            self._flushed = written


def _number(path: str) -> int:
    """The number of a segment, 0 of anything else."""
    name = Path(path).name.removesuffix(_ENDING)
    return int(name) if len(name) == 12 and name.isdecimal() else 0


def _end_of_lines(path: str, size: int) -> int:
    """Where the last whole line of a closed segment ends: a crash may have left half of one behind it."""
    with open(path, "rb") as file:
        end = size
        while end > 0:
            start = max(0, end - (1 << 16))
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            end = start
    return 0
