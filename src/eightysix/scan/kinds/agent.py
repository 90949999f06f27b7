"""How the formats of the family `agent` are recognised."""

from __future__ import annotations

from eightysix.scan.agent.msgpack import plausible
from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Kind

__all__ = ["KINDS"]

SQLITE = b"SQLite format 3\0"
WAL = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
"""https://www.sqlite.org/fileformat2.html, sections 1.3 and 4.1."""


def _sqlite(_artifact: Artifact, head: bytes) -> bool:
    return head.startswith(SQLITE)


def _wal(_artifact: Artifact, head: bytes) -> bool:
    return head.startswith(WAL) and head[4:8] == b"\x00\x2d\xe2\x18"  # the version, 3007000 in all files


def _msgpack(artifact: Artifact, head: bytes) -> bool:
    return plausible(head, len(artifact))


def _parquet(artifact: Artifact, head: bytes) -> bool:
    """The mark at either end: readers look at the one behind, with the footer's length before it."""
    tail = artifact.tail(8)
    if head.startswith(b"PAR1"):
        return True
    return tail[4:] in (b"PAR1", b"PARE") and int.from_bytes(tail[:4], "little") <= len(artifact) - 8


KINDS: tuple[Kind, ...] = (
    Kind("parquet", _parquet, "eightysix.scan.texts.parquet:read"),
    Kind("sqlite", _sqlite, "eightysix.scan.agent.sqlite:read"),
    Kind("sqlite-wal", _wal, "eightysix.scan.agent.sqlite:read_wal"),
    Kind("msgpack", _msgpack, "eightysix.scan.agent.msgpack:read", alone=False),
)
