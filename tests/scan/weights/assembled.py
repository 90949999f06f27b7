"""Files of weights, written byte by byte: valid ones, and each broken in one place."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence

__all__ = ["PICKLE", "gguf", "gguf_tensor", "number", "safetensors", "text", "word"]

PICKLE = b"cbuiltins\nprint\n(S'a payload that prints'\ntR."
"""A stream that calls print if somebody loads it. Nobody does."""


def safetensors(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    """`header` as JSON (or as it is, if it is bytes), with its length in front."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + data


def word(value: int, order: str = "<") -> bytes:
    """32 bits."""
    return struct.pack(order + "I", value)


def number(value: int, order: str = "<") -> bytes:
    """64 bits."""
    return struct.pack(order + "Q", value)


def text(value: str | bytes, order: str = "<") -> bytes:
    """A string of GGUF."""
    raw = value.encode() if isinstance(value, str) else value
    return number(len(raw), order) + raw


def gguf_tensor(
    name: str = "w", shape: Sequence[int] = (4, 2), kind: int = 0, offset: int = 0, order: str = "<"
) -> bytes:
    """One tensor's entry."""
    sizes = b"".join(number(one, order) for one in shape)
    return text(name, order) + word(len(shape), order) + sizes + word(kind, order) + number(offset, order)


def gguf(
    values: Sequence[tuple[str, int, bytes]] = (("general.architecture", 8, text("llama")),),
    tensors: Sequence[bytes] = (),
    data: bytes = b"",
    *,
    order: str = "<",
    version: int = 3,
    counts: tuple[int | None, int | None] = (None, None),
) -> bytes:
    """A file of `values` (key, type, bytes) and `tensors`, padded to 32 bytes in front of `data`."""
    head = b"GGUF" + word(version, order)
    head += number(len(tensors) if counts[0] is None else counts[0], order)
    head += number(len(values) if counts[1] is None else counts[1], order)
    body = b"".join(text(key, order) + word(kind, order) + value for key, kind, value in values) + b"".join(
        tensors
    )
    whole = head + body
    return whole + bytes(-len(whole) % 32 if data else 0) + data
