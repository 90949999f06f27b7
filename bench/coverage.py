"""What `eightysix coverage` costs beside `detect` on the same Tetragon export, and over a store.

    python -m bench.coverage [--records 2000000] [--rounds 3] [--store-records 200000] [--output bench/results/coverage.json]

Each run is a process of its own; the sides take turns, and the least of the rounds is kept, since other work on the machine
only ever adds. `floor` decodes the same lines into detection's full records and does nothing else. The store holds what
`store ingest` makes of the first records of the same corpus.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.corpus import write_corpus
from bench.throughput import FLOOR, WRAPPER

COMMAND = """
import sys
from eightysix.cli.main import entry
sys.argv[1:] = [*sys.argv[1:], "--format", "json", "--output", "/dev/null", "--exit-zero", "--quiet"]
entry()
"""
INGEST = """
import sys
from eightysix.cli.main import entry
sys.argv[1:] = ["store", "ingest", *sys.argv[1:], "--quiet"]
entry()
"""


def measure(folder: Path, body: str, *arguments: str) -> dict[str, float]:
    """One run in a process of its own."""
    script, wrapper = folder / "body.py", folder / "wrapper.py"
    script.write_text(body)
    wrapper.write_text(WRAPPER)
    done = subprocess.run(
        [sys.executable, str(wrapper), str(script), *arguments], check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def least(runs: list[dict[str, float]]) -> dict[str, float]:
    """The least of each number."""
    return {key: round(min(run[key] for run in runs), 3) for key in runs[0]}


def run(records: int, rounds: int, store_records: int) -> dict[str, object]:
    """All sides in turn."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        corpus, part, store = folder / "tetragon.jsonl", folder / "part.jsonl", folder / "store"
        write_corpus(corpus, records=records)
        size = corpus.stat().st_size
        with corpus.open("rb") as whole, part.open("wb") as first:
            first.writelines(itertools.islice(whole, store_records))
        sides: dict[str, tuple[str, tuple[str, ...]]] = {
            "floor": (FLOOR, (str(corpus),)),
            "detect": (COMMAND, ("detect", str(corpus))),
            "coverage": (COMMAND, ("coverage", str(corpus))),
        }
        taken: dict[str, list[dict[str, float]]] = {}
        for _ in range(rounds):
            for side, (body, arguments) in sides.items():
                taken.setdefault(side, []).append(measure(folder, body, *arguments))
        measure(folder, INGEST, str(part), "--store", str(store))
        for _ in range(rounds):
            taken.setdefault("store", []).append(measure(folder, COMMAND, "coverage", "--store", str(store)))
    told = {side: least(runs) for side, runs in taken.items()}
    return {
        "records": records,
        "bytes": size,
        "store_records": store_records,
        "rounds": rounds,
        "python": platform.python_version(),
        "load": [round(one, 1) for one in os.getloadavg()],
        "least": told,
        "coverage_over_detect_cpu": round(told["coverage"]["cpu_s"] / told["detect"]["cpu_s"], 3),
    }


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--store-records", type=int, default=200_000)
    parser.add_argument("--output", default="")
    args = parser.parse_args()
    text = json.dumps(run(args.records, args.rounds, args.store_records), indent=1) + "\n"
    if args.output:
        Path(args.output).write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
