"""Reads LZ4 frames: joblib packs with them, and the standard library has no decoder.

Frame and block formats: lz4_Frame_format.md 1.6 and lz4_Block_format.md of the lz4 project. Checksums are not looked at:
the loader that fails on one is no safer than the one that does not.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

from eightysix.scan.artifact import Artifact
from eightysix.scan.budget import OverBudgetError
from eightysix.scan.containers.streams import hand_on
from eightysix.scan.containers.unpack import Sink
from eightysix.scan.interface import Scan

__all__ = ["read"]

_MAGIC = b"\x04\x22\x4d\x18"
_WINDOW = 1 << 16
"""How far back a match may lie (block format, "offset")."""

_BLOCK = {4: 1 << 16, 5: 1 << 18, 6: 1 << 20, 7: 4 << 20}
"""Bytes of a block at most, by the code in the frame's descriptor."""

_STEPS = 8
"""Steps of the budget for one sequence: plain Python unpacks some 2 million of them a second."""


class _DamagedError(Exception):
    pass


def read(artifact: Artifact, scan: Scan) -> None:
    """Read one or more frames; skippable ones between them are passed over."""
    sink = Sink(scan)
    try:
        for data in _frames(artifact, scan):
            sink.add(data)
    except OverBudgetError as over:
        scan.report("too-much", artifact, str(over))
    except _DamagedError as error:
        scan.report("stream-broken", artifact, f"the LZ4 frame {error}")
    whole = sink.close()
    if len(whole):
        hand_on(artifact, whole, scan)


def _frames(artifact: Artifact, scan: Scan) -> Iterator[bytes]:
    place = 0
    while place < len(artifact):
        head = artifact.at(place, 19)
        if head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F:
            place += 8 + int.from_bytes(head[4:8], "little")
        elif head.startswith(_MAGIC):
            place = yield from _frame(artifact, scan, place, head)
        else:
            return  # what lies behind is no frame; joblib stops here


def _frame(artifact: Artifact, scan: Scan, place: int, head: bytes) -> Generator[bytes, None, int]:
    if len(head) < 7:
        raise _DamagedError("is cut off")
    flags, descriptor = head[4], head[5]
    most = _BLOCK.get(descriptor >> 4 & 7)
    if flags >> 6 != 1 or most is None:
        raise _DamagedError("has an unknown version")
    if flags & 1:
        raise _DamagedError("needs a dictionary that is not in it")
    place += 7 + (8 if flags & 8 else 0)
    linked, checked = not flags & 0x20, bool(flags & 0x10)
    window = b""
    while True:
        told = int.from_bytes(artifact.at(place, 4), "little")
        place += 4
        if place > len(artifact):
            raise _DamagedError("is cut off")
        if not told:
            return place + (4 if flags & 4 else 0)
        length = told & 0x7FFFFFFF
        data = artifact.at(place, length)
        if length > most or len(data) < length:
            raise _DamagedError("has a block that is cut off or too long")
        place += length + (4 if checked else 0)
        out = data
        if not told >> 31:
            out, sequences = _block(data, window, most)
            scan.budget.step(_STEPS * sequences)
        window = (window + out)[-_WINDOW:] if linked else b""
        yield out


def _block(data: bytes, window: bytes, most: int) -> tuple[bytes, int]:
    """Unpack one block, and how many sequences it had; `window` is what came before it, as far as matches may reach."""
    sequences = 0
    out = bytearray(window)
    limit = len(window) + most
    place, end = 0, len(data)
    while place < end:
        sequences += 1
        token = data[place]
        place += 1
        length = token >> 4
        if length == 15:
            length, place = _longer(data, place, length)
        out += data[place : place + length]
        place += length
        if place >= end:
            if place > end:
                raise _DamagedError("has literals that are cut off")
            break
        back = int.from_bytes(data[place : place + 2], "little")
        place += 2
        length = token & 15
        if length == 15:
            length, place = _longer(data, place, length)
        length += 4
        start = len(out) - back
        if not back or start < 0 or len(out) + length > limit:
            raise _DamagedError("has a match that leads outside")
        if back >= length:
            out += out[start : start + length]
        else:
            piece = bytes(out[start:])
            out += (piece * (length // back + 1))[:length]
    if len(out) > limit:
        raise _DamagedError("has a block that is too long")
    return bytes(out[len(window) :]), sequences


def _longer(data: bytes, place: int, length: int) -> tuple[int, int]:
    while place < len(data):
        byte = data[place]
        place += 1
        length += byte
        if byte != 255:
            return length, place
    raise _DamagedError("has a length that is cut off")
