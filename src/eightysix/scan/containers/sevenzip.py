"""Reads 7z archives with the coders that the standard library has: none, LZMA, LZMA2, BZip2, Deflate, branch filters, Delta.

An own reader of the header, since py7zr unpacks what it is told to, with no bound on memory, and brings ten distributions
with compiled coders. PPMd, BCJ2 and encryption are said by name.
"""

from __future__ import annotations

import lzma
from typing import Any

from eightysix.scan.artifact import Artifact
from eightysix.scan.containers import unpack
from eightysix.scan.containers.members import Members, decoded
from eightysix.scan.containers.sevenzip_records import File, Folder, MalformedError, Parser, Streams
from eightysix.scan.interface import Scan

__all__ = ["read"]

_FRONT = 32
_LONGEST_HEADER = 16 << 20
"""Bytes of a header, packed or not, that are read; ours: some 200,000 files."""

_MOST_ENCODED = 4
"""How often a header may be packed within a header; ours. Writers do it once."""

_FILTERS = {
    b"\x03\x03\x01\x03": lzma.FILTER_X86,
    b"\x04": lzma.FILTER_X86,
    b"\x03\x03\x02\x05": lzma.FILTER_POWERPC,
    b"\x05": lzma.FILTER_POWERPC,
    b"\x03\x03\x04\x01": lzma.FILTER_IA64,
    b"\x06": lzma.FILTER_IA64,
    b"\x03\x03\x05\x01": lzma.FILTER_ARM,
    b"\x07": lzma.FILTER_ARM,
    b"\x03\x03\x07\x01": lzma.FILTER_ARMTHUMB,
    b"\x08": lzma.FILTER_ARMTHUMB,
    b"\x03\x03\x08\x05": lzma.FILTER_SPARC,
    b"\x09": lzma.FILTER_SPARC,
}
_NAMES = {
    b"\x06\xf1\x07\x01": "AES",
    b"\x03\x03\x01\x1b": "BCJ2",
    b"\x03\x04\x01": "PPMd",
    b"\x04\x01\x09": "Deflate64",
    b"\x0a": "the ARM64 filter",
    b"\x0b": "the RISC-V filter",
}
_AES = b"\x06\xf1\x07\x01"
_COPY, _LZMA, _LZMA2, _DELTA = b"\x00", b"\x03\x01\x01", b"\x21", b"\x03"
_BZIP2, _DEFLATE, _ZSTD = b"\x04\x02\x02", b"\x04\x01\x08", b"\x04\xf7\x11\x01"

_HELD_BACK = 32
"""Bytes that liblzma's branch filters keep until they are told that the end is reached, which a raw stream never tells."""

_UNIX = 0x8000
_LINK, _KIND = 0o120000, 0o170000


class _UnknownCoderError(Exception):
    pass


class _EncryptedError(Exception):
    pass


def read(artifact: Artifact, scan: Scan) -> None:
    """Read a 7z archive."""
    try:
        streams, files = _header(artifact, scan)
    except MalformedError as error:
        scan.report("zip-broken", artifact, f"the header of the 7z archive {error}")
        return
    except _EncryptedError:
        scan.report("encrypted-member", artifact, "the header of the 7z archive is encrypted")
        return
    except _UnknownCoderError as error:
        scan.report("packing-unknown", artifact, f"the header of the 7z archive is packed by {error}")
        return
    members = Members(artifact, scan, (file.name for file in files))
    for file in files:
        members.name(file.name)
    _folders(members, streams, [file for file in files if file.filled])


def _header(artifact: Artifact, scan: Scan) -> tuple[Streams, list[File]]:
    front = artifact.head(_FRONT)
    offset, size = (int.from_bytes(front[at : at + 8], "little") for at in (12, 20))
    if len(front) < _FRONT or size > _LONGEST_HEADER or _FRONT + offset + size > len(artifact):
        raise MalformedError("is cut off, or too long")
    if not size:
        return Streams(), []
    data = artifact.at(_FRONT + offset, size)
    for _ in range(_MOST_ENCODED):
        parser = Parser(data, scan.budget.limits.members)
        kind = parser.byte()
        if kind == 1:
            return parser.archive()
        if kind != 0x17:
            break
        streams = parser.streams()
        if len(streams.folders) != 1 or streams.folders[0].size > _LONGEST_HEADER:
            break
        unpacked = _unpacked(artifact, scan, streams.folders[0], *_places(streams)[0])
        data = bytes(unpacked.data)
    raise MalformedError("does not add up")


