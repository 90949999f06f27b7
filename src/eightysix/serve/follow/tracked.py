"""One file that is followed: its descriptor, how far it was read, and whether it is still the file that was read."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import suppress

from eightysix.serve.follow.cutter import Cutter
from eightysix.serve.follow.places import Found
from eightysix.serve.follow.position import (
    ANCHOR_BYTES,
    Position,
    anchor_hash,
    joined_tail,
    same_content,
)
from eightysix.sources.decompress import Limits, StreamState, first_bytes_tell, text_chunks

__all__ = ["Packed", "Tracked"]

_TEXT_STARTS = b'{["tfn-0123456789 \t\r\n'
"""First bytes of JSON and of white space: with one of these a file is text, whatever follows."""

_BEGIN_BYTES = 160
"""First bytes that are compared before anything is read for comparing: Tetragon's differ within the first hundred."""


class Packed:
    """The text of a compressed file, from its beginning on."""

    def __init__(self, descriptor: int, limits: Limits) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        self.state = StreamState()
        self._stream = io.FileIO(descriptor, closefd=False)
        self._chunks: Iterator[bytes] = text_chunks(self._stream, limits, self.state)
        self._ahead = b""
        self.head = b""
        while len(self.head) < ANCHOR_BYTES and (chunk := next(self._chunks, b"")):
            self._ahead += chunk
            self.head = self._ahead[:ANCHOR_BYTES]

    def read(self) -> bytes:
        """The next bytes, none at the end. How many is up to the decompressor: about a block."""
        data, self._ahead = self._ahead, b""
        return data or next(self._chunks, b"")

    def skip(self, count: int) -> bytes | None:
        """Leave out `count` bytes and give the last of them, None where there are not as many."""
        tail = b""
        while count > 0:
            data = self.read()
            if not data:
                return None
            tail = joined_tail(tail, data[:count])
            self._ahead = data[count:]
            count -= len(data)
        return tail


