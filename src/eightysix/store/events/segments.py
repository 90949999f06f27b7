"""Sealed segments: what is known of each, the list that other processes read, and a look at whether one is whole."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from eightysix.model.errors import StateError
from eightysix.store.events.layout import Layout, is_plain, write_whole

__all__ = [
    "Manifest",
    "Segment",
    "check_bytes",
    "digest_of",
    "fault_of",
    "foot_of",
    "oldest_first",
    "read_manifest",
    "write_manifest",
]

MAGIC = b"PAR1"
"""First and last bytes of a Parquet file (parquet.apache.org/docs/file-format)."""

_MAX_MANIFEST = 256 << 20
_MAX_FOOT = 64 << 20


class Segment(Struct, frozen=True, kw_only=True):
    """One Parquet file. `path` is relative to the store; times are microseconds since 1970; `digest` is BLAKE2b-256 of its
    bytes; `shape` names its columns; `fault` is why it is left out of views, where it is."""

    table: str
    path: str
    rows: int
    bytes: int
    digest: str
    first_us: int
    last_us: int
    shape: str
    foot: str
    """BLAKE2b-128 of the footer: what a reader needs to be right to read anything at all, and small enough to check."""
    fault: str = ""


class Manifest(Struct, frozen=True, kw_only=True):
    """`manifest.json`: all segments, and the columns of each shape as (name, type of DuckDB)."""

    version: int
    shapes: Mapping[str, tuple[tuple[str, str], ...]]
    segments: tuple[Segment, ...]


def write_manifest(layout: Layout, manifest: Manifest) -> None:
    """Put the list in its place."""
    write_whole(layout.manifest, msgspec.json.encode(manifest))


def read_manifest(layout: Layout) -> Manifest:
    """The list; an empty one where nothing was sealed yet. Raises `StateError` where it is damaged."""
    if not os.path.lexists(layout.manifest):
        return Manifest(version=1, shapes={}, segments=())
    try:
        if not is_plain(layout.manifest) or layout.manifest.stat().st_size > _MAX_MANIFEST:
            raise msgspec.DecodeError("it is no plain file, or too large")
        return msgspec.json.decode(layout.manifest.read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StateError(
            f"{layout.manifest} cannot be read: {error}",
            "eightysix store stats writes it anew, unless another process owns the store: that one does",
        ) from error


def fault_of(layout: Layout, segment: Segment) -> str:
    """Why a segment cannot be read, as far as a look at its ends tells; empty where nothing is seen."""
    if segment.fault:
        return segment.fault
    path = layout.inside(segment.path)
    if path is None:
        return "it is not there, or it is a link"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            size = os.fstat(descriptor).st_size
            if size != segment.bytes:
                return f"it has {size} bytes and not {segment.bytes}"
            if os.pread(descriptor, 4, 0) != MAGIC or _foot(descriptor, size) != segment.foot:
                return "its footer has changed since it was sealed"
        finally:
            os.close(descriptor)
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return ""


def foot_of(path: Path) -> str:
    """BLAKE2b-128 of a segment's footer, empty where it has none."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        return _foot(descriptor, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)


def _foot(descriptor: int, size: int) -> str:
    end = os.pread(descriptor, 8, max(0, size - 8))
    length = int.from_bytes(end[:4], "little") + 8
    if end[4:] != MAGIC or not 8 < length <= min(size, _MAX_FOOT):
        return ""
    return hashlib.blake2b(os.pread(descriptor, length, size - length), digest_size=16).hexdigest()


def check_bytes(layout: Layout, segment: Segment) -> str:
    """As `fault_of`, of every byte."""
    fault = fault_of(layout, segment)
    path = layout.inside(segment.path)
    if fault or path is None:
        return fault
    try:
        return "" if digest_of(path) == segment.digest else "its bytes have changed since it was sealed"
    except OSError as error:
        return f"it cannot be read: {error.strerror}"


def digest_of(path: Path) -> str:
    """BLAKE2b-256 of a file."""
    digest = hashlib.blake2b(digest_size=32)
    with path.open("rb") as file:
        while data := file.read(1 << 20):
            digest.update(data)
    return digest.hexdigest()


def oldest_first(segments: Iterable[Segment]) -> list[Segment]:
    """As they are deleted: by their last row."""
    return sorted(segments, key=lambda one: (one.last_us, one.path))
