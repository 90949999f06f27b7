"""How the formats of the family `containers` are recognised."""

from __future__ import annotations

from collections.abc import Callable

from eightysix.scan.artifact import Artifact
from eightysix.scan.containers.unread import UNREAD
from eightysix.scan.interface import Kind

__all__ = ["KINDS"]

_ZIP = "eightysix.scan.containers.zip:read"
_STREAMS = "eightysix.scan.containers.streams"


_LZMA_PROPERTIES = frozenset(
    lc + 9 * (lp + 5 * pb) for pb in range(5) for lp in range(5) for lc in range(5 - lp)
)
"""First bytes that .lzma files can have where lc + lp is at most 4, as liblzma demands (lzma/lzma12.h)."""


def _zip(_: Artifact, head: bytes) -> bool:
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def _zip_with(*names: bytes) -> Callable[[Artifact, bytes], bool]:
    """A zip whose directory, or the part of it in the last bytes, has a member whose name ends so. Only names the file."""

    def sniff(artifact: Artifact, head: bytes) -> bool:
        if artifact.depth or not _zip(artifact, head):
            return False
        tail = artifact.tail(1 << 16).lower()
        return all(name in tail for name in names)

    return sniff


def _zip_behind(artifact: Artifact, head: bytes) -> bool:
    from eightysix.scan.containers.zip_records import ends_in_zip

    # The reader of tar looks for a zip behind it itself: one that is stored in it is no second format.
    return (
        len(artifact) > 22 and not _zip(artifact, head) and ends_in_zip(artifact) and not _tar(artifact, head)
    )


def _begins(magic: bytes) -> Callable[[Artifact, bytes], bool]:
    return lambda _, head: head.startswith(magic)


def _bzip2(_: Artifact, head: bytes) -> bool:
    return head.startswith(b"BZh") and head[4:10] in (
        b"1AY&SY",
        b"\x17rE8P\x90",
    )  # pi, or its root: an empty stream


def _zstd(artifact: Artifact, head: bytes) -> bool:
    # A skippable frame may come first (pzstd): 0x184D2A50 to 5F, little-endian.
    return head.startswith(b"\x28\xb5\x2f\xfd") or (
        head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F and len(artifact) > 8
    )


def _zf(_: Artifact, head: bytes) -> bool:
    return head.startswith(b"ZF0x") and head[2:21].strip().isalnum()


def _zlib(_: Artifact, head: bytes) -> bool:
    if len(head) < 6 or head[0] & 0x0F != 8 or (head[0] << 8 | head[1]) % 31:
        return False
    from eightysix.scan.containers.streams import begins_zlib

    return begins_zlib(head)


def _lzma(_: Artifact, head: bytes) -> bool:
    if len(head) < 14 or head[0] >= 225 or head[13] or head[0] not in _LZMA_PROPERTIES:
        return False
    from eightysix.scan.containers.streams import begins_lzma

    return begins_lzma(head)


def _tar(_: Artifact, head: bytes) -> bool:
    if len(head) < 512 or not head[0]:
        return False
    from eightysix.scan.containers.tar_records import header_adds_up

    return header_adds_up(head)


KINDS: tuple[Kind, ...] = (
    Kind("torchscript-zip", _zip_with(b"constants.pkl"), _ZIP),
    Kind("torch-export", _zip_with(b"archive_format"), _ZIP),
    Kind("torch-zip", _zip_with(b"data.pkl"), _ZIP),
    Kind("keras-zip", _zip_with(b"config.json", b"metadata.json", b"model.weights.h5"), _ZIP),
    Kind("skops", _zip_with(b"schema.json"), _ZIP),
    Kind("npz", _zip_with(b".npypk\x05\x06"), _ZIP),
    Kind("wheel", _zip_with(b".dist-info/record"), _ZIP),
    Kind("zip", _zip, _ZIP),
    Kind("gzip", lambda _, head: head.startswith(b"\x1f\x8b\x08"), f"{_STREAMS}:read_gzip"),
    Kind("bzip2", _bzip2, f"{_STREAMS}:read_bzip2"),
    Kind("xz", lambda _, head: head.startswith(b"\xfd7zXZ\x00"), f"{_STREAMS}:read_xz"),
    Kind("zstd", _zstd, f"{_STREAMS}:read_zstd"),
    Kind("joblib-zf", _zf, f"{_STREAMS}:read_zf"),
    Kind("lz4", lambda _, head: head.startswith(b"\x04\x22\x4d\x18"), "eightysix.scan.containers.lz4:read"),
    Kind(
        "7z",
        lambda _, head: head.startswith(b"7z\xbc\xaf\x27\x1c"),
        "eightysix.scan.containers.sevenzip:read",
    ),
    *(Kind(name, _begins(magic), "eightysix.scan.containers.unread:read") for name, magic in UNREAD),
    Kind("tar", _tar, "eightysix.scan.containers.tar:read", alone=False),
    Kind("zlib", _zlib, f"{_STREAMS}:read_zlib", alone=False),
    Kind("lzma", _lzma, f"{_STREAMS}:read_lzma", alone=False),
    Kind("zip-behind", _zip_behind, _ZIP, alone=False),
)
