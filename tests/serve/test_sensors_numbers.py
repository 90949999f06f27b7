"""Numbers of one process's records: no replay gets through, and nobody silences a sensor by using its numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eightysix.serve.sensors.sequence import MAX_JUMP, WINDOW, Numbers, Told

SECOND = 1_000_000_000
BASE = 1_700_000_000 * SECOND


def data(seq: int, by: str = "sensor") -> bytes:
    return f"{by} {seq}".encode()


def take(
    numbers: Numbers,
    seq: int,
    at_s: float,
    by: str = "sensor",
) -> Told:
    at_ns = BASE + int(at_s * SECOND)
    return numbers.take(seq, at_ns, data(seq, by), at_ns, at_s)


def test_a_program_that_replaced_another_counts_from_zero_again() -> None:
    numbers = Numbers()
    for seq in range(5):
        assert take(numbers, seq, seq / 10) is Told.NEW
    assert take(numbers, 0, 1, by="second") is Told.NEW
    for seq in range(1, 5):
        assert take(numbers, seq, 1 + seq / 10, by="second") is Told.NEW
    assert numbers.overdue(100) == 0


def test_the_start_of_a_program_is_replayed_once_at_most() -> None:
    numbers = Numbers()
    take(numbers, 0, 0)
    for seq in range(1, 3 * WINDOW):
        take(numbers, seq, seq / 100)
    assert take(numbers, 0, 0) is Told.REPLAYED


def test_records_from_before_a_program_was_replaced_are_replayed() -> None:
    numbers = Numbers()
    for seq in range(10):
        take(numbers, seq, 0)
    take(numbers, 0, 200, by="second")
    assert take(numbers, 5, 0) is Told.REPLAYED


def test_a_time_far_ahead_is_no_measure() -> None:
    numbers = Numbers()
    at_ns = BASE
    numbers.take(0, 1 << 62, b"forged", at_ns, 0.0)
    numbers.take(1, 1 << 62, b"forged", at_ns, 0.0)
    assert take(numbers, 2, 1) is Told.NEW


def test_a_jump_is_bounded() -> None:
    numbers = Numbers()
    take(numbers, 0, 0)
    assert take(numbers, 1 << 52, 1) is Told.NEW
    assert len(numbers._awaited) <= WINDOW
    assert numbers.overdue(100) <= MAX_JUMP + WINDOW


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 600)),
        max_size=120,
    )
)
def test_no_forgery_makes_a_record_of_the_sensor_vanish(acts: list[tuple[bool, int]]) -> None:
    """Whatever other code of the pod sends under the process's name, now: the sensor's own records are handed on."""
    numbers = Numbers()
    seq = 0
    for turn, (forged, claimed) in enumerate(acts):
        at_s = turn / 10
        if forged:
            at_ns = BASE + int(at_s * SECOND)
            numbers.take(claimed, at_ns, b"forged %d" % turn, at_ns, at_s)
        else:
            assert take(numbers, seq, at_s) is not Told.REPLAYED
            seq += 1


@given(
    st.integers(1, 400),
    st.lists(st.integers(0, 399), max_size=40),
    st.floats(61, 10_000, allow_nan=False),
)
def test_no_old_record_comes_again(number: int, again: list[int], later_s: float) -> None:
    numbers = Numbers()
    for seq in range(number):
        take(numbers, seq, 0)
    take(numbers, number, later_s)
    for seq in again:
        if seq < number:
            assert take(numbers, seq, 0) is Told.REPLAYED


@given(st.permutations(range(40)), st.sets(st.integers(1, 38)))
def test_what_is_missing_is_counted_whatever_the_order(order: list[int], lost: set[int]) -> None:
    numbers = Numbers()
    take(numbers, 0, 0)
    for seq in order:
        if seq not in lost and seq:
            assert take(numbers, seq, 0.1) is Told.NEW
    assert numbers.overdue(0.2) == 0
    assert numbers.overdue(10) == len(lost)
    assert numbers.overdue(20) == 0


def test_a_first_record_that_was_overtaken_begins_nothing_anew() -> None:
    numbers = Numbers()
    for seq in (1, 2, 0, 3, 4):
        assert take(numbers, seq, seq / 10) is Told.NEW
    assert numbers.overdue(100) == 0
    assert take(numbers, 0, 0) is Told.REPLAYED
