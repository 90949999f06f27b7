"""The scan ledger as JSON Lines: what becomes an event, and what is told as unusable."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.model.event import Event
from eightysix.model.words import Kind, Origin, Source
from eightysix.sources.interface import Batch
from eightysix.sources.ledger import SCHEMA, LedgerDecoder
from eightysix.sources.lines import Block
from eightysix.sources.recognise import Recogniser
from eightysix.sources.sensor import SensorDecoder

Json = dict[str, Any]
DIGEST = "21c8569013f8ddc042356afec05f7720" * 2
AT = 1_795_500_000
VERDICT: Json = {
    "schema": SCHEMA, "digest": DIGEST, "size": 9, "verdict": "malicious", "rules_version": "7", "at": AT,
    "expires": AT + 60,
}  # fmt: skip
FILE: Json = {
    "schema": SCHEMA, "host": "node-1", "dev": 64_768, "ino": 7, "size": 9, "mtime_ns": 5, "digest": DIGEST, "at": AT,
}  # fmt: skip


def decoded(*lines: Json | str) -> Batch:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    return LedgerDecoder().decode(text.encode(), "ledger.jsonl", 1)


def only(batch: Batch) -> Event:
    (event,) = batch.events
    return event


def test_a_verdict_is_an_event_of_no_pod() -> None:
    event = only(decoded(VERDICT))
    assert (event.kind, event.source, event.origin) == (Kind.SCAN, Source.LEDGER, Origin.CONTROL_PLANE)
    assert (event.digest, event.activity, event.ttl_s) == (DIGEST, "malicious", 60)
    assert event.time_ns == AT * 10**9
    assert (event.pod, event.pod_uid, event.node, event.file_id) == ("", "", "", "")


def test_a_file_is_an_event_of_its_host() -> None:
    event = only(decoded(FILE))
    assert (event.node, event.file_id, event.digest) == ("node-1", "64768:7:9:5", DIGEST)
    assert not event.activity


def test_no_line_makes_a_verdict_that_never_ends() -> None:
    assert only(decoded(VERDICT | {"expires": 0xFFFF_FFFF})).ttl_s == 366 * 86_400
    assert only(decoded(VERDICT | {"expires": AT - 1})).ttl_s == 0


@pytest.mark.parametrize(
    "line",
    [
        VERDICT | {"verdict": "harmless"},
        VERDICT | {"digest": "x"},
        VERDICT | {"digest": "../" * 20},
        VERDICT | {"at": 0},
        VERDICT | {"at": 2**70},
        {key: value for key, value in VERDICT.items() if key != "expires"},
        FILE | {"dev": -1},
        FILE | {"ino": 2**64},
        FILE | {"ino": 2**200},
        FILE | {"host": ""},
        {key: value for key, value in FILE.items() if key != "mtime_ns"},
    ],
)
def test_a_line_that_cannot_be_used_is_told(line: Json) -> None:
    batch = decoded(line)
    assert not batch.events
    assert [problem.kind for problem in batch.problems] == ["malformed"]
    assert batch.problems[0].line == 1


def test_numbers_of_any_length_are_told() -> None:
    line = json.dumps(FILE).replace('"ino": 7', '"ino": ' + "9" * 6_000)
    batch = decoded(line, FILE)
    assert [problem.kind for problem in batch.problems] == ["malformed"]
    assert only(batch).line == 2


def test_another_version_is_not_guessed_at() -> None:
    for line in (
        VERDICT | {"schema": "eightysix/ledger/v2"},
        {"schema": "eightysix/ledger/v2", "verdicts": []},
    ):
        assert [problem.kind for problem in decoded(line).problems] == ["unrecognised"]


def test_it_is_recognised_among_other_sources_and_leaves_theirs_over() -> None:
    sensor = {"v": 1, "t_ns": AT * 10**9, "event": "start", "argv": ["python"], "pid": 1}
    recogniser = Recogniser([SensorDecoder(), LedgerDecoder()])
    block = "\n".join(json.dumps(line) for line in (VERDICT, sensor, FILE)).encode()
    sources = [event.source for event in recogniser.read(Block("mixed.jsonl", 1, block))]
    assert sorted(sources) == [Source.LEDGER, Source.LEDGER, Source.SENSOR]
    assert recogniser.counts.events == recogniser.counts.records == 3


@given(
    st.dictionaries(
        st.sampled_from([*VERDICT, *FILE]),
        st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers(), max_size=2),
    )
)
def test_nothing_that_a_line_holds_breaks_it(changes: Json) -> None:
    for line in (VERDICT | changes, FILE | changes):
        batch = decoded(line)
        assert len(batch.events) + len(batch.problems) + len(batch.leftover) == 1


@given(st.binary(max_size=300))
def test_no_bytes_break_it(data: bytes) -> None:
    batch = LedgerDecoder().decode(data, "f", 1)
    assert batch.records == len(batch.events) + len(batch.problems) + len(batch.leftover)
