"""Order, repetition, splits and lateness do not matter: the same records end in the same incidents."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from eightysix.detect import Engine, Knowledge, PodState, decode_state, encode_state, merge, step
from eightysix.model.event import Event
from eightysix.model.incident import Incident
from eightysix.model.words import Source, Verdict
from eightysix.rules.catalog import load_packaged
from tests.detect.events import api_server, breach, connect, install, metadata, request, token

RULES = load_packaged()
KNOWLEDGE = Knowledge(sources=frozenset({Source.TETRAGON, Source.KUBERNETES_AUDIT}))

noise = st.one_of(
    st.builds(
        metadata, st.floats(0, 300).map(lambda x: round(x, 3)), exec_id=st.sampled_from(["server", "other"])
    ),
    st.builds(
        token, st.floats(0, 300).map(lambda x: round(x, 3)), exec_id=st.sampled_from(["server", "other"])
    ),
    st.builds(
        connect,
        st.floats(0, 300).map(lambda x: round(x, 3)),
        st.sampled_from(["203.0.113.20", "198.51.100.7"]),
    ),
    st.builds(api_server, st.floats(0, 300).map(lambda x: round(x, 3))),
    st.builds(
        install, st.floats(0, 300).map(lambda x: round(x, 3)), st.sampled_from(["a", "b", "torch-perf-utils"])
    ),
    st.builds(
        request,
        st.floats(0, 300).map(lambda x: round(x, 3)),
        st.just("list"),
        st.sampled_from(["pods", "secrets"]),
    ),
)


def judged(events: list[Event]) -> list[Incident]:
    engine = Engine(RULES, KNOWLEDGE)
    engine.feed(events)
    return engine.incidents()


def test_the_breach_is_one_incident_to_contain() -> None:
    (incident,) = judged(breach())
    assert incident.verdict is Verdict.CONTAIN
    assert incident.rule == "poisoned-install"
    assert next(stage.stage for stage in incident.stages) == "land"
    assert incident.stages[-1].offset_s == 86.0


@settings(max_examples=60, deadline=None)
@given(st.lists(noise, max_size=12), st.randoms(use_true_random=False))
def test_any_order_gives_the_same_incidents(extra: list[Event], random: object) -> None:
    events = breach() + extra
    expected = judged(events)
    shuffled = list(events)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert judged(shuffled) == expected


@settings(max_examples=40, deadline=None)
@given(st.lists(noise, max_size=12), st.data())
def test_duplicates_change_nothing(extra: list[Event], data: st.DataObject) -> None:
    events = breach() + extra
    repeated = events + data.draw(st.lists(st.sampled_from(events), max_size=20))
    assert judged(repeated) == judged(events)


@settings(max_examples=40, deadline=None)
@given(st.lists(noise, max_size=12), st.data())
def test_splits_merge_to_the_whole(extra: list[Event], data: st.DataObject) -> None:
    events = [e for e in breach() + extra if e.pod_uid]
    sides = data.draw(st.lists(st.integers(0, 2), min_size=len(events), max_size=len(events)))
    parts = [PodState(key="uid-0") for _ in range(3)]
    whole = PodState(key="uid-0")
    for event, side in zip(events, sides, strict=True):
        step(parts[side], event)
        step(whole, event)
    merged = merge(merge(parts[0], parts[1]), parts[2])
    again = merge(parts[2], merge(parts[1], parts[0]))
    assert merged.events() == whole.events() == again.events()
    assert encode_state(merged) == encode_state(again) == encode_state(merge(merged, merged))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(noise, st.floats(0, 600)), max_size=10), st.floats(0, 600))
def test_lateness_up_to_ten_minutes_changes_nothing(
    extra: list[tuple[Event, float]], audit_late: float
) -> None:
    late = [(event, 0.0 if event.source is Source.TETRAGON else audit_late) for event in breach()] + extra
    arrival = [event for event, delay in sorted(late, key=lambda pair: pair[0].time_ns / 1e9 + pair[1])]
    assert judged(arrival) == judged([event for event, _ in late])


@given(st.lists(noise, max_size=20))
def test_a_state_survives_being_written_down(events: list[Event]) -> None:
    state = PodState(key="uid-0")
    for event in events:
        step(state, event)
    assert decode_state(encode_state(state)) == state
