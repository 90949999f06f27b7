"""What the sensor costs its host: without it, with its Python hook, and with its native part, in turns within one run.

    python -m bench.sensor_cost [--python PYTHON] [--native FILE] [--rounds 15] [--output bench/results/sensor_cost.json]

`--python` names an interpreter that has fastapi, requests and uvicorn (else those programs are left out); `--native` an
`eightysix_preload.so` (else what the build or the environment `EIGHTYSIX_PRELOAD` has; the column is left out without one).
Every measurement is a process of its own and of its own CPU time. Records go to a unix socket that is read all the time.
The package's bytecode is there, as in an image; without it each start compiles the sensor, which is measured apart.

Against noise: the modes take turns in an order that is drawn anew each round, so each round gives a difference of neighbours in
time; told are the median of the differences and an interval of it that holds at 95 % whatever their distribution is (order
statistics). A gate is missed where the interval's lower end is above it, met where its upper end is below, else open.

Without the sensor the programs have the same number of variables of the same length under other names: requests reads the
whole environment at each request, and that is the cost of variables (`bare` is without them).

`--requests ROUNDS` adds rounds of the loop of requests alone, without the sensor and with its native part: that gate needs more.

Time cannot tell 1 % on a machine that others use. So with `--count` the instructions of one request are counted
by `valgrind`, too (`request_instructions`): hundreds of requests less none, all objects frozen for the collector.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "sensor" / "src" / "eightysix_sensor"
Numbers = dict[str, float]

EVENTS = """
import sys, time, json
N = 200_000
audit = sys.audit
def cost(loop, n=N):
    best = 1e18
    for _ in range(5):
        begin = time.process_time_ns(); loop(n); best = min(best, time.process_time_ns() - begin)
    return best / n
def empty(n):
    for _ in range(n): pass
def unlisted(n):
    for _ in range(n): audit("os.listdir", "x")
def opened(n):
    path = "/usr/lib/python3.11/site-packages/package/part/__pycache__/module.cpython-311.pyc"
    for _ in range(n): audit("open", path, "r", 0)
def looked_like(n):
    path = "/usr/lib/python3.11/site-packages/package/part/module.json"
    for _ in range(n): audit("open", path, "r", 0)
def imported(n):
    for _ in range(n): audit("import", "os.path", None, None, None, None)
def looked_up(n):
    for _ in range(n): audit("pickle.find_class", "collections", "OrderedDict")
audit("pickle.find_class", "collections", "OrderedDict")
base = cost(empty)
told = {name: cost(loop) - base for name, loop in
        (("event_ns", unlisted), ("open_ns", opened), ("open_json_ns", looked_like),
         ("import_ns", imported), ("find_class_ns", looked_up))}
def deep(depth, count):
    if depth: return deep(depth - 1, count)
    first = deep.next = deep.next + count
    begin = time.process_time_ns()
    for port in range(first, first + count): audit("socket.connect", None, ("203.0.113.9", port))
    return (time.process_time_ns() - begin) / count
deep.next = 0
deep(5, 20)
told["record_5_us"] = min(deep(5, 100) for _ in range(4)) / 1e3
told["record_40_us"] = min(deep(40, 100) for _ in range(4)) / 1e3
def repeated(n):
    for _ in range(n): audit("socket.connect", None, ("203.0.113.9", 9))
told["repeat_us"] = cost(repeated, 20_000) / 1e3
print(json.dumps(told))
"""

PICKLES = """
import collections, datetime, decimal, json, pickle, time
class P:
    def __init__(self): self.a, self.b, self.c = 1, [1, 2, 3], {"k": "v"}
told = {}
dense = [collections.OrderedDict(), decimal.Decimal(1), datetime.date(2026, 1, 1), P()]
for name, value in (("pickle_ms", P()), ("pickle_dense_ms", dense)):
    text = pickle.dumps(value)
    for _ in range(1000): pickle.loads(text)
    best = 1e18
    for _ in range(20):
        begin = time.process_time_ns()
        for _ in range(4_000): pickle.loads(text)
        best = min(best, time.process_time_ns() - begin)
    told[name] = best / 1e6
print(json.dumps(told))
"""
"""One global a pickle, as a list of small objects has that a queue or a cache brings; and the densest that there is, which is
told without a gate."""

REQUESTS = """
import sys, time, requests
port = int(sys.argv[1])
url = "http://localhost:%d/v1/models" % port
for _ in range(20): requests.get(url)
best = 1e18
for _ in range(25):
    begin = time.process_time_ns()
    for _ in range(20): requests.get(url)
    best = min(best, time.process_time_ns() - begin)
