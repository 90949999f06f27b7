"""Plain connections as states keep them."""

from __future__ import annotations

from eightysix.detect.state import PodState, contact_events


def test_a_record_that_is_read_from_two_places_is_one_connection() -> None:
    state = PodState(key="uid")
    state.contacts["exec|203.0.113.10|443"] = ((5, "unknown", "a.jsonl", 1), (5, "unknown", "b.jsonl", 7))
    events = contact_events(state)
    assert [(event.time_ns, event.file, event.line) for event in events] == [(5, "a.jsonl", 1)]


def test_the_first_and_the_last_connection_are_two() -> None:
    state = PodState(key="uid")
    state.contacts["exec|203.0.113.10|443"] = ((5, "unknown", "a.jsonl", 1), (9, "unknown", "a.jsonl", 2))
    assert [event.time_ns for event in contact_events(state)] == [5, 9]
