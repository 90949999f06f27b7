"""Reads compressed streams: gzip, bzip2, xz, LZMA alone, zlib, zstd, and joblib's format before 0.10.

Several streams may follow each other, as the formats allow; what unpacks is one content then. joblib recognises the same
formats by the same bytes, so what comes out is read as joblib's where the container says nothing else.
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Callable
from mmap import mmap

from eightysix.scan.artifact import Artifact
from eightysix.scan.containers import heads
from eightysix.scan.containers.members import loadable
from eightysix.scan.containers.unpack import (
    Decoder,
    Unpacked,
    bzip2,
    deflate,
    lzma_stream,
    unpack,
    zstandard,
)
from eightysix.scan.interface import Scan
from eightysix.scan.recognise import recognise

__all__ = [
    "begins_lzma",
    "begins_zlib",
    "hand_on",
    "read_bzip2",
    "read_gzip",
    "read_lzma",
    "read_xz",
    "read_zf",
    "read_zlib",
    "read_zstd",
]

_TRIED = 512
"""Bytes that are unpacked to tell weak magic from chance."""

_ZSTD = (b"\x28\xb5\x2f\xfd", *(bytes([first]) + b"\x2a\x4d\x18" for first in range(0x50, 0x60)))
"""A zstd frame, and the sixteen kinds of frames that are skipped."""

_ZF_HEAD = 2 + len(hex(2**64))
"""`ZF`, then the length in hex, padded: joblib 0.9 `numpy_pickle_compat._MAX_LEN`."""


def read_gzip(artifact: Artifact, scan: Scan) -> None:
    """gzip, of one or more members (RFC 1952); zeros may follow (its 2.2 is read so by `gzip`)."""
    _read(artifact, scan, lambda: deflate(31), (b"\x1f\x8b",))


def read_bzip2(artifact: Artifact, scan: Scan) -> None:
    """bzip2, of one or more streams."""
    _read(artifact, scan, bzip2, (b"BZh",))


def read_xz(artifact: Artifact, scan: Scan) -> None:
    """xz, of one or more streams, padded with zeros."""
    _read(artifact, scan, lzma_stream, (b"\xfd7zXZ\x00",))


def read_lzma(artifact: Artifact, scan: Scan) -> None:
    """The old .lzma format, one stream."""
    _read(artifact, scan, lzma_stream, ())


def read_zlib(artifact: Artifact, scan: Scan) -> None:
    """A bare zlib stream (RFC 1950)."""
    _read(artifact, scan, lambda: deflate(15), ())


def read_zstd(artifact: Artifact, scan: Scan) -> None:
    """zstd, of one or more frames; skippable ones may stand before and between (RFC 8878)."""
    _read(artifact, scan, zstandard, _ZSTD)


def read_zf(artifact: Artifact, scan: Scan) -> None:
    """joblib before 0.10: `ZF`, a length, a zlib stream. A space may follow the length (`read_zfile`)."""
    skip = _ZF_HEAD + (artifact.at(_ZF_HEAD, 1) == b" ")
    _read(artifact.window("", skip, len(artifact) - skip), scan, lambda: deflate(15), ())


def begins_zlib(head: bytes) -> bool:
    """Whether `head` begins a zlib stream: two bytes say so weakly, so its first bytes are unpacked."""
    if len(head) < 6 or head[0] & 0x0F != 8 or head[0] >> 4 > 7 or (head[0] << 8 | head[1]) % 31:
        return False
    try:
        return bool(zlib.decompressobj().decompress(head[:_TRIED], 64))
    except zlib.error:
        return False


def begins_lzma(head: bytes) -> bool:
    """Whether `head` begins an .lzma stream: properties, a dictionary's size, a length, and bytes that unpack."""
    if len(head) < 14 or head[0] >= 225 or head[13] != 0:  # the range coder's first byte is always 0
        return False
    dictionary, size = int.from_bytes(head[1:5], "little"), int.from_bytes(head[5:13], "little")
    if size != (1 << 64) - 1 and size >= 1 << 38:
        return False
    # xz's own test for such files (lzip_decoder.c, alone_decoder.c "picky"): 2^n or 2^n + 2^(n-1), or all ones.
    if dictionary != 0xFFFFFFFF and dictionary.bit_count() > 2:
        return False
    # The dictionary is allocated before the first byte comes out; what is tried needs none of that size.
    small = head[:1] + (1 << 16).to_bytes(4, "little") + head[5:_TRIED]
    try:
        made = lzma.LZMADecompressor(lzma.FORMAT_ALONE).decompress(small, 64)
    except (lzma.LZMAError, EOFError):
        return False
    # An empty stream says nothing but its length: only as every writer begins one, for zero bytes are no stream.
    return bool(made) or (size == 0 and head[0] == 0x5D)


def hand_on(artifact: Artifact, data: bytes | mmap, scan: Scan) -> None:
    """Have the content of the stream `artifact` read. The stream is a mere wrapping: unknown content is an unknown file."""
    part = artifact.unpacked("", data, context=artifact.context or "joblib")
    if not artifact.depth and not recognise(part):
        scan.report("unknown-format", part, "the unpacked content matches no format that is known here")
    scan.descend(part)


def _read(artifact: Artifact, scan: Scan, make: Callable[[], Decoder], again: tuple[bytes, ...]) -> None:
    unpacked = unpack(make, artifact, scan, again=again)
    if unpacked.stopped in ("damaged", "truncated"):
        scan.report("stream-broken", artifact, f"the stream is {unpacked.stopped}")
    if len(unpacked.data):
        hand_on(artifact, unpacked.data, scan)
    _behind(artifact, scan, unpacked)


def _behind(artifact: Artifact, scan: Scan, unpacked: Unpacked) -> None:
    """Look at what lies behind the last stream."""
    if not unpacked.whole or unpacked.taken >= len(artifact):
        return
    rest = artifact.window("", unpacked.taken, len(artifact) - unpacked.taken)
    what = heads.plainly_loadable(rest.head(64), len(rest)) or (
        loadable(rest) if heads.is_text(rest.head(64)) else ""
    )
    if what:
        scan.report("stream-trailing", artifact, f"behind its end lies a {what}", offset=unpacked.taken)
        scan.descend(rest)
