"""Throughput of `detect` over 200,000 Tetragon records, against its floor and against Python EQL, both sides in one run.

    python -m bench.throughput [--records 200000] [--rounds 5] [--output bench/results/throughput.json]

Floor: read the file and decode the same typed fields with the same decoder, nothing else. Every measurement is a process
of its own (CPU seconds and peak memory are its own), the sides take turns, and the median of the rounds
is kept. Ratios are what counts: absolute numbers are the machine's.

`eql` reads the same records and flattens them, as whoever feeds Tetragon's export to Python EQL has to; `eql-flat` reads
events of 230 bytes that somebody else flattened before. Both run one query. `detect-50-rules` has so many more rules, all
about the same pods as the packaged ones.
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

SIDES = ("floor", "detect", "detect-50-rules", "eql", "eql-flat")

FLOOR = """
import sys
from eightysix.sources.tetragon_records import Record
from eightysix.sources.reading import read_inputs, Limits
import msgspec
decode_lines = msgspec.json.Decoder(Record).decode_lines
n = 0
for block in read_inputs([sys.argv[1]], None, Limits(), print):
    n += len(decode_lines(block.data))
print(n, file=sys.stderr)
"""

DETECT = """
import sys
from eightysix.cli.main import entry
sys.argv[1:] = ["detect", sys.argv[1], "--format", "json", "--output", sys.argv[2], "--exit-zero", "--quiet"]
entry()
"""

RULES_50 = """
import sys
from eightysix.cli.main import entry
options = ["--format", "json", "--exit-zero", "--quiet"]
sys.argv[1:] = ["detect", sys.argv[1], "--output", sys.argv[2], "--rules", sys.argv[3], *options]
entry()
"""

EQL = """
import json
import sys
import eql
with eql.parser.elasticsearch_syntax:
    query = eql.parse_query('''sequence by pod with maxspan=300s
      [any where kind == "install"] [any where kind == "metadata"] [any where kind == "token"]''')
engine = eql.PythonEngine()
hits = []
engine.add_query(query)
engine.add_output_hook(hits.append)
def flat(record):
    # What somebody who feeds Tetragon's export to Python EQL has to write.
    body = record[next(iter(record))]
    process = body["process"]
    pod = process.get("pod") or {}
    event = {"pod": pod.get("uid", ""), "binary": process.get("binary", ""), "kind": "other"}
    for argument in body.get("args", ()):
        if "sock_arg" in argument:
            event["kind"] = "metadata" if argument["sock_arg"].get("daddr") == "169.254.169.254" else "connect"
        elif "file_arg" in argument:
            event["kind"] = "token" if argument["file_arg"].get("path", "").endswith("/token") else "file"
    if "process_exec" in record and "pip install" in process.get("arguments", ""):
        event["kind"] = "install"
    return event
def events():
    with open(sys.argv[1], "rb") as file:
        for number, line in enumerate(file):
            data = json.loads(line)
            if "ts" not in data:
                data = {**flat(data), "ts": number}
            yield eql.Event(data["kind"], data["ts"], data)
engine.stream_events(events())
print(len(hits), file=sys.stderr)
"""

WRAPPER = """
import json, resource, runpy, sys, time
path = sys.argv[1]
sys.argv = sys.argv[1:]
wall = time.perf_counter()
try:
    runpy.run_path(path, run_name="__main__")
except SystemExit as error:
    assert not error.code, error.code
