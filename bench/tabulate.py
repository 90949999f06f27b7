"""Throughput of `sources.tables`: Tetragon's records and audit events to rows, per second of one core.

`tetragon` and `audit` make a dictionary of each row, as hunts over files read them; `..._columns` make columns of events, as
a store takes them.

    python -m bench.tabulate [--records 200000] [--rounds 3] [--output bench/results/tabulate.json]

Each measurement is a process of its own; the rounds take turns and the median is kept. Nothing is done with the rows:
what a store or a query costs comes on top.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.corpus import write_corpus
from tests.streams import ATTACKS, FULL

SIDES = ("tetragon", "audit", "tetragon_columns", "audit_columns")

MEASURE = """
import json, resource, sys
from eightysix.sources.reading import Limits, read_inputs
from eightysix.sources.tables import ENOUGH, Tabulator, tabulate
from eightysix.store.tables import load

def packed():
    for block in read_inputs([sys.argv[1]], None, Limits(), tabulator.note):
        if tabulator.feed(block) < ENOUGH:
            continue
        yield from (1 if isinstance(each, tuple) else each.count for each in tabulator.packed())
    yield from (1 if isinstance(each, tuple) else each.count for each in tabulator.packed(flush=True))

tables = load()
tabulator = Tabulator(tables)
before = resource.getrusage(resource.RUSAGE_SELF)
by_columns = sys.argv[2] == "columns"
rows = sum(packed()) if by_columns else sum(1 for _ in tabulate([sys.argv[1]], tables, tabulator=tabulator))
after = resource.getrusage(resource.RUSAGE_SELF)
cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
told = {"records": tabulator.counts.records, "rows": rows, "cpu_s": cpu, "rss_mb": after.ru_maxrss / 1024}
print(json.dumps(told))
"""


def _write_audit(path: Path, records: int) -> None:
    """Audit events of a written attack over and over, each with an id of its own."""
    events = [json.loads(line) for line in ATTACKS["breach-86s"](FULL).streams["kubernetes-audit.jsonl"]]
    with path.open("w") as file:
        for number in range(records):
            file.write(json.dumps({**events[number % len(events)], "auditID": f"{number:032x}"}) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        inputs = {side: Path(folder) / f"{side.partition('_')[0]}.jsonl" for side in SIDES}
        write_corpus(inputs["tetragon"], records=args.records)
        _write_audit(inputs["audit"], args.records // 4)
        told: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
        for _ in range(args.rounds):
            for side in SIDES:
                form = side.partition("_")[2] or "rows"
                command = [sys.executable, "-c", MEASURE, str(inputs[side]), form]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                told[side].append(json.loads(done.stdout))
    result = {"python": platform.python_version(), "sides": {side: _median(told[side]) for side in SIDES}}
    text = json.dumps(result, indent=2) + "\n"
    print(text, end="")
    if args.output is not None:
        args.output.write_text(text)


def _median(rounds: list[dict[str, float]]) -> dict[str, float]:
    cpu = statistics.median(one["cpu_s"] for one in rounds)
    records, rows = rounds[0]["records"], rounds[0]["rows"]
    return {
        "records": records,
        "rows": rows,
        "records_per_cpu_s": round(records / cpu),
        "rows_per_cpu_s": round(rows / cpu),
        "rss_mb": round(max(one["rss_mb"] for one in rounds), 1),
    }


if __name__ == "__main__":
    main()
