"""Strategies and oracles for text that was written to harm whoever reads it."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar

from hypothesis import strategies as st
from msgspec import Struct, structs

from tests.report.sample import HOSTILE

__all__ = ["assert_inert", "columns_of", "hostile_text", "poison"]

T = TypeVar("T")

_NASTY = "\x1b\x07\x08\r\n\t\x7f\x9b\u200b\u200d\u202e\u2066\u2069\u061c\u2028\u2029\ufeff\u0301\u0903\ufe0f\U000e0041"

hostile_text = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=40),
    st.text(st.sampled_from(_NASTY + " aé漢\u05d0\u0639🙂🇩"), max_size=60),
    st.builds(
        lambda piece, times: piece * times,
        st.sampled_from(
            ["A", " ", "漢", "e\u0301\u0301\u0301", "\u202e", "/x", "漢\u0903\u0903", "\ud800", "\\"]
        ),
        st.integers(1, 3000),
    ),
    st.sampled_from([HOSTILE, "", "0 incidents: all clear"]),
)


def poison(value: T, text: Callable[[], str]) -> T:
    """`value` with every text in it replaced by what `text` returns; enums stay."""
    poisoned: Any = value
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        poisoned = text()
    elif isinstance(value, tuple):
        poisoned = tuple(poison(item, text) for item in value)
    elif isinstance(value, dict):
        poisoned = {poison(key, text): item for key, item in value.items()}
    elif isinstance(value, Struct):
        fields = {name: poison(getattr(value, name), text) for name in value.__struct_fields__}
        poisoned = structs.replace(value, **fields)
    return poisoned  # type: ignore[no-any-return]


def columns_of(line: str) -> int:
    """Columns by the Unicode standard alone, independent of the code under test."""
    return sum(
        0
        if unicodedata.category(character) in ("Mn", "Me")
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in line
    )


def assert_inert(line: str) -> None:
    """`line` holds nothing that moves the cursor, hides, or reorders; at most two marks on a base."""
    marks = 2
    for character in line:
        category = unicodedata.category(character)
        assert category not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"), f"{character!r} in {line!r}"
        assert category != "Zs" or character == " ", f"{character!r} in {line!r}"
        assert unicodedata.bidirectional(character) not in ("R", "AL", "AN"), f"{character!r} in {line!r}"
        marks = marks + 1 if category.startswith("M") else 0
        assert marks <= 2, f"a flood of marks in {line!r}"
