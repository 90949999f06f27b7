"""The records of a zip archive: end records, central directories, local headers. Reads, and judges nothing.

Field layouts and signatures: PKWARE APPNOTE 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory), 4.3.14 and
4.3.15 (zip64), 4.3.16 (end record), 4.5.3 (zip64 sizes in the extra field).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from msgspec import Struct

from eightysix.scan.artifact import Artifact

__all__ = [
    "CENTRAL",
    "END",
    "LOCAL",
    "Directory",
    "Entry",
    "Local",
    "directories",
    "ends_in_zip",
    "local_at",
    "search",
]

LOCAL = b"PK\x03\x04"
CENTRAL = b"PK\x01\x02"
END = b"PK\x05\x06"
_END64 = b"PK\x06\x06"
_LOCATOR64 = b"PK\x06\x07"

_TAIL = 22 + 0xFFFF
"""An end record and its longest comment: as far from the end as zipfile and miniz look (`_EndRecData`)."""

_MOST_ENDS = 16
"""End records in the tail that are looked at; ours. More than one is odd, more than this is a flood."""

_SATURATED = 0xFFFFFFFF
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_LOCAL = struct.Struct("<4s3H4s3I2H")
_END = struct.Struct("<4s4H2IH")


class Entry(Struct, frozen=True):
    """One record of a central directory. `offset` is of the local header, in the artifact. `number` counts from 0."""

    number: int
    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    attributes: int
    system: int


class Local(Struct, frozen=True):
    """One local header. `data` is where its content begins. Sizes are as the header has them."""

    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    data: int


class Directory(Struct, frozen=True):
    """One central directory as one kind of reader would find it.

    `start` and `end` bound its records; `record` is the offset of its end record, `tail` where that ends, comment
    included. `shift` is how much its offsets are moved. `declared` is the number of entries that it says it has.
    """

    start: int
    end: int
    record: int
    tail: int
    shift: int
    declared: int
    disks: int
    entries: tuple[Entry, ...]


def ends_in_zip(artifact: Artifact, least: int = 0) -> bool:
    """Whether the tail, from `least` on, holds an end record with a directory in front: cheap, for recognition."""
    tail = artifact.tail(_TAIL)
    base = len(artifact) - len(tail)
    place = tail.rfind(END)
    for _ in range(_MOST_ENDS):
        if place < 0 or base + place < least:
            return False
        if any(artifact.at(start, 4) == CENTRAL for start, *_ in _starts(artifact, base + place)):
            return True
        place = tail.rfind(END, 0, place)
    return False


def directories(artifact: Artifact, most: int) -> list[Directory]:
    """Every central directory that some reader would use, the one of zipfile first. `most` entries are read in all."""
    found: list[Directory] = []
    seen: set[tuple[int, int]] = set()
    for record in _end_records(artifact):
        for start, end, shift, declared, disks in _starts(artifact, record):
            if (start, shift) in seen:
                continue
            seen.add((start, shift))
            left = most - sum(len(one.entries) for one in found)
            entries, reached = _entries(artifact, start, end, shift, left)
            comment = int.from_bytes(artifact.at(record + 20, 2), "little")
            tail = min(record + 22 + comment, len(artifact))
            found.append(
                Directory(
                    start=start,
                    end=reached,
                    record=record,
                    tail=tail,
                    shift=shift,
                    declared=declared,
                    disks=disks,
                    entries=tuple(entries),
                )
            )
    return found


def local_at(artifact: Artifact, offset: int) -> Local | None:
    """The local header at `offset`; None where there is none."""
    data = artifact.at(offset, _LOCAL.size)
    if len(data) < _LOCAL.size or not data.startswith(LOCAL):
        return None
    _, _, flags, method, _, crc, packed, size, name_length, extra_length = _LOCAL.unpack(data)
    rest = artifact.at(offset + _LOCAL.size, name_length + extra_length)
    if len(rest) < name_length + extra_length:
        return None
    packed, size, _ = _zip64(rest[name_length:], packed, size, 0)
    return Local(
        name=rest[:name_length],
        flags=flags,
        method=method,
        crc=crc,
        packed=packed,
        size=size,
        offset=offset,
        data=offset + _LOCAL.size + name_length + extra_length,
    )


def search(artifact: Artifact, needle: bytes, start: int, end: int) -> int:
    """Where `needle` lies first in `start` to `end`, -1 where nowhere. In blocks: a map's own find is ten times slower.

    Blocks begin small and grow, so that many hits close to each other cost no more than their distance.
    """
    block = 256
    place = start
    while place < end:
        data = artifact.at(place, min(block, end - place))
        found = data.find(needle)
        if found >= 0:
            return place + found
        if len(data) < block:
            return -1
        place += block - len(needle) + 1
        block = min(block * 4, 1 << 20)
    return -1


def _end_records(artifact: Artifact) -> Iterator[int]:
    tail = artifact.tail(_TAIL)
    base = len(artifact) - len(tail)
    first = -1
    if tail[-22:].startswith(END) and tail.endswith(b"\x00\x00"):
        first = len(tail) - 22  # zipfile tries this place before it searches
        yield base + first
    place = tail.rfind(END)
    for _ in range(_MOST_ENDS):
        if place < 0:
            return
        if place != first:
            yield base + place
        place = tail.rfind(END, 0, place)


def _starts(artifact: Artifact, record: int) -> Iterator[tuple[int, int, int, int, int]]:
    """Places where a directory of this end record begins: start, end, shift, declared entries, disks."""
    data = artifact.at(record, _END.size)
    if len(data) < _END.size:
        return
    _, disk, _, _, count, size, offset, _ = _END.unpack(data)
    claims = [(count, size, offset, record, disk)]
    locator = artifact.at(record - 20, 20)
    if record >= 20 and locator.startswith(_LOCATOR64):
        absolute = int.from_bytes(locator[8:16], "little")
        # zipfile takes the record that lies right before the locator, miniz the one that the locator names.
        for place in dict.fromkeys((record - 76, absolute)):
            data = artifact.at(place, 56)
            if len(data) == 56 and data.startswith(_END64):
                count64, size64, offset64 = struct.unpack_from("<3Q", data, 32)
                claims.insert(0, (count64, size64, offset64, place, disk if disk != 0xFFFF else 0))
    for count, size, offset, end, disk in claims:
        for start in dict.fromkeys((end - size, offset)):
            if start < 0 or start > end:
                continue
            if artifact.at(start, 4) == CENTRAL or (not count and not size and start == end):
                # zipfile moves all offsets by what lies in front of the archive; other readers take them as they are.
                yield start, end, (start - offset if start == end - size else 0), count, disk


def _entries(artifact: Artifact, start: int, end: int, shift: int, most: int) -> tuple[list[Entry], int]:
    """The records from `start` on, as long as there are any: their number in the end record binds only some readers."""
    view = artifact.view()
    place = start
    entries: list[Entry] = []
    while len(entries) < most and place + _CENTRAL.size <= end and view[place : place + 4] == CENTRAL:
        fields = _CENTRAL.unpack_from(view, place)
        made, flags, method, crc, packed, size = (fields[index] for index in (1, 3, 4, 7, 8, 9))
        name_length, extra_length, comment_length, attributes, offset = (
            fields[index] for index in (10, 11, 12, 15, 16)
        )
        name_end = place + _CENTRAL.size + name_length
        extra = bytes(view[name_end : name_end + extra_length])
        packed, size, offset = _zip64(extra, packed, size, offset)
        name = bytes(view[place + _CENTRAL.size : name_end])
        entries.append(
            Entry(
                len(entries),
                name,
                flags,
                method,
                crc,
                packed,
                size,
                offset + shift,
                attributes,
                made >> 8,
            )
        )
        place = name_end + extra_length + comment_length
    return entries, place


def _zip64(extra: bytes, packed: int, size: int, offset: int) -> tuple[int, int, int]:
    """The 64-bit values of the extra field in place of saturated ones: uncompressed, compressed, offset, in this order."""
    if _SATURATED not in (packed, size, offset):
        return packed, size, offset
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, place)
        if kind == 1:
            values = iter(
                struct.unpack_from(f"<{min(length, len(extra) - place - 4) // 8}Q", extra, place + 4)
            )
            size = next(values, size) if size == _SATURATED else size
            packed = next(values, packed) if packed == _SATURATED else packed
            offset = next(values, offset) if offset == _SATURATED else offset
            break
        place += 4 + length
    return packed, size, offset
