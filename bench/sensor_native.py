"""What the sensor's native part costs: each event, the start, the worst loops, and imports of large libraries.

    python -m bench.sensor_native [--python PATH] [--output bench/results/sensor_native.json]

Times are processor time of the process; each number is the least of several runs, and runs with and without the sensor
take turns, so that a busy machine troubles both alike. Libraries that the interpreter lacks are left out and said so.
"""

from __future__ import annotations

import argparse
import http.server
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["EVENT_NS", "LOOPS", "gates", "main", "measure"]

ROOT = Path(__file__).resolve().parents[1]
EVENT_NS, START_MS, PICKLE_PERCENT, REQUESTS_PERCENT = 60, 15, 5, 2
"""The gates, as the issue of the sensor sets them."""

EVENTS = r"""
import sys, time
N = 200_000
audit = sys.audit
def nothing(n):
    for _ in range(n): pass
def other(n):
    for _ in range(n): audit("os.listdir", "x")
def attribute(n):
    for _ in range(n): audit("object.__getattr__", "x", "y")
def like_wanted(n):
    for _ in range(n): audit("socket.bind", "x", ("y", 1))
def open_module(n):
    for _ in range(n): audit("open", "/usr/lib/python3/dist-packages/requests/sessions.py", "r", 0)
def open_compiled(n):
    for _ in range(n): audit("open", "/usr/lib/python3/dist-packages/requests/__pycache__/sessions.cpython-311.pyc", "r", 0)
def open_json(n):
    for _ in range(n): audit("open", "/models/llama/tokenizer_config.json", "r", 0)
def open_number(n):
    for _ in range(n): audit("open", 3, "r", 0)
def seen_global(n):
    for _ in range(n): audit("pickle.find_class", "collections", "OrderedDict")
def least(f):
    best = 1 << 60
    for _ in range(9):
        start = time.process_time_ns(); f(N); best = min(best, time.process_time_ns() - start)
    return best / N
loop = least(nothing)
print({f.__name__: least(f) - loop for f in (other, attribute, like_wanted, open_module, open_compiled, open_json, open_number, seen_global)})
"""

TIMED = "import time; _start = time.process_time_ns()\n%s\nprint(time.process_time_ns() - _start)"
PICKLES = """
import collections, datetime, decimal, pickle, uuid
texts = [pickle.dumps(v, p) for p in (2, 4) for v in (collections.OrderedDict(a=1), datetime.date(2026, 1, 2), decimal.Decimal(1))]
texts += [pickle.dumps({"k": list(range(5))})] * 6
for _ in range(9000):
    for text in texts: pickle.loads(text)
"""
"""108,000 small pickles with 54,000 globals: nothing but what the sensor looks at."""

REQUESTS = """
import os, requests
session = requests.Session()
for _ in range(400): session.get(os.environ["BENCH_URL"]).content
for _ in range(200): requests.get(os.environ["BENCH_URL"]).content
"""
LOOPS = {
    "pickle loop": TIMED % PICKLES,
    "requests loop": TIMED % REQUESTS,
    "import fastapi": TIMED % "import fastapi",
    "import torch": TIMED % "import torch",
    "import transformers": TIMED % "import transformers; transformers.AutoModel; transformers.AutoTokenizer",
}
START = "import resource; u = resource.getrusage(resource.RUSAGE_SELF); print(int((u.ru_utime + u.ru_stime) * 1e9))"


def measure(python: str, runs: int) -> dict[str, Any]:
    """Every number for the interpreter `python`."""
    with tempfile.TemporaryDirectory(prefix="eightysix-bench-") as name, _server() as url:
        folder = Path(name)
        compiled = subprocess.run(
            [sys.executable, ROOT / "sensor" / "native" / "compile.py", folder],
            capture_output=True,
            text=True,
            check=True,
        )
        clean = {"PATH": os.environ["PATH"], "BENCH_URL": url, "PYTHONDONTWRITEBYTECODE": ""}
        modes = {
            "off": clean,
            "native": {
                **clean,
                "LD_PRELOAD": compiled.stdout.strip(),
                "EIGHTYSIX_SENSOR": f"file:{folder / 'records.jsonl'}",
                "EIGHTYSIX_SENSOR_HOME": str(ROOT / "sensor" / "src"),
            },
        }
        events = {mode: _events(python, env) for mode, env in modes.items()}
        start = {mode: [] for mode in modes}  # type: dict[str, list[float]]
        for _ in range(runs * 6):
            for mode, env in modes.items():
                start[mode].append(int(_run(python, START, env)) / 1e6)
        loops = {}
        for name, code in LOOPS.items():
            loops[name] = _loop(python, code, modes, runs)
        version = _run(python, "import platform; print(platform.python_version())", clean).strip()
    return {
        "python": version,
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "ns per event": events,
        "start ms": {mode: round(min(times), 2) for mode, times in start.items()},
        "loops ms": loops,
    }


def _run(python: str, code: str, env: Mapping[str, str]) -> str:
    done = subprocess.run([python, "-c", code], env=dict(env), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return done.stdout


def _events(python: str, env: Mapping[str, str]) -> dict[str, float]:
    told: dict[str, float] = {}
    for _ in range(3):
        once = json.loads(_run(python, EVENTS, env).replace("'", '"'))
        told = {name: round(min(ns, told.get(name, ns)), 1) for name, ns in once.items()}
    return told


def _loop(python: str, code: str, modes: Mapping[str, Mapping[str, str]], runs: int) -> dict[str, Any]:
    times: dict[str, list[float]] = {mode: [] for mode in modes}
    try:
        for mode, env in modes.items():  # once unmeasured: files come into memory, and are compiled
            _run(python, code, env)
        for _ in range(runs):
            for mode, env in modes.items():
                times[mode].append(int(_run(python, code, env)) / 1e6)
    except RuntimeError as reason:
        return {"not run": str(reason)}
    best = {mode: min(each) for mode, each in times.items()}
    percent = round(100 * (best["native"] / best["off"] - 1), 1)
    spread = round(100 * (sorted(times["off"])[len(times["off"]) // 2] / best["off"] - 1), 1)
    told = {mode: round(ms, 1) for mode, ms in best.items()}
    return {**told, "percent": percent, "median of off above its least, percent": spread}


@contextmanager
def _server() -> Iterator[str]:
    """A server on loopback, in this process: what it costs is not counted."""

    class Answer(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def gates(results: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Each gate: what was measured, and the most that it may be."""
    events = results["ns per event"]["native"]
    start = results["start ms"]
    told = {f"ns of {name}": (ns, float(EVENT_NS)) for name, ns in events.items() if name != "seen_global"}
    told["ms of start"] = (round(start["native"] - start["off"], 2), float(START_MS))
    for name, most in (("pickle loop", PICKLE_PERCENT), ("requests loop", REQUESTS_PERCENT)):
        if "percent" in results["loops ms"][name]:
            told[f"percent of {name}"] = (results["loops ms"][name]["percent"], float(most))
    return told


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    results = measure(args.python, args.runs)
    text = json.dumps(results, indent=1) + "\n"
    if args.output:
        args.output.write_text(text)
    sys.stdout.write(text)
    missed = [f"{name}: {is_} > {most}" for name, (is_, most) in gates(results).items() if is_ > most]
    if missed:
        sys.exit("gates missed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
