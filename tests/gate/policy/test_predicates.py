"""Expressions are bounded before they run, and anything but true or false is an error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.gate.policy.predicates import MAX_LENGTH, MAX_MACROS, check, evaluate

FACTS = {"tag": "prod", "drift": [{"level": "L2", "field": "workflow"}], "items": list(range(8))}
NAMES = frozenset(FACTS)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("tag == 'prod'", True),
        ("drift.exists(d, d.level == 'L2' && d.field.startsWith('work'))", True),
        ("items.all(a, items.exists(b, b == a))", True),
        ("tag in ['dev', 'staging']", False),
        ("'items.map(a, items.map(b, items.map(c, c)))' == tag", False),
        (r"r'\' + 'x' == tag", False),
        ("has(drift[0].level)", True),
    ],
)
def test_what_is_right_is_evaluated(expression: str, value: bool) -> None:
    assert check(expression, NAMES) == ""
    assert evaluate(expression, FACTS).value is value


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ("tag ==", "Failed to parse"),
        ("a" * (MAX_LENGTH + 1), "more than 4096"),
        ("(" * 30 + "true" + ")" * 30, "24 brackets"),
        ("items.map(a, items.map(b, items.map(c, c))) == []", "2 comprehensions inside"),
        ("items . map (a, items\n.filter\t(b, items.exists(c, true))) == []", "2 comprehensions inside"),
        ("items.map(a, 'it\\'s' == items.map(b, items.map(c, c)))", "2 comprehensions inside"),
        (" && ".join(["items.exists(a, true)"] * (MAX_MACROS + 1)), "8 comprehensions"),
        ("images == []", "unknown fact 'images'"),
        ("items.exists(a, true) && b == 1", "unknown fact 'b'"),
    ],
)
def test_what_is_wrong_is_said_before_it_runs(expression: str, said: str) -> None:
    assert said in check(expression, NAMES)
    assert evaluate(expression, FACTS).value is None


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("drift[0].nothing == ''", "no such key: nothing"),
        ("1 / 0 == 1", "division by zero"),
        ("tag + 1 == ''", "Unsupported"),
        ("tag", "gives str"),
        ("drift[7].level == ''", ""),
        ("size(drift)", "gives int"),
        ("null", "gives NoneType"),
    ],
)
def test_an_error_is_never_false(expression: str, said: str) -> None:
    outcome = evaluate(expression, FACTS)
    assert outcome.value is None
    assert said in outcome.error


_PIECES = [*"()[]{}.,'\"\\/ \n!<1", "r'", "&&", "tag", "drift", "items"]
ALPHABET = st.lists(
    st.sampled_from([*_PIECES, ".map(", ".exists(", ".all(", "has(", ".matches("]), max_size=40
).map("".join)


@given(st.one_of(ALPHABET, st.text(max_size=60)))
def test_no_text_breaks_it(expression: str) -> None:
    outcome = evaluate(expression, FACTS)
    assert (outcome.value is None) is bool(outcome.error)
    check(expression, NAMES)
