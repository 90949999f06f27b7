"""Reads protocol buffers' wire format: field by field over mapped bytes, nothing kept, nothing copied unasked.

Attackers write these bytes: each message is walked once by whoever asks, lengths are held against the message around
them, and depth is the caller's to count. Groups (wire types 3 and 4) are of proto2 and none of our formats uses them;
they are skipped over like every reader of protobuf does, within a depth.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["BYTES", "VARINT", "Field", "WireError", "fields", "probe", "text", "varint"]

VARINT, FIXED64, BYTES, GROUP, END, FIXED32 = range(6)

Field = tuple[int, int, int, int]
"""Number, wire type, then the value and 0, or for `BYTES` the first and last offset of the content."""

_GROUPS = 32


class WireError(Exception):
    """The bytes are no message. `place` is the offset."""

    def __init__(self, why: str, place: int) -> None:
        super().__init__(why)
        self.place = place


def varint(view: memoryview, place: int, end: int) -> tuple[int, int]:
    """A number of base 128 and the offset behind it."""
    value = shift = 0
    while place < end:
        byte = view[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, place
        shift += 7
        if shift > 63:
            raise WireError("a number does not end", place)
    raise WireError("the message ends inside of a number", place)


def fields(view: memoryview, place: int, end: int) -> Iterator[Field]:
    """The fields of the message between two offsets. Raises `WireError` where it stops being one."""
    while place < end:
        start = place
        key = view[place]
        place += 1
        if key >= 0x80:
            key, place = varint(view, start, end)
        number, wire = key >> 3, key & 7
        if not number or number > 0x1FFFFFFF:
            raise WireError(f"a field has the number {number}", start)
        if wire == BYTES:
            length, place = varint(view, place, end)
            if length > end - place:
                raise WireError(f"field {number} is longer than what is around it", start)
            yield number, BYTES, place, place + length
            place += length
        elif wire == VARINT:
            value, place = varint(view, place, end)
            yield number, VARINT, value, 0
        elif wire in (FIXED32, FIXED64):
            width = 4 if wire == FIXED32 else 8
            if width > end - place:
                raise WireError("the message ends inside of a number", start)
            yield number, wire, int.from_bytes(view[place : place + width], "little"), 0
            place += width
        elif wire == GROUP:
            place = _group(view, place, end)
        else:
            raise WireError(f"field {number} has the wire type {wire}", start)


def _group(view: memoryview, place: int, end: int) -> int:
    """The offset behind a group that began before `place`."""
    depth = 1
    while depth:
        start = place
        key, place = varint(view, place, end)
        wire = key & 7
        if wire == GROUP:
            depth += 1
            if depth > _GROUPS:
                raise WireError("groups nest too deep", start)
        elif wire == END:
            depth -= 1
        elif wire == VARINT:
            _, place = varint(view, place, end)
        elif wire == BYTES:
            length, place = varint(view, place, end)
            place += length
        elif wire in (FIXED32, FIXED64):
            place += 4 if wire == FIXED32 else 8
        else:
            raise WireError(f"a field has the wire type {wire}", start)
        if place > end:
            raise WireError("a group is longer than what is around it", start)
    return place


def text(view: memoryview, first: int, last: int, longest: int = 4_096) -> str:
    """The text between two offsets, cut after `longest` bytes."""
    return str(view[first : min(last, first + longest)], "utf-8", "replace")


def probe(view: memoryview, place: int, end: int, most: int = 64) -> tuple[list[Field], bool]:
    """The first fields of what may be a message, and whether they were fields up to its end or up to `most` of them.

    A length that leads behind the end is cut there: files that were cut are still to be known for what they are.
    """
    found: list[Field] = []
    try:
        while place < end and len(found) < most:
            key, place = varint(view, place, end)
            number, wire = key >> 3, key & 7
            if not number:
                return found, False
            if wire == BYTES:
                length, place = varint(view, place, end)
                found.append((number, BYTES, place, min(place + length, end)))
                place += length
            elif wire == VARINT:
                value, place = varint(view, place, end)
                found.append((number, VARINT, value, 0))
            elif wire in (FIXED32, FIXED64):
                found.append((number, wire, 0, 0))
                place += 4 if wire == FIXED32 else 8
            else:
                return found, False
    except WireError:
        return found, False
    return found, place <= end or len(found) >= most
