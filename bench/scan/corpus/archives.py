"""Archives written byte by byte where a library would not write what is wanted: zip headers that contradict each other,
7z, tar, LZ4 and zstd frames.
"""

from __future__ import annotations

import bz2
import io
import lzma
import struct
import tarfile
import zlib
from collections.abc import Sequence
from typing import NamedTuple

STORED, DEFLATED, BZIP2, LZMA = 0, 8, 12, 14


class Member(NamedTuple):
    """A zip member; what is None is told truthfully, anything else is written as given."""

    name: str
    data: bytes
    method: int = STORED
    local_name: str | None = None
    local_flags: int = 0
    flags: int = 0
    crc: int | None = None
    local_crc: int | None = None
    size: int | None = None
    local_size: int | None = None
    told_method: int | None = None
    extra: bytes = b""
    attributes: int = 0
    in_directory: bool = True
    in_file: bool = True


def packed(data: bytes, method: int) -> bytes:
    """`data` as this zip method stores it."""
    if method == DEFLATED:
        machine = zlib.compressobj(9, zlib.DEFLATED, -15)
        return machine.compress(data) + machine.flush()
    if method == BZIP2:
        return bz2.compress(data)
    if method == LZMA:
        filters = [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16}]
        raw = lzma.compress(data, lzma.FORMAT_RAW, filters=filters)
        return b"\x09\x04" + struct.pack("<H", 5) + b"\x5d" + struct.pack("<I", 1 << 16) + raw
    return data


def zip_(
    members: Sequence[Member],
    prefix: bytes = b"",
    comment: bytes = b"",
    suffix: bytes = b"",
    count: int | None = None,
    gap: bytes = b"",
    shift: int = 0,
) -> bytes:
    """A zip file; `gap` stands between members and directory, `shift` moves the told offset of the directory."""
    out, directory, listed = bytearray(prefix), bytearray(), 0
    for member in members:
        stored = packed(member.data, member.method)
        crc = zlib.crc32(member.data) if member.crc is None else member.crc
        size = len(stored) if member.size is None else member.size
        method = member.method if member.told_method is None else member.told_method
        name = member.name.encode()
        at = len(out)
        if member.in_file:
            local = (member.local_name if member.local_name is not None else member.name).encode()
            out += struct.pack(
                "<4sHHHHHIIIHH",
                b"PK\3\4",
                20,
                member.local_flags,
                method,
                0,
                0x5A21,
                crc if member.local_crc is None else member.local_crc,
                size if member.local_size is None else member.local_size,
                len(member.data),
                len(local),
                len(member.extra),
            )
            out += local + member.extra + stored
        if member.in_directory:
            listed += 1
            directory += struct.pack(
                "<4sHHHHHHIIIHHHHHII",
                b"PK\1\2",
                20,
                20,
                member.flags,
                method,
                0,
                0x5A21,
                crc,
                size,
                len(member.data),
                len(name),
                0,
                0,
                0,
                0,
                member.attributes,
                at,
            )
            directory += name
    out += gap
    told = listed if count is None else count
    end = struct.pack(
        "<4sHHHHIIH", b"PK\5\6", 0, 0, told, told, len(directory), len(out) + shift, len(comment)
    )
    return bytes(out + directory + end + comment + suffix)


def torch_zip(pickle: bytes, name: str = "archive", more: Sequence[Member] = (), **options: bytes) -> bytes:
    """What torch.save writes, around `pickle`."""
    members = [
        Member(f"{name}/data.pkl", pickle),
        Member(f"{name}/byteorder", b"little"),
        *more,
        Member(f"{name}/data/0", b"\0" * 64),
        Member(f"{name}/version", b"3\n"),
    ]
    return zip_(members, **options)  # type: ignore[arg-type]  # the options that callers pass are bytes


def tar(
    members: Sequence[tuple[str, bytes]], mode: str = "w", links: Sequence[tuple[str, str]] = ()
) -> bytes:
    """A tar; `mode` names a compression as tarfile does; `links` are symbolic."""
    if mode == "w:gz":  # tarfile would write the time of day into it
        return gzip_(tar(members, "w", links))
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as out:  # type: ignore[call-overload]  # a mode known at run time
        for name, target in links:
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            out.addfile(link)
        for name, data in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            out.addfile(entry, io.BytesIO(data))
    return made.getvalue()


def gzip_(data: bytes) -> bytes:
    """gzip without a time in its header."""
    machine = zlib.compressobj(9, zlib.DEFLATED, 31)
    return machine.compress(data) + machine.flush()


def seven_zip(name: str, data: bytes) -> bytes:
    """A 7z archive with one member, stored."""

    def number(value: int) -> bytes:
        return bytes([value]) if value < 0x80 else b"\xf0" + struct.pack("<I", value)

    header = b"\x01\x04"  # header, main streams
    header += (
        b"\x06" + number(0) + number(1) + b"\x09" + number(len(data)) + b"\0"
    )  # pack info: at 0, one stream
    header += b"\x07\x0b" + number(1) + b"\0" + b"\x01\x01\x00"  # folders: one, one coder of id 00: copy
    header += b"\x0c" + number(len(data)) + b"\x0a\x01" + struct.pack("<I", zlib.crc32(data)) + b"\0"
    header += b"\x08\0\0"  # no substreams to tell; end of streams
    text = name.encode("utf-16-le") + b"\0\0"
    header += b"\x05" + number(1) + b"\x11" + number(len(text) + 1) + b"\0" + text + b"\0\0"
    start = struct.pack("<QQI", len(data), len(header), zlib.crc32(header))
    return b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(start)) + start + data + header


def xxh32(data: bytes) -> int:
    """xxHash of fewer than 16 bytes, which is all that an LZ4 frame header needs."""
    high, mask = 0x9E3779B1, 0xFFFFFFFF
    value = (374761393 + len(data)) & mask
    for byte in data:
        value = (value + byte * 374761393) & mask
        value = (((value << 11) | (value >> 21)) * high) & mask
    value = ((value ^ (value >> 15)) * 2246822519) & mask
    value = ((value ^ (value >> 13)) * 3266489917) & mask
    return value ^ (value >> 16)


def lz4(data: bytes) -> bytes:
    """An LZ4 frame whose blocks are stored."""
    descriptor = b"\x60\x40"
    blocks = b"".join(
        struct.pack("<I", len(data[i : i + 65536]) | 0x80000000) + data[i : i + 65536]
        for i in range(0, len(data), 65536)
    )
    return b"\x04\x22\x4d\x18" + descriptor + bytes([xxh32(descriptor) >> 8 & 0xFF]) + blocks + b"\0" * 4


def zstd(data: bytes) -> bytes:
    """A zstd frame of one raw block (at most 128 KB)."""
    return (
        b"\x28\xb5\x2f\xfd\xa0"
        + struct.pack("<I", len(data))
        + struct.pack("<I", 1 | len(data) << 3)[:3]
        + data
    )
