"""A rule that only contributes adds to other chains, and is nothing alone; the packaged one is about missing twins."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eightysix.detect import Engine, Knowledge, PodState, step
from eightysix.detect.twins import twin_of
from eightysix.detect.view import PodView
from eightysix.model.event import Event
from eightysix.model.incident import Incident
from eightysix.model.words import Domain, Grade, Kind, Origin, Source
from eightysix.rules.catalog import load_packaged
from tests.detect.events import breach, connect, event, install, metadata, token

RULES = load_packaged()
UNTOLD = "untold-metadata-call"
KNOWLEDGE = Knowledge(sources=frozenset({Source.TETRAGON, Source.SENSOR}))


def heard(at: float, ip: str = "203.0.113.7", **fields: Any) -> Event:
    """The sensor in the server tells of a connection."""
    values: dict[str, Any] = {
        "source": Source.SENSOR,
        "origin": Origin.SUSPECT,
        "grade": Grade.A,
        "exec_id": "sensor:n/uid-0:1:5",
        "dst_ip": ip,
        "dst_port": 80,
        "chain": ("requests==2.34.2", "app:/app/server.py"),
        "root": "app:/app/server.py",
        "tid": 7,
    }
    return event(Kind.CONNECT, at, **(values | fields))


def asked(at: float, **fields: Any) -> Event:
    return heard(at, "169.254.169.254", domain=Domain.CLOUD, **fields)


def judged(events: list[Event], rules: tuple[str, ...] = ()) -> list[Incident]:
    engine = Engine([rule for rule in RULES if not rules or rule.id in rules], KNOWLEDGE)
    engine.feed(events)
    return engine.incidents()


def twins(*events: Event) -> list[str | None]:
    state = PodState(key="uid-0")
    for one in events:
        step(state, one)
    view = PodView.of(state, KNOWLEDGE)
    assert view is not None
    return [twin_of(view, o) for o in view.observations if o.event.origin is Origin.KERNEL]


def test_a_call_that_both_saw_has_a_twin() -> None:
    assert twins(asked(5.0), metadata(5.0001)) == ["seen"]


def test_a_call_that_only_the_kernel_saw_lacks_it_where_the_sensor_had_spoken() -> None:
    assert twins(heard(1.0), connect(1.0001, "203.0.113.7"), metadata(5.0)) == [None, "missing"]


def test_the_host_pid_tells_that_it_is_the_same_process() -> None:
    assert twins(heard(1.0, pid=4711), metadata(5.0, pid=4711)) == ["missing"]
    assert twins(heard(1.0, pid=4711), metadata(5.0, pid=4712)) == ["unknown"]
    assert twins(heard(1.0, pid=4711, container_id="other"), metadata(5.0, pid=4711)) == ["unknown"]


@pytest.mark.parametrize(
    "events",
    [
        (metadata(5.0),),
        (metadata(5.0), heard(9.0), connect(9.0001, "203.0.113.7")),
        (heard(1.0), connect(1.0001, "203.0.113.7"), metadata(5.0, exec_id="curl", binary="/usr/bin/curl")),
    ],
    ids=["no sensor", "it spoke only later", "another process"],
)
def test_it_is_unknown_where_no_sensor_could_have_told(events: tuple[Event, ...]) -> None:
    assert "unknown" in twins(*events)
    assert "missing" not in twins(*events)


def native(at: float) -> list[Event]:
    """The sensor had spoken, and a metadata call went past it."""
    return [heard(0.5), connect(0.5001, "203.0.113.7"), metadata(at)]


def test_alone_it_makes_no_incident_whatever_else_the_pod_does() -> None:
    events = [*native(5.0), *(metadata(10.0 + turn) for turn in range(40)), token(60.0), connect(61.0)]
    assert judged(events, (UNTOLD,)) == []
    assert judged(breach() + native(6.0), (UNTOLD,)) == []
    assert [i.verdict for i in judged(events)] in ([], ["watch"])


def test_it_adds_its_points_to_another_chain_and_says_so() -> None:
    (before,) = judged(breach(), ("poisoned-install",))
    (after,) = judged(breach() + native(6.0)[:2], ("poisoned-install", UNTOLD))
    assert after.score == before.score + 10
    assert any(reason.points == 10 and "sensor in the process" in reason.text for reason in after.why)
    assert after.id == before.id


noise = st.one_of(
    st.builds(
        heard, st.floats(0, 100).map(lambda x: round(x, 3)), st.sampled_from(["203.0.113.7", "198.51.100.9"])
    ),
    st.builds(asked, st.floats(0, 100).map(lambda x: round(x, 3))),
    st.builds(metadata, st.floats(0, 100).map(lambda x: round(x, 3))),
    st.builds(
        connect,
        st.floats(0, 100).map(lambda x: round(x, 3)),
        st.sampled_from(["203.0.113.7", "198.51.100.9"]),
    ),
    st.builds(token, st.floats(0, 100).map(lambda x: round(x, 3))),
    st.builds(install, st.floats(0, 100).map(lambda x: round(x, 3))),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(noise, max_size=14))
def test_it_never_lowers_a_score_and_never_makes_a_story(extra: list[Event]) -> None:
    others = tuple(rule.id for rule in RULES if rule.id != UNTOLD)
    without = {i.id: (i.verdict.rank, i.score) for i in judged(breach() + extra, others)}
    with_it = {i.id: (i.verdict.rank, i.score) for i in judged(breach() + extra)}
    assert with_it.keys() >= without.keys()
    assert all(with_it[key] >= told for key, told in without.items())
    assert judged(extra, (UNTOLD,)) == []


@settings(max_examples=40, deadline=None)
@given(st.lists(noise, max_size=14), st.randoms(use_true_random=False))
def test_any_order_gives_the_same_incidents(extra: list[Event], random: Any) -> None:
    events = breach() + extra
    shuffled = list(events)
    random.shuffle(shuffled)
    assert judged(shuffled) == judged(events)
