"""`eightysix watch` against the clock: how fast an incident arrives, and what a day of watching costs.

    python -m bench.live latency [--rate 5000] [--seconds 60] [--output bench/results/live_latency.json]
    python -m bench.live steady [--rate 500] [--seconds 3600] [--output bench/results/live_steady.json]
    python -m bench.live backlog [--records 600000] [--rounds 5] [--output bench/results/live_backlog.json]

A writer appends records of a busy node (`bench.corpus`) to a file that rotates as Tetragon's does; `watch` follows it and
delivers to a webhook on loopback. Latency is from the moment after the write of the last record that a delivered revision
names as evidence, to the moment its request has arrived; only first deliveries and rises of a verdict count, because others
are throttled on purpose. `backlog` reads a file that is
there already, from start to end. CPU seconds are of the whole process of `watch`, from its own accounting.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

RANKS = {"watch": 1, "suspect": 2, "contain": 3}
ROTATE_BYTES = 64 << 20
KEPT_FILES = 3
BATCH_S = 0.01
NODE_PODS = 250
"""Pods of one node: the most that AKS allows (learn.microsoft.com/azure/aks/quotas-skus-regions)."""


class Receiver(ThreadingHTTPServer):
    """Takes webhooks and notes when each came."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.arrived: list[tuple[float, dict[str, Any]]] = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        now = time.monotonic()
        assert isinstance(self.server, Receiver)
        for incident in json.loads(data)["incidents"]:
            self.server.arrived.append((now, incident))
        self.send_response(204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


def batches(corpus: Path, per_batch: int) -> Iterator[list[bytes]]:
    """Lines of the corpus, over and over; times and names are as they are."""
    while True:
        with corpus.open("rb") as file:
            lines: list[bytes] = []
            for line in file:
                lines.append(line)
                if len(lines) == per_batch:
                    yield lines
                    lines = []


class Writer:
    """Appends records at a rate to `path`, and rotates it by renaming; `written` is when each line was written, by file
    and line."""

    def __init__(self, path: Path, corpus: Path, rate: int, *, note: bool) -> None:
        self.path = path
        self.written: dict[int, float] = {}
        self.records = 0
        self.behind_s = 0.0
        self._rotated: list[Path] = []
        self._batches = batches(corpus, max(1, round(rate * BATCH_S)))
        self._note = note

    def run(self, seconds: float) -> None:
        """Write for `seconds`."""
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        size = 0
        begun = due = time.monotonic()
        while due - begun < seconds:
            lines = next(self._batches)
            data = b"".join(lines)
            os.write(file, data)
            now = time.monotonic()
            if self._note:
                for number in range(self.records + 1, self.records + len(lines) + 1):
                    self.written[number] = now
            self.records += len(lines)
            size += len(data)
            if (
                size > ROTATE_BYTES and not self._note
            ):  # lines are counted by file: latency runs do not rotate
                os.close(file)
                file, size = self._rotate(), 0
            due += BATCH_S
            pause = due - time.monotonic()
            self.behind_s = max(self.behind_s, -pause)
            if pause > 0:
                time.sleep(pause)
        os.close(file)

    def _rotate(self) -> int:
        old = self.path.with_name(f"{self.path.stem}-{self.records}.log")
        self.path.rename(old)
        self._rotated.append(old)
        if len(self._rotated) > KEPT_FILES:
            self._rotated.pop(0).unlink()
        return os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def accounting(pid: int) -> tuple[float, float]:
    """CPU seconds and peak memory in MB of a running process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = os.sysconf("SC_CLK_TCK")
    status = Path(f"/proc/{pid}/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return (int(fields[11]) + int(fields[12])) / ticks, peak / 1024


def run(mode: str, rate: int, seconds: float) -> dict[str, object]:
    from bench.corpus import write_corpus

    records = int(rate * seconds)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        corpus = folder / "corpus.jsonl"
        truth = write_corpus(corpus, records=records, pods=NODE_PODS if mode == "steady" else None)
        receiver = Receiver()
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        (folder / "export").mkdir()
        path = folder / "export" / "tetragon.log"
        path.touch()
        command = [
            sys.executable, "-m", "eightysix", "watch", str(folder / "export"), "--state", str(folder / "state"),
            "--deliver", f"webhook:http://127.0.0.1:{receiver.server_port}/", "--format", "jsonl", "--quiet",
        ]  # fmt: skip
        with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
            child = subprocess.Popen(
                command, stdout=out, stderr=err, env=os.environ | {"EIGHTYSIX_WEBHOOK_SECRET": "bench" * 8}
            )
            time.sleep(1.5)
            idle_cpu, _ = accounting(child.pid)
            writer = Writer(path, corpus, rate, note=mode == "latency")
            writer.run(seconds)
            time.sleep(2.0)
            cpu, peak = accounting(child.pid)
            child.terminate()
            child.wait(30)
        said = (folder / "err").read_text()
        receiver.shutdown()
    raised = {
        str(incident["pod"]["uid"]) for _, incident in receiver.arrived if incident["verdict"] != "watch"
    }
    malicious = truth["malicious"]
    assert isinstance(malicious, list)
    result: dict[str, object] = {
        "mode": mode,
        "rate": rate,
        "pods": truth["pods"],
        "seconds": seconds,
        "records": writer.records,
        "python": platform.python_version(),
        "writer_behind_s": round(writer.behind_s, 3),
        "cpu_s": round(cpu - idle_cpu, 2),
        "share_of_a_core": round((cpu - idle_cpu) / seconds, 4),
        "start_cpu_s": round(idle_cpu, 2),
        "peak_mb": round(peak, 1),
        "planted": len(malicious),
        "found": len(raised & set(malicious)),
        "false": len(raised - set(malicious)),
        "said": said[-2000:],
    }
    if mode == "latency":
        result["latency"] = latencies(receiver.arrived, writer.written)
    return result


def latencies(arrived: list[tuple[float, dict[str, Any]]], written: dict[int, float]) -> dict[str, object]:
    """Milliseconds from a revision's last record to its arrival."""
    ranks: dict[object, int] = {}
    found = []
    for at, incident in arrived:
        rank = RANKS[str(incident["verdict"])]
        if rank <= ranks.get(incident["id"], 0):
            continue
        ranks[incident["id"]] = rank
        lines = [e["line"] for s in incident["stages"] for e in s["evidence"]]
        found.append((at - written[max(lines)]) * 1000)
    found.sort()
    if not found:
        return {"n": 0}
    return {
        "n": len(found),
        "p50_ms": round(statistics.median(found), 1),
        "p90_ms": round(found[int(len(found) * 0.90)], 1),
        "p99_ms": round(found[min(len(found) - 1, int(len(found) * 0.99))], 1),
        "max_ms": round(found[-1], 1),
    }


def backlog(records: int, rounds: int) -> dict[str, object]:
    """How fast what was written before the start is read."""
    from bench.corpus import write_corpus

    taken: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        corpus = Path(name) / "corpus.jsonl"
        write_corpus(corpus, records=records)
        command = [sys.executable, "-m", "eightysix", "watch", "-", "--format", "jsonl", "--quiet"]
        for _ in range(rounds):
            with corpus.open("rb") as file:
                begun = time.monotonic()
                subprocess.run(command, stdin=file, stdout=subprocess.DEVNULL, check=True)
                taken.append(time.monotonic() - begun)
    median = statistics.median(taken)
    return {
        "mode": "backlog",
        "records": records,
        "rounds": rounds,
        "python": platform.python_version(),
        "wall_s": {"median": round(median, 3), "min": round(min(taken), 3), "max": round(max(taken), 3)},
        "records_per_second": round(records / median),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("mode", choices=("latency", "steady", "backlog"))
    parser.add_argument("--rate", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--records", type=int, default=600_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    told = backlog(args.records, args.rounds) if args.mode == "backlog" else live(args)
    text = json.dumps(told, indent=1) + "\n"
    if args.output:
        args.output.write_text(text)
    sys.stdout.write(text)


def live(args: argparse.Namespace) -> dict[str, object]:
    rate = args.rate or (5_000 if args.mode == "latency" else 500)
    seconds = args.seconds or (60 if args.mode == "latency" else 3600)
    return run(args.mode, rate, seconds)


if __name__ == "__main__":
    main()
