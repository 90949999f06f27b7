"""`eightysix watch` killed (SIGKILL) again and again while telemetry is written: is an incident lost, changed, or told twice?

    python -m bench.crash [--kills 20] [--records 40000] [--seed 86] [--output bench/results/crash.json]

A writer appends the records of a busy node with planted chains, and a recorded breach with its sensor and audit logs; the
file rotates on the way. `watch` follows with `--state` and delivers to a webhook on loopback; it is killed at random moments
and started again. In the end what it told is held against `eightysix detect` over the same records: the same incidents
with the same verdict, points and timeline; every last revision was delivered; and what was delivered more than once came
with the same id, revision and content.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from bench.live import Receiver

Outline = tuple[object, ...]


def outline(incident: dict[str, Any]) -> Outline:
    """What must be the same. File names and lines are those of whoever reads."""
    return (
        min(incident["id"], *incident["aliases"], incident["id"]),
        incident["verdict"],
        incident["score"],
        incident["t0"],
        tuple((s["stage"], s["at"], s["title"], s["destination"]) for s in incident["stages"]),
    )


def records(folder: Path, count: int) -> tuple[dict[str, list[bytes]], set[str]]:
    """Lines by file, and the pods of planted chains."""
    from bench.corpus import write_corpus

    truth = write_corpus(folder / "corpus.jsonl", records=count)
    lines = {"tetragon.log": (folder / "corpus.jsonl").read_bytes().splitlines(keepends=True)}
    breach = Path(__file__).resolve().parent.parent / "examples" / "breach-86s"
    for path in sorted(breach.iterdir()):
        own = path.read_bytes().splitlines(keepends=True)
        if path.name == "tetragon.jsonl":
            lines["tetragon.log"] += own
        elif path.suffix == ".jsonl":
            lines[path.name] = own
    malicious = truth["malicious"]
    assert isinstance(malicious, list)
    return lines, set(malicious)


def expected(lines: dict[str, list[bytes]], folder: Path) -> list[dict[str, Any]]:
    """What `detect` says of the whole."""
    folder.mkdir()
    for name, own in lines.items():
        (folder / name).write_bytes(b"".join(own))
    command = [
        sys.executable,
        "-m",
        "eightysix",
        "detect",
        str(folder),
        "--format",
        "json",
        "--exit-zero",
        "-q",
    ]
    told = subprocess.run(command, capture_output=True, check=True)
    incidents: list[dict[str, Any]] = json.loads(told.stdout)["incidents"]
    return incidents


class Lives:
    """Starts `watch`, kills it, starts it again."""

    def __init__(self, folder: Path, port: int) -> None:
        self._log = (folder / "err").open("ab")
        self.command = [
            sys.executable, "-m", "eightysix", "watch", str(folder / "export"), "--state", str(folder / "state"),
            "--deliver", f"webhook:http://127.0.0.1:{port}/", "--format", "jsonl", "--quiet",
        ]  # fmt: skip
        self._environment = os.environ | {"EIGHTYSIX_WEBHOOK_SECRET": "bench" * 8}
        self.child = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command, stdout=subprocess.DEVNULL, stderr=self._log, env=self._environment
        )

    def kill(self) -> None:
        """SIGKILL, and a new one."""
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()
        self.child = self._start()

    def end(self) -> int:
        """Ask it to end, and give its exit code."""
        self.child.terminate()
        code = self.child.wait(60)
        self._log.close()
        return code


def run(kills: int, count: int, seed: int, seconds: float) -> dict[str, object]:
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines, _ = records(folder, count)
        truth = expected(lines, folder / "whole")
        receiver = Receiver()
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        export = folder / "export"
        export.mkdir()
        lives = Lives(folder, receiver.server_port)
        moments = sorted(rng.uniform(0.3, seconds) for _ in range(kills))
        begun = time.monotonic()
        write(lines, export, rng, seconds, begun, moments, lives)
        while moments:
            time.sleep(max(0.0, begun + moments.pop(0) - time.monotonic()))
            lives.kill()
        told = settled(receiver, truth)
        code = lives.end()
        said = (folder / "err").read_text()
        receiver.shutdown()
    latest = {incident["id"]: incident for _, incident in receiver.arrived}
    by_revision: dict[tuple[str, str], set[str]] = {}
    for _, incident in receiver.arrived:
        key = (str(incident["id"]), str(incident["revision"]))
        by_revision.setdefault(key, set()).add(json.dumps(incident, sort_keys=True))
    wanted = {outline(incident) for incident in truth}
    got = {outline(incident) for incident in latest.values() if not incident["title"].startswith("Withdrawn")}
    return {
        "kills": kills,
        "records": sum(map(len, lines.values())),
        "incidents": len(wanted),
        "lost": len(wanted - got),
        "changed_or_invented": len(got - wanted),
        "deliveries": len(receiver.arrived),
        "revisions": len(by_revision),
        "repeated": len(receiver.arrived) - len(by_revision),
        "same_revision_other_content": sum(len(each) > 1 for each in by_revision.values()),
        "settled": told,
        "exit": code,
        "said": said[-1500:],
    }


def write(
    lines: dict[str, list[bytes]],
    export: Path,
    rng: random.Random,
    seconds: float,
    begun: float,
    moments: list[float],
    lives: Lives,
) -> None:
    """Append all lines within `seconds`, rotating the large file a few times, and kill at the moments that come."""
    at = dict.fromkeys(lines, 0)
    rotations = sorted(rng.uniform(0.1, 0.9) for _ in range(4))
    while any(at[name] < len(own) for name, own in lines.items()):
        done = (time.monotonic() - begun) / (seconds * 0.9)
        for name, own in lines.items():
            until = min(len(own), int(done * len(own)) + 1)
            if until > at[name]:
                with (export / name).open("ab") as file:
                    file.write(b"".join(own[at[name] : until]))
                at[name] = until
        if rotations and done > rotations[0]:
            rotations.pop(0)
            (export / "tetragon.log").rename(
                export / f"tetragon-2026-11-24T09-{int(done * 60):02}-00.000.log"
            )
        while moments and time.monotonic() - begun >= moments[0]:
            moments.pop(0)
            lives.kill()
        time.sleep(0.01)


def settled(receiver: Receiver, truth: list[dict[str, Any]]) -> bool:
    """Wait until everything that must come has come, a minute at most; later revisions are throttled on purpose."""
    wanted = {outline(incident) for incident in truth}
    for _ in range(900):
        latest = {incident["id"]: incident for _, incident in list(receiver.arrived)}
        if wanted <= {outline(incident) for incident in latest.values()}:
            time.sleep(1.0)
            return True
        time.sleep(0.1)
    return False


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--records", type=int, default=40_000)
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--seed", type=int, default=86)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    text = json.dumps(run(args.kills, args.records, args.seed, args.seconds), indent=1) + "\n"
    if args.output:
        args.output.write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
