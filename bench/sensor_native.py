"""What the sensor's native part adds to each kind of event, to unpickling, and to imports of large libraries.

    python -m bench.sensor_native [--python PATH]... [--output bench/results/sensor_native.json]

`bench.sensor_cost` has the gates of start and requests; this one takes the rest apart. `empty` is an audit hook in C that does
nothing: what no sensor can go below. Times are processor time; each number is the least of several runs, and the modes
take turns, so that a busy machine troubles all alike. A library that no interpreter has is left out and said so.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["EVENT_NS", "PICKLES", "gates", "main", "measure"]

ROOT = Path(__file__).resolve().parents[1]
EVENT_NS, PICKLE_PERCENT = 60, 5
"""The gates: nanoseconds of an event that nobody wants, and what unpickling takes longer."""

EMPTY = """
#define _GNU_SOURCE
#include <dlfcn.h>
static int hook(const char *event, void *arguments, void *data) { (void)event; (void)arguments; (void)data; return 0; }
__attribute__((constructor)) static void begin(void)
{
    int (*add)(void *, void *) = (int (*)(void *, void *))dlsym(RTLD_DEFAULT, "PySys_AddAuditHook");
    if (add) add((void *)hook, 0);
}
"""

EVENTS = r"""
import sys, time
N = 10_000
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
    path = "/usr/lib/python3/dist-packages/requests/__pycache__/sessions.cpython-311.pyc"
    for _ in range(n): audit("open", path, "r", 0)
def open_json(n):
    for _ in range(n): audit("open", "/models/llama/tokenizer_config.json", "r", 0)
def open_number(n):
    for _ in range(n): audit("open", 3, "r", 0)
def seen_global(n):
    for _ in range(n): audit("pickle.find_class", "collections", "OrderedDict")
def least(f):
    best = 1 << 60
    for _ in range(60):
        start = time.process_time_ns(); f(N); best = min(best, time.process_time_ns() - start)
    return best / N
loop = least(nothing)
kinds = (other, attribute, like_wanted, open_module, open_compiled, open_json, open_number,
         seen_global)
print({f.__name__: least(f) - loop for f in kinds})
"""

TIMED = "import time; _start = time.process_time_ns()\n%s\nprint(time.process_time_ns() - _start)"
LEAST = """
import collections, datetime, decimal, pickle, time
class P: pass
%s
def least(texts):
    best = 1 << 60
    for text in texts: pickle.loads(text)
    for _ in range(80):
        start = time.process_time_ns()
        for _ in range(1000 // len(texts)):
            for text in texts: pickle.loads(text)
        best = min(best, time.process_time_ns() - start)
    return best / 1e5
print(least(texts))
"""
"""Milliseconds for 10,000, from the least of short pieces: whatever else runs on a machine only ever adds."""

SMALL = """
row = {"id": 7, "name": "a name of some letters", "scores": [i / 7 for i in range(16)], "tags": list("abcdefgh")}
row["size"] = (1, 2, 3)
texts = [pickle.dumps({**row, "rest": collections.OrderedDict(row)}, 4)] * 9 + [pickle.dumps(row, 4)]
"""
DENSE = "texts = [pickle.dumps([collections.OrderedDict(a=1), decimal.Decimal(1), datetime.date(2026, 1, 1), P()])]"
BARE = r"texts = [b'ccollections\nOrderedDict\n.']"
PICKLES = {
    "10,000 small pickles with 9,000 globals": LEAST % SMALL,
    "10,000 pickles of four objects each": LEAST % DENSE,
    "10,000 pickles that are a global's name alone": LEAST % BARE,
}
"""The first is the gate's: as many globals as a store of small objects has. The others show how it grows with their part."""

IMPORTS = {
    "fastapi": TIMED % "import fastapi",
    "torch": TIMED % "import torch",
    "transformers": TIMED % "import transformers; transformers.AutoConfig; transformers.AutoTokenizer",
}


def measure(pythons: Sequence[str], runs: int) -> dict[str, Any]:
    """Events and pickles with the first interpreter, each import with the first that has it."""
    with tempfile.TemporaryDirectory(prefix="eightysix-bench-") as name, _reading(Path(name) / "s.sock"):
        modes = _modes(Path(name))
        events = {mode: _events(pythons[0], env) for mode, env in modes.items()}
        pickles = {title: _turns(pythons[0], code, modes, runs, 1.0) for title, code in PICKLES.items()}
        two = {mode: modes[mode] for mode in ("off", "native")}
        imports = {}
        for library, code in IMPORTS.items():
            python = next((one for one in pythons if _has(one, library)), "")
            imports[library] = (
                _turns(python, code, two, runs, 1e6) if python else {"not run": "no interpreter has it"}
            )
        return {
            "python": _run(
                pythons[0], "import platform; print(platform.python_version())", modes["off"]
            ).strip(),
            "machine": platform.machine(),
            "processors": os.cpu_count(),
            "ns per event": events,
            "pickles, ms": pickles,
            "imports, ms": imports,
        }


def _modes(folder: Path) -> dict[str, dict[str, str]]:
    """Environments; the sensor's package has its bytecode, as it has in an image."""
    compiled = subprocess.run(
        [sys.executable, ROOT / "sensor" / "native" / "compile.py", folder],
        capture_output=True,
        text=True,
        check=True,
    )
    (folder / "empty.c").write_text(EMPTY)
    subprocess.run(
        ["cc", "-O2", "-shared", "-fPIC", "-o", folder / "empty.so", folder / "empty.c"], check=True
    )
    clean = {"PATH": os.environ["PATH"]}
    home = folder / "home"
    shutil.copytree(ROOT / "sensor" / "src", home, ignore=shutil.ignore_patterns("__pycache__"))
    native = {
        **clean,
        "LD_PRELOAD": compiled.stdout.strip(),
        "EIGHTYSIX_SENSOR": f"unix:{folder / 's.sock'}",
        "EIGHTYSIX_SENSOR_HOME": str(home),
    }
    return {"off": clean, "empty": {**clean, "LD_PRELOAD": str(folder / "empty.so")}, "native": native}


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """A receiver that reads all the time."""
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(str(path))

    def read() -> None:
        while receiver.recv(1 << 16) != b"end":
            pass

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"end", str(path))
        thread.join()
        receiver.close()


