"""Detection beside a ledger that scans write: the same incidents whenever it is read, in whichever form it comes."""

from __future__ import annotations

import json
import random
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from eightysix.detect import Engine, Knowledge
from eightysix.model.incident import Incident, Problem
from eightysix.model.words import Verdict
from eightysix.rules.catalog import load_all
from eightysix.serve.ledger import OVERLAP_S, LedgerReader
from eightysix.serve.live.keeper import Keeper
from eightysix.serve.live.loop import Watch, WatchOptions
from eightysix.serve.replay import Replay, ReplayOptions
from eightysix.store.ledger import FileRow, Ledger, VerdictRow
from eightysix.store.live import LiveStore
from tests.detect.test_scanned import LEDGER, MODEL
from tests.serve.test_watch import NOW, Clock, Lines, outline
from tests.streams import KERNEL_AND_SENSOR
from tests.streams.ledgers import LEDGERED, unknown_load

RULES = load_all("").rules
STREAMS, _ = LEDGERED["scan-calls-malicious"](KERNEL_AND_SENSOR)
SCANNED = [json.loads(line) for line in STREAMS["ledger.jsonl"]]
TELEMETRY = {name: list(lines) for name, lines in STREAMS.items() if name != "ledger.jsonl"}


def rows(lines: Iterable[dict[str, Any]]) -> tuple[list[VerdictRow], list[FileRow]]:
    verdicts, files = [], []
    for line in lines:
        fields = {key: value for key, value in line.items() if key != "schema"}
        if "host" in line:
            files.append(FileRow(**fields))
        else:
            verdicts.append(VerdictRow(**fields))
    return verdicts, files


def write_ledger(path: Path, lines: Iterable[dict[str, Any]]) -> str:
    with Ledger(path) as ledger:
        ledger.write(*rows(lines))
    return str(path)


def files_of(folder: Path, streams: dict[str, list[str]]) -> str:
    folder.mkdir()
    for name, lines in streams.items():
        (folder / name).write_text("\n".join(lines) + "\n")
    return str(folder)


def detected(folder: str, ledger: str = "") -> list[Incident]:
    return list(Replay(RULES, ReplayOptions(ledger=ledger)).read([folder], None).incidents)


def test_a_database_and_its_lines_say_the_same(tmp_path: Path) -> None:
    by_lines = detected(files_of(tmp_path / "all", STREAMS))
    telemetry = files_of(tmp_path / "telemetry", TELEMETRY)
    ledger = write_ledger(tmp_path / "ledger.sqlite", SCANNED)
    assert detected(telemetry) == []
    by_rows = detected(telemetry, ledger)
    assert outline(by_rows) == outline(by_lines)
    (incident,) = by_rows
    assert incident.verdict is Verdict.SUSPECT
    told = {(e.source, e.file, e.line) for stage in incident.stages for e in stage.evidence}
    assert ("ledger", ledger, 0) in told


def test_a_ledger_is_read_whatever_format_is_forced(tmp_path: Path) -> None:
    telemetry = files_of(tmp_path / "t", {"sensor.jsonl": TELEMETRY["sensor.jsonl"]})
    ledger = write_ledger(tmp_path / "ledger.sqlite", SCANNED)
    replay = Replay(RULES, ReplayOptions(source="sensor", ledger=ledger))
    report = replay.read([telemetry], None)
    assert report.counts.unrecognised == report.counts.malformed == 0
    assert [incident.rule for incident in report.incidents] == ["model-load"]


@pytest.mark.parametrize(
    ("scanned", "runs", "verdict"),
    [
        (False, True, Verdict.SUSPECT),
        (False, False, Verdict.WATCH),
        (True, True, None),
        (True, False, None),
    ],
)
def test_an_unknown_file_and_a_new_destination(
    scanned: bool, runs: bool, verdict: Verdict | None, tmp_path: Path
) -> None:
    streams, before = unknown_load(KERNEL_AND_SENSOR, scanned=scanned, runs=runs)
    past = Replay((), ReplayOptions(first_programs=True))
    past.take([files_of(tmp_path / "before", before)], None)
    options = ReplayOptions(baseline=past.build_baseline()[0])
    report = Replay(RULES, options).read([files_of(tmp_path / "now", streams)], None)
    assert [(i.rule, i.verdict) for i in report.incidents] == ([("model-load", verdict)] if verdict else [])


class Live:
    """A watch that is turned by hand, and what it told."""

    def __init__(self, store: LiveStore, ledger: str = "") -> None:
        self.told: list[Incident] = []
        self.problems: list[Problem] = []
        self.clock = Clock()
        replay = Replay(RULES, ReplayOptions(ledger=ledger))
        self.watch = Watch(
            replay, store, self.told.extend, self.clock, lambda: NOW, options=WatchOptions(), delivers=False
        )
        self.watch.on_problem = self.problems.append

    def read(self, inputs: Lines) -> None:
        while not inputs.ended:
            self.watch.turn(inputs)
        self.watch.turn(inputs, last=True)

    def standing(self) -> list[Incident]:
        return [i for i in self.watch.told.latest.values() if not i.title.startswith("Withdrawn")]


