"""CRC-32C, bit by bit: eight bytes are all that is ever asked."""

from __future__ import annotations

__all__ = ["crc32c", "masked"]

_POLYNOMIAL = 0x82F63B78
"""Castagnoli's, reflected (RFC 3720)."""


def crc32c(data: bytes) -> int:
    """The checksum of `data`."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def masked(value: int) -> int:
    """As TFRecord stores it (tensorflow/core/lib/hash/crc32c.h, kMaskDelta)."""
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF
