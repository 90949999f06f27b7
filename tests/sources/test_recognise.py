"""Each line finds the decoder that knows it, and what nobody knows is counted with its place."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.model.errors import UsageError
from eightysix.model.event import Event, EventId
from eightysix.model.incident import Problem
from eightysix.model.words import Grade, Kind, Origin, Source
from eightysix.sources import recognise
from eightysix.sources.decompress import Limits
from eightysix.sources.interface import Batch
from eightysix.sources.json_text import read_value
from eightysix.sources.kubernetes_audit import KubernetesAuditDecoder
from eightysix.sources.lines import Block
from eightysix.sources.reading import read_inputs
from eightysix.sources.recognise import Recogniser, SourceAccount


class Plain:
    """A decoder of `{"<key>": n}`: negative numbers are malformed, the number is the event's time."""

    def __init__(self, key: str, source: Source) -> None:
        self.key, self.source = key, source
        self.blocks: list[tuple[int, int]] = []

    def recognises(self, record: Mapping[str, object]) -> bool:
        return self.key in record

    def decode(self, block: bytes, file: str, first_line: int, newlines: Sequence[int] = ()) -> Batch:
        batch = Batch()
        lines = block.split(b"\n")
        self.blocks.append((first_line, sum(map(bool, lines))))
        for line, data in enumerate(lines, first_line):
            if data.strip():
                batch.records += 1
                self._decode(data, file, line, batch)
        return batch

    def _decode(self, data: bytes, file: str, line: int, batch: Batch) -> None:
        try:
            value = read_value(data)
        except ValueError as error:
            batch.problems.append(Problem(file, line, "malformed", str(error)))
            return
        if not isinstance(value, dict) or self.key not in value:
            batch.leftover.append((line, data))
            return
        time_ns = value[self.key]
        if time_ns < 0:
            batch.problems.append(Problem(file, line, "malformed", "negative"))
            return
        batch.recognised += 1
        batch.kinds["api"] = batch.kinds.get("api", 0) + 1
        batch.first_ns = min(batch.first_ns or time_ns, time_ns)
        batch.last_ns = max(batch.last_ns, time_ns)
        batch.events.append(
            Event(
                event_id=EventId(str(line)),
                time_ns=time_ns,
                source=self.source,
                origin=Origin.KERNEL,
                grade=Grade.A,
                kind=Kind.API,
                file=file,
                line=line,
            )
        )


A, B = Source.TETRAGON, Source.SENSOR


def decoders() -> list[Plain]:
    return [Plain("a", A), Plain("b", B)]


def feed(recogniser: Recogniser, *lines: str, file: str = "f", size: int = 1000) -> list[tuple[Source, int]]:
    events: list[Event] = []
    for start in range(0, len(lines), size):
        data = "".join(line + "\n" for line in lines[start : start + size]).encode()
        events += recogniser.read(Block(file, start + 1, data))
    return sorted((event.source, event.line) for event in events)


KNOWN = {'{"a":1}': A, '{"b":2}': B}


@given(
    st.lists(st.sampled_from([*KNOWN, '{"c":3}', "[1]", "no json", "", "  ", '{"a":-1}', '{"b":-1}'])),
    st.integers(1, 9),
)
def test_every_line_finds_its_decoder_and_its_count(lines: list[str], size: int) -> None:
    recogniser = Recogniser(decoders())
    found = feed(recogniser, *lines, size=size)
    assert found == sorted((KNOWN[line], n) for n, line in enumerate(lines, 1) if line in KNOWN)
    malformed = [n for n, line in enumerate(lines, 1) if "-1" in line or line == "no json"]
    unrecognised = [n for n, line in enumerate(lines, 1) if line in ('{"c":3}', "[1]")]
    counts = recogniser.counts
    assert (counts.events, counts.malformed, counts.unrecognised) == (
        len(found),
        len(malformed),
        len(unrecognised),
    )
    assert counts.records == len(found) + len(malformed) + len(unrecognised)
    listed = [(p.line, p.kind) for p in recogniser.problems if "not listed" not in p.reason]
    assert len(listed) == len(set(listed))
    assert set(listed) <= {
        *((n, "malformed") for n in malformed),
        *((n, "unrecognised") for n in unrecognised),
    }


def test_sources_are_accounted_for() -> None:
    recogniser = Recogniser(decoders())
    feed(recogniser, '{"a":5}', '{"b":7}', '{"a":3}', '{"b":-1}')
    assert recogniser.sources == {
        A: SourceAccount(records=2, kinds={"api": 2}, first_ns=3, last_ns=5),
        B: SourceAccount(records=1, kinds={"api": 1}, first_ns=7, last_ns=7),
    }


def test_neighbours_go_to_the_other_decoder_together_and_it_takes_over() -> None:
    first, second = pair = decoders()
    feed(Recogniser(pair), '{"a":1}', *['{"b":2}'] * 5, *['{"b":2}'] * 6, size=6)
    assert second.blocks == [(2, 5), (7, 6)]
    assert first.blocks == [(1, 6)]


def test_each_file_is_recognised_anew() -> None:
    recogniser = Recogniser(decoders())
    assert feed(recogniser, '{"a":1}', file="one") == [(A, 1)]
    assert feed(recogniser, '{"c":1}', file="two") == []
    assert feed(recogniser, '{"b":1}', file="three") == [(B, 1)]
    assert [(p.file, p.line, p.kind) for p in recogniser.problems] == [("two", 1, "unrecognised")]


def test_forced_source() -> None:
    recogniser = Recogniser(decoders(), forced=B)
    assert feed(recogniser, '{"a":1}', '{"b":1}', "x") == [(B, 2)]
    assert [(p.line, p.kind) for p in recogniser.problems] == [(3, "malformed"), (1, "unrecognised")]
    with pytest.raises(UsageError):
        Recogniser(decoders(), forced=Source.KUBERNETES_AUDIT)


def test_problems_of_the_reader_are_counted() -> None:
    recogniser = Recogniser(decoders())
    recogniser.note(Problem("f", 3, "oversized", "long"))
    recogniser.note(Problem("g", 0, "unreadable", "gone"))
    assert (recogniser.counts.records, recogniser.counts.oversized) == (1, 1)
    assert [p.kind for p in recogniser.problems] == ["oversized", "unreadable"]


def test_a_stranger_is_not_told_line_by_line() -> None:
    recogniser = Recogniser(decoders())
    feed(recogniser, *["garbage"] * 500, *['{"c":1}'] * 500, file="stranger", size=10)
    feed(recogniser, '{"a":1}', *["garbage"] * 500, file="ours")
    assert (recogniser.counts.malformed, recogniser.counts.unrecognised) == (1000, 500)
    of_stranger = [p for p in recogniser.problems if p.file == "stranger"]
    assert len(of_stranger) == recognise.MAX_PROBLEMS_OF_STRANGER + 2
    assert of_stranger[-2:] == [
        Problem("stranger", 21, "malformed", "480 malformed from here on: not listed one by one"),
        Problem("stranger", 501, "unrecognised", "500 unrecognised from here on: not listed one by one"),
    ]
    assert len([p for p in recogniser.problems if p.file == "ours"]) == 500


def test_listed_problems_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognise, "MAX_PROBLEMS", 50)
    recogniser = Recogniser(decoders())
    for n in range(100):
        feed(recogniser, *["garbage"] * 30, file=f"file{n}")
    assert recogniser.counts.malformed == 3000
    assert 50 <= len(recogniser.problems) <= 55
    assert "more malformed" in recogniser.problems[-1].reason


@pytest.mark.parametrize(
    ("record", "hint"),
    [
        ({"category": "NonInteractiveUserSignInLogs"}, "NonInteractiveUserSignInLogs"),
        ({"category": "AuditLogs"}, "AuditLogs"),
        ({"records": [{"category": "SignInLogs"}]}, "SignInLogs"),
        ({"category": "NetworkSecurityGroupFlowEvent"}, "neither pods nor names"),
        ({"records": [{"category": "FlowLogFlowEvent", "flowRecords": {}}]}, "neither pods nor names"),
        ({"eventSource": "x", "eventName": "y", "eventTime": "z"}, "CloudTrail"),
        ({"log": "{}"}, "wraps"),
        ({"category": "hunter2"}, "no source knows this record"),
    ],
)
def test_a_stranger_is_named_without_repeating_what_it_says(record: dict[str, object], hint: str) -> None:
    recogniser = Recogniser(decoders())
    feed(recogniser, json.dumps(record))
    (problem,) = recogniser.problems
    assert hint in problem.reason
    assert "hunter2" not in problem.reason


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_any_bytes_are_accounted_for(lines: list[bytes]) -> None:
    recogniser = Recogniser([KubernetesAuditDecoder(), *decoders()])
    recogniser.read(Block("f", 1, b"\n".join(lines)))
    counts = recogniser.counts
    assert counts.records == counts.events + counts.malformed + counts.unrecognised


def test_numbers_beyond_any_machine_type_do_not_hide_what_a_record_is() -> None:
    huge = '{"a":1,"x":1e999,"z":[1e999],"y":' + "9" * 5000 + "}"
    assert Plain("a", A).recognises(read_value(huge.encode()))  # type: ignore[arg-type]


def test_a_folder_of_given_telemetry(shared_data: Path) -> None:
    recogniser = Recogniser([KubernetesAuditDecoder()])
    found: list[Event] = []
    for block in read_inputs([str(shared_data / "telemetry")], None, Limits(), recogniser.note):
        found += recogniser.read(block)
    assert len(found) == 8
    assert recogniser.sources[Source.KUBERNETES_AUDIT].records == 8
    counts = recogniser.counts
    assert (counts.malformed, counts.oversized) == (0, 0)
    assert counts.records == 8 + counts.unrecognised
    assert {Path(event.file).name for event in found} == {"aks-diagnostics.jsonl", "kubernetes-audit.jsonl"}
