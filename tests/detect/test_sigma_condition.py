"""Conditions against a reference evaluator, and what is said about wrong ones."""

from __future__ import annotations

import string
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.detect.sigma.condition import (
    MAX_DEPTH,
    All,
    Any,
    ConditionError,
    Expression,
    Named,
    Not,
    fold,
    parse_condition,
)

NAMES = ("selection_a", "selection_b", "filter-1", "filter-2", "_hidden", "x")

Tree = tuple[object, ...]
"""Reference form: ("name", n), ("not", t), ("and"|"or", t, t, ...), ("of", "1"|"all", pattern)."""

leaves = st.one_of(
    st.tuples(st.just("name"), st.sampled_from(NAMES)),
    st.tuples(
        st.just("of"),
        st.sampled_from(["1", "all"]),
        st.sampled_from(["them", "selection_*", "*-1", "_*", "x", "*e*"]),
    ),
)
trees: st.SearchStrategy[Tree] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.tuples(st.sampled_from(["and", "or"]), inner, inner),
        st.tuples(st.sampled_from(["and", "or"]), inner, inner, inner),
    ),
    max_leaves=12,
)


def members(pattern: str) -> list[str]:
    if pattern == "them":
        return [name for name in NAMES if not name.startswith("_")]
    start, _, end = pattern.partition("*")
    if pattern == "*e*":
        return [name for name in NAMES if "e" in name and not name.startswith("_")]
    found = [
        name
        for name in NAMES
        if name == pattern or ("*" in pattern and name.startswith(start) and name.endswith(end))
    ]
    return [name for name in found if pattern.startswith("_") or not name.startswith("_")]


def evaluate(tree: Tree, truth: dict[str, bool]) -> bool:
    match tree:
        case ("name", str(name)):
            return truth[name]
        case ("of", count, str(pattern)):
            return (any if count == "1" else all)(truth[name] for name in members(pattern))
        case ("not", tuple(part)):
            return not evaluate(part, truth)
        case (word, *parts):
            values = [evaluate(part, truth) for part in parts if isinstance(part, tuple)]
            return all(values) if word == "and" else any(values)
    raise AssertionError(tree)


LEVEL = {"or": 0, "and": 1, "not": 2, "name": 3, "of": 3}


def write(tree: Tree, draw_extra: list[bool], at: int = 0) -> str:
    """The tree as text with the fewest parentheses, and further ones where `draw_extra` says so."""
    word = str(tree[0])
    text = ""
    match tree:
        case ("name", str(name)):
            text = name
        case ("of", count, pattern):
            text = f"{count} of {pattern}"
        case ("not", tuple(part)):
            text = f"not {write(part, draw_extra, 2)}"
        case (_, *parts):
            text = f" {word} ".join(
                write(part, draw_extra, LEVEL[word] + 1) for part in parts if isinstance(part, tuple)
            )
    extra = draw_extra.pop() if draw_extra else False
    return f"({text})" if LEVEL[word] < at or extra else text


def value(expression: Expression, truth: dict[str, bool]) -> bool:
    return fold(expression, truth.__getitem__, lambda part: not part, all, any)


@given(trees, st.lists(st.booleans(), max_size=8), st.fixed_dictionaries(dict.fromkeys(NAMES, st.booleans())))
def test_means_what_the_reference_says(tree: Tree, extra: list[bool], truth: dict[str, bool]) -> None:
    assert value(parse_condition(write(tree, extra), NAMES), truth) == evaluate(tree, truth)


@given(st.text(alphabet=string.ascii_lowercase + "()* _-1\t\n|é", max_size=60))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    offset = 0
    try:
        parse_condition(text, NAMES)
    except ConditionError as error:
        offset = error.offset
    assert 0 <= offset <= len(text)


@given(
    st.lists(
        st.sampled_from(["and", "or", "not", "(", ")", "1", "all", "of", "them", "x", "fil*", "_hidden"]),
        max_size=40,
    )
)
def test_any_words_are_parsed_or_refused(words: list[str]) -> None:
    with suppress(ConditionError):
        assert value(parse_condition(" ".join(words), NAMES), dict.fromkeys(NAMES, True)) in (True, False)


def test_and_binds_tighter_than_or_and_not_tighter_than_both() -> None:
    a, b, c = (Named(name) for name in "abc")
    assert parse_condition("a or b and not c", "abc") == Any((a, All((b, Not(c)))))


@pytest.mark.parametrize("text", ["(" * 5000 + "x" + ")" * 5000, "not " * 1000 + "x", "x and " * 3000 + "x"])
def test_hostile_size_and_depth_are_refused(text: str) -> None:
    with pytest.raises(ConditionError):
        parse_condition(text, NAMES)


def test_the_allowed_depth_works() -> None:
    text = "(" * MAX_DEPTH + "x" + ")" * MAX_DEPTH
    assert parse_condition(text, NAMES) == Named("x")


@pytest.mark.parametrize(
    ("text", "said", "advice", "offset"),
    [
        ("selecton_a", "unknown selection 'selecton_a'", "did you mean 'selection_a'?", 0),
        ("x AND x", "unexpected 'AND'", "join the parts with 'and' or 'or'", 2),
        ("AND", "unknown selection 'AND'", "write 'and' in small letters", 0),
        ("x and", "the condition ends where a selection is expected", "name a selection", 5),
        ("(x", "a parenthesis is not closed", "add ')'", 2),
        ("x)", "unexpected ')'", "join the parts with 'and' or 'or'", 1),
        ("x and filter-*", "'filter-*' stands alone", "write '1 of filter-*' or 'all of filter-*'", 6),
        ("any of them", "'any' does not count selections", "Sigma has '1 of' and 'all of'", 0),
        ("2 of them", "'2' does not count selections", "Sigma has '1 of' and 'all of'", 0),
        ("1 of fliter*", "no selection fits 'fliter*'", "did you mean 'filter-2'?", 5),
        ("1 of", "'1 of' lacks what", "write 'them' or a name with '*'", 4),
        ("x | count() > 5", "unexpected character '|'", "Sigma 2 has no '|' in a condition", 2),
        ("", "the condition ends where a selection is expected", "name a selection", 0),
    ],
)
def test_errors_say_what_where_and_what_to_do(text: str, said: str, advice: str, offset: int) -> None:
    with pytest.raises(ConditionError) as caught:
        parse_condition(text, NAMES)
    assert (caught.value.what, caught.value.advice, caught.value.offset) == (said, advice, offset)
