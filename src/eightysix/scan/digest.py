"""BLAKE3 of what was scanned: the name under which a policy accepts it and the ledger remembers it."""

from __future__ import annotations

import os
from collections.abc import Callable
from mmap import mmap
from typing import Protocol

__all__ = ["DIGEST_PREFIX", "available", "digest_bytes", "digest_descriptor"]

DIGEST_PREFIX = "blake3:"
"""How a digest is written wherever people read it; `ScannedFile.digest` is the hex alone."""

_CHUNK = 1 << 20
"""Bytes read at a time. A map would be as fast and would count its whole file as memory of ours."""


class _Hasher(Protocol):
    def update(self, data: bytes | memoryview | mmap, /) -> object: ...

    def hexdigest(self) -> str: ...


def _new() -> Callable[[], _Hasher] | None:
    try:
        from blake3 import blake3
    except ImportError:
        return None
    return blake3


def available() -> bool:
    """Whether the extra that brings BLAKE3 is installed."""
    return _new() is not None


def digest_bytes(data: bytes | mmap) -> str:
    """Hex of the digest of `data`; empty where BLAKE3 is not installed."""
    new = _new()
    if new is None:
        return ""
    hasher = new()
    hasher.update(data)
    return hasher.hexdigest()


def digest_descriptor(descriptor: int) -> str:
    """Hex of the digest of an open file, from its start; empty where BLAKE3 is not installed. Raises `OSError`."""
    new = _new()
    if new is None:
        return ""
    hasher = new()
    buffer = memoryview(bytearray(_CHUNK))
    offset = 0
    while length := os.preadv(descriptor, [buffer], offset):
        hasher.update(buffer[:length])
        offset += length
    return hasher.hexdigest()
