"""How far a file was read, told so that the same bytes are found again under another name, inode or compression.

A path says nothing (rotation moves it) and an inode little (a deleted file's is given away again at once; after a
restart of the node even the device has another number). So a position also holds hashes of the first bytes and of
those before it: who has both is the same file, or a copy of it, whatever it is called.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

from msgspec import Struct

__all__ = ["ANCHOR_BYTES", "Position", "anchor_hash", "joined_tail", "same_content"]

ANCHOR_BYTES = 1024
"""Bytes of the head, and of the tail before the offset, that are compared. A Tetragon event is 2 KB and begins with an
id that holds the kernel's time in nanoseconds, so the heads of two files agree only if one is a copy of the other."""


class Position(Struct, frozen=True):
    """Where reading goes on in one file. Committed by the caller together with what it made of the blocks before it.

    `path` is the name that its blocks have. `offset` is where the first line that was not given out begins (in the
    decompressed text, where the file is compressed), `line` its number. `skipping` tells that the offset is inside a
    line over the limit. `gone` files are remembered to recognise their copies; of a `finished` one all was given out.
    """

    path: str
    dev: int
    ino: int
    head_bytes: int = 0
    head_hash: str = ""
    tail_hash: str = ""
    offset: int = 0
    line: int = 1
    skipping: bool = False
    gone: bool = False
    finished: bool = False


def anchor_hash(data: bytes) -> str:
    """The hash that positions hold instead of bytes: no text of telemetry enters the state."""
    return blake2b(data, digest_size=16).hexdigest()


def joined_tail(tail: bytes, data: bytes) -> bytes:
    """The last `ANCHOR_BYTES` of `tail` followed by `data`."""
    if len(data) >= ANCHOR_BYTES:
        return data[-ANCHOR_BYTES:]
    return (tail + data)[-ANCHOR_BYTES:]


def same_content(
    position: Position, size: int, read: Callable[[int, int], bytes]
) -> tuple[bytes, bytes] | None:
    """Head and tail of a file of `size` bytes if it has all that was read up to `position`, else None.

    `read(count, offset)` gives its bytes. A position at the very beginning says nothing and fits every file.
    """
    if size < max(position.offset, position.head_bytes):
        return None
    head = read(position.head_bytes, 0)
    if position.head_bytes and anchor_hash(head) != position.head_hash:
        return None
    count = min(ANCHOR_BYTES, position.offset)
    tail = read(count, position.offset - count) if count else b""
    if count and anchor_hash(tail) != position.tail_hash:
        return None
    return head, tail
