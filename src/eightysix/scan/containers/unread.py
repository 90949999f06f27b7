"""Formats of archives and streams that are known by their first bytes and have no reader here: said by name, never clean."""

from __future__ import annotations

from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Scan

__all__ = ["UNREAD", "read"]

UNREAD: tuple[tuple[str, bytes], ...] = (
    ("rar", b"Rar!\x1a\x07"),
    ("cab", b"MSCF\x00\x00\x00\x00"),
    ("cpio", b"070701"),
    ("cpio", b"070702"),
    ("cpio", b"070707"),
    ("ar", b"!<arch>\n"),
    ("compress", b"\x1f\x9d\x90"),
    ("lzip", b"LZIP\x01"),
    ("lzop", b"\x89LZO\x00\r\n\x1a\n"),
    ("lz4-legacy", b"\x02\x21\x4c\x18"),
    ("snappy", b"\xff\x06\x00\x00sNaPpY"),
    ("squashfs", b"hsqs"),
    ("xar", b"xar!\x00"),
)
"""Name and first bytes, each from the format's own specification or file(1)'s table."""


def read(artifact: Artifact, scan: Scan) -> None:
    """Say which of them it is."""
    name = next(name for name, magic in UNREAD if artifact.head(16).startswith(magic))
    scan.report("no-reader", artifact, f"it is a {name} archive or stream")
