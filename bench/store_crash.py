"""A store's owner killed (SIGKILL) while it ingests, appends, seals and compacts: is an acknowledged row lost, or one
there twice?

    python -m bench.store_crash [--kills 20] [--rows 2000] [--records 20000] [--seed 86]
                                [--output bench/results/store_crash.json]

A child appends numbered rows in batches, and tells each that was acknowledged; it tells when it begins to append, to seal
and to compact, and is killed at a random moment of the one that is tested. After each kill another process reads the
store as it was left, then it is opened again and counted: every acknowledged row must be there once, the batch that was
under way wholly or not at all, and what is sealed as it was written. The next child offers the unacknowledged batch again.

`ingest` kills what `eightysix store ingest` does with a file that several processes read: each time no row may be there
twice and none be gone that was acknowledged, and when it was let finish, the store has what one undisturbed run has.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from bench.corpus import write_corpus
from eightysix.hunt.rows import packed_of
from eightysix.model.table import Row
from eightysix.serve.crew import Crew
from eightysix.serve.ingest import Writer, fill_from
from eightysix.store.events.accounts import verify
from eightysix.store.events.compacting import compact, remove_doomed
from eightysix.store.events.hot import Hot
from eightysix.store.events.pieces import PIECE_ROWS
from eightysix.store.events.sealing import seal
from eightysix.store.events.view import open_view

PHASES = ("append", "seal", "compact")
OPEN_BYTES = 1 << 18
"""Bytes of a batch where files are ingested: small, so that kills find some of them committed."""
TABLE = "EightySixEvents_CL"
HOUR = 3_600_000_000_000
T0 = 1_795_392_000_000_000_000  # 2026-11-23T00:00:00Z


def rows(first: int, count: int) -> Iterator[Row]:
    """Numbered rows over six hours."""
    for number in range(first, first + count):
        yield {
            "TimeGenerated": T0 + (number % 6) * HOUR + number,
            "EventId": f"{number:032x}",
            "Namespace": f"ns-{number % 5}",
            "PodName": f"pod-{number % 97}",
            "ProcessId": number,
            "ProcessCommandLine": f"python -m work {number * 7919 % 10_007}",
        }


def child(folder: str, first: int, size: int) -> None:
    """Append, seal and compact until killed; says what it does."""
    with Hot(folder, create=True) as hot:
        number = turn = 0
        number = first
        while True:
            print("append", flush=True)
            hot.append(TABLE, rows(number, size))
            number += size
            print(f"acknowledged {number}", flush=True)
            turn += 1
            if turn % 2 == 0:
                print("seal", flush=True)
                # Every second time hours leave in several pieces, each in a transaction of its own.
                seal(hot, T0, everything=True, rows=PIECE_ROWS if turn % 4 else 100)
                print("sealed", flush=True)
            if turn % 4 == 0:
                print("compact", flush=True)
                compact(hot, T0 + 72 * HOUR)
                remove_doomed(hot, at_once=True)
                print("compacted", flush=True)


class Life:
    """One child, from its start to its being killed."""

    def __init__(self, folder: str, first: int, size: int) -> None:
        command = [sys.executable, "-m", "bench.store_crash", "--child", folder, str(first), str(size)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.acknowledged = first

    def kill_in(self, phase: str, skip: int, delay_s: float) -> bool:
        """Let it pass `skip` beginnings of a phase, and kill it `delay_s` after the next; whether the phase was still on."""
        out = self._process.stdout
        assert out is not None
        for line in out:
            self._note(line)
            if line.strip() == phase:
                if not skip:
                    break
                skip -= 1
        time.sleep(delay_s)
        self._process.send_signal(signal.SIGKILL)
        after = self._rest(out)
        self._process.wait()
        assert self._process.returncode == -signal.SIGKILL, (
            self._process.stderr and self._process.stderr.read()
        )
        assert self._process.stderr is not None
        self._process.stderr.close()
        return not after

    def _rest(self, out: IO[str]) -> list[str]:
        lines = list(out)
        out.close()
        for line in lines:
            self._note(line)
        return lines

    def _note(self, line: str) -> None:
        if line.startswith("acknowledged ") and line.endswith("\n"):
            self.acknowledged = int(line.split()[1])


def count(connection: object) -> tuple[int, int, int]:
    """Rows, distinct numbers, and the largest number but one less than their count."""
    row = connection.execute(  # type: ignore[attr-defined]
        f"SELECT count(*), count(DISTINCT ProcessId), coalesce(max(ProcessId) + 1, 0) FROM {TABLE}"
    ).fetchone()
    return int(row[0]), int(row[1]), int(row[2])


def faults_of(folder: str, acknowledged: int, size: int) -> list[str]:
    """What is not as it must be."""
    found = []
    view = open_view(folder, on_problem=lambda problem: found.append(f"view: {problem}"))
    seen = [("another process", count(view))]
    view.close()
    with Hot(folder) as hot:
        with hot.reading() as cursor:
            seen.append(("the owner", count(cursor)))
        checked = verify(hot)
        found += [f"{path}: {fault}" for path, fault in checked.faults]
        found += [f"left behind: {path}" for path in checked.strange]
        if list(hot.layout.work.iterdir()):
            found.append("left behind in work")
    for who, (total, distinct, largest) in seen:
        if total != distinct:
            found.append(f"{who} sees {total - distinct} rows twice")
        if distinct != largest or not acknowledged <= largest <= acknowledged + size or largest % size:
            found.append(f"{who} sees {distinct} rows up to {largest}, acknowledged {acknowledged}")
    return found


def ingesting(folder: str, telemetry: str) -> None:
    """What `eightysix store ingest` does, with batches of some hundred rows; tells how many rows are acknowledged."""
    total = 0

    def acknowledged(rows: int) -> None:
        nonlocal total
        total += rows
        print(f"acknowledged {total}", flush=True)

    with Hot(folder, create=True) as hot, Writer(hot, acknowledged) as writer:
        with Crew(hot, writer, 2, 1 << 20, OPEN_BYTES) as crew:
            rows = packed_of([telemetry], None, lambda problem: None, taken=crew.take)
            fill_from(hot, rows, writer, OPEN_BYTES)
            crew.finish()
        writer.wait()


def ingests(kills: int, records: int, rng: random.Random) -> dict[str, object]:
    """Kill it `kills` times while it reads one file into one store."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        telemetry, store = folder / "tetragon.jsonl", str(folder / "store")
        write_corpus(telemetry, records=records)
        command = [sys.executable, "-m", "bench.store_crash", "--ingest"]
        began = time.monotonic()
        subprocess.run(
            [*command, str(folder / "whole"), str(telemetry)], check=True, stdout=subprocess.DEVNULL
        )
        whole, longest = events_in(str(folder / "whole")), time.monotonic() - began
        before, killed, partly, tries, told = 0, 0, 0, 0, 0
        faults: list[str] = []
        while killed < kills and tries < 4 * kills:
            tries += 1
            # Later kills begin anew, as a store that has everything has nothing left to lose.
            if before == whole[0]:
                shutil.rmtree(store)
                before = 0
            running = subprocess.Popen([*command, store, str(telemetry)], stdout=subprocess.PIPE, text=True)
            with suppress(subprocess.TimeoutExpired):
                running.wait(rng.uniform(0.3, longest))
            running.kill()
            said = running.communicate()[0].splitlines()
            killed += running.returncode == -signal.SIGKILL
            acknowledged = max([int(line.split()[1]) for line in said if len(line.split()) == 2], default=0)
            told += acknowledged
            count, distinct, every = events_in(store) if Path(store, "store.json").exists() else (0, 0, 0)
            partly += 0 < count < whole[0]
            if count != distinct or count < before or every < acknowledged:
                faults.append(
                    f"{every} rows, {count} of {distinct} events, {before} before, {acknowledged} told"
                )
            before = count
        subprocess.run([*command, store, str(telemetry)], check=True, stdout=subprocess.DEVNULL)
        if events_in(store)[:2] != whole[:2]:
            faults.append(f"{events_in(store)} at the end and not {whole}")
        with Hot(store) as hot:
            faults += [f"{path}: {fault}" for path, fault in verify(hot).faults]
            faults += [f"left behind in work: {path.name}" for path in hot.layout.work.iterdir()]
    return {
        "kills": tries, "killed_inside": killed, "events": whole[0], "acknowledged_rows": told,
        "found_with_some_of_them": partly, "lost_or_doubled_or_damaged": faults,
    }  # fmt: skip


