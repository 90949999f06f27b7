"""Identifiers that look random and never change: each is drawn from a hash of what it names."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

__all__ = ["hex_id", "name_id", "number", "uuid_id"]

_NAME_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789_"


@lru_cache(maxsize=65_536, typed=True)
def _bits(*what: object) -> int:
    return int.from_bytes(blake2b("\0".join(map(str, what)).encode(), digest_size=64).digest(), "big")


def hex_id(length: int, *what: object) -> str:
    """`length` hex digits (at most 128), as container ids, digests and wheel hashes are."""
    return f"{_bits('hex', *what):0128x}"[:length]


def uuid_id(*what: object) -> str:
    """A version 4 UUID."""
    text = hex_id(32, "uuid", *what)
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:]}"


def name_id(length: int, *what: object) -> str:
    """Letters, digits and underscores as Python's `tempfile` draws them."""
    bits = _bits("name", *what)
    letters = []
    for _ in range(length):
        bits, index = divmod(bits, len(_NAME_LETTERS))
        letters.append(_NAME_LETTERS[index])
    return "".join(letters)


def number(low: int, high: int, *what: object) -> int:
    """A whole number from `low` to `high`, both included."""
    return low + _bits("number", *what) % (high - low + 1)