print(best / 1e6)
"""

COUNTED = """
import gc, sys, requests
url = "http://localhost:%s/v1/models" % sys.argv[1]
for _ in range(5): requests.get(url)
gc.collect(); gc.freeze()
for _ in range(int(sys.argv[2])): requests.get(url)
"""

IMPORT = """
import time
begin = time.process_time_ns()
import fastapi, uvicorn
print((time.process_time_ns() - begin) / 1e6)
"""


class Machine:
    """Runs programs in each mode. `home` holds the sensor with its bytecode, as `/opt/eightysix` does."""

    def __init__(self, folder: Path, python: str, native: Path | None) -> None:
        self.python = python
        self.folder = folder
        self.native = native
        self.home = folder / "home"
        self.bare = folder / "bare"
        for place in (self.home, self.bare):
            shutil.copytree(PACKAGE, place / "eightysix_sensor", ignore=shutil.ignore_patterns("__pycache__"))
        self.compile(self.home)
        self.endpoint = folder / "s.sock"
        self._receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._receiver.bind(str(self.endpoint))
        threading.Thread(target=self._drain, daemon=True).start()

    @property
    def modes(self) -> tuple[str, ...]:
        return ("bare", "off", "python", "native") if self.native else ("bare", "off", "python")

    def compile(self, place: Path) -> None:
        """Have the measured interpreter write the bytecode."""
        subprocess.run([self.python, "-m", compileall.__name__, "-q", str(place)], check=True)

    def environment(self, mode: str, home: Path | None = None) -> Mapping[str, str]:
        """The variables of a mode."""
        home = home or self.home
        found = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(self.folder)}
        found |= {f"POD_SERVICE_{number}_PORT": f"tcp://10.96.0.{number}:443" for number in range(7)}
        if mode == "bare":
            return found
        if mode == "python":
            more = {
                "PYTHONPATH": str(home / "eightysix_sensor" / "fallback"),
                "EIGHTYSIX_SENSOR_HOME": str(home),
            }
            more["EIGHTYSIX_SENSOR_X"] = "-" * len(str(self.native))
        else:
            more = {
                "LD_PRELOAD": str(self.native),
                "EIGHTYSIX_SENSOR_HOME": str(home),
                "EIGHTYSIX_SENSOR_X": "-",
            }
        more["EIGHTYSIX_SENSOR"] = f"unix:{self.endpoint}"
        if mode == "off":
            more = {"X" + name[1:]: value for name, value in more.items()}
        return found | more

    def says(self, mode: str, code: str, *arguments: str) -> str:
        """What a program prints."""
        words = [self.python, "-c", code, *arguments]
        return subprocess.run(
            words, env=self.environment(mode), check=True, capture_output=True, text=True, cwd=self.folder
        ).stdout

    def start_ms(self, mode: str, home: Path | None = None) -> float:
        """CPU time of an interpreter that does nothing, in milliseconds."""
        before = os.times()
        for _ in range(10):
            subprocess.run(
                [self.python, "-c", ""], env=self.environment(mode, home), check=True, cwd=self.folder
            )
        after = os.times()
        used = after.children_user + after.children_system - before.children_user - before.children_system
        return used * 1e3 / 10

    def instructions(self, mode: str, port: int, count: int = 200) -> float | None:
        """Instructions of one request in user space, None without valgrind."""
        if not shutil.which("valgrind"):
            return None
        told = []
        for requests in (0, count):
            log = self.folder / "valgrind"
            words = [
                "valgrind",
                "--tool=lackey",
                "--basic-counts=yes",
                f"--log-file={log}",
                self.python,
                "-c",
                COUNTED,
            ]
            environment = {**self.environment(mode), "PYTHONHASHSEED": "0"}
            subprocess.run([*words, str(port), str(requests)], env=environment, check=True, cwd=self.folder)
            [line] = [line for line in log.read_text().splitlines() if "guest instrs:" in line]
            told.append(int(line.split(":")[1].replace(",", "")))
        return (told[1] - told[0]) / count

    def has(self, *modules: str) -> bool:
        """Whether the interpreter has these modules."""
        return not subprocess.run(
            [self.python, "-c", f"import {','.join(modules)}"], capture_output=True, check=False
        ).returncode

    def _drain(self) -> None:
        while True:
            self._receiver.recv(1 << 16)


def serve() -> int:
    """A server that answers everything; its port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def answer() -> None:
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    threading.Thread(target=answer, daemon=True).start()
    return int(listener.getsockname()[1])


