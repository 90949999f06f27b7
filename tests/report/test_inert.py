"""Hostile text becomes one harmless, bounded line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.model.words import Verdict
from eightysix.report.inert import columns, inert, inert_copy, shorten, shorten_path, wrap
from tests.report.hostile import assert_inert, columns_of, hostile_text, poison
from tests.report.sample import breach_report
from tests.work import lines_run


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("torch-perf-utils==1.4.3", "torch-perf-utils==1.4.3"),
        ("naïve 漢字 😀", "naïve 漢字 😀"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\r\n\tb", "a\\r\\n\\tb"),
        ("\x7f\x9b", "\\x7f\\x9b"),
        ("gpj\u202e\u2066.exe", "gpj\\u202e\\u2066.exe"),
        ("\u200e\u200f\u061c", "\\u200e\\u200f\\u061c"),
        ("zero\u200bwidth\u200d\ufeff", "zero\\u200bwidth\\u200d\\ufeff"),
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("\ud800 \udcff", "\\ud800 \\udcff"),
        ("\ue000\U000e0041\U0010ffff", "\\ue000\\U000e0041\\U0010ffff"),
        ("\u05d0\u0627\u0661", "\\u05d0\\u0627\\u0661"),
        ("\u3164\u2800\ufe0f", "\\u3164\\u2800\\ufe0f"),
        ("no\xa0break\u3000space", "no\\xa0break\\u3000space"),
    ],
)
def test_what_lies_becomes_a_visible_escape_and_the_rest_stays(text: str, shown: str) -> None:
    assert inert(text) == shown


def test_two_marks_stay_on_their_base_and_a_flood_does_not() -> None:
    assert inert("e\u0301\u0323") == "e\u0301\u0323"
    assert inert("e" + "\u0301" * 4) == "e\u0301\u0301\\u0301\\u0301"


def test_a_mark_without_a_base_cannot_draw_on_what_stands_before_it() -> None:
    assert inert("\u0301a") == "\\u0301a"
    assert inert("a \u0301") == "a \\u0301"
    assert inert("\x1b\u0301") == "\\x1b\\u0301"


def test_spaces_cannot_forge_columns() -> None:
    assert inert("a   b") == "a \\x20\\x20b"
    assert inert(" a ") == "\\x20a\\x20"


def test_long_text_loses_its_middle() -> None:
    assert inert("a" * 50 + "z" * 50, 11) == "aaaaa…zzzzz"
    assert inert("漢" * 50, 11) == "漢漢…漢漢"
    assert inert("a" * 11, 11) == "a" * 11


def test_an_escape_is_never_cut() -> None:
    assert inert("a\x1b" + "b" * 50, 7) == "a…bbb"


def test_two_megabytes_cost_no_more_than_their_ends() -> None:
    text = "\u202e" * 2_000_000
    assert columns(inert(text)) <= 480
    assert lines_run(lambda: inert(text)) <= 2 * lines_run(lambda: inert(text[:20_000]))


@given(hostile_text, st.integers(8, 200))
def test_inert_text_is_harmless_and_within_its_limit(text: str, limit: int) -> None:
    shown = inert(text, limit)
    assert_inert(shown)
    assert columns_of(shown) <= columns(shown) <= limit


@given(hostile_text)
def test_inert_text_stays_as_it_is(text: str) -> None:
    once = inert(text)
    assert inert(once) == once


@given(hostile_text, st.integers(4, 100))
def test_wrapping_keeps_the_width_and_loses_only_spaces(text: str, width: int) -> None:
    shown = inert(text)
    lines = wrap(shown, width)
    assert lines
    assert all(columns(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == shown.replace(" ", "")


def test_words_are_broken_after_punctuation_where_that_is_possible() -> None:
    assert wrap("registry.example/ml/inference:prod", 20) == ["registry.example/ml/", "inference:prod"]
    assert wrap("a 0123456789 b", 6) == ["a", "012345", "6789 b"]
    assert wrap("", 6) == [""]


@given(hostile_text, st.integers(4, 60))
def test_shortening_keeps_its_limit(text: str, limit: int) -> None:
    shown = inert(text)
    for short in (shorten(shown, limit), shorten_path(shown, limit)):
        assert columns(short) <= limit
        assert_inert(short)


def test_a_path_is_shortened_from_the_left_at_a_slash() -> None:
    assert shorten_path("/data/telemetry/attack/tetragon.jsonl", 26) == "…/attack/tetragon.jsonl"
    assert shorten_path("/data/tetragon.jsonl", 26) == "/data/tetragon.jsonl"
    assert shorten_path("x" * 40, 10) == "…" + "x" * 9


def test_a_copy_is_inert_in_every_field() -> None:
    poisoned = poison(breach_report(), lambda: "\x1b")
    copied = inert_copy(poisoned)
    assert copied == poison(breach_report(), lambda: "\\x1b")
    assert copied.incidents[0].verdict is Verdict.CONTAIN
