"""The gate's events as JSON Lines: what becomes an event, and what is told as unusable."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.gate.feed import line as written
from eightysix.model.event import Event
from eightysix.model.gate import GateEvent, GateEventKind
from eightysix.model.words import Kind, Origin, Outcome, Source
from eightysix.sources.gate import GateDecoder
from eightysix.sources.interface import Batch
from eightysix.sources.ledger import LedgerDecoder
from eightysix.sources.lines import Block
from eightysix.sources.recognise import Recogniser
from eightysix.sources.sensor import SensorDecoder

Json = dict[str, Any]
NEW, OLD = "sha256:" + "a" * 64, "sha256:" + "b" * 64
MOVE = GateEvent(
    id="move-17", kind=GateEventKind.MOVE, time="2026-11-24T08:40:00.000000001Z", registry="registry.example",
    repository="ml/llm", tag="prod", digest=NEW, previous=OLD, told_of=("tag-moved",), actor="ci-bot",
    address="198.51.100.7", agent="docker/28", channel="distribution",
)  # fmt: skip
DECISION = GateEvent(
    id="4f1c", kind=GateEventKind.DECISION, time="2026-11-24T08:41:00.000000000Z", registry="registry.example",
    repository="ml/llm", tag="prod", digest=NEW, ruling="hold", mode="enforce", held_for=("signer-drift",),
    why="a\x1b[31mtrap", signed="valid", channel="check",
)  # fmt: skip


def plain(event: GateEvent, **changes: object) -> Json:
    value: Json = json.loads(written(event))
    return value | changes


def decoded(*lines: Json | str) -> Batch:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    return GateDecoder().decode(text.encode(), "gate.jsonl", 1)


def only(batch: Batch) -> Event:
    (event,) = batch.events
    return event


def test_what_the_gate_writes_of_a_move_is_read() -> None:
    event = only(GateDecoder().decode(written(MOVE), "gate.jsonl", 1))
    assert (event.kind, event.source, event.origin) == (Kind.GATE, Source.GATE, Origin.CONTROL_PLANE)
    assert (event.activity, event.verb, event.outcome) == ("move", "", Outcome.UNKNOWN)
    assert (event.image, event.image_digest, event.digest) == ("registry.example/ml/llm", NEW, OLD)
    assert (event.object_name, event.exposes) == ("prod", ("tag-moved",))
    assert (event.identity, event.source_ip, event.user_agent) == ("ci-bot", "198.51.100.7", "docker/28")
    assert event.time_ns % 10**9 == 1
    assert (event.pod, event.pod_uid, event.node) == ("", "", "")


@pytest.mark.parametrize(
    ("ruling", "mode", "verb", "outcome"),
    [
        ("hold", "enforce", "hold", Outcome.DENIED),
        ("hold", "audit", "would-hold", Outcome.ALLOWED),
        ("allow", "enforce", "allow", Outcome.ALLOWED),
        ("allow", "audit", "allow", Outcome.ALLOWED),
    ],
)
def test_what_the_gate_writes_of_a_decision_is_read(
    ruling: str, mode: str, verb: str, outcome: Outcome
) -> None:
    event = only(decoded(plain(DECISION, ruling=ruling, mode=mode)))
    assert (event.activity, event.verb, event.outcome) == ("decision", verb, outcome)
    assert (event.chain, event.resource) == (("signer-drift",), "valid")


def test_the_sentence_of_the_gate_and_long_words_of_clients_are_not_kept() -> None:
    event = only(decoded(plain(DECISION)))
    assert "trap" not in repr(event)
    assert len(only(decoded(plain(MOVE, actor="x" * 5_000))).identity) == 256


@pytest.mark.parametrize(
    "line",
    [
        plain(DECISION, ruling="perhaps"),
        plain(DECISION, ruling=""),
        plain(DECISION, kind="wish"),
        plain(DECISION, digest="latest"),
        plain(DECISION, digest="sha256:" + "A" * 64),
        plain(DECISION, digest="sha256:" + "a" * 63),
        plain(DECISION, previous="../" * 30),
        plain(DECISION, time="yesterday, at about ten"),
        plain(DECISION, time="1970-01-01T00:00:00.000000000Z"),
        plain(DECISION, registry=""),
        plain(DECISION, repository="x" * 256),
        plain(DECISION, tag="x" * 129),
        plain(DECISION, held_for=["x"] * 65),
        plain(DECISION, held_for=["x" * 65]),
        plain(DECISION, held_for="signer-drift"),
        plain(DECISION, mode=7),
    ],
)
def test_a_line_that_cannot_be_used_is_told(line: Json) -> None:
    batch = decoded(line)
    assert not batch.events
    assert [problem.kind for problem in batch.problems] == ["malformed"]
    assert batch.problems[0].line == 1


def test_another_version_is_not_guessed_at() -> None:
    for line in (plain(MOVE, schema="eightysix/gate-event/v2"), {"schema": "eightysix/gate-event/v2"}):
        assert [problem.kind for problem in decoded(line).problems] == ["unrecognised"]


def test_it_is_recognised_among_other_sources_and_leaves_theirs_over() -> None:
    sensor = {"v": 1, "t_ns": 1_795_500_000 * 10**9, "event": "start", "argv": ["python"], "pid": 1}
    recogniser = Recogniser([SensorDecoder(), LedgerDecoder(), GateDecoder()])
    block = "\n".join(json.dumps(line) for line in (plain(MOVE), sensor, plain(DECISION))).encode()
    sources = [event.source for event in recogniser.read(Block("mixed.jsonl", 1, block))]
    assert sorted(sources) == [Source.GATE, Source.GATE, Source.SENSOR]
    assert recogniser.counts.events == recogniser.counts.records == 3


def test_every_field_that_is_read_is_one_that_the_gate_writes() -> None:
    from eightysix.sources.gate import _Line

    wanted = {field.name for field in msgspec.structs.fields(_Line)}
    assert wanted <= {field.name for field in msgspec.structs.fields(GateEvent)}


@given(
    st.dictionaries(
        st.sampled_from(sorted(plain(MOVE) | plain(DECISION))),
        st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text(), max_size=2),
    )
)
def test_nothing_that_a_line_holds_breaks_it(changes: Json) -> None:
    for event in (MOVE, DECISION):
        batch = decoded(plain(event) | changes)
        assert len(batch.events) + len(batch.problems) + len(batch.leftover) == 1


@given(st.binary(max_size=300))
def test_no_bytes_break_it(data: bytes) -> None:
    batch = GateDecoder().decode(data, "f", 1)
    assert batch.records == len(batch.events) + len(batch.problems) + len(batch.leftover)
