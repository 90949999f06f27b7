"""What an address was called, and when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eightysix.context.names import FLOOR_NS, MAX_NAMES, NameIndex, Validity, merge_names, note_name

SECOND = 1_000_000_000
AT = 1_795_510_800 * SECOND


def noted(*answers: tuple[str, str, int, int]) -> dict[str, Validity]:
    names: dict[str, Validity] = {}
    for address, name, time_ns, ttl_s in answers:
        note_name(names, address, name, time_ns, ttl_s)
    return names


def test_an_answer_holds_for_its_time_and_five_minutes_at_least() -> None:
    index = NameIndex(noted(("20.60.1.1", "a.example", AT, 30), ("20.60.1.2", "b.example", AT, 3_600)))
    assert index.at("20.60.1.1", AT) == ("a.example",)
    assert index.at("20.60.1.1", AT - 2 * SECOND) == ()
    assert index.at("20.60.1.1", AT + FLOOR_NS) == ("a.example",)
    assert index.at("20.60.1.1", AT + FLOOR_NS + 1) == ()
    assert index.at("20.60.1.2", AT + 3_600 * SECOND) == ("b.example",)
    assert index.at("", AT) == index.at("10.0.0.1", AT) == ()


def test_of_several_names_all_are_told_the_newest_first() -> None:
    names = noted(("20.60.1.1", "known.example", AT, 60), ("20.60.1.1", "evil.example", AT + 50 * SECOND, 60))
    note_name(
        names, "20.60.1.1", "known.example", AT + 60 * SECOND, 60
    )  # asked again, so that it is the last answer
    index = NameIndex(names)
    assert index.at("20.60.1.1", AT + 61 * SECOND) == ("evil.example", "known.example")
    assert index.at("20.60.1.1", AT) == ("known.example",)


def test_hints_are_for_showing_only() -> None:
    names: dict[str, Validity] = {}
    note_name(names, "20.60.1.1", "a.example", AT, 0, hint=True)
    index = NameIndex(names)
    assert index.at("20.60.1.1", AT) == ()
    assert index.hint("20.60.1.1", AT) == "a.example"


def test_questions_without_answers_belong_to_the_next_seconds() -> None:
    index = NameIndex(noted(("", "a.example", AT, 0), ("", "b.example", AT + 60 * SECOND, 0)))
    assert index.asked(AT + 4 * SECOND) == ("a.example",)
    assert index.asked(AT + 30 * SECOND) == ()
    assert index.asked(AT + 60 * SECOND) == ("b.example",)


def test_bounded() -> None:
    names: dict[str, Validity] = {}
    told = [note_name(names, "20.60.1.1", f"{n}.example", AT + n, 60) for n in range(2 * MAX_NAMES)]
    assert len(names) == MAX_NAMES
    assert any(told)
    kept = {int(key.partition("|")[2].partition(".")[0]) for key in names}
    assert {0, MAX_NAMES // 2 - 1, 2 * MAX_NAMES - 1} <= kept


_ANSWERS = st.lists(
    st.tuples(
        st.sampled_from(["20.60.1.1", "20.60.1.2", ""]),
        st.sampled_from(["a.example", "b.example"]),
        st.integers(0, 100).map(lambda s: AT + s * SECOND),
        st.integers(0, 1_000),
    ),
    max_size=8,
)


@given(_ANSWERS, st.randoms(), st.integers(0, 8))
def test_any_order_and_any_split_end_the_same(
    answers: list[tuple[str, str, int, int]], chance: object, cut: int
) -> None:
    whole = noted(*answers)
    shuffled = list(answers)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert noted(*shuffled) == whole
    left, right = noted(*answers[:cut]), noted(*answers[cut:])
    assert merge_names(left, right) == merge_names(right, left) == whole
    assert merge_names(whole, whole) == whole
