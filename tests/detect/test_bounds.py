"""State stays bounded whatever the input does, and the true install is not lost between decoys."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import eightysix.detect.engine
from eightysix.detect import Engine, Knowledge, PodState, encode_state, expire, step
from eightysix.detect.state import KEEP_AFTER_LANDING, KEEP_FIRST, KEEP_LAST, MAX_BUCKETS, MAX_TAINTS
from eightysix.model.words import Source, Verdict
from eightysix.rules.catalog import load_packaged
from eightysix.serve.replay import Replay, ReplayOptions
from tests.detect.events import BASE_NS, SECOND, api_server, breach, connect, install, metadata, token
from tests.streams import ATTACKS

RULES = load_packaged()
KNOWLEDGE = Knowledge(sources=frozenset({Source.TETRAGON}))
MOST_EVENTS = sum(MAX_BUCKETS.values()) * (KEEP_FIRST + KEEP_LAST + KEEP_AFTER_LANDING) + 24 * MAX_TAINTS


class Decoys(RuleBasedStateMachine):
    """An adversary that hides one true chain in any flood that it can think of."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = Engine(RULES, KNOWLEDGE)
        self.clock = 10.0
        self.done = False

    @initialize()
    def server_runs(self) -> None:
        self.engine.feed([metadata(1.0)])

    def _tick(self) -> float:
        self.clock += 0.01
        return round(self.clock, 3)

    @rule(count=st.integers(1, 150))
    def decoy_installs(self, count: int) -> None:
        self.engine.feed([install(self._tick(), f"decoy-{self.clock:.2f}") for _ in range(count)])

    @rule(count=st.integers(1, 1200))
    def decoy_connections(self, count: int) -> None:
        self.engine.feed(
            [connect(self._tick(), f"198.51.{i % 250}.{i // 250}", exec_id="noise") for i in range(count)]
        )

    @rule(count=st.integers(1, 150))
    def decoy_takers(self, count: int) -> None:
        self.engine.feed([metadata(self._tick(), exec_id=f"decoy-{self.clock:.2f}") for _ in range(count)])

    @rule(count=st.integers(1, 400))
    def polling(self, count: int) -> None:
        self.engine.feed([metadata(self._tick()) for _ in range(count)])

    @precondition(lambda self: not self.done)
    @rule()
    def true_chain(self) -> None:
        at = self._tick()
        self.engine.feed([install(at, "torch-perf-utils", exec_id="true-pip")])
        self.engine.feed([metadata(self._tick()), token(self._tick()), api_server(self._tick())])
        self.done = True

    @invariant()
    def bounded(self) -> None:
        for state in self.engine.states.values():
            assert len(state.events()) <= MOST_EVENTS
            assert len(state.buckets) <= sum(MAX_BUCKETS.values())

    def teardown(self) -> None:
        if not self.done:
            return
        incidents = self.engine.incidents()
        assert any(incident.verdict is Verdict.CONTAIN for incident in incidents)
        state = self.engine.states["uid-0"]
        kept = {artifact.name for event in state.events() for artifact in event.artifacts}
        assert "torch-perf-utils" in kept
        if any("too many" in reason for reason in state.flooded):
            assert any("flooded" in gap for incident in incidents for gap in incident.gaps)


Decoys.TestCase.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)
TestDecoys = Decoys.TestCase


def test_a_poll_every_second_for_a_day_costs_what_a_minute_costs() -> None:
    state = PodState(key="uid-0")
    for second in range(86_400):
        step(state, metadata(float(second)))
    assert len(encode_state(state)) < 40_000


def test_what_landed_lasts_as_long_as_the_container_is_heard_of() -> None:
    state = PodState(key="uid-0")
    for event in breach():
        step(state, event)
    step(state, connect(7200.0))
    expire(state, BASE_NS + 7201 * SECOND, 3600 * SECOND)
    kept = [event.activity for event in state.events()]
    assert "install" in kept
    expire(state, BASE_NS + 20_000 * SECOND, 3600 * SECOND)
    assert state.events() == []


def test_many_forged_pods_push_no_breach_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eightysix.detect.engine, "MAX_PODS", 20)
    engine = Engine(RULES, KNOWLEDGE)
    engine.feed(breach())
    seen = (BASE_NS + SECOND, "unknown", "t.jsonl", 1)
    for number in range(200):
        uid = f"forged-{number:03}"
        engine.feed([metadata(1000.0 + number, pod_uid=uid)])
        engine.contacts[f"quiet-{number:03}"] = {"exec|203.0.113.10|443": (seen, seen)}
        engine.trim()
    assert len(engine.states) <= 20
    assert len(engine.contacts) <= 2 * 20 + 1
    assert [incident.verdict for incident in engine.incidents()] == [Verdict.CONTAIN]
    assert any("pods" in reason for reason in engine.flooded)


def test_a_forked_worker_stays_with_its_pod_when_pods_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    # What the worker does names its container only, and nothing landed under that name: it must not go first.
    monkeypatch.setattr(eightysix.detect.engine, "MAX_PODS", 20)
    engine = Engine(RULES, KNOWLEDGE)
    landed = [event for event in breach() if event.activity == "install"]
    worker = [
        msgspec.structs.replace(event, pod_uid="", pod="", namespace="")
        for event in breach()
        if event.activity != "install"
    ]
    engine.feed([*landed, *worker])
    engine.feed(metadata(50.0 + n, pod_uid=f"uid-other-{n}", container_id=f"{n:016d}") for n in range(60))
    engine.trim()
    assert len(engine.states) == 20
    assert [incident.verdict for incident in engine.incidents()] == [Verdict.CONTAIN]


LATER = 1_795_700_000.0 - BASE_NS / SECOND
"""Seconds after `BASE_NS` that are later than any recording."""


@pytest.mark.parametrize("name", ["state-takes-credentials", "state-builds-client", "model-remote-code"])
def test_a_chain_without_landing_stays_when_pods_are_let_go(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(eightysix.detect.engine, "MAX_PODS", 20)
    for file, lines in ATTACKS[name]().streams.items():
        (tmp_path / file).write_text("\n".join(lines) + "\n")
    replay = Replay(load_packaged(), ReplayOptions())
    expected = replay.read([str(tmp_path)], None).incidents
    replay.engine.feed(
        metadata(LATER + n, pod_uid=f"uid-other-{n}", container_id=f"{n:016d}") for n in range(60)
    )
    replay.engine.trim()
    assert len(replay.engine.states) == 20
    assert [i.verdict for i in replay.engine.incidents()] == [i.verdict for i in expected]
