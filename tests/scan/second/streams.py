"""Pickles assembled opcode by opcode: nothing here is ever loaded by a real loader."""

from __future__ import annotations

import struct

__all__ = ["call", "global_", "hash_bomb", "stack_global", "text", "value"]


def text(words: str) -> bytes:
    """BINUNICODE."""
    body = words.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(body)) + body


def value(what: str | int | tuple[object, ...]) -> bytes:
    """An argument."""
    if isinstance(what, str):
        return text(what)
    if isinstance(what, int):
        return b"J" + struct.pack("<i", what)
    return b"(" + b"".join(value(one) for one in what) + b"t"  # type: ignore[arg-type]


def global_(module: str, name: str) -> bytes:
    """GLOBAL."""
    return f"c{module}\n{name}\n".encode()


def stack_global(module: str, name: str) -> bytes:
    """STACK_GLOBAL."""
    return text(module) + text(name) + b"\x93"


def call(module: str, name: str, *arguments: str | int | tuple[object, ...]) -> bytes:
    """A whole pickle that calls `module.name` with `arguments`."""
    return b"\x80\x04" + stack_global(module, name) + value(arguments) + b"R."


def hash_bomb(levels: int = 60) -> bytes:
    """A tuple of a tuple of a tuple, each twice, as a key: 2 ** `levels` steps in one call that nothing interrupts."""
    return b"\x80\x04)" + b"q\x000h\x00h\x00\x86" * levels + b"q\x000}h\x00Ns."
