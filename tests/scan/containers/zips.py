"""Writes zip archives byte by byte, so that each field of each record can lie on its own."""

from __future__ import annotations

import struct
import zlib
from typing import Any

from msgspec import Struct

__all__ = ["INERT", "Member", "central", "local", "write"]

INERT = b"\x80\x04\x95\x07\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94K\x01s."
"""A pickle of protocol 4 that builds a dict."""


class Member(Struct, kw_only=True):
    """One member: `central` and `local` replace fields of the one record, `packed` the packed bytes."""

    name: bytes
    data: bytes = INERT
    method: int = 0
    packed: bytes | None = None
    flags: int = 0
    central: dict[str, Any] = {}
    local: dict[str, Any] = {}
    extra: bytes = b""
    after: bytes = b""

    @property
    def body(self) -> bytes:
        if self.packed is not None:
            return self.packed
        if self.method == 8:
            maker = zlib.compressobj(9, zlib.DEFLATED, -15)
            return maker.compress(self.data) + maker.flush()
        return self.data

    def fields(self, own: dict[str, Any]) -> dict[str, Any]:
        told = {
            "name": self.name,
            "flags": self.flags,
            "method": self.method,
            "crc": zlib.crc32(self.data),
            "packed": len(self.body),
            "size": len(self.data),
        }
        return {**told, **own}


def local(member: Member) -> bytes:
    """The local header, the content, and what stands after it."""
    told = member.fields(member.local)
    head = struct.pack(
        "<4s3H4s3I2H",
        *(b"PK\x03\x04", 20, told["flags"], told["method"], b"\x00\x00!\x00"),
        *(told["crc"], told["packed"], told["size"], len(told["name"]), len(member.extra)),
    )
    name: bytes = told["name"]
    return head + name + member.extra + member.body + member.after


def central(member: Member, offset: int) -> bytes:
    """The record in the directory."""
    told = member.fields(member.central)
    name: bytes = told["name"]
    extra: bytes = told.get("extra", b"")
    return (
        struct.pack(
            "<4s6H3I5H2I",
            *(b"PK\x01\x02", 0x0314, 20, told["flags"], told["method"], 0, 33),
            *(told["crc"], told["packed"], told["size"], len(told["name"]), len(extra)),
            *(0, 0, 0, told.get("attributes", 0), told.get("offset", offset)),
        )
        + name
        + extra
    )


def write(
    *members: Member,
    prefix: bytes = b"",
    comment: bytes = b"",
    unlisted: tuple[Member, ...] = (),
    moved: int = 0,
    end: dict[str, int] | None = None,
) -> bytes:
    """An archive of `members`, `unlisted` ones before them; offsets count from `moved`."""
    data = bytearray(prefix)
    for one in unlisted:
        data += local(one)
    records = b""
    for one in members:
        records += central(one, len(data) - moved)
        data += local(one)
    told = {"count": len(members), "size": len(records), "offset": len(data) - moved, **(end or {})}
    data += records
    data += struct.pack(
        "<4s4H2IH",
        *(b"PK\x05\x06", 0, 0, told["count"], told["count"], told["size"], told["offset"], len(comment)),
    )
    return bytes(data + comment)
