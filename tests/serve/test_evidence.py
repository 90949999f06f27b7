"""Raw records wait for the incident that rests on them, in bounded memory, and none is taken for another."""

from __future__ import annotations

from pathlib import Path

import pytest

from eightysix.model.event import Event, EventId
from eightysix.model.incident import Evidence
from eightysix.model.words import Grade, Kind, Origin, Source
from eightysix.rules.catalog import load_packaged
from eightysix.serve.evidence import Shelf
from eightysix.serve.judging import Judging
from eightysix.serve.replay import Replay, ReplayOptions
from eightysix.sources.lines import Block
from eightysix.sources.raw import Redactor
from eightysix.sources.reading import Limits, read_inputs
from eightysix.sources.tables import Tabulator
from eightysix.store.tables import load

RAW = "EightySixRaw_CL"


def event(line: int, pod: str = "p") -> Event:
    return Event(
        event_id=EventId(f"{line:032x}"), time_ns=line, source=Source.TETRAGON, origin=Origin.KERNEL, grade=Grade.A,
        kind=Kind.EXEC, file="f", line=line, pod_uid=pod,
    )  # fmt: skip


def at(line: int, file: str = "f") -> Evidence:
    return Evidence("tetragon", file, line)


def test_what_a_block_gave_is_found_by_its_place() -> None:
    shelf = Shelf()
    shelf.note(Block("f", 10, b"ten\neleven\ntwelve\n"), [event(11), event(99)], [12, 9])
    assert shelf.find(at(11), "p") == (b"eleven", event(11))
    assert shelf.find(at(12), "p") == (b"twelve", None)
    assert [shelf.find(at(line), "p") for line in (9, 10, 13, 99)] == [None] * 4
    assert shelf.find(at(11, "g"), "p") is None


def test_a_file_that_began_anew_gives_nobody_elses_record() -> None:
    shelf = Shelf()
    shelf.note(Block("f", 1, b"one\n"), [event(1, "before")])
    shelf.note(Block("f", 1, b"another\n"), [event(1, "after")])
    assert shelf.find(at(1), "before") is None
    assert shelf.find(at(1), "after") == (b"another", event(1, "after"))


def test_the_oldest_go() -> None:
    shelf = Shelf(10_000)
    for line in range(1, 1_000):
        shelf.note(Block("f", line, b"x" * 600 + b"\n"), [event(line)])
    found = [line for line in range(1, 1_000) if shelf.find(at(line), "p")]
    assert found == list(range(990, 1_000))


@pytest.mark.parametrize("room", [64 << 20, 20_000, 0])
def test_what_found_no_room_is_read_again(root: Path, room: int) -> None:
    place = str(root / "examples" / "breach-86s")
    judging = Judging(Replay(load_packaged(), ReplayOptions()), Redactor(bytes(16)), Shelf(room))
    for block in read_inputs([place], None, Limits(), lambda problem: None):
        assert not judging.take(block)
    rows = list(judging.rows([place], Tabulator(load())))
    kept = {(row["EvidenceFile"], row["EvidenceLine"]) for table, row in rows if table == RAW}  # type: ignore[misc]
    (incident,) = judging.incidents
    assert kept == {(one.file, one.line) for stage in incident.stages for one in stage.evidence}
    assert judging.missing == 0


def test_what_is_not_there_any_more_is_counted(root: Path) -> None:
    place = str(root / "examples" / "breach-86s")
    judging = Judging(Replay(load_packaged(), ReplayOptions()), Redactor(bytes(16)), Shelf(0))
    for block in read_inputs([place], None, Limits(), lambda problem: None):
        judging.take(block)
    assert not [
        each for each in judging.rows(["-"], Tabulator(load())) if isinstance(each, tuple) and each[0] == RAW
    ]
    assert judging.missing > 10
