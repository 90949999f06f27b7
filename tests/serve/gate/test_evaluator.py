"""Predicates are evaluated in a child that a deadline ends."""

from __future__ import annotations

from eightysix.gate.policy.form import Predicate
from eightysix.serve.gate.evaluator import evaluate_in_child


def predicate(when: str) -> Predicate:
    return Predicate("own", when, holds=True, why="w")


def test_each_predicate_has_its_outcome() -> None:
    told = evaluate_in_child(
        [predicate("tag == 'prod'"), predicate("tag"), predicate("tag == 'x'")], {"tag": "prod"}
    )
    assert [(each.value, bool(each.error)) for each in told] == [(True, False), (None, True), (False, False)]


def test_what_does_not_end_in_time_is_an_error_for_it_and_those_after_it() -> None:
    slow = "items.all(a, items.all(b, items[0] + a + b + '" + "x" * 2000 + "' != 'y'))"
    facts = {"tag": "prod", "items": ["y" * 1000] * 10_000}
    told = evaluate_in_child(
        [predicate("tag == 'prod'"), predicate(slow), predicate("true")], facts, deadline_s=2.0
    )
    assert [each.value for each in told] == [True, None, None]
    assert told[2].error == "it was not done within 2 s"


def test_nothing_to_evaluate_starts_nothing() -> None:
    assert evaluate_in_child([], {}) == []
