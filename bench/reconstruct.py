"""One pod out of a 500-node hour of two million records, and what ten times as much of it costs.

    python -m bench.reconstruct [--telemetry FOLDER] [--store DIR] [--slope] [--output bench/results/reconstruct.json]

Without folders the hour is generated and ingested first (3.5 GB, some ten minutes). Each row is `eightysix reconstruct --pod`
as a user would run it, a process of its own, the files in the page cache: seconds by the clock and of the processor (children
included), and the most memory that the whole tree of processes had at once (their resident pages added up every 20 ms, so
shared ones count more than once). The least of `--times` runs stands for a row; `load` says what else ran. Where a machine is
shared, seconds of the processor say more than seconds of the clock.

`--slope` makes twenty millions of it. Files: each node's files that do not name the pod stand there ten times, as links; those
that do, and the audit log, stand there once. A store: rows of `EightySixEvents_CL` are copied until there are 20 million, under
other names of pods, nodes, containers and processes and at other times of the hour, and the audit log as often with them, under
other names of pods and accounts; then all hours are sealed and compacted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eightysix.store.events.hot import Hot
from eightysix.store.events.sealing import seal
from eightysix.store.events.segments import Segment

__all__ = ["main", "measured"]

EVENTS = "EightySixEvents_CL"

PLAN = "--nodes 500 --pods 12000 --hours 1 --rate 560 --attacks 20 --look-alikes 80".split()
ROWS = 20_000_000
KINDS = ("breach-86s", "node-takeover")
"""Attacks whose pods are asked for; a look-alike beside them, in which nothing happened."""

Json = dict[str, Any]


def eightysix(*words: str) -> None:
    """Run a command that must succeed."""
    subprocess.run([sys.executable, "-m", "eightysix", *words], check=True, stdout=subprocess.DEVNULL)


def pods_of(labels: Json) -> dict[str, str]:
    """What is asked for, by what it is."""
    told = {attack["kind"]: attack["pod"] for attack in labels["attacks"]}
    found = {kind: told[kind] for kind in KINDS}
    found["a look-alike"] = labels["look_alikes"][0]["pod"]
    return {kind: f"{pod['namespace']}/{pod['name']}" for kind, pod in found.items()}


class Tree:
    """Watches how much memory a process and its descendants have together."""

    def __init__(self, pid: int) -> None:
        self.peak_kb = 0
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def done(self) -> int:
        """MiB at the peak."""
        self._over.set()
        self._thread.join()
        return self.peak_kb // 1024

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self.peak_kb = max(self.peak_kb, sum(map(_resident, _tree(self._pid))))


def _tree(pid: int) -> list[int]:
    found, level = [pid], [pid]
    while level:
        level = [child for one in level for child in _children(one)]
        found += level
    return found


def _children(pid: int) -> list[int]:
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
        texts = [Path(f"/proc/{pid}/task/{task}/children").read_text() for task in tasks]
    except OSError:
        return []
    return [int(word) for text in texts for word in text.split()]


def _resident(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")), 0)


def once(words: list[str]) -> Json:
    """One run."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "eightysix", "reconstruct", *words, "--format", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    tree = Tree(process.pid)
    assert process.stdout is not None
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    stories = json.loads(text)["stories"]
    return {
        "wall_s": round(wall, 2),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_mb": tree.done(),
        "load": round(os.getloadavg()[0], 1),
        "exit": process.returncode,
        "verdict": stories[0]["verdict"] if stories else "",
        "marks": len(stories[0]["marks"]) if stories else 0,
        "elsewhere": len(stories[0]["elsewhere"]) if stories else 0,
    }


def least(words: list[str], times: int) -> Json:
    """Of some runs the one that took least of the processor, with the least wall time of all."""
    runs = [once(words) for _ in range(times)]
    told = min(runs, key=lambda run: run["cpu_s"])
    return {
        **told,
        "wall_s": min(run["wall_s"] for run in runs),
        "peak_mb": max(run["peak_mb"] for run in runs),
    }


def ten_times(telemetry: Path, folder: Path, pod: str) -> int:
    """Files of ten times as many nodes: links to those that do not name the pod. How many bytes that is."""
    needle = pod.partition("/")[2].encode()
    total = 0
    for file in sorted(telemetry.glob("*/*.jsonl")):
        data = file.read_bytes()
        again = 1 if needle in data or file.parent.name == "control-plane" else 10
        for number in range(again):
            place = folder / f"{file.parent.name}-{number}"
            place.mkdir(parents=True, exist_ok=True)
            (place / file.name).symlink_to(file)
        total += again * len(data)
    return total


