"""Copies of files that were read: made by copytruncate, by compression after rotation, by a move across file systems.

A copy is not read again. While the original lives it is left alone; when that was truncated or is gone, reading goes on
in the copy where it stopped in the original.
"""

from __future__ import annotations

from collections.abc import Mapping

from eightysix.serve.follow.position import ANCHOR_BYTES, Position
from eightysix.serve.follow.tracked import Tracked

__all__ = ["MAX_REMEMBERED", "Copies"]

MAX_REMEMBERED = 512
"""Files that are gone whose copies are recognised; the oldest are forgotten. Rotation keeps five to some dozen."""


class Copies:
    """The files that are gone, by key, and which file is a copy of which."""

    def __init__(self, gone: Mapping[str, Position]) -> None:
        self.gone = dict(gone)

    def remember(self, key: str, told: Position) -> None:
        """Keep where reading stood in a file that is gone."""
        if not told.offset and not told.head_bytes:
            return
        self.gone[key] = Position(
            told.path, told.dev, told.ino, told.head_bytes, told.head_hash, told.tail_hash, told.offset, told.line,
            told.skipping, gone=True, finished=told.finished,
        )  # fmt: skip
        while len(self.gone) > MAX_REMEMBERED:
            del self.gone[next(iter(self.gone))]

    def decide(self, file: Tracked, others: Mapping[str, Tracked], *, settled: bool = True) -> None:
        """Tell whether `file`, of which nothing was read, is a copy: of one that is gone it takes over the position; one
        that lives it `shadows` and is asked about again later; else it is `decided` to be on its own.

        Of a compressed file that is not `settled`, and of which too little was written to tell, nothing is decided yet.
        """
        file.shadows = ""
        if (
            file.kind == "packed"
            and not settled
            and len(file.packed_head()) < ANCHOR_BYTES
            and not file.complete()
        ):
            return
        for key, told in self.gone.items():
            anchors = file.fits(told) if told.offset else None
            if anchors is not None:
                file.head, tail = anchors
                file.cutter.resume(told.offset, told.line, tail, skipping=told.skipping)
                file.decided = True
                file.finished = told.finished and file.kind == "packed"
                del self.gone[key]
                return
        begin = file.packed_head() if file.kind == "packed" else file.begin
        for other in others.values():
            if other is file or not other.decided or not _alike(begin, other):
                continue
            if _is_copy(file, other):
                file.shadows, file.compared = other.key, (other.size, other.mtime_ns)
                return
            if other.kind == "text" and not _unchanged(other):
                return  # truncated this very moment: when that is known, so is whose copy this is
        if file.kind == "packed":
            file.packed(again=True)
        file.decided = True


def _alike(begin: bytes, other: Tracked) -> bool:
    theirs = other.head if other.kind == "packed" else other.begin
    count = min(len(begin), len(theirs))
    return begin[:count] == theirs[:count]


def _unchanged(other: Tracked) -> bool:
    try:
        return other.unchanged()
    except OSError:
        return False


def _is_copy(file: Tracked, other: Tracked) -> bool:
    """Whether all of `file` is what `other` begins with; of a compressed one the head must do."""
    if file.kind == "packed":
        head = file.packed_head()
        begun = other.head if other.kind == "packed" else _bytes(other, len(head), 0)
        return bool(begun) and head.startswith(begun)
    if other.kind != "text" or not 0 < file.size <= other.size:
        return False
    count = min(ANCHOR_BYTES, file.size)
    start = file.size - count
    return _bytes(other, count, 0) == file.pread(count, 0) and _bytes(other, count, start) == file.pread(
        count, start
    )


def _bytes(other: Tracked, count: int, offset: int) -> bytes:
    try:
        return other.pread(count, offset)
    except OSError:  # it is closed, and not there any more
        return b""
