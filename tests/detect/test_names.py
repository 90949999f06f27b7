"""Names of destinations in chains: what is new is judged by name where the cluster's resolver told one."""

from __future__ import annotations

from typing import Any

import pytest

from eightysix.context.baseline import Baseline
from eightysix.detect import Engine, Knowledge, decode_state, encode_state
from eightysix.detect.facts import workload_novelty
from eightysix.detect.journal import Delta, apply_delta, decode_delta, encode_delta
from eightysix.detect.live import LiveEngine
from eightysix.detect.profile import add_to_baseline
from eightysix.detect.state import PodState, expire, merge
from eightysix.detect.view import PodView
from eightysix.model.event import Event
from eightysix.model.incident import Incident
from eightysix.model.words import Grade, Kind, Origin, Source
from eightysix.rules.catalog import load_packaged
from tests.detect.events import BASE_NS, SECOND, api_server, connect, event, install, metadata, token

KNOWLEDGE = Knowledge(sources=frozenset({Source.TETRAGON, Source.DNS}))
OURS, THEIRS = "acct.blob.core.windows.net", "gone.blob.core.windows.net"
STAMP, OTHER = "20.60.1.1", "20.60.1.2"


def answer(at: float, ip: str, name: str, **fields: Any) -> Event:
    values = {
        "source": Source.DNS,
        "origin": Origin.CONTROL_PLANE,
        "grade": Grade.C,
        "pod_uid": "",
        "container_id": "",
        "exec_id": "",
        "dst_ip": ip,
        "dst_name": name,
        "ttl_s": 30,
    }
    return event(Kind.RESOLVE, at, **(values | fields))


def question(at: float, name: str, client: str = "10.244.1.7") -> Event:
    return answer(at, "", name, pod="", namespace="", source_ip=client, grade=Grade.F)


def theft(ip: str) -> list[Event]:
    """An install and two credentials, and then a connection to `ip`."""
    return [
        metadata(1.0),
        install(100.0),
        metadata(110.0),
        token(112.0),
        api_server(113.0),
        connect(130.0, ip, 443),
    ]


def judged(events: list[Event], knowledge: Knowledge = KNOWLEDGE) -> tuple[Incident, ...]:
    engine = Engine(load_packaged(), knowledge)
    engine.feed(events)
    return tuple(engine.incidents())


def leaves(events: list[Event]) -> list[str]:
    return [s.destination for i in judged(events) for s in i.stages if s.stage == "leave"]


def test_a_connection_has_the_name_that_its_pod_was_told() -> None:
    assert leaves([*theft(STAMP), answer(129.0, STAMP, THEIRS)]) == [f"{STAMP}:443 ({THEIRS})"]
    assert leaves(theft(STAMP)) == [f"{STAMP}:443"]


def test_an_address_alone_is_told_as_a_gap() -> None:
    (incident,) = judged(theft(STAMP))
    assert any("who is behind 20.60.1.1" in gap for gap in incident.gaps)
    (incident,) = judged([*theft(STAMP), answer(129.0, STAMP, THEIRS)])
    assert not any("who is behind" in gap for gap in incident.gaps)


def test_the_same_name_at_another_address_is_nothing_new() -> None:
    before = [connect(50.0, OTHER, 443), answer(49.0, OTHER, OURS), answer(129.0, STAMP, OURS)]
    assert leaves([*theft(STAMP), *before]) == []
    assert leaves([*theft(STAMP), *before[:1]]) == [f"{STAMP}:443"]


def test_another_name_at_the_same_address_is_new() -> None:
    """Accounts of one storage stamp share its addresses."""
    before = [connect(50.0, STAMP, 443), answer(49.0, STAMP, OURS)]
    assert leaves([*theft(STAMP), *before, answer(129.0, STAMP, THEIRS)]) == [f"{STAMP}:443 ({THEIRS})"]
    assert leaves([*theft(STAMP), *before]) == []


def test_asking_for_a_known_name_last_hides_no_new_one() -> None:
    before = [connect(50.0, STAMP, 443), answer(49.0, STAMP, OURS)]
    both = [answer(128.0, STAMP, THEIRS), answer(129.0, STAMP, OURS)]
    assert leaves([*theft(STAMP), *before, *both]) == [f"{STAMP}:443 ({THEIRS})"]


def test_an_address_that_was_known_before_names_were_is_nothing_new() -> None:
    assert leaves([*theft(STAMP), connect(50.0, STAMP, 443), answer(129.0, STAMP, OURS)]) == []


def test_answers_to_other_pods_and_of_other_times_name_nothing() -> None:
    other = answer(129.0, STAMP, THEIRS, pod="inference-1")
    late = answer(135.0, STAMP, THEIRS)
    assert leaves([*theft(STAMP), other, late]) == [f"{STAMP}:443"]


def test_a_name_beside_a_flow_is_shown_and_not_judged() -> None:
    hint = answer(129.0, STAMP, OURS, grade=Grade.F)
    before = [connect(50.0, OTHER, 443), answer(49.0, OTHER, OURS)]
    assert leaves([*theft(STAMP), *before, hint]) == [f"{STAMP}:443 ({OURS})"]