def measure(machine: Machine, rounds: int, loops: int, *, count: bool) -> dict[str, dict[str, list[float]]]:
    """What each round gave, by mode and measurement; `loops` more of requests."""
    port = serve()
    fastapi, requests = machine.has("fastapi", "uvicorn"), machine.has("requests")
    told: dict[str, dict[str, list[float]]] = {mode: {} for mode in machine.modes}
    for number in range(rounds):
        for mode in random.Random(number).sample(machine.modes, len(machine.modes)):
            found: Numbers = {}
            if requests:
                found["requests_ms"] = float(machine.says(mode, REQUESTS, str(port)))
            if mode != "bare":
                found |= json.loads(machine.says(mode, EVENTS))
                found["start_ms"] = machine.start_ms(mode)
                found |= json.loads(machine.says(mode, PICKLES))
                if fastapi:
                    found["import_fastapi_ms"] = float(machine.says(mode, IMPORT))
            if mode in ("python", "native"):
                found["start_uncompiled_ms"] = machine.start_ms(mode, machine.bare)
            for name, value in found.items():
                told[mode].setdefault(name, []).append(value)
    compared = ("off", "native") if machine.native and requests else ()
    for number in range(loops):
        for mode in random.Random(number).sample(compared, len(compared)):
            told[mode].setdefault("requests_ms", []).append(float(machine.says(mode, REQUESTS, str(port))))
    if requests:
        for mode in machine.modes:
            number_of = machine.instructions(mode, port) if count else None
            if number_of is not None:
                told[mode]["request_instructions"] = [number_of]
    return told


def interval(values: list[float]) -> tuple[float, float, float]:
    """Median, and the order statistics between which the true one lies at 95 % (binomial; all values where there are few)."""
    ordered = sorted(values)
    skip = 0
    below = 0.5 ** len(ordered)
    total = below
    while total <= 0.025 and skip < len(ordered) // 2:
        skip += 1
        below *= (len(ordered) - skip + 1) / skip
        total += below
    first = max(0, skip - 1)
    return statistics.median(ordered), ordered[first], ordered[len(ordered) - 1 - first]


def gates(told: Mapping[str, Mapping[str, list[float]]]) -> dict[str, dict[str, object]]:
    """What is allowed, what was measured. A loop's and an import's cost is the part that they take longer; those are gates of
    the native part alone."""
    off = told["off"]
    result: dict[str, dict[str, object]] = {}
    for mode in ("python", "native"):
        if mode not in told:
            continue
        on = told[mode]
        values = {
            "event_ns": (on["event_ns"], 60.0 if mode == "native" else 200.0),
            "record_5_us": (on["record_5_us"], 30.0),
            "start_added_ms": (
                [one - other for one, other in zip(on["start_ms"], off["start_ms"], strict=True)],
                15.0,
            ),
        }
        for name, most in (("requests_ms", 2.0), ("pickle_ms", 5.0), ("import_fastapi_ms", 2.0)):
            if name in on and mode == "native":
                added = [(one / other - 1) * 100 for one, other in zip(on[name], off[name], strict=True)]
                values[name.replace("_ms", "_added_percent")] = (added, most)
        for name, (measured, most) in values.items():
            median, low, high = interval(measured)
            met = "missed" if low > most else "met" if high <= most else "open"
            result[f"{mode}/{name}"] = {
                "median": round(median, 2), "low": round(low, 2), "high": round(high, 2), "most": most, "verdict": met,
            }  # fmt: skip
    if "request_instructions" in told.get("native", {}):
        [counted], [without] = told["native"]["request_instructions"], off["request_instructions"]
        added_percent = round((counted / without - 1) * 100, 2)
        result["native/request_instructions_added_percent"] = {
            "counted": added_percent, "most": 2.0, "verdict": "met" if added_percent <= 2.0 else "missed",
        }  # fmt: skip
    return result


def find_native(named: str) -> Path | None:
    """The native part: as named, or as the build leaves it."""
    machine = platform.machine()
    places = [Path(named)] if named else []
    if os.environ.get("EIGHTYSIX_PRELOAD"):
        places.append(Path(os.environ["EIGHTYSIX_PRELOAD"]))
    places += sorted(PACKAGE.glob(f"_native/{machine}-*/eightysix_preload.so"))
    return next((place.resolve() for place in places if place.is_file()), None)


def main() -> int:
    """Measure, print, and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--native", default="")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument(
        "--requests", type=int, default=0, metavar="ROUNDS", help="further rounds of requests"
    )
    parser.add_argument("--count", action="store_true", help="count instructions by valgrind, too (minutes)")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="eightysix-bench-") as folder:
        machine = Machine(Path(folder), given.python, find_native(given.native))
        told = measure(machine, given.rounds, given.requests, count=given.count)
        version = machine.says("off", "import platform; print(platform.python_version())").strip()
    verdicts = gates(told)
    result = {
        "python": version,
        "machine": {"kernel": platform.release(), "cpu": platform.machine(), "cores": os.cpu_count()},
        "rounds": given.rounds,
        "requests_rounds": given.rounds + given.requests,
        "median": {
            mode: {name: round(statistics.median(values), 2) for name, values in found.items()}
            for mode, found in told.items()
        },
        "gates": verdicts,
    }
    text = json.dumps(result, indent=1) + "\n"
    print(text)
    if given.output:
        given.output.write_text(text)
    return 1 if any(gate["verdict"] == "missed" for gate in verdicts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
