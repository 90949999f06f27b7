"""The records of a tar archive: headers, pax records, GNU's long names and sparse maps. Reads, and judges nothing.

Layout: POSIX.1-2017 `pax` (ustar and pax interchange formats) and GNU tar's manual, "Basic Tar Format".
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from eightysix.scan.artifact import Artifact

__all__ = ["BLOCK", "Header", "Pax", "Tar", "extended", "header_adds_up", "header_at", "long_text", "up"]

BLOCK = 512

_MOST_EXTENDED = 1 << 20
"""Bytes of an extended header or long name that are read; ours. Real ones have some hundred."""

_MOST_EXTENSIONS = 10_000
"""Blocks of a GNU sparse map that are read; ours: 210,000 segments."""


class Header(Struct, frozen=True):
    """One header block. `data` is where its content begins; `sparse` are (offset, length) of GNU's old sparse files."""

    name: str
    kind: bytes
    size: int
    target: str
    offset: int
    data: int
    sparse: tuple[tuple[int, int], ...] = ()
    real_size: int = 0


class Pax(Struct, frozen=True):
    """What extended headers say about the next member: `size` is None where they are silent."""

    values: dict[str, str]

    @property
    def size(self) -> int | None:
        """The size that replaces the header's."""
        value = self.values.get("size", "")
        return int(value) if value.isascii() and value.isdigit() and len(value) < 20 else None

    @property
    def sparse(self) -> bool:
        """Whether the content has holes, in any of the three ways in which GNU tar says so."""
        return any(key.startswith("GNU.sparse.") for key in self.values)


class Tar(Struct, frozen=True):
    """One member with all that its headers said: `name` and `target` are the ones that count."""

    header: Header
    name: str
    target: str
    size: int
    pax: Pax


def up(size: int) -> int:
    """`size` in whole blocks."""
    return -(-size // BLOCK) * BLOCK


def header_adds_up(block: bytes) -> bool:
    """Whether `block` is a tar header: its checksum counts all bytes, itself as spaces, unsigned or signed (old)."""
    if len(block) < BLOCK:
        return False
    told = _number(block[148:156])
    if told <= 0:
        return False
    rest = block[:148] + block[156:BLOCK]
    total = sum(rest) + 8 * 32
    return told == total or told == total - 256 * sum(byte > 127 for byte in rest)


def header_at(artifact: Artifact, offset: int) -> Header | None:
    """The header at `offset`; None where none adds up there."""
    block = artifact.at(offset, BLOCK)
    if not header_adds_up(block):
        return None
    name = _text(block[0:100])
    if block[257:263] == b"ustar\x00" and block[345]:
        name = f"{_text(block[345:500])}/{name}"
    kind = block[156:157]
    size = _number(block[124:136])
    data = offset + BLOCK
    sparse: tuple[tuple[int, int], ...] = ()
    real = size
    if kind == b"S":
        sparse, data = _old_sparse(artifact, block, data)
        real = _number(block[483:495])
    return Header(name, kind, max(size, 0), _text(block[157:257]), offset, data, sparse, max(real, 0))


def extended(artifact: Artifact, header: Header) -> Iterator[tuple[str, str]]:
    """The records `length key=value` of an extended header; ends where one does not add up."""
    data = artifact.at(header.data, min(header.size, _MOST_EXTENDED))
    place = 0
    while place < len(data):
        space = data.find(b" ", place, place + 20)
        if space < 0 or not data[place:space].isdigit():
            return
        length = int(data[place:space])
        record = data[space + 1 : place + length - 1]
        key, found, value = record.partition(b"=")
        if length < space - place + 2 or not found:
            return
        yield key.decode("utf-8", "replace"), value.decode("utf-8", "replace")
        place += length


def long_text(artifact: Artifact, header: Header) -> str:
    """The content of GNU's long name or long link."""
    return _text(artifact.at(header.data, min(header.size, _MOST_EXTENDED)))


def _old_sparse(artifact: Artifact, block: bytes, data: int) -> tuple[tuple[tuple[int, int], ...], int]:
    found = _segments(block[386:482], 4)
    more = block[482]
    for _ in range(_MOST_EXTENSIONS):
        if not more:
            break
        extension = artifact.at(data, BLOCK)
        if len(extension) < BLOCK:
            break
        found += _segments(extension[:504], 21)
        more = extension[504]
        data += BLOCK
    return tuple(found), data


def _segments(data: bytes, count: int) -> list[tuple[int, int]]:
    pairs = (
        (_number(data[24 * index : 24 * index + 12]), _number(data[24 * index + 12 : 24 * index + 24]))
        for index in range(count)
    )
    return [(offset, length) for offset, length in pairs if offset >= 0 and length > 0]


def _number(field: bytes) -> int:
    """A number in octal, or in GNU's base 256; -1 for what is neither."""
    if field[0] in (0x80, 0xFF):
        value = int.from_bytes(field[1:], "big")
        return -1 if field[0] == 0xFF else value
    text = field.partition(b"\x00")[0].strip()
    if not text:
        return 0
    return int(text, 8) if all(48 <= byte < 56 for byte in text) else -1


def _text(field: bytes) -> str:
    return field.partition(b"\x00")[0].decode("utf-8", "replace")
