"""Strategies and oracles for text that was written to harm whoever reads it."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar

from hypothesis import strategies as st
from msgspec import Struct, structs

from tests.report.sample import HOSTILE

__all__ = ["HARMS", "assert_inert", "columns_of", "hostile_text", "plant", "poison"]

T = TypeVar("T")

_NASTY = "\x1b\x07\x08\r\n\t\x7f\x9b\u200b\u200d\u202e\u2066\u2069\u061c\u2028\u2029\ufeff\u0301\u0903\ufe0f\U000e0041"

HARMS = {
    "script": "</script><script>alert(1)</script><!--",
    "attribute": "\"' onmouseover=alert(1) x=`",
    "osc8": "\x1b]8;;https://evil.example\x07click\x1b]8;;\x07",
    "osc52": "\x1b]52;c;ZXZpbA==\x07",
    "csi": "\x9b2J\x1b[2J\rall clear",
    "markdown-link": "[click](https://evil.example) ![x](https://evil.example/x.png) <https://evil.example>",
    "markdown-reference": "[x]: https://evil.example",
    "markdown-bare": "www.evil.example https://evil.example evil@evil.example",
    "markdown-html": "<img src=x onerror=alert(1)><a href=javascript:alert(1)>x</a>&#60;b&#62;",
    "markdown-block": "\n\n# title\n\n```\n- item\n\n| a | b |\n| - | - |\n",
    "markdown-table": "a | b || c \\| d `|` e",
    "markdown-ticks": "`x`` ```sh `",
    "markdown-emphasis": "**bold** _it_ ~~no~~ $x^2$ :bug: {{7*7}} ${x}",
    "mention": "@octocat @org/team #1 GH-12 org/repo#12 !34 ABC-123 AB#12 [~user]",
    "formula": "=cmd|'/c calc'!A1",
    "formula-plus": "+1+1",
    "formula-minus": "-1+1",
    "formula-at": "@SUM(1)",
    "formula-tab": "\t=1+1",
    "formula-return": "\r=1+1",
    "formula-semicolon": 'x;=1+1;"=2',
    "workflow": "\n::error file=x::y\n::set-output name=x::y",
    "workflow-old": "##[error]x ##vso[task.setvariable variable=x]y",
    "shell": "'; rm -rf / #$(id)`id`\n-rf --all",
    "sarif-link": "[x](0) [y](https://evil.example) {0}",
    "bidi": "\u202egpj.exe\u2066\u200b\u2028\ud800\U000e0041",
}
"""Texts that act in one format or another, by what they try."""

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
    st.sampled_from([HOSTILE, "", "0 incidents: all clear", *HARMS.values()]),
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
        poisoned = {poison(key, text): poison(item, text) for key, item in value.items()}
    elif isinstance(value, Struct):
        fields = {name: poison(getattr(value, name), text) for name in value.__struct_fields__}
        poisoned = structs.replace(value, **fields)
    return poisoned  # type: ignore[no-any-return]


def plant(value: T, harm: str) -> tuple[T, dict[str, str]]:
    """`value` with `harm` in every text of it, each with a canary of its own before it, and the path of each canary's
    field: what a format shows of a field can be found, and what it must not show can be missed."""
    fields: dict[str, str] = {}

    def canary(path: str) -> str:
        mark = f"CANARY{len(fields):04}X"
        fields[mark] = path
        return mark + harm

    return _planted(value, "", canary), fields


def _planted(value: T, path: str, canary: Callable[[str], str]) -> T:
    planted: Any = value
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        planted = canary(path)
    elif isinstance(value, tuple):
        planted = tuple(_planted(item, f"{path}[{at}]", canary) for at, item in enumerate(value))
    elif isinstance(value, dict):
        planted = {
            _planted(key, f"{path}.key", canary): _planted(item, f"{path}.value", canary)
            for key, item in value.items()
        }
    elif isinstance(value, Struct):
        planted = structs.replace(
            value,
            **{
                name: _planted(getattr(value, name), f"{path}.{name}", canary)
                for name in value.__struct_fields__
            },
        )
    return planted  # type: ignore[no-any-return]


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
