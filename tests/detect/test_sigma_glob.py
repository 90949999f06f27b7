"""Sigma's wildcards against a reference made of a regular expression, and their cost."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.detect.sigma.glob import ANY_ONE, ANY_RUN, compile_pattern, fold, is_literal, parse, show

PATTERNS = st.text(alphabet="ab*?\\.", max_size=12)
TEXTS = st.text(alphabet="ab\\*?.\n", max_size=16)


def reference(pattern: str) -> re.Pattern[str]:
    """The same pattern as a regular expression, unescaped by the table of Sigma's specification."""
    regex, rest = "", pattern
    while rest:
        if rest[:2] in ("\\*", "\\?", "\\\\"):
            regex, rest = regex + re.escape(rest[1]), rest[2:]
        else:
            regex, rest = regex + {"*": ".*", "?": "."}.get(rest[0], re.escape(rest[0])), rest[1:]
    return re.compile(regex, re.DOTALL)


@given(PATTERNS, TEXTS)
def test_same_as_the_reference(pattern: str, text: str) -> None:
    assert compile_pattern(parse(pattern))(text) == (reference(pattern).fullmatch(text) is not None)


@given(st.text(max_size=30), st.text(max_size=30))
def test_without_wildcards_it_is_equality(text: str, other: str) -> None:
    escaped = text.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")
    pattern = parse(escaped)
    assert is_literal(pattern)
    assert show(pattern) == text
    assert compile_pattern(pattern)(text)
    assert compile_pattern(pattern)(other) == (other == text)


@given(st.text(max_size=20))
def test_folded_pattern_fits_folded_text(text: str) -> None:
    escaped = text.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")
    assert (
        compile_pattern(fold(parse(escaped + "*")))((text.upper() + "x").casefold())
        or text.upper().casefold() != text.casefold()
    )


@pytest.mark.parametrize(
    ("written", "items"),
    [
        ("\\*", ("*",)),
        ("\\?", ("?",)),
        ("\\\\*", ("\\", ANY_RUN)),
        ("\\\\\\*", ("\\", "*")),
        ("\\a", ("\\", "a")),
        ("\\\\a", ("\\", "a")),
        ("\\\\\\\\", ("\\", "\\")),
        ("\\\\\\", ("\\", "\\")),
        ("a\\", ("a", "\\")),
        ("a**b?", ("a", ANY_RUN, "b", ANY_ONE)),
    ],
)
def test_escapes_as_the_specification_lists_them(written: str, items: tuple[object, ...]) -> None:
    assert parse(written) == items


@pytest.mark.parametrize(
    "pattern",
    ["*a?a?a?a?a?a?b*", "*aaaaaaaaaaaaaaaaaaaab", "a*a*a*a*a*a*a*a*b", "?*?*?*?*?*b", "*a*a*a*a*?b*"],
)
def test_hostile_text_costs_linear_time(pattern: str) -> None:
    test = compile_pattern(parse(pattern))
    text = "a" * 1_000_000
    before = time.process_time()
    assert not test(text)
    assert time.process_time() - before < 120, "a backtracking matcher needs hours"
