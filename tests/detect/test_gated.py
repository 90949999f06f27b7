"""What the gate told of a digest counts for pods that run that very digest, valid in time, raises and never lowers."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from eightysix.context import gated
from eightysix.context.gated import Gated, repository_and_tag
from eightysix.detect import Engine, Knowledge
from eightysix.detect.live import LiveEngine
from eightysix.model.event import Event
from eightysix.model.incident import Incident
from eightysix.model.words import Grade, Kind, Origin, Source, Verdict
from eightysix.rules.catalog import load_packaged
from tests.detect.events import BASE_NS, SECOND, breach, metadata

RULES = tuple(rule for rule in load_packaged() if rule.id == "release-drift")
SOURCES = frozenset({Source.TETRAGON, Source.GATE})
REPOSITORY = "registry.example/inference"
RUNS, OLD, OTHER = (f"sha256:{character * 64}" for character in "abc")


def of_gate(kind: str, at: float, **fields: Any) -> Event:
    values: dict[str, Any] = {
        "event_id": repr((kind, at, sorted(fields.items()))), "time_ns": BASE_NS + round(at * SECOND),
        "source": Source.GATE, "origin": Origin.CONTROL_PLANE, "grade": Grade.F, "kind": Kind.GATE, "file": "g",
        "line": 3, "activity": kind, "image": REPOSITORY, "image_digest": RUNS, "object_name": "prod",
    }  # fmt: skip
    return Event(**(values | fields))


def decision(ruling: str = "hold", at: float = -600.0, **fields: Any) -> Event:
    rules = () if ruling == "allow" else ("signer-drift",)
    return of_gate("decision", at, **({"verb": ruling, "chain": rules, "resource": "valid"} | fields))


def move(at: float = -900.0, **fields: Any) -> Event:
    told = {"digest": OLD, "exposes": ("tag-moved",), "identity": "ci-bot", "subresource": "distribution"}
    return of_gate("move", at, **(told | fields))


def pod(**fields: Any) -> list[Event]:
    return [metadata(4.0, **({"image_digest": RUNS} | fields))]


def judged(events: list[Event], rules: Any = RULES) -> tuple[Incident, ...]:
    engine = Engine(rules, Knowledge(sources=SOURCES))
    engine.feed(events)
    return tuple(engine.incidents())


def score(events: list[Event]) -> int:
    return max((incident.score for incident in judged(events)), default=0)


def test_a_held_digest_that_takes_a_credential_is_suspect_with_the_gates_lines_as_evidence() -> None:
    (incident,) = judged([decision(), move(line=2, exposes=("no-new-commit",)), *pod()])
    assert (incident.verdict, incident.score) == (Verdict.SUSPECT, 60)
    held, moved = [stage for stage in incident.stages if stage.stage == "land"]
    if "moved" in held.title:
        held, moved = moved, held
    assert held.title == "started a digest that the gate held: signer-drift"
    assert moved.title == "started a digest that its tag had been moved to: no-new-commit"
    assert "tag prod moved to it from sha256:bbbbbbbbbbbb by ci-bot" in moved.process
    assert {("gate", "g", 3), ("gate", "g", 2)} <= {(e.source, e.file, e.line) for e in held.evidence}
    assert (held.destination, held.offset_s) == ("", 0.0)
    assert {"measured", "judged"} == {str(reason.basis) for reason in incident.why if reason.points}


def test_audit_mode_is_told_as_weaker() -> None:
    (incident,) = judged([decision("would-hold"), *pod()])
    assert (incident.verdict, incident.score) == (Verdict.WATCH, 25)


@pytest.mark.parametrize(
    "told",
    [
        [],
        [decision("allow")],
        [decision(image="registry.example/other")],
        [decision(image="another.example/inference")],
        [decision(image_digest=OTHER), decision("allow")],
        [decision(), decision("allow", at=-60.0)],
        [
            decision("allow"),
            move(600.0, image_digest=OTHER, digest=RUNS),
            decision(at=605.0, image_digest=OTHER),
        ],
        [move(exposes=())],
        [decision(object_name="dev"), decision("allow", object_name="prod")],
    ],
)
def test_what_the_gate_says_of_other_digests_places_and_times_does_not_count(told: list[Event]) -> None:
    assert judged([*told, *pod()]) == ()


@pytest.mark.parametrize(
    ("told", "late"),
    [
        ([decision(at=300.0)], True),
        ([decision("allow"), decision(at=300.0)], True),
        ([decision(), decision("allow", at=300.0)], False),
        ([decision("allow"), decision(at=-60.0)], False),
        ([decision(object_name="dev")], False),
        ([decision(), decision("allow", at=-60.0, object_name="dev")], False),
    ],
)
def test_a_hold_counts_before_and_after_the_start_until_it_is_let_pass_before(
    told: list[Event], late: bool
) -> None:
    (incident,) = judged([*told, *pod()])
    assert incident.verdict is Verdict.SUSPECT
    assert ("decided after it had started" in incident.stages[0].process) is late


def test_a_digest_that_the_gate_does_not_know_is_found_by_its_tag_and_weighs_less() -> None:
    platform = pod(image_digest=OTHER)
    starts = [
        *judged([decision(), *platform], load_packaged()),
    ]
    assert not [incident for incident in starts if incident.verdict is not Verdict.WATCH]
    engine = Engine(RULES, Knowledge(sources=SOURCES))
    engine.feed([decision(), *platform])
    (state,) = engine.resolved()
    view = engine.judged().view(state)
    assert view is not None
    (landed,) = [o for o in view.told() if o.action == "held-digest"]
    standing = view.knowledge.gated.find(landed.event.image, OTHER, landed.time_ns)
    assert standing is not None
    assert standing.by_tag


def test_what_the_tag_named_before_is_no_unknown_digest() -> None:
    known = Gated()
    known.note(move())
    known.note(decision())
    assert known.find(f"{REPOSITORY}:prod", OTHER, BASE_NS) is not None
    assert known.find(f"{REPOSITORY}:prod", OLD, BASE_NS) is None
    assert known.find(f"{REPOSITORY}:dev", OTHER, BASE_NS) is None
    assert known.find(f"{REPOSITORY}:prod", OTHER, BASE_NS - 3600 * SECOND) is None


def test_a_move_that_the_reconciler_saw_within_its_round_is_the_pods_own() -> None:
    odd = ("tag-moved", "tag-rollback")
    assert score([decision(), move(20.0, exposes=odd), *pod()]) == 60
    assert score([decision(), move(120.0, exposes=odd), *pod()]) == 50


def test_what_is_let_pass_lowers_nothing() -> None:
    rules = load_packaged()
    theft = [
        *breach(),
        *pod(),
    ]
    plain = judged(theft, rules)
    for told in ([decision("allow")], [decision("allow"), move(exposes=())]):
        passed = judged([*told, *theft], rules)
        assert [(i.rule, i.score, i.verdict, i.why) for i in passed] == [
            (i.rule, i.score, i.verdict, i.why) for i in plain
        ]


def test_a_chain_of_any_rule_tells_that_its_pod_runs_what_was_held() -> None:
    rules = tuple(rule for rule in load_packaged() if rule.id == "poisoned-install")
    theft = [replace(event, image_digest=OTHER) for event in breach() if event.source is Source.TETRAGON]
    (incident, *_) = judged([decision(image_digest=OTHER), *theft, *pod(image_digest=OTHER)], rules)
    assert any(reason.text == "started a digest that the gate held: signer-drift" for reason in incident.why)
    (entry,) = [stage for stage in incident.stages if "the gate held" in stage.title]
    assert entry.offset_s < 0


def test_an_ordinary_move_is_told_and_weighs_nothing() -> None:
    (incident,) = judged([decision(), move(), *pod()])
    assert incident.score == 50
    assert any("tag moved" in entry.title or "tag had been moved" in entry.title for entry in incident.stages)


def test_the_pods_own_word_that_it_runs_a_held_digest_never_contains() -> None:
    own = pod(source=Source.SENSOR, origin=Origin.SUSPECT, grade=Grade.A)
    assert all(incident.verdict is not Verdict.CONTAIN for incident in judged([decision(), *own]))


def test_records_come_in_any_order() -> None:
    events = [
        decision(),
        decision("allow", at=-700.0),
        move(),
        move(-800.0, line=9),
        decision(at=50.0),
        *pod(),
    ]
    first = judged(events)
    assert first
    for seed in range(20):
        random.Random(seed).shuffle(events)
        assert judged([*events, *events[: seed % 5]]) == first


@pytest.mark.parametrize("settles", [True, False])
def test_live_a_hold_that_comes_later_changes_what_was_judged(settles: bool) -> None:
    live = LiveEngine(Engine(RULES, Knowledge(sources=SOURCES)))
    look = live.settle if settles else live.quick
    live.feed(pod())
    assert look() == []
    live.feed([decision("would-hold", at=-700.0)])
    (watch,) = look()
    live.feed([decision()])
    (case,) = look()
    assert case.incident == judged([decision("would-hold", at=-700.0), decision(), *pod()])[0]
    assert watch.incident.revision != case.incident.revision
    live.feed([decision(), decision(image="registry.example/other")])
    assert not live.dirty


@given(st.permutations([decision(), decision("allow"), move(), move(-5.0), decision(image_digest=OTHER)]))
def test_knowledge_does_not_depend_on_order_and_survives_being_written(events: list[Event]) -> None:
    known, other = Gated(), Gated()
    for one in events:
        known.note(one)
    other.add(reversed(known.facts()))
    assert other.facts() == known.facts()
    assert other.find(f"{REPOSITORY}:prod", RUNS, BASE_NS) == known.find(f"{REPOSITORY}:prod", RUNS, BASE_NS)


def test_it_is_bounded_and_lets_holds_go_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gated, "MAX_DIGESTS", 16)
    known = Gated()
    known.note(decision())
    for number in range(200):
        known.note(decision("allow", at=float(number), image_digest=f"sha256:{number:064x}"))
    assert known.full
    assert len(known.facts()) <= 17
    assert known.find(f"{REPOSITORY}:prod", RUNS, BASE_NS) is not None
    for number in range(100):
        known.note(move(float(number)))
    assert len([fact for fact in known.facts() if fact.digest == RUNS]) <= 1 + gated.MAX_FACTS


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("registry.example/ml/llm:prod", ("registry.example/ml/llm", "prod")),
        ("Registry.Example:443/ml/llm", ("registry.example/ml/llm", "")),
        ("localhost:5000/a:b@sha256:00", ("localhost:5000/a", "b")),
        ("python:3.13", ("docker.io/library/python", "3.13")),
        ("index.docker.io/library/python:3.13", ("docker.io/library/python", "3.13")),
        ("bitnami/redis", ("docker.io/bitnami/redis", "")),
        ("", ("", "")),
        ("x" * 5_000, ("", "")),
    ],
)
def test_images_are_named_as_the_gate_names_them(image: str, expected: tuple[str, str]) -> None:
    assert repository_and_tag(image) == expected


@given(st.text(max_size=80), st.text(max_size=80), st.integers())
def test_no_name_breaks_it(image: str, digest: str, since: int) -> None:
    known = Gated()
    known.note(decision())
    known.find(image, digest, since)