usage = resource.getrusage(resource.RUSAGE_SELF)
cpu, wall = usage.ru_utime + usage.ru_stime, time.perf_counter() - wall
# The peak in rusage is inherited from whoever started this process; the kernel's own high-water mark is not.
with open("/proc/self/status") as status:
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
print(json.dumps({"cpu_s": cpu, "wall_s": wall, "peak_mb": peak / 1024}))
"""


def measure(side: str, folder: Path, corpus: Path, flat: Path) -> dict[str, float]:
    """One run of one side, in a process of its own."""
    script = {"floor": FLOOR, "detect": DETECT, "detect-50-rules": RULES_50, "eql": EQL, "eql-flat": EQL}[
        side
    ]
    body, wrapper = folder / f"side_{side}.py", folder / "wrapper.py"
    body.write_text(script)
    wrapper.write_text(WRAPPER)
    data = flat if side == "eql-flat" else corpus
    command = [
        sys.executable,
        str(wrapper),
        str(body),
        str(data),
        str(folder / f"{side}.json"),
        str(folder / "rules.d"),
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def write_rules(folder: Path, count: int) -> None:
    """Write `count` rules beside the packaged ones: each a packaged rule under another id with other points, and so asked
    about the same pods, every third also with a detection of its own that the packaged ones do not share."""
    from eightysix.rules.catalog import packaged_folder

    # One that only contributes adds to all others: copies of it would count its points again and again.
    files = sorted(packaged_folder().glob("*/rule.yml"))
    originals = [file for file in files if "\ncontributes:" not in file.read_text()]
    for number in range(count):
        original = originals[number % len(originals)]
        text = original.read_text().replace(f"id: {original.parent.name}", f"id: more-{number:02}")
        text = text.replace("points: 10\n", f"points: {10 + number % 3}\n")
        if number % 3 == 0:
            text = text.replace(
                "{action: credential", f"{{dst.port|lt: {60_000 + number}, action: credential", 1
            )
        (folder / f"more-{number:02}").mkdir(parents=True)
        (folder / f"more-{number:02}" / "rule.yml").write_text(text)


IDLE = """
import resource
import eightysix.cli.main
import eightysix.serve.replay
from eightysix.rules.catalog import load_all
load_all("")
usage = resource.getrusage(resource.RUSAGE_SELF)
print(usage.ru_utime + usage.ru_stime)
"""


def idle() -> float:
    """CPU seconds of a process that only starts and imports what `detect` imports: told apart from the work itself."""
    done = subprocess.run([sys.executable, "-c", IDLE], capture_output=True, text=True, check=True)
    return float(done.stdout)


def run(records: int, rounds: int) -> dict[str, object]:
    """All sides in turn; medians and ratios."""
    from bench.corpus import write_corpus, write_flat
    from eightysix.rules.catalog import packaged_folder

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        corpus, flat = folder / "tetragon.jsonl", folder / "flat.jsonl"
        write_rules(folder / "rules.d", 50 - len(list(packaged_folder().glob("*/rule.yml"))))
        truth = write_corpus(corpus, records=records)
        write_flat(flat, records=records)
        taken: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
        for _ in range(rounds):
            for side in SIDES:
                taken[side].append(measure(side, folder, corpus, flat))
        found = json.loads((folder / "detect.json").read_text())
        return summarise(records, corpus.stat().st_size, taken, found, truth)


def summarise(
    records: int, size: int, taken: dict[str, list[dict[str, float]]], found: dict[str, object], truth: object
) -> dict[str, object]:
    median = {
        side: {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        for side, runs in taken.items()
    }
    cpu = {side: values["cpu_s"] for side, values in median.items()}
    ratios = [f["cpu_s"] / d["cpu_s"] for f, d in zip(taken["floor"], taken["detect"], strict=True)]
    return {
        "records": records,
        "bytes": size,
        "rounds": len(taken["floor"]),
        "python": platform.python_version(),
        "median": median,
        "records_per_cpu_second": {side: round(records / seconds) for side, seconds in cpu.items()},
        "floor_over_detect": {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios)},
        "eql_over_detect": cpu["eql"] / cpu["detect"],
        "eql_on_flat_events_over_detect": cpu["eql-flat"] / cpu["detect"],
        "fifty_rules_over_packaged": cpu["detect-50-rules"] / cpu["detect"],
        "start_cpu_s": idle(),
        "incidents": score(found, truth),
    }


def score(found: dict[str, object], truth: object) -> dict[str, int]:
    """Found incidents against the planted chains, by pod."""
    incidents = found["incidents"]
    assert isinstance(incidents, list)
    assert isinstance(truth, dict)
    raised = {i["pod"]["uid"] for i in incidents if i["verdict"] in ("suspect", "contain")}
    planted = set(truth["malicious"])
    return {
        "planted": len(planted),
        "found": len(planted & raised),
        "missed": len(planted - raised),
        "false": len(raised - planted),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    text = json.dumps(run(args.records, args.rounds), indent=1) + "\n"
    if args.output:
        args.output.write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
