"""Short names of what stays the same: ids, revisions and fingerprints of incidents."""

from __future__ import annotations

from hashlib import blake2b

__all__ = ["digest", "digest_of"]


def digest(*parts: str) -> str:
    """16 hexadecimal digits that stand for these texts in this order."""
    return digest_of("\0".join(parts).encode("utf-8", "surrogatepass"))


def digest_of(data: bytes) -> str:
    """16 hexadecimal digits that stand for `data`."""
    return blake2b(data, digest_size=8).hexdigest()