COPY_EVENTS = """
INSERT INTO main."EightySixEvents_CL" SELECT * REPLACE (
  hash("_RowId", {n})::HUGEINT % 9223372036854775807 AS "_RowId", md5(EventId || '{n}') AS EventId, {time},
  Node || '-{n}' AS Node, PodName || '-{n}' AS PodName, md5(PodUid || '{n}')::UUID::VARCHAR AS PodUid,
  md5(ContainerId || '{n}') || md5(ContainerId || '{n}') AS ContainerId, Workload || '-{n}' AS Workload,
  ServiceAccount || '-{n}' AS ServiceAccount, ExecId || '{n}' AS ExecId, ParentExecId || '{n}' AS ParentExecId)
FROM given.main."EightySixEvents_CL" LIMIT {rows}
"""
COPY_AUDIT = """
INSERT INTO main."AKSAudit" SELECT * REPLACE (
  hash("_RowId", {n})::HUGEINT % 9223372036854775807 AS "_RowId", md5(AuditId || '{n}')::UUID::VARCHAR AS AuditId, {time},
  replace(replace(CAST("User" AS VARCHAR), '"username":"system:serviceaccount:', '"username":"system:serviceaccount:n{n}-'),
    'pod-name":["', 'pod-name":["n{n}-')::JSON AS "User")
FROM given.main."AKSAudit"
"""
SHIFT = (
    "date_trunc('hour', TimeGenerated) + to_microseconds((epoch_us(TimeGenerated) + {n} * 137000000) % 3600000000)"
    " AS TimeGenerated"
)


def twenty_millions(store: Path, folder: Path) -> Json:
    """A store of 20 million rows of events, sealed."""
    shutil.copytree(store, folder)
    (kept,) = sql(folder, store, [])
    copies, left = 0, ROWS
    now = time.time_ns()
    with Hot(folder) as hot:
        segments = _sealed(hot, now)
    left -= sum(one.rows for one in segments if one.table == EVENTS)
    while left > 0:
        copies += 1
        rows, moved = min(left, kept), SHIFT.format(n=copies)
        more = COPY_EVENTS.format(n=copies, rows=rows, time=moved)
        sql(folder, store, [more, COPY_AUDIT.format(n=copies, time=moved)])
        left -= rows
        with Hot(folder) as hot:
            segments = _sealed(hot, now)
    return {
        "copies": copies,
        "rows": {table: sum(s.rows for s in segments if s.table == table) for table in (EVENTS, "AKSAudit")},
        "segments": len(segments),
        "segment_bytes": sum(one.bytes for one in segments),
    }


def _sealed(hot: Hot, now: int) -> list[Segment]:
    seal(hot, now, everything=True)
    return list(hot.manifest.segments)


def sql(folder: Path, store: Path, texts: list[str]) -> list[int]:
    """Run `texts` over a store that nobody owns, the one it was made from beside it; how many events that one has."""
    import duckdb

    with duckdb.connect(str(folder / "hot.duckdb")) as connection:
        connection.execute("SET memory_limit = '1500MB'")
        connection.execute("SET threads = 2")
        connection.execute(f"SET temp_directory = '{folder / 'work'}'")
        connection.execute(f"ATTACH '{store / 'hot.duckdb'}' AS given (READ_ONLY)")
        for text in texts:
            connection.execute(text)
        found = connection.execute(f'SELECT count(*) FROM given.main."{EVENTS}"').fetchall()  # noqa: S608 - our own name
    return [int(count) for (count,) in found]


def measured(telemetry: Path, store: Path, work: Path, *, times: int, slope: bool) -> Iterator[Json]:
    """What is known so far, after each part."""
    labels = json.loads((telemetry.parent / "labels.json").read_text())
    pods = pods_of(labels)
    document: Json = {
        "machine": f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}",
        "records": sum(labels["records"].values()),
        "telemetry_bytes": sum(file.stat().st_size for file in telemetry.glob("*/*.jsonl")),
    }
    document["store"] = {
        kind: least(["--store", str(store), "--pod", pod], times) for kind, pod in pods.items()
    }
    yield document
    document["files"] = {kind: least([str(telemetry), "--pod", pod], times) for kind, pod in pods.items()}
    yield document
    if slope:
        kind, pod = next(iter(pods.items()))
        size = ten_times(telemetry, work / "telemetry", pod)
        files = least([str(work / "telemetry"), "--pod", pod], times)
        document["slope"] = {"asked": kind, "files": {"telemetry_bytes": size, **files}}
        yield document
        made = twenty_millions(store, work / "store")
        document["slope"]["store"] = {**made, **least(["--store", str(work / "store"), "--pod", pod], times)}
        yield document


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--telemetry", default="", help="the folder `telemetry` of a generated hour")
    parser.add_argument("--store", default="", help="a store into which that went; it is not changed")
    parser.add_argument("--slope", action="store_true", help="20 million, too")
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--output", default="bench/results/reconstruct.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="eightysix-bench-") as folder:
        work = Path(folder)
        telemetry, store = Path(args.telemetry), Path(args.store)
        if not args.telemetry:
            eightysix("generate", *PLAN, str(work / "hour"))
            telemetry = work / "hour" / "telemetry"
        if not args.store:
            store = work / "ingested"
            eightysix("store", "ingest", "-q", "--store", str(store), str(telemetry))
        for document in measured(telemetry, store, work, times=args.times, slope=args.slope):
            Path(args.output).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(Path(args.output).read_text())


if __name__ == "__main__":
    main()
