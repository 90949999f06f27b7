"""What the lab's kernel sensor costs, and what it loses, with each mechanism. Needs root; strace where it is installed.

    python -m bench.kernel_sensor [--output bench/results/kernel_sensor.json] [--storm 5000]

Works in a cgroup and in namespaces of its own. Costs are the least of several rounds, of one process on a machine that does
other things too: read them as "about".
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eightysix.lab.kernel.strace import wrap
from tests.lab.kernel.machine import Sensor, cgroup, run_in, why_not

__all__ = ["main", "measure"]

ROUNDS = 7
WORK = r"""
import json, os, socket, sys, time
rounds, mine = int(sys.argv[1]), sys.argv[2]
plain, token = mine + "/plain", mine + "/token"
for name in (plain, token): open(name, "w").close()
def opens(path, flags=os.O_RDONLY):
    for _ in range(5000):
        os.close(os.open(path, flags))
def connects():
    for _ in range(500):
        one = socket.socket()
        try: one.connect(("192.0.2.1", 9))
        except OSError: pass
        one.close()
def execs():
    for _ in range(200):
        os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
acts = {"open": (lambda: opens(plain), 5000), "open_token": (lambda: opens(token), 5000),
        "open_to_write": (lambda: opens(plain, os.O_WRONLY), 5000), "connect": (connects, 500), "exec": (execs, 200)}
def cpu():
    told = os.times()
    return time.process_time() + told.children_user + told.children_system
told = {"cpu": {}, "elapsed": {}}
for name, (act, count) in acts.items():
    least = {"cpu": 1e9, "elapsed": 1e9}
    for _ in range(rounds):
        begin, used = time.perf_counter(), cpu()
        act()
        least["cpu"] = min(least["cpu"], cpu() - used)
        least["elapsed"] = min(least["elapsed"], time.perf_counter() - begin)
    for clock, value in least.items():
        told[clock][name] = round(value / count * 1e6, 2)
print(json.dumps(told))
"""
STORM = r"""
import os, sys, time
count = int(sys.argv[1])
begin = time.perf_counter()
for worker in range(2):
    if os.fork() == 0:
        for _ in range(count // 2):
            os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
        os._exit(0)
for worker in range(2): os.wait()
print(time.perf_counter() - begin)
"""


Times = dict[str, dict[str, float]]


def work(folder: Path, place: Path, *, inside: bool = True) -> Times:
    """Microseconds of each act, of processor time (its own and its children's) and by the clock, in a container's
    namespaces; `inside` the watched cgroup or beside it."""
    script = place / "work.py"
    script.write_text(WORK)
    target = folder / ("pod/main" if inside else "")
    done = run_in(target, f"exec {sys.executable} -S -E {script} {ROUNDS} {place}", timeout=300)
    found: Times = json.loads(done.stdout)
    return found


def storm(folder: Path, place: Path, count: int) -> float:
    """Seconds that `count` short processes take, two at a time."""
    script = place / "storm.py"
    script.write_text(STORM)
    return float(
        run_in(folder / "pod/main", f"exec {sys.executable} -S -E {script} {count}", timeout=600).stdout
    )


def resident_kb(pid: int) -> int:
    """Memory of a process that is in RAM."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def cpu_s(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def mechanism(name: str, folder: Path, place: Path, count: int) -> dict[str, Any]:
    """Everything of one mechanism over a cgroup."""
    told: dict[str, Any] = {}
    watched = folder / "pod"
    begin = time.perf_counter()
    with Sensor(watched, place / f"{name}.jsonl", "--mechanism", name, places=("main",)) as sensor:
        told["ready_ms"] = round((time.perf_counter() - begin) * 1e3)
        told["resident_kb"] = resident_kb(sensor.process.pid)
        told["us"] = work(folder, place)
        told["us_in_another_cgroup"] = work(folder, place, inside=False)
        begin = time.perf_counter()
        sensor.stop()
        told["end_ms"] = round((time.perf_counter() - begin) * 1e3)
    with Sensor(watched, place / f"{name}-storm.jsonl", "--mechanism", name, places=("main",)) as sensor:
        before = cpu_s(sensor.process.pid)
        took = storm(folder, place, count)
        time.sleep(2)  # until it has read all: it is asked only then
        used = cpu_s(sensor.process.pid) - before
        resident = resident_kb(sensor.process.pid)
        last = sensor.stop()
    records = sum(1 for _ in sensor.output.open("rb"))
    told["storm"] = {
        "processes": count,
        "seconds": round(took, 2),
        "records": records,
        "starts_told": last["records"]["exec"],
        "dropped": last["dropped_total"],
        "with_arguments": sensor.output.read_bytes().count(b'{"process_exec"')
        - _without_arguments(sensor.output),
        "cpu_seconds": round(used, 2),
        "records_per_cpu_second": round(records / used) if used else None,
        "resident_kb": resident,
    }
    return told


def _without_arguments(output: Path) -> int:
    starts = (json.loads(line) for line in output.open("rb") if line.startswith(b'{"process_exec"'))
    return sum("truncArgs" in record["process_exec"]["process"]["flags"] for record in starts)


def traced(folder: Path, place: Path) -> dict[str, Any]:
    """The same acts under strace, whose output is thrown away by a reader."""
    fifo, script = place / "fifo", place / "work.py"
    os.mkfifo(fifo)
    script.write_text(WORK)
    with subprocess.Popen(["cat", str(fifo)], stdout=subprocess.DEVNULL):
        command = " ".join(wrap([sys.executable, "-S", "-E", str(script), "2", str(place)], fifo))
        done = run_in(folder / "pod/main", command, timeout=600)
    return {"us": json.loads(done.stdout)}


def _either(first: Times, second: Times, choose: Callable[[float, float], float]) -> Times:
    return {
        clock: {act: choose(value, second[clock][act]) for act, value in times.items()}
        for clock, times in first.items()
    }


def measure(count: int) -> dict[str, Any]:
    """All mechanisms that work here, and why the others do not."""
    results: dict[str, Any] = {
        "kernel": platform.release().split("-")[0],
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }
    with tempfile.TemporaryDirectory() as temporary, cgroup("pod/main") as folder:
        place = Path(temporary)
        before, quiet = work(folder, place), storm(folder, place, count)
        for name in ("ebpf", "tracefs"):
            why = why_not(name)
            results[name] = {"why_not": why} if why else mechanism(name, folder, place, count)
        why = why_not("strace")
        results["strace"] = {"why_not": why} if why else traced(folder, place)
        after = work(folder, place)
        least, most = _either(before, after, min), _either(before, after, max)
        results["without"] = {"us": least, "us_other_time": most, "storm_seconds": round(quiet, 2)}
    return results


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description="What the kernel sensor costs, and what it loses.")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--storm", type=int, default=5000)
    options = parser.parse_args()
    why = why_not("tracefs")
    if why:
        print(f"eightysix: {why}", file=sys.stderr)
        return 1
    text = json.dumps(measure(options.storm), indent=2) + "\n"
    if options.output:
        options.output.write_text(text)
    print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