@pytest.mark.parametrize("seed", range(6))
def test_live_lines_of_a_ledger_may_come_before_or_after_the_load(seed: int, tmp_path: Path) -> None:
    with LiveStore(tmp_path / "s") as store:
        live = Live(store)
        live.read(Lines({name: list(lines) for name, lines in STREAMS.items()}, random.Random(seed)))
        assert outline(live.standing()) == outline(detected(files_of(tmp_path / "f", STREAMS)))
        assert not live.watch.silent


def test_live_a_scan_that_ends_later_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    inputs = Lines({name: list(lines) for name, lines in TELEMETRY.items()}, random.Random(1))
    with LiveStore(tmp_path / "s") as store:
        live = Live(store, str(path))
        live.read(inputs)
        assert live.standing() == []
        assert [problem.kind for problem in live.problems] == [
            "unreadable"
        ]  # once, however often it was looked for
        write_ledger(path, SCANNED)
        live.clock.seconds += 60.0
        live.watch.turn(inputs)
        live.watch.turn(inputs, last=True)
        (incident,) = live.standing()
        assert incident.verdict is Verdict.SUSPECT
        write_ledger(path, [SCANNED[0] | {"verdict": "clean", "at": SCANNED[0]["at"] + 60}])
        live.clock.seconds += 60.0
        live.watch.turn(inputs, last=True)
        assert live.standing() == []


def test_live_a_ledger_that_was_sent_by_somebody_is_not_believed(tmp_path: Path) -> None:
    streams = {"/state/spool/1.jsonl": STREAMS["ledger.jsonl"]} | TELEMETRY
    with LiveStore(tmp_path / "s") as store:
        live = Live(store)
        live.watch.received = ("/state/spool",)
        live.read(Lines(streams, random.Random(1)))
        assert live.standing() == []
        assert {(problem.file, problem.kind) for problem in live.problems} == {
            ("/state/spool/1.jsonl", "unrecognised")
        }


def test_live_what_a_followed_ledger_told_survives_a_restart(tmp_path: Path) -> None:
    first = {"ledger.jsonl": STREAMS["ledger.jsonl"]}
    with LiveStore(tmp_path / "s") as store:
        Live(store).read(Lines(first, random.Random(1)))
    with LiveStore(tmp_path / "s") as store:
        live = Live(store)
        live.read(Lines({name: list(lines) for name, lines in TELEMETRY.items()}, random.Random(2)))
        assert outline(live.standing()) == outline(detected(files_of(tmp_path / "f", STREAMS)))


def test_a_store_holds_what_is_known_once(tmp_path: Path) -> None:
    known = []
    engine = Engine((), Knowledge())
    for life in range(3):
        engine = Engine((), Knowledge())
        with LiveStore(tmp_path / "s") as store:
            keeper = Keeper(engine, store)
            keeper.load()
            engine.feed(LEDGER)
            keeper.note(LEDGER)
            change = keeper.change({}, [])
            assert bool(change.journal) == (life == 0)
            assert not engine.states
            store.commit(change)
            keeper.committed(change)
            keeper.write_whole("scans")
            change = keeper.change({}, [])
            store.commit(change)
        known.append(engine.scans.facts())
    assert known[0] == known[1] == known[2]
    found = engine.scans.find("n", MODEL, LEDGER[0].time_ns)
    assert found is not None
    assert found.verdict == "malicious"


def lines_in(reader: LedgerReader) -> list[dict[str, Any]]:
    return [json.loads(line) for block in reader.news() for line in block.data.splitlines()]


def test_a_reader_gives_each_row_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    now = int(time.time())
    scanned = [line | {"at": now} for line in SCANNED]
    write_ledger(path, scanned)
    reader = LedgerReader(str(path))
    told = sorted(json.dumps(line, sort_keys=True) for line in lines_in(reader))
    assert told == sorted(json.dumps(line, sort_keys=True) for line in scanned)
    assert lines_in(reader) == []
    write_ledger(path, [scanned[0] | {"digest": "e" * 64, "at": now - OVERLAP_S + 60}])
    assert [line["digest"] for line in lines_in(reader)] == ["e" * 64]
    write_ledger(tmp_path / "new.sqlite", scanned[:2])
    (tmp_path / "new.sqlite").replace(path)
    assert len(lines_in(reader)) == 2


def test_a_row_of_tomorrow_hides_none_of_today(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    now = int(time.time())
    write_ledger(path, [SCANNED[0] | {"at": now + 86_400}])
    reader = LedgerReader(str(path))
    assert len(lines_in(reader)) == 1
    write_ledger(path, [SCANNED[0] | {"digest": "e" * 64, "at": now}])
    assert [line["digest"] for line in lines_in(reader)] == ["e" * 64]


def test_rows_of_a_damaged_ledger_are_told_one_by_one(tmp_path: Path) -> None:
    ledger = write_ledger(tmp_path / "ledger.sqlite", SCANNED)
    with sqlite3.connect(ledger) as connection:
        connection.execute("INSERT INTO file VALUES ('n', 'x', X'ff', 'y', 'z', X'00', 'later')")
        connection.execute("INSERT INTO verdict VALUES (X'ff', 1.5, 'x', 'clean', 1e300, -1, NULL)")
    report = Replay(RULES, ReplayOptions(ledger=ledger)).read(
        [files_of(tmp_path / "telemetry", TELEMETRY)], None
    )
    assert [incident.verdict for incident in report.incidents] == [Verdict.SUSPECT]
    assert report.counts.malformed == 2
