"""Ids of one principal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eightysix.context.sameprincipal import Principals


def test_ids_that_one_record_names_are_one_principal() -> None:
    same = Principals([("object", "app"), ("app", "resource"), ("other",)])
    assert same.of(["resource"]) == ("app", "object", "resource")
    assert same.of(["other"]) == ("other",)
    assert same.of(["nobody", "app"]) == ("app", "nobody", "object", "resource")
    assert Principals().of([]) == ()


@given(st.lists(st.lists(st.integers(0, 9).map(str), max_size=3), max_size=12))
def test_it_is_the_closure_in_any_order(records: list[list[str]]) -> None:
    same, turned = Principals(records), Principals(records[::-1])
    for one in map(str, range(10)):
        found = {one}
        while more := {other for ids in records if found & set(ids) for other in ids} - found:
            found |= more
        assert same.of([one]) == turned.of([one]) == tuple(sorted(found))