def _has(python: str, library: str) -> bool:
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({library!r}) is None)"
    return subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0


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


def _turns(
    python: str, code: str, modes: Mapping[str, Mapping[str, str]], runs: int, unit: float
) -> dict[str, Any]:
    times: dict[str, list[float]] = {mode: [] for mode in modes}
    for env in modes.values():  # once unmeasured: files come into memory, and are compiled
        _run(python, code, env)
    for _ in range(runs):
        for mode, env in modes.items():
            times[mode].append(float(_run(python, code, env)) / unit)
    best = {mode: min(each) for mode, each in times.items()}
    told: dict[str, Any] = {mode: round(ms, 2) for mode, ms in best.items()}
    told["percent"] = {
        mode: round(100 * (ms / best["off"] - 1), 1) for mode, ms in best.items() if mode != "off"
    }
    told["median of off above its least, percent"] = round(
        100 * (statistics.median(times["off"]) / best["off"] - 1), 1
    )
    return told


def gates(results: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Each gate: what was measured, and the most that it may be."""
    events = results["ns per event"]["native"]
    told = {f"ns of {name}": (ns, float(EVENT_NS)) for name, ns in events.items() if name != "seen_global"}
    title = next(iter(PICKLES))
    told[f"percent of {title}"] = (results["pickles, ms"][title]["percent"]["native"], float(PICKLE_PERCENT))
    return told


def table(results: Mapping[str, Any]) -> str:
    """The results as Markdown."""
    lines = ["| | without | a hook that does nothing | native part |", "|---|---|---|---|"]
    events = results["ns per event"]
    for name in events["native"]:
        cells = " | ".join(f"{events[mode][name]} ns" for mode in ("off", "empty", "native"))
        lines.append(f"| {TITLES[name]} | {cells} |")
    for title, told in results["pickles, ms"].items():
        percent = told["percent"]
        off, empty, native = (told[mode] for mode in ("off", "empty", "native"))
        lines.append(
            f"| {title} | {off} ms | {empty} ms ({percent['empty']:+} %) | {native} ms ({percent['native']:+} %) |"
        )
    for library, told in results["imports, ms"].items():
        if "not run" in told:
            lines.append(f"| import {library} | not run: {told['not run']} | | |")
        else:
            lines.append(
                f"| import {library} | {told['off']} ms | | {told['native']} ms ({told['percent']['native']:+} %) |"
            )
    return "\n".join(lines) + "\n"


TITLES = {
    "other": "an event that nobody wants",
    "attribute": "a frequent one (`object.__getattr__`)",
    "like_wanted": "one whose name begins like a wanted one",
    "open_module": "`open` of a module",
    "open_compiled": "`open` of a compiled module",
    "open_json": "`open` of a file that ends like credentials do",
    "open_number": "`open` of a descriptor",
    "seen_global": "a global that unpickling looked up before",
}
BEGIN, END = "<!-- cost -->\n", "<!-- /cost -->\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", action="append", default=[])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--output", type=Path)
    parser.add_argument(
        "--page",
        nargs=2,
        type=Path,
        metavar=("PAGE", "RESULTS"),
        help="measure nothing: write the page's table",
    )
    args = parser.parse_args()
    if args.page:
        before, begin, rest = args.page[0].read_text().partition(BEGIN)
        told = table(json.loads(args.page[1].read_text()))
        args.page[0].write_text(before + begin + told + END + rest.partition(END)[2])
        return
    results = measure(args.python or [sys.executable], args.runs)
    text = json.dumps(results, indent=1) + "\n"
    if args.output:
        args.output.write_text(text)
    sys.stdout.write(text)
    missed = [f"{name}: {is_} > {most}" for name, (is_, most) in gates(results).items() if is_ > most]
    if missed:
        sys.exit("gates missed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
