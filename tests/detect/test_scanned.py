"""What a scan knows of a file counts for the loads of that very file, raises and never lowers, and comes in any order."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.context import ledger
from eightysix.context.ledger import Scans, file_id
from eightysix.detect import Engine, Knowledge
from eightysix.detect.live import LiveEngine
from eightysix.model.event import Event
from eightysix.model.incident import Incident
from eightysix.model.words import Access, Grade, Kind, Origin, Source, Verdict
from eightysix.rules.catalog import load_packaged
from tests.detect.events import BASE_NS, SECOND, connect, metadata
from tests.detect.test_loads import TORCH, asks, pickled, told

DAY = 86_400
MODEL = file_id(64_768, 7, 9, 5)
BAD, GOOD = "ba" * 32, "00" * 32
RULES = tuple(rule for rule in load_packaged() if rule.id == "model-load")


def of_ledger(**fields: Any) -> Event:
    at = fields.pop("at", -3600.0)
    values: dict[str, Any] = {
        "event_id": repr(sorted(fields.items())) + str(at), "time_ns": BASE_NS + round(at * SECOND),
        "source": Source.LEDGER, "origin": Origin.CONTROL_PLANE, "grade": Grade.F, "kind": Kind.SCAN, "file": "l", "line": 3,
    }  # fmt: skip
    return Event(**(values | fields))


def verdict(word: str, digest: str = BAD, *, lasts_s: int = 30 * DAY, at: float = -3600.0) -> Event:
    return of_ledger(digest=digest, activity=word, ttl_s=lasts_s, at=at)


def held(digest: str = BAD, *, host: str = "n", identity: str = MODEL, at: float = -3600.0) -> Event:
    return of_ledger(node=host, file_id=identity, digest=digest, at=at)


LEDGER = [verdict("malicious"), held()]


def loads(at: float = 100.0, identity: str = MODEL, **fields: Any) -> list[Event]:
    """A model is opened, and its pickle asks for a function that runs code."""
    opened = told(
        Kind.FILE, at, TORCH, file_path="/models/m.bin", access=Access.READ, file_id=identity, **fields
    )
    return [opened, pickled(at + 1.0, name="posix.system", file_id=identity, **fields)]


def judged(events: list[Event]) -> tuple[Incident, ...]:
    engine = Engine(RULES, Knowledge(sources=frozenset({Source.SENSOR, Source.TETRAGON})))
    engine.feed(events)
    return tuple(engine.incidents())


def test_a_malicious_file_that_runs_code_is_suspect_with_both_as_evidence() -> None:
    (incident,) = judged([*LEDGER, *loads()])
    assert (incident.verdict, incident.score) == (Verdict.SUSPECT, 50)
    places = {(e.source, e.file, e.line) for stage in incident.stages for e in stage.evidence}
    assert ("ledger", "l", 3) in places
    assert [stage.destination for stage in incident.stages] == [
        "/models/m.bin (scan: malicious)",
        "posix.system (scan: malicious)",
    ]
    assert any(BAD in step for step in incident.next_steps)
    assert {stage.origin for stage in incident.stages} == {Origin.SUSPECT}


def test_the_word_of_the_scan_alone_is_a_watch() -> None:
    (incident,) = judged([*LEDGER, loads()[0]])
    assert (incident.verdict, incident.score) == (Verdict.WATCH, 35)


def test_the_host_is_named_without_case_and_final_dot() -> None:
    assert judged([verdict("malicious"), held(host="N."), *loads()])


@pytest.mark.parametrize(
    "known",
    [
        [],
        [verdict("malicious")],
        [held()],
        [verdict("malicious"), held(identity=file_id(64_768, 7, 9, 6))],
        [verdict("malicious"), held(identity=file_id(64_768, 8, 9, 5))],
        [verdict("malicious"), held(identity=file_id(64_769, 7, 9, 5))],
        [verdict("malicious"), held(host="another")],
        [verdict("malicious", lasts_s=3_600), held()],
        [verdict("malicious", GOOD), held()],
        [verdict("clean"), held()],
        [verdict("malicious"), verdict("clean", at=-60.0), held()],
        [verdict("malicious"), held(), verdict("clean", GOOD), held(GOOD, at=-60.0)],
    ],
)
def test_what_the_ledger_says_of_other_files_times_and_hosts_does_not_count(known: list[Event]) -> None:
    assert judged([*known, *loads()]) == ()


def test_a_scan_after_the_load_counts_too() -> None:
    assert judged([verdict("malicious", at=500.0), held(at=500.0), *loads()])


def test_a_clean_file_lowers_nothing() -> None:
    theft = [*loads(), asks(102.0, ("torch==2.13.0", "app:/app/server.py")), metadata(102.0)]
    (without,) = judged(theft)
    (cleared,) = judged([verdict("clean"), held(), *theft])
    assert (cleared.score, cleared.verdict, cleared.why) == (without.score, without.verdict, without.why)


def test_what_only_the_pod_and_the_ledger_tell_never_contains() -> None:
    theft = [*loads(), asks(102.0, TORCH), connect(103.0, exec_id="sensor:n/uid-0:1:5", source=Source.SENSOR)]
    assert all(incident.verdict is not Verdict.CONTAIN for incident in judged([*LEDGER, *theft]))


def gaps_of(known: list[Event], *loaded: Event) -> list[str]:
    theft = [pickled(100.0, name="builtins.exec"), asks(101.0, TORCH), *loaded]
    (incident,) = judged([*known, *theft])
    return [gap for gap in incident.gaps if gap.startswith("what the scan says")]


def test_a_load_that_cannot_be_joined_is_a_gap_and_no_signal() -> None:
    assert gaps_of([]) == []
    (unnamed,) = gaps_of(LEDGER)
    assert "did not tell which file" in unnamed
    joined = pickled(99.0, name="torch.FloatStorage", file_id=MODEL)
    (elsewhere, _) = gaps_of([verdict("malicious"), held(host="another")], joined)
    assert "no ledger of its host" in elsewhere


def test_records_come_in_any_order() -> None:
    events = [*LEDGER, verdict("clean", GOOD), held(GOOD, identity="1:1:1:1"), *loads()]
    first = judged(events)
    assert first
    for seed in range(20):
        random.Random(seed).shuffle(events)
        assert judged([*events, *events[: seed % 5]]) == first


@pytest.mark.parametrize("settles", [True, False])
def test_live_a_ledger_that_comes_later_changes_what_was_judged(settles: bool) -> None:
    live = LiveEngine(
        Engine(RULES, Knowledge(sources=frozenset({Source.SENSOR, Source.TETRAGON, Source.LEDGER})))
    )
    look = live.settle if settles else live.quick
    live.feed(loads())
    assert look() == []
    live.feed(LEDGER)
    (case,) = look()
    assert case.incident == judged([*LEDGER, *loads()])[0]
    live.feed([verdict("clean", at=-60.0)])
    look()
    assert live.cases() == []


def test_live_what_is_known_already_wakes_nobody() -> None:
    live = LiveEngine(
        Engine(RULES, Knowledge(sources=frozenset({Source.SENSOR, Source.TETRAGON, Source.LEDGER})))
    )
    live.feed([*LEDGER, *loads()])
    live.quick()
    live.feed(LEDGER)
    assert not live.dirty


@given(
    st.permutations(
        [
            *LEDGER,
            verdict("clean", at=-60.0),
            verdict("suspicious", at=-60.0),
            held(GOOD),
            held(GOOD, host="b"),
        ]
    )
)
def test_knowledge_does_not_depend_on_order_and_survives_being_written(events: list[Event]) -> None:
    scans, other = Scans(), Scans()
    for one in events:
        scans.note(one)
    other.add(reversed(scans.facts()))
    assert other.facts() == scans.facts()
    assert scans.find("n", MODEL, BASE_NS) == ledger.Scanned("suspicious", BAD, "l", 3)


def test_a_ledger_that_is_too_large_says_nothing_of_what_it_does_not_hold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ledger, "MAX_FILES", 16)
    scans = Scans()
    for number in range(40):
        scans.note(held(identity=f"1:{number}:1:1", at=float(number)))
    assert scans.full
    assert len(scans.facts()) <= 16
    assert scans.find("n", "1:0:1:1", BASE_NS) is None
    assert {fact[1] for fact in scans.facts()} >= {"n|1:39:1:1"}
