"""Puts files with holes together, as unpacking a tar archive would: what a loader sees is not what lies in the archive.

The three ways of GNU tar: a map in old headers, in pax records (0.0 and 0.1), and before the content (1.0).
"""

from __future__ import annotations

from eightysix.scan.artifact import Artifact
from eightysix.scan.budget import OverBudgetError
from eightysix.scan.containers.tar_records import BLOCK, Tar, up
from eightysix.scan.containers.unpack import Sink
from eightysix.scan.interface import Scan

__all__ = ["put_together"]

_PIECE = 1 << 20
_MOST_SEGMENTS = 210_000
_MOST_MAP = 1 << 22
"""Bytes of a map before the content that are read; ours: two numbers of at most 20 digits a segment."""


def put_together(one: Tar, part: Artifact, scan: Scan) -> Artifact | None:
    """The content of `one` with its holes as zeros; None where its map does not add up, which is reported."""
    segments, size, skip = _map(one, part)
    if segments is None or not _adds_up(segments, size):
        scan.report("tar-broken", part, "its map of holes does not add up")
        return None
    sink = Sink(scan)
    place, taken = 0, skip
    try:
        for offset, length in segments:
            _zeros(sink, offset - place)
            for piece in range(0, length, _PIECE):
                sink.add(part.at(taken + piece, min(_PIECE, length - piece)))
            taken += length
            place = offset + length
        _zeros(sink, size - place)
    except OverBudgetError as over:
        scan.report("too-much", part, str(over))
    whole = part.unpacked("", sink.close(), context=part.context)
    whole.depth = part.depth
    return whole


def _zeros(sink: Sink, count: int) -> None:
    while count > 0:
        sink.add(bytes(min(count, _PIECE)))
        count -= _PIECE


def _adds_up(segments: list[tuple[int, int]], size: int) -> bool:
    place = 0
    for offset, length in segments:
        if offset < place:
            return False
        place = offset + length
    return place <= size


def _map(one: Tar, part: Artifact) -> tuple[list[tuple[int, int]] | None, int, int]:
    """Segments, the size of the whole, and where the content begins in `part`."""
    values = one.pax.values
    if one.header.kind == b"S":
        return list(one.header.sparse), one.header.real_size, 0
    size = _int(values.get("GNU.sparse.realsize", values.get("GNU.sparse.size", "")))
    if values.get("GNU.sparse.major") == "1":
        segments, skip = _map_in_content(part)
        return segments, size, skip
    numbers = [_int(number) for number in values.get("GNU.sparse.map", "").split(",")[: 2 * _MOST_SEGMENTS]]
    if len(numbers) % 2 or min(numbers) < 0:
        return None, size, 0
    return list(zip(numbers[::2], numbers[1::2], strict=True)), size, 0


def _map_in_content(part: Artifact) -> tuple[list[tuple[int, int]] | None, int]:
    data = part.head(_MOST_MAP)
    first, _, rest = data.partition(b"\n")
    count = _int(first.decode("ascii", "replace"))
    if not 0 <= count <= _MOST_SEGMENTS:
        return None, 0
    pieces = rest.split(b"\n", 2 * count)
    numbers = [_int(piece.decode("ascii", "replace")) for piece in pieces[: 2 * count]]
    if len(numbers) < 2 * count or (numbers and min(numbers) < 0):
        return None, 0
    used = len(first) + 1 + sum(len(piece) + 1 for piece in pieces[: 2 * count])
    return list(zip(numbers[::2], numbers[1::2], strict=True)), up(used) if used else BLOCK


def _int(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
