"""Reads Parquet: columns of bytes may hold pickles, which data frames of objects are stored as by some writers.

Only columns of bytes that are no text are read, page by page. Their values are handed on where they are something.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from importlib import import_module

from msgspec import Struct as Record

from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Scan
from eightysix.scan.recognise import recognise
from eightysix.scan.texts import thrift
from eightysix.scan.texts.blocks import BrokenBlockError, lz4, snappy
from eightysix.scan.texts.tree import shown

__all__ = ["read"]

FOOTER = 32 << 20
PAGE = 64 << 20
HEADER = 64 << 10
"""Bytes of a footer, a page and a page header that are read; writers make pages of 1 MB and headers of some hundred."""

BYTE_ARRAY, FIXED = 6, 7
UTF8, ENUM, JSON, DECIMAL = 0, 4, 19, 5
TEXTUAL = frozenset((UTF8, ENUM, JSON, DECIMAL))
"""Converted types (https://github.com/apache/parquet-format, parquet.thrift): what is text or a number to every reader."""

PLAIN, PLAIN_DICTIONARY, RLE_DICTIONARY = 0, 2, 8
DELTA_LENGTH, DELTA_BYTES = 6, 7


class _Column(Record, frozen=True):
    """A column of bytes: its name, how deep it repeats and is optional."""

    name: str
    repeated: bool
    optional: bool


class _UnreadError(Exception):
    """A part that is in order and cannot be read here; the text says why."""


def read(artifact: Artifact, scan: Scan) -> None:
    """Hand on the values of all columns of bytes."""
    tail = artifact.tail(8)
    if tail[4:] == b"PARE" or artifact.head(4) == b"PARE":
        scan.report("parquet-unread", artifact, "the footer is encrypted")
        return
    size = int.from_bytes(tail[:4], "little")
    if tail[4:] != b"PAR1" or size > min(FOOTER, len(artifact) - 12):
        scan.report("parquet-broken", artifact, "there is no footer where the file says")
        return
    try:
        footer, _end = thrift.read_struct(artifact.at(len(artifact) - 8 - size, size))
        _metadata(footer, artifact, scan)
        columns = _columns(footer)
        for group in footer.get(4, []):
            for chunk in group.get(1, []):
                _chunk(chunk, columns, artifact, scan)
    except (thrift.BrokenThriftError, AttributeError, TypeError, KeyError, IndexError, ValueError) as error:
        scan.report(
            "parquet-broken", artifact, f"the metadata are not what the format says ({type(error).__name__})"
        )


def _metadata(footer: thrift.Struct, artifact: Artifact, scan: Scan) -> None:
    """Hand on what writers keep beside the schema: petastorm pickles its own into `FileMetaData.key_value_metadata`."""
    for pair in footer.get(5, ()):
        value = pair.get(2, b"")
        scan.budget.step(1 + len(value) // 64)
        _hand_on(value, f"metadata {shown(pair[1].decode('utf-8', 'replace'), 60)}", artifact, scan)


def _hand_on(value: bytes, name: str, artifact: Artifact, scan: Scan) -> None:
    """Have a value read that is more than text."""
    part = artifact.unpacked(name, value)
    if len(value) > 3 and any(
        kind.name not in ("text", "yaml", "json", "script") for kind in recognise(part)
    ):
        scan.descend(part)


def _columns(footer: thrift.Struct) -> dict[tuple[bytes, ...], _Column]:
    """The columns of bytes by their path. The schema is a tree in the order of a walk."""
    found: dict[tuple[bytes, ...], _Column] = {}
    way: list[tuple[bytes, int, bool, bool]] = []
    for at, element in enumerate(footer[2]):
        while way and way[-1][1] == 0:
            way.pop()
        if way:
            outer, left, often, missing = way[-1]
            way[-1] = (outer, left - 1, often, missing)
        repetition = element.get(3, 0)
        above = way[-1] if way else (b"", 0, False, False)
        repeated = bool(at) and (above[2] or repetition == 2)
        optional = bool(at) and (above[3] or repetition != 0)
        if element.get(5):
            if len(way) > 200:
                raise ValueError("nests too deep")
            way.append((element[4], element[5], repeated, optional))
            continue
        path = (*(one[0] for one in way[1:]), element[4])
        logical = element.get(10, {})
        text = element.get(6, -1) in TEXTUAL or any(kind in logical for kind in (1, 4, 5, 12, 14))
        if element.get(1) in (BYTE_ARRAY, FIXED) and not text:
            name = ".".join(one.decode("utf-8", "replace") for one in path)
            found[path] = _Column(name, repeated, optional)
    return found


def _chunk(
    chunk: thrift.Struct, columns: dict[tuple[bytes, ...], _Column], artifact: Artifact, scan: Scan
) -> None:
    if 3 not in chunk:
        scan.report("parquet-unread", artifact, "a column whose metadata are encrypted or elsewhere")
        return
    about = chunk[3]
    column = columns.get(tuple(about[3]))
    if column is None or about.get(1) != BYTE_ARRAY:
        return
    if chunk.get(1):
        scan.report("parquet-unread", artifact, f"the column {shown(column.name)} lies in another file")
        return
    start = min(place for place in (about.get(9, 0), about.get(11) or about.get(9, 0)))
    try:
        for offset, value in _values(start, start + about[7], about.get(4, 0), column, artifact, scan):
            _hand_on(value, f"{shown(column.name, 60)}@{offset}", artifact, scan)
    except _UnreadError as unread:
        scan.report("parquet-unread", artifact, f"the column {shown(column.name)}: {unread}")
    except (BrokenBlockError, thrift.BrokenThriftError, zlib.error) as broken:
        scan.report("parquet-broken", artifact, f"the column {shown(column.name)}: {type(broken).__name__}")


def _values(
    place: int, end: int, codec: int, column: _Column, artifact: Artifact, scan: Scan
) -> Iterator[tuple[int, bytes]]:
    """The values of one chunk, each with the place of its page. Values of a dictionary come once."""
    while place < min(end, len(artifact)):
        header, used = thrift.read_struct(artifact.at(place, HEADER))
        kind, plain, packed = header.get(1), header.get(2, 0), header.get(3, 0)
        if not 0 <= packed <= PAGE or not 0 <= plain <= PAGE:
            raise _UnreadError(f"a page of more than {PAGE:,} bytes")
        body = artifact.at(place + used, packed)
        if len(body) != packed:
            raise BrokenBlockError("a page ends early")
        scan.budget.step(1 + plain // 64)
        if kind == 2:
            yield from ((place, value) for value in _plain(_unpacked(body, codec, plain, scan)))
        elif kind == 0:
            about = header.get(5, {})
            if about.get(2, 0) not in (PLAIN_DICTIONARY, RLE_DICTIONARY):
                data = _skip_levels(_unpacked(body, codec, plain, scan), column)
                yield from ((place, value) for value in _encoded(data, about.get(2, 0)))
        elif kind == 3:
            about = header.get(8, {})
            levels = about.get(5, 0) + about.get(6, 0)
            if about.get(4, 0) not in (PLAIN_DICTIONARY, RLE_DICTIONARY):
                data = body[levels:]
                if about.get(7, True):
                    data = _unpacked(data, codec, max(0, plain - levels), scan)
                yield from ((place, value) for value in _encoded(data, about.get(4, 0)))
        place += used + packed


def _skip_levels(data: bytes, column: _Column) -> bytes:
    """Behind the repetition and definition levels, each with its length before it."""
    place = 0
    for there in (column.repeated, column.optional):
        if there:
            place += 4 + int.from_bytes(data[place : place + 4], "little")
    return data[place:]


def _encoded(data: bytes, encoding: int) -> Iterator[bytes]:
    if encoding == PLAIN:
        return _plain(data)
    if encoding == DELTA_LENGTH:
        return _delta_length(data)
    raise _UnreadError(f"values in encoding {encoding}")


def _plain(data: bytes) -> Iterator[bytes]:
    """Values with their length before them."""
    place = 0
    while place + 4 <= len(data):
        length = int.from_bytes(data[place : place + 4], "little")
        if length > len(data) - place - 4:
            raise BrokenBlockError("a value ends early")
        yield data[place + 4 : place + 4 + length]
        place += 4 + length


def _delta_length(data: bytes) -> Iterator[bytes]:
    """All lengths first, as differences in blocks of packed bits; then all values."""
    lengths, place = _deltas(data)
    for length in lengths:
        if length < 0 or length > len(data) - place:
            raise BrokenBlockError("a value ends early")
        yield data[place : place + length]
        place += length


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(data) and shift < 70:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, place
    raise BrokenBlockError("a number ends early")


def _deltas(data: bytes) -> tuple[list[int], int]:
    """The numbers of DELTA_BINARY_PACKED, and where they end."""
    block, place = _varint(data, 0)
    minis, place = _varint(data, place)
    total, place = _varint(data, place)
    first, place = _varint(data, place)
    if not minis or block % minis or total > 8 * len(data) + 1 or block > 1 << 20:
        raise BrokenBlockError("no lengths")
    numbers = [(first >> 1) ^ -(first & 1)]
    each = block // minis
    while len(numbers) < total:
        least, place = _varint(data, place)
        least = (least >> 1) ^ -(least & 1)
        widths = data[place : place + minis]
        place += minis
        if len(widths) < minis:
            raise BrokenBlockError("lengths end early")
        for width in widths:
            if len(numbers) >= total:
                break
            if width > 64:
                raise BrokenBlockError("lengths of more than 64 bits")
            size = each * width // 8
            bits = int.from_bytes(data[place : place + size], "little")
            place += size
            mask = (1 << width) - 1
            for _ in range(min(each, total - len(numbers))):
                numbers.append(numbers[-1] + least + (bits & mask))
                bits >>= width
    return numbers[:total], place


def _unpacked(body: bytes, codec: int, size: int, scan: Scan) -> bytes:
    scan.budget.unpack(size)
    if codec == 0:
        return body
    if codec == 1:
        return snappy(body, size)
    if codec == 2:
        return zlib.decompressobj(wbits=47).decompress(body, size + 1)
    if codec == 7:
        return lz4(body, size)
    if codec == 6:
        return _zstd(body, size)
    raise _UnreadError(f"compressed in a way that is not read here (codec {codec})")


def _zstd(body: bytes, size: int) -> bytes:
    for name in ("compression.zstd", "backports.zstd"):
        try:
            module = import_module(name)
        except ImportError:
            continue
        try:
            return bytes(module.ZstdDecompressor().decompress(body, size + 1))
        except module.ZstdError as error:
            raise BrokenBlockError("zstd") from error
    raise _UnreadError(
        "compressed with zstd, which needs Python 3.14 or backports.zstd (pip install 'eightysix[zstd]')"
    )