def events_in(store: str) -> tuple[int, int, int]:
    """Rows of the table of events, how many events they are, and rows of all tables."""
    with Hot(store, create=True) as hot, hot.reading() as cursor:
        row = cursor.execute(f"SELECT count(*), count(DISTINCT EventId) FROM {TABLE}").fetchone() or (0, 0)
        every = sum(
            int((cursor.execute(f"SELECT count(*) FROM {table}").fetchone() or (0,))[0])
            for table in hot.tables
        )
    return int(row[0]), int(row[1]), every


def run(kills: int, size: int, records: int, seed: int) -> dict[str, object]:
    """Kill `kills` times in each phase, each phase on a store of its own."""
    rng = random.Random(seed)
    told: dict[str, object] = {"kills_each": kills, "rows_each_batch": size}
    told["ingest"] = ingests(kills, records, rng)
    for phase in PHASES:
        with tempfile.TemporaryDirectory() as folder:
            acknowledged = inside = partly = 0
            faults: list[str] = []
            longest = 0.12 if phase == "append" else 0.3
            tries = 0
            while inside < kills and tries < 4 * kills:
                tries += 1
                life = Life(folder, acknowledged, size)
                inside += life.kill_in(phase, rng.randrange(2), rng.uniform(0, longest))
                acknowledged = life.acknowledged
                faults += faults_of(folder, acknowledged, size)
                with Hot(folder) as hot, hot.reading() as cursor:
                    partly += count(cursor)[0] > acknowledged
            told[phase] = {
                "kills": tries,
                "killed_inside": inside,
                "acknowledged_rows": acknowledged,
                "committed_but_not_acknowledged": partly,
                "lost_or_doubled_or_damaged": faults,
            }
    return told


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=86)
    parser.add_argument("--output")
    parser.add_argument("--child", nargs=3)
    parser.add_argument("--ingest", nargs=2)
    args = parser.parse_args()
    if args.ingest:
        ingesting(*args.ingest)
        return
    if args.child:
        child(args.child[0], int(args.child[1]), int(args.child[2]))
        return
    told = run(args.kills, args.rows, args.records, args.seed)
    text = json.dumps(told, indent=2) + "\n"
    if args.output:
        Path(args.output).write_text(text)
    print(text, end="")
    if any(isinstance(each, dict) and each["lost_or_doubled_or_damaged"] for each in told.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