def test_what_the_sensor_calls_a_destination_hides_nothing() -> None:
    before = [connect(50.0, OTHER, 443), answer(49.0, OTHER, OURS)]
    claim = connect(
        129.99,
        STAMP,
        443,
        source=Source.SENSOR,
        origin=Origin.SUSPECT,
        grade=Grade.A,
        dst_name=OURS,
        exec_id="sensor:b/u:1:1",
    )
    assert any(STAMP in told for told in leaves([*theft(STAMP), *before, claim]))


def test_the_api_server_is_known_by_its_name() -> None:
    events = [*theft(STAMP)[:-2], connect(113.0, "203.0.113.5", 443)]
    named = [*events, answer(100.0, "203.0.113.5", "ml-dns-1a2b.hcp.westeurope.azmk8s.io")]
    assert "api_use" not in {s.signal for i in judged(events) for s in i.stages}
    assert "api_use" in {s.signal for i in judged(named) for s in i.stages}


def test_questions_of_the_pods_address_are_told_beside_the_gap() -> None:
    asked = [
        question(128.5, THEIRS),
        question(90.0, "long.ago.example"),
        question(128.6, "b.example", "10.244.1.8"),
    ]
    mine = [e for e in theft(STAMP) if e.dst_port != 443] + [
        connect(130.0, STAMP, 443, source_ip="10.244.1.7"),
        api_server(113.0),
    ]
    (incident,) = judged([*mine, *asked])
    assert [gap for gap in incident.gaps if "asked for just before" in gap] == [
        f"who is behind {STAMP}: no DNS answer was read, so the address is judged; asked for just before: {THEIRS}"
    ]


def view_of(events: list[Event], baseline: Baseline | None = None) -> PodView:
    engine = Engine((), Knowledge(baseline=baseline))
    engine.feed(events)
    (state,) = engine.resolved()
    view = PodView.of(state, engine.knowledge)
    assert view is not None
    return view


def baseline_of(events: list[Event]) -> Baseline:
    engine = Engine((), Knowledge())
    engine.feed(events)
    baseline = Baseline()
    for state in engine.resolved():
        assert add_to_baseline(baseline, state, engine.names)
    return baseline


def novelty(events: list[Event], baseline: Baseline) -> list[str]:
    view = view_of(events, baseline)
    return [workload_novelty(view, o) for o in view.observations if o.event.kind is Kind.CONNECT]


def test_novelty_for_the_workload_is_judged_by_name_where_the_baseline_has_names() -> None:
    named = baseline_of([connect(50.0, OTHER, 443), answer(49.0, OTHER, OURS)])
    bare = baseline_of([connect(50.0, OTHER, 443)])
    assert novelty([connect(60.0, STAMP, 443), answer(59.0, STAMP, OURS)], named) == ["known"]
    assert novelty([connect(60.0, OTHER, 443), answer(59.0, OTHER, THEIRS)], named) == ["new"]
    assert novelty([connect(60.0, OTHER, 443), answer(59.0, OTHER, THEIRS)], bare) == ["known"]
    assert novelty([connect(60.0, OTHER, 443)], named) == ["known"]
    both = [connect(60.0, OTHER, 443), answer(58.0, OTHER, THEIRS), answer(59.0, OTHER, OURS)]
    assert novelty(both, named) == ["new"]


def test_names_outlive_the_process() -> None:
    told = [answer(0.5, STAMP, OURS), answer(0.6, STAMP, THEIRS)]
    engine = Engine((), Knowledge())
    engine.feed(told)
    state = PodState(key="n:ml/inference-0")
    apply_delta(state, decode_delta(encode_delta(Delta(events=told))))  # as the journal keeps them
    assert {state.key: state.names} == engine.names
    assert decode_state(encode_state(state)) == state
    assert merge(state, state).names == state.names
    assert not expire(state, (BASE_NS // SECOND + 3_600) * SECOND, 60 * SECOND).names
    engine.forget_names(BASE_NS + 3_600 * SECOND)
    assert not engine.names


def test_a_name_that_comes_late_is_told_with_the_next_look() -> None:
    live = LiveEngine(Engine(load_packaged(), KNOWLEDGE))
    live.feed(theft(STAMP))
    (before,) = live.quick()
    live.feed([answer(129.0, STAMP, THEIRS)])
    assert not live.waits_for_names
    (after,) = live.quick()
    assert [s.destination for s in after.incident.stages if s.stage == "leave"] == [f"{STAMP}:443 ({THEIRS})"]
    assert before.incident.id == after.incident.id
    live.feed([answer(129.5, STAMP, THEIRS)])
    assert live.quick() == []


def test_names_of_all_pods_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eightysix.detect.engine.MAX_TOTAL_NAMES", 10)
    engine = Engine((), Knowledge())
    engine.feed([answer(at, STAMP, OURS, pod=f"p-{at}") for at in range(30)])
    engine.trim()
    assert len(engine.names) == 10
    assert "n:ml/p-29" in engine.names
    assert any("names" in told for told in engine.flooded)