class Tracked:
    """A file by its inode. Everything here raises `OSError` where the file cannot be read.

    `kind` is empty until its first bytes tell it, then `text`, `packed` or `other`. `shadows` is the id of the file
    that this one seems to be a copy of: while that lives, this one is not read.
    """

    def __init__(self, key: str, found: Found, cutter: Cutter, limits: Limits) -> None:
        self.key = key
        self.path = found.path
        self.dev, self.ino = found.dev, found.ino
        self.cutter = cutter
        self.begin = b""  # its first bytes when its kind was told
        self.head = b""  # the first bytes that were read
        self.kind = ""
        self.decided = False
        self.shadows = ""
        self.compared = (0, 0)  # size and time of that one when they were compared
        self.finished = False
        self.moved = False
        self.deleted = False
        self.shrank = False
        self.size = 0
        self.mtime_ns = 0
        self.changed_at = 0.0
        self.looked_at = 0.0
        self.tried_at = -1
        self._limits = limits
        self._packed: Packed | None = None
        self._position: Position | None = None
        self.descriptor = -1
        self.open()

    def open(self) -> None:
        """Open it if it is closed. A file that was just renamed away under us is not opened by mistake."""
        if self.descriptor >= 0:
            return
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
        descriptor = os.open(self.path, flags)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or (status.st_dev, status.st_ino) != (self.dev, self.ino):
            os.close(descriptor)
            raise FileNotFoundError(2, "moved while it was opened")
        self.descriptor = descriptor

    def close(self) -> None:
        """Give the descriptor back; reading opens it again."""
        if self.descriptor >= 0:
            with suppress(OSError):
                os.close(self.descriptor)
        self.descriptor, self._packed = -1, None

    def look(self, now: float) -> bool:
        """Take its size and time of change; whether they moved since the last look."""
        self.looked_at = now
        status = os.fstat(self.descriptor) if self.descriptor >= 0 else os.stat(self.path)
        if (status.st_dev, status.st_ino) != (self.dev, self.ino):
            raise FileNotFoundError(2, "no longer there")
        self.deleted = status.st_nlink == 0
        if (status.st_size, status.st_mtime_ns) == (self.size, self.mtime_ns):
            return False
        self.shrank = status.st_size < self.size
        self.size, self.mtime_ns, self.changed_at = status.st_size, status.st_mtime_ns, now
        return True

    def tell_kind(self) -> str:
        """What it is by its first bytes, empty while there are too few."""
        raw = self.pread(_BEGIN_BYTES, 0)
        if raw and not self.kind:
            self.begin = raw
            what = "" if raw[:1] in _TEXT_STARTS else first_bytes_tell(raw[:18])
            if what in ("gzip", "zstd"):
                self.kind = "packed"
            elif what:
                self.kind = "other"
                return what
            elif raw[0] in _TEXT_STARTS or len(raw) >= 4:
                self.kind = "text"
        return ""

    def pread(self, count: int, offset: int) -> bytes:
        """Bytes of the file itself."""
        self.open()
        return os.pread(self.descriptor, count, offset) if count else b""

    def packed(self, *, again: bool = False) -> Packed:
        """Its decompressed text, from where reading stands, or `again` from its beginning."""
        self.open()
        if self._packed is None or again:
            self._packed = Packed(self.descriptor, self._limits)
            self.head = self._packed.head
            if not again and self.cutter.offset:
                self._packed.skip(self.cutter.offset)
        return self._packed

    def packed_head(self) -> bytes:
        """The first bytes of its decompressed text."""
        return self.head if len(self.head) == ANCHOR_BYTES else self.packed(again=True).head

    def complete(self) -> bool:
        """Whether the compressed data were whole when their head was read."""
        return self._packed is not None and not self._packed.state.failure

    def read(self, count: int) -> bytes | None:
        """The next bytes, of text at most `count`; None where what was read before is not there any more.

        A file can be truncated and written anew between any two calls, so of text the last bytes that were read come
        again with the next ones, and are compared.
        """
        if self.kind == "packed":
            return self.packed().read()
        last = self.cutter.last
        data = self.pread(len(last) + count, self.cutter.end - len(last))
        return data[len(last) :] if data.startswith(last) else None

    def take_head(self, data: bytes) -> None:
        """Remember the first bytes; `data` were read at the end of what was read before."""
        if len(self.head) < ANCHOR_BYTES and self.cutter.end <= len(self.head):
            self.head = (self.head[: self.cutter.end] + data)[:ANCHOR_BYTES]

    def unchanged(self) -> bool:
        """Whether what was read of the text is still there, as far as its last bytes tell."""
        last = self.cutter.last
        return self.pread(len(last), self.cutter.end - len(last)) == last

    def fits(self, position: Position) -> tuple[bytes, bytes] | None:
        """Head and tail if what was read up to `position` is what this file begins with."""
        if self.kind != "packed":
            return same_content(position, os.fstat(self.descriptor).st_size, self.pread)
        head = self.packed_head()
        if anchor_hash(head[: position.head_bytes]) != position.head_hash:
            return None
        tail = self.packed(again=True).skip(position.offset)
        if tail is None or (position.offset and anchor_hash(tail) != position.tail_hash):
            return None
        return head, tail

    def behind(self) -> int:
        """Bytes that were not read yet (of a compressed file, compressed ones)."""
        if self.finished or self.kind == "other" or self.shadows:
            return 0
        if self.kind == "packed":
            if self.tried_at == self.size:
                return 0  # it ends early: more may come
            at = os.lseek(self.descriptor, 0, os.SEEK_CUR) if self._packed is not None else 0
            return max(1, self.size - at)
        return max(0, self.size - self.cutter.end)

    def restart(self) -> None:
        """Forget what was read: the file has other content now."""
        self.cutter.resume(0, 1, b"", skipping=False)
        self.head, self.kind, self.decided, self.shadows = b"", "", False, ""
        self.finished, self._packed, self._position = False, None, None

    def position(self, *, gone: bool = False) -> Position:
        """Where reading stands."""
        cutter, last = self.cutter, self._position
        if (
            last is None
            or (last.offset, last.skipping, last.line) != (cutter.offset, cutter.skipping, cutter.line)
            or (last.head_bytes, last.finished, last.gone) != (len(self.head), self.finished, gone)
        ):
            last = self._position = Position(
                cutter.name,
                self.dev,
                self.ino,
                len(self.head),
                self._head_hash(last),
                anchor_hash(cutter.tail) if cutter.tail else "",
                cutter.offset,
                cutter.line,
                cutter.skipping,
                gone,
                self.finished,
            )
        return last

    def _head_hash(self, last: Position | None) -> str:
        if last is not None and last.head_bytes == len(self.head) == ANCHOR_BYTES:
            return last.head_hash
        return anchor_hash(self.head) if self.head else ""
