"""Numpy dtypes as they stand in pickles and in npy headers: how long an element is, and whether it holds objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from eightysix.scan.pickle.values import Dtype

__all__ = ["OVERFLOW", "dtype_of", "elements", "record"]

OVERFLOW: Final = 1 << 62
"""More elements or bytes than any array has; products stop here."""

_SIZES = {
    "b1": 1,
    "?": 1,
    "b": 1,
    "B": 1,
    "h": 2,
    "H": 2,
    "i": 4,
    "I": 4,
    "l": 8,
    "L": 8,
    "q": 8,
    "Q": 8,
    "e": 2,
}
_SIZES |= {"f": 4, "d": 8, "g": 16, "F": 8, "D": 16, "G": 32, "c": 1}
_NAMES = {"bool": 1, "int": 8, "uint": 8, "float": 8, "complex": 16, "bool_": 1}


def dtype_of(text: str) -> Dtype:
    """The dtype that numpy makes of `text`. What is not understood may hold objects: `objects` is None."""
    plain = text.strip().lstrip("<>=|")
    if plain in ("O", "O8", "O4", "object", "object_"):
        return Dtype(text, 8, True)
    kind, digits = plain[:1], plain[1:]
    if kind in "mM" and kind:
        # `M8[ns]`: a unit in brackets
        return Dtype(text, 8, False) if digits[:1] == "8" else Dtype(text, None, None)
    if plain in _SIZES:
        return Dtype(text, _SIZES[plain], False)
    if plain in _NAMES:
        return Dtype(text, _NAMES[plain], False)
    if (
        kind
        and kind in "biufcSUVa"
        and digits.isascii()
        and (digits.isdecimal() or not digits)
        and len(digits) < 12
    ):
        size = int(digits or 0) * (4 if kind == "U" else 1)
        return Dtype(text, size, False)
    for name in ("uint", "int", "float", "complex"):
        bits = plain.removeprefix(name)
        if bits in ("8", "16", "32", "64", "128", "256") and bits != plain:
            return Dtype(text, int(bits) // 8, False)
    return Dtype(text, None, None)


def record(fields: Sequence[tuple[Dtype, int]]) -> Dtype:
    """The dtype of a structure: each field with its count."""
    size: int | None = 0
    objects: bool | None = False
    for field, count in fields:
        size = None if size is None or field.size is None else min(OVERFLOW, size + field.size * count)
        objects = True if field.objects or objects else None if field.objects is None else objects
    return Dtype("structure", size, objects)


def elements(shape: Sequence[int]) -> int:
    """The product of `shape`, at most `OVERFLOW`; negative where a dimension is."""
    count = 1
    for length in shape:
        if length < 0:
            return -1
        count = min(OVERFLOW, count * length)
    return count