def _places(streams: Streams) -> list[tuple[int, int]]:
    """Where the first packed stream of each folder lies, and how long it is."""
    places: list[tuple[int, int]] = []
    place, index = _FRONT + streams.position, 0
    for folder in streams.folders:
        mine = streams.packed[index : index + len(folder.packed)]
        if len(mine) < len(folder.packed):
            raise MalformedError("names streams that are not there")
        places.append((place, mine[0]))
        place += sum(mine)
        index += len(mine)
    return places


def _folders(members: Members, streams: Streams, files: list[File]) -> None:
    artifact, scan = members.artifact, members.scan
    left = iter(files)
    try:
        places = _places(streams)
    except MalformedError as error:
        scan.report("zip-broken", artifact, f"the header of the 7z archive {error}")
        return
    for folder, (place, length) in zip(streams.folders, places, strict=True):
        mine = [(size, next(left, File())) for size in folder.parts]
        name = mine[0][1].name if mine else ""
        try:
            content = _content(artifact, scan, folder, place, length)
        except _EncryptedError:
            scan.report("encrypted-member", artifact.window(name, place, length), "it is encrypted by AES")
            continue
        except _UnknownCoderError as error:
            scan.report("packing-unknown", artifact.window(name, place, length), f"it is packed by {error}")
            continue
        start = 0
        for size, file in mine:
            context = members.roles.context(file.name) or artifact.context
            part = content.window(file.name, start, size, context=context)
            part.depth = artifact.depth + 1
            start += size
            if file.attributes & _UNIX and file.attributes >> 16 & _KIND == _LINK:
                members.link(file.name, decoded(part.head(4096)))
            members.content(part, file.name)


def _content(artifact: Artifact, scan: Scan, folder: Folder, place: int, length: int) -> Artifact:
    if [coder.method for coder in folder.coders] == [_COPY]:
        return artifact.window("", place, length)
    unpacked = _unpacked(artifact, scan, folder, place, length)
    missing = folder.size - len(unpacked.data)
    if unpacked.stopped == "damaged" or (unpacked.stopped == "truncated" and missing > _HELD_BACK):
        scan.report(
            "zip-broken", artifact, f"packed content at {place:,} is {unpacked.stopped}", offset=place
        )
    return artifact.unpacked("", unpacked.data)


def _unpacked(artifact: Artifact, scan: Scan, folder: Folder, place: int, length: int) -> unpack.Unpacked:
    if any(coder.method == _AES for coder in folder.coders):
        raise _EncryptedError
    chain = folder.chain
    if chain is None:
        raise _UnknownCoderError(_called(folder))
    coders = [folder.coders[index] for index in chain]
    methods = [coder.method for coder in coders]
    size = folder.size
    if methods == [_COPY]:
        data = artifact.at(place, min(length, _LONGEST_HEADER))
        return unpack.Unpacked(data=data, taken=len(data))
    if methods == [_BZIP2]:
        return unpack.unpack(
            unpack.bzip2, artifact, scan, offset=place, length=length, expected=None, again=(b"BZh",)
        )
    if methods == [_DEFLATE]:
        return unpack.unpack(
            lambda: unpack.deflate(-15), artifact, scan, offset=place, length=length, expected=size
        )
    if methods == [_ZSTD]:
        return unpack.unpack(unpack.zstandard, artifact, scan, offset=place, length=length, expected=size)
    if methods[0] not in (_LZMA, _LZMA2):
        raise _UnknownCoderError(_called(folder))
    filters = [_filter(coder.method, coder.properties, size, folder) for coder in reversed(coders)]
    return unpack.unpack(
        lambda: unpack.lzma_raw(filters), artifact, scan, offset=place, length=length, expected=size
    )


def _filter(method: bytes, properties: bytes, size: int, folder: Folder) -> dict[str, Any]:
    if method == _LZMA and len(properties) == 5 and properties[0] < 225:
        return unpack.lzma_filter(properties, size)
    if method == _LZMA2 and len(properties) == 1 and properties[0] <= 40:
        bits = properties[0]
        dictionary = 0xFFFFFFFF if bits == 40 else (2 | bits & 1) << (bits // 2 + 11)
        # A dictionary need not be larger than what comes out; a filter in front changes no length.
        return {"id": lzma.FILTER_LZMA2, "dict_size": max(4096, min(dictionary, size, unpack.LZMA_MEMORY))}
    if method == _DELTA and len(properties) == 1:
        return {"id": lzma.FILTER_DELTA, "dist": properties[0] + 1}
    if method in _FILTERS:
        return {"id": _FILTERS[method]}
    raise _UnknownCoderError(_called(folder))


def _called(folder: Folder) -> str:
    return (
        ", ".join(
            _NAMES.get(coder.method, f"method {coder.method.hex()}")
            for coder in folder.coders
            if coder.method in _NAMES or len(folder.coders) == 1
        )
        or "methods in an unusual order"
    )
