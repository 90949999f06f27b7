"""Blocks of the two byte-oriented codecs that Parquet uses and the standard library lacks: snappy and LZ4."""

from __future__ import annotations

__all__ = ["BrokenBlockError", "lz4", "snappy"]


class BrokenBlockError(ValueError):
    """The bytes are no block of the codec, or hold more than was allowed."""


def _copy(out: bytearray, offset: int, length: int, limit: int) -> None:
    """Repeat what was written `offset` bytes ago; source and target may overlap."""
    start = len(out) - offset
    if not offset or start < 0 or len(out) + length > limit:
        raise BrokenBlockError("a copy from outside of the block")
    if offset >= length:
        out += out[start : start + length]
    else:
        piece = bytes(out[start:])
        out += (piece * (length // offset + 1))[:length]


def snappy(data: bytes, limit: int) -> bytes:
    """What a raw snappy block holds (its format description: https://github.com/google/snappy)."""
    place = size = shift = 0
    while True:
        if place >= len(data) or shift > 35:
            raise BrokenBlockError("no length")
        byte = data[place]
        place += 1
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    if size > limit:
        raise BrokenBlockError("holds more than was announced")
    out = bytearray()
    while place < len(data):
        tag = data[place]
        place += 1
        kind, rest = tag & 3, tag >> 2
        if kind == 0:
            if rest >= 60:
                width = rest - 59
                rest = int.from_bytes(data[place : place + width], "little")
                place += width
            piece = data[place : place + rest + 1]
            place += rest + 1
            if len(piece) != rest + 1 or len(out) + len(piece) > size:
                raise BrokenBlockError("a literal from outside of the block")
            out += piece
            continue
        width = (0, 1, 2, 4)[kind]
        offset = int.from_bytes(data[place : place + width], "little")
        place += width
        if kind == 1:
            _copy(out, offset | (tag >> 5) << 8, (rest & 7) + 4, size)
        else:
            _copy(out, offset, rest + 1, size)
    if len(out) != size:
        raise BrokenBlockError("holds less than it announces")
    return bytes(out)


def lz4(data: bytes, limit: int) -> bytes:
    """What a raw LZ4 block holds (its format description: https://github.com/lz4/lz4)."""
    out = bytearray()
    place = 0
    while place < len(data):
        token = data[place]
        length, place = _length(data, place + 1, token >> 4)
        piece = data[place : place + length]
        place += length
        if len(piece) != length or len(out) + length > limit:
            raise BrokenBlockError("a literal from outside of the block")
        out += piece
        if place >= len(data):
            break
        offset = int.from_bytes(data[place : place + 2], "little")
        length, place = _length(data, place + 2, token & 15)
        _copy(out, offset, length + 4, limit)
    return bytes(out)


def _length(data: bytes, place: int, length: int) -> tuple[int, int]:
    if length == 15:
        while place < len(data):
            length += data[place]
            place += 1
            if data[place - 1] != 255:
                break
    return length, place
