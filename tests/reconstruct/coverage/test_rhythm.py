"""Silences are judged by a feed's own pauses, whatever the order of its records."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from eightysix.reconstruct.coverage.rhythm import ENOUGH, LEAST_S, silences
from eightysix.sources.survey.census import MAX_SLOTS, Rhythm

START = 179_542_440
"""A slot of November 2026."""


def rhythm(*slots: int) -> Rhythm:
    made = Rhythm()
    for slot in slots:
        made.note(START + slot)
    return made


def ends(first: int, last: int) -> tuple[int, int]:
    return (START + first) * 10_000_000_000, (START + last) * 10_000_000_000


def test_a_pause_ten_times_the_usual_and_five_minutes_is_a_silence() -> None:
    steady = range(60)
    (found,) = silences(rhythm(*steady, *range(91, 120)), *ends(0, 119), {})
    assert found.seconds == 310.0
    assert not silences(rhythm(*steady, *range(89, 120)), *ends(0, 119), {})


def test_a_feed_that_always_pauses_is_not_silent() -> None:
    assert not silences(rhythm(*range(0, 60 * 40, 60)), *ends(0, 60 * 40), {})


def test_a_feed_that_seldom_tells_is_not_judged() -> None:
    assert not silences(rhythm(*range(ENOUGH - 1)), *ends(0, 5000), {})
    assert silences(rhythm(*range(ENOUGH)), *ends(0, 5000), {})


def test_who_told_meanwhile_is_named_with_the_number() -> None:
    quiet = rhythm(*range(40), *range(100, 140))
    others = {"falco": [rhythm(*range(38, 45))], "sensor": [rhythm(*range(140))]}
    (found,) = silences(quiet, *ends(0, 139), others)
    assert (found.meanwhile, found.told) == ("sensor", 60)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 40_000), min_size=1, max_size=400), st.randoms())
def test_the_order_of_records_changes_nothing(slots: list[int], chance: object) -> None:
    mixed = list(slots)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    bounds = ends(0, 40_000)
    assert rhythm(*mixed) == rhythm(*slots)
    assert silences(rhythm(*mixed), *bounds, {}) == silences(rhythm(*slots), *bounds, {})


@settings(max_examples=40)
@given(st.lists(st.integers(0, 40_000), min_size=ENOUGH, max_size=400, unique=True))
def test_a_silence_is_empty_and_long(slots: list[int]) -> None:
    made = rhythm(*slots)
    for one in silences(made, *ends(0, 40_000), {"itself": [made]}):
        assert one.seconds >= LEAST_S
        assert one.told == 0  # nothing of its own is in it


def test_slots_are_bounded_and_wider_the_same_in_any_order() -> None:
    many = list(range(0, MAX_SLOTS * 6, 2))
    one, other = rhythm(*many), rhythm(*reversed(many))
    assert one == other
    assert len(one.slots) <= MAX_SLOTS
    assert sum(one.slots.values()) == len(many)
