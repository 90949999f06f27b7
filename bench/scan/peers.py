"""Detection, false alarms, errors, CPU and memory of eightysix beside other scanners, over the same files in one run.

    python -m bench.scan.peers --corpus FOLDER [--given FOLDER] [--venvs FOLDER] [--tools NAME...] [--sample N]
        [--answers FOLDER] [--output bench/results/scan.json]

FOLDER holds manifest.csv (path, label, source, technique, family, tier). Each tool has an environment of its own, with the
pinned versions of requirements-peers/, and answers from one process that is fed path after path (peer_worker.py): 30
seconds a file, 6 GB of address space; a process that dies or hangs costs its file and is replaced. Tier "gray" is in no
rate. Tools that take more than a minute for a hundred files get a sample, the same for every run, and that is told.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import platform
import select
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.scan.venvs import HERE, environment

TIMEOUT = 30.0  # seconds of wall time a file
ROOT = HERE.parent.parent
OURS = "eightysix"
OTHER = {
    "eightysix": "malicious or suspicious",
    "picklescan": "--strict",
    "modelscan": "no other setting",
    "fickling": "overtly malicious only",
    "modelaudit": "critical only",
    "hayward": "--fail-on medium",
}
TOOLS = tuple(OTHER)
SLOW = frozenset({"modelaudit"})
PICKLES = frozenset({"pickle", "container"})  # families that every tool here claims to read


class Item(NamedTuple):
    """One file of a corpus."""

    path: Path
    label: str
    family: str
    technique: str


class Worker:
    """A process of one tool, replaced when it dies or hangs."""

    def __init__(self, command: Sequence[str], variables: dict[str, str]) -> None:
        self.command, self.variables = command, variables
        self.peak_kb = 0
        self.start_cpu = 0.0
        self.process = self.begin()

    def begin(self) -> subprocess.Popen[bytes]:
        """Start it and wait until it is ready."""
        process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.variables
        )
        self.rest = b""
        self.process = process
        ready = self.line(120)
        if ready is None:
            raise SystemExit(f"{' '.join(self.command)} does not start")
        self.start_cpu = json.loads(ready)["cpu"]
        return process

    def line(self, seconds: float) -> bytes | None:
        """Its next line; None where it is gone. Raises TimeoutError."""
        assert self.process.stdout
        end = time.monotonic() + seconds
        while b"\n" not in self.rest:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise TimeoutError
            part = os.read(self.process.stdout.fileno(), 65536)
            if not part:
                return None
            self.rest += part
        told, _, self.rest = self.rest.partition(b"\n")
        return told

    def ask(self, path: Path) -> dict[str, Any]:
        """What it says about one file."""
        assert self.process.stdin
        began = time.monotonic()
        try:
            self.process.stdin.write(os.fsencode(path) + b"\n")
            self.process.stdin.flush()
            told = self.line(TIMEOUT)
            failed = "crash"
        except TimeoutError:
            told, failed = None, "timeout"
        except BrokenPipeError:
            told, failed = None, "crash"
        if told is not None:
            answer: dict[str, Any] = json.loads(told)
            self.peak_kb = max(self.peak_kb, answer["peak_kb"])
            return answer
        used = self.end()
        self.process = self.begin()
        return {
            "default": failed,
            "other": failed,
            "said": f"{time.monotonic() - began:.0f} s",
            "cpu": used,
            "peak_kb": 0,
        }

    def end(self) -> float:
        """End it; the CPU seconds it had used."""
        self.process.kill()
        _, _, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = 0
        self.peak_kb = max(self.peak_kb, usage.ru_maxrss)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()
        return usage.ru_utime + usage.ru_stime


def read(folder: Path) -> list[Item]:
    """The files of a corpus, without what no rate counts. Rows whose columns were shifted by a comma are put right."""
    items = []
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        for row in rows:
            path, label, technique, family, tier = row[0], row[1], row[3], row[-2], row[-1]
            if tier != "gray" and "gray" not in (family, technique) and (folder / path).is_file():
                known = family if tier == "core" else "pickle"
                items.append(Item(folder / path, label, known, technique))
    return items


def sampled(items: Sequence[Item], most: int) -> list[Item]:
    """At most `most` items drawn by the hash of their names: a fair share of everything, the same ones in every run."""
    drawn = sorted(
        items, key=lambda one: hashlib.sha256(f"{one.technique} {one.path.name}".encode()).digest()
    )
    return drawn[:most]


def versions(interpreter: Path, names: Sequence[str]) -> dict[str, str]:
    """Installed versions of `names`."""
    code = "import sys, json; from importlib.metadata import version as v; print(json.dumps({n: v(n) for n in sys.argv[1:]}))"
    told = subprocess.run([str(interpreter), "-c", code, *names], capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(told.stdout)
    return found


def command_of(tool: str, venvs: Path, source: Path) -> tuple[list[str], dict[str, str], str]:
    """How to start a tool's worker, its environment variables and its version."""
    variables = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    script = str(HERE / "peer_worker.py")
    if tool == OURS:
        variables["PYTHONPATH"] = str(source)
        code = "import eightysix; print(eightysix.__version__)"
        told = subprocess.run(
            [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True
        )
        return [sys.executable, script, tool], variables, told.stdout.strip()
    interpreter = environment(venvs, tool, HERE / "requirements-peers" / f"{tool}.txt")
    variables.pop("PYTHONPATH", None)
    return [str(interpreter), script, tool], variables, versions(interpreter, [tool])[tool]


def share(part: int, whole: int) -> float | None:
    """Per cent, or None of nothing."""
    return round(100 * part / whole, 2) if whole else None


def summary(tool: str, answers: Sequence[tuple[Item, dict[str, Any]]]) -> dict[str, Any]:
    """The row of a table."""
    row: dict[str, Any] = {"tool": tool, "files": len(answers), "other_setting": OTHER[tool]}
    for name, chosen in (("all", None), ("pickle_and_containers", PICKLES)):
        of = [(item, answer) for item, answer in answers if chosen is None or item.family in chosen]
        part: dict[str, Any] = {}
        for label in ("malicious", "benign"):
            these = [answer for item, answer in of if item.label == label]
            part[label] = {
                "n": len(these),
                **{key: sum(one[key] == "told" for one in these) for key in ("default", "other")},
                "default_pct": share(sum(one["default"] == "told" for one in these), len(these)),
                "other_pct": share(sum(one["other"] == "told" for one in these), len(these)),
                "not_clean_pct": share(
                    sum(one["default"] != "clean" or one["other"] != "clean" for one in these), len(these)
                ),
                "outcomes": dict(sorted(Counter(one["default"] for one in these).items())),
            }
            if tool == OURS:
                part[label]["verdicts"] = dict(
                    sorted(Counter(one["said"].partition(" ")[0] for one in these).items())
                )
        row[name] = part
    families: dict[str, list[int]] = {}
    for item, answer in answers:
        counts = families.setdefault(f"{item.label} {item.family}", [0, 0, 0])
        counts[0] += 1
        counts[1] += answer["default"] == "told"
        counts[2] += answer["other"] == "told"
    row["families"] = {
        name: dict(zip(("n", "default", "other"), counts, strict=True))
        for name, counts in sorted(families.items())
    }
    row["cpu_seconds"] = round(sum(answer["cpu"] for _, answer in answers), 2)
    row["cpu_ms_a_file"] = round(1000 * row["cpu_seconds"] / max(1, len(answers)), 2)
    outcomes = Counter(answer["default"] for _, answer in answers)
    row.update({name: outcomes.get(name, 0) for name in ("error", "unsupported", "crash", "timeout")})
    row["slowest"] = [
        {"path": item.path.name, "cpu": round(answer["cpu"], 2)}
        for item, answer in sorted(answers, key=lambda pair: -pair[1]["cpu"])[:3]
    ]
    return row


def missed(answers: Sequence[tuple[Item, dict[str, Any]]], folder: Path) -> dict[str, list[str]]:
    """Files of ours to look at: malicious ones that were not told, benign ones that were."""
    lists: dict[str, list[str]] = {
        name: []
        for name in (
            "malicious_clean",
            "malicious_unread",
            "benign_malicious",
            "benign_suspicious",
            "benign_unread",
        )
    }
    for item, answer in answers:
        default, other = answer["default"], answer["other"]
        if item.label == "malicious":
            kind = {"clean": "clean", "told": ""}.get(other, "unread")
        else:
            kind = "malicious" if default == "told" else "suspicious" if other == "told" else ""
            kind = kind or ("" if default == "clean" else "unread")
        if kind:
            lists[f"{item.label}_{kind}"].append(f"{item.path.relative_to(folder)}: {answer['said']}")
    return lists


def per_cent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} %"


def table(rows: Sequence[dict[str, Any]], part: str = "all") -> str:
    """A plain table of one corpus."""
    heads = (
        "files",
        "detected",
        "other",
        "false",
        "other",
        "error",
        "no fmt",
        "crash",
        "hang",
        "CPU s",
        "ms/file",
        "MB",
    )
    widths = (6, 9, 8, 8, 8, 6, 6, 6, 5, 8, 8, 6)
    lines = [
        "".join(
            [f"{'tool':24}", *(f"{head:>{width + 1}}" for head, width in zip(heads, widths, strict=True))]
        )
    ]
    for row in rows:
        bad, good = row[part]["malicious"], row[part]["benign"]
        cells = (
            bad["n"] + good["n"],
            *(per_cent(one[key]) for one in (bad, good) for key in ("default_pct", "other_pct")),
            *(row[name] for name in ("error", "unsupported", "crash", "timeout")),
            f"{row['cpu_seconds']:.1f}",
            f"{row['cpu_ms_a_file']:.2f}",
            f"{row['peak_mb']:.0f}",
        )
        name = f"{row['tool']} {row['version']}{'*' if row.get('sample') else ''}"
        lines.append(
            "".join(
                [f"{name:24}", *(f"{cell:>{width + 1}}" for cell, width in zip(cells, widths, strict=True))]
            )
        )
    return "\n".join(lines)


def by_command(folder: Path, source: Path) -> dict[str, Any]:
    """One run of `eightysix scan` over a whole folder, as anybody would run it: CPU with its children, peak, exit code."""
    begun = time.monotonic()
    variables = {**os.environ, "PYTHONPATH": str(source)}
    command = [
        sys.executable,
        "-m",
        "eightysix",
        "scan",
        str(folder),
        "--format",
        "json",
        "--output",
        os.devnull,
        "--quiet",
    ]
    process = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return {
        "files": sum(path.is_file() for path in folder.rglob("*")),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "wall_seconds": round(time.monotonic() - begun, 2),
        "peak_mb": round(usage.ru_maxrss / 1024, 1),
        "exit": process.returncode,
    }


def run(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Every tool over one corpus."""
    items = read(folder)
    rows = []
    made: dict[str, Any] = {"files": len(items), "labels": dict(Counter(item.label for item in items))}
    for tool in options.tools:
        chosen = sampled(items, options.sample) if tool in SLOW else items
        command, variables, version = command_of(tool, options.venvs, options.source)
        worker = Worker(command, variables)
        answers = []
        for number, item in enumerate(chosen):
            answers.append((item, worker.ask(item.path)))
            if sys.stderr.isatty():
                print(f"\r{tool}: {number + 1:,} of {len(chosen):,}", end="", file=sys.stderr)
        worker.end()
        row = {
            **summary(tool, answers),
            "version": version,
            "peak_mb": round(worker.peak_kb / 1024, 1),
            "start_cpu_seconds": round(worker.start_cpu, 2),
        }
        if len(chosen) < len(items):
            row["sample"] = len(chosen)
        rows.append(row)
        print(f"\r{tool}: {len(chosen):,} files, {row['cpu_seconds']:.1f} CPU seconds", file=sys.stderr)
        if tool == OURS:
            made["to_look_at"] = missed(answers, folder)
            made["command"] = by_command(folder, options.source)
        if options.answers:
            options.answers.mkdir(parents=True, exist_ok=True)
            lines = [
                {
                    "path": str(item.path.relative_to(folder)),
                    "label": item.label,
                    "family": item.family,
                    **answer,
                }
                for item, answer in answers
            ]
            (options.answers / f"{folder.name}-{tool}.jsonl").write_text(
                "".join(json.dumps(line) + "\n" for line in lines)
            )
    made["tools"] = rows
    return made


def main(arguments: Sequence[str]) -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.scan.peers", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--given", type=Path)
    parser.add_argument("--venvs", type=Path, default=ROOT / ".venv-scan")
    parser.add_argument("--source", type=Path, default=ROOT / "src", help="where eightysix itself lies")
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS))
    parser.add_argument("--sample", type=int, default=500)
    parser.add_argument("--answers", type=Path, help="write every answer there, one file a tool")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    result: dict[str, Any] = {
        "python": platform.python_version(),
        "timeout_seconds": TIMEOUT,
        "other_settings": OTHER,
    }
    if options.output and options.output.is_file():  # what another run measured of the other corpus stays
        result = {**json.loads(options.output.read_text()), **result}
    for name, folder in (("generated", options.corpus), ("given", options.given)):
        if folder:
            result[name] = run(folder, options)
            for part in ("all", "pickle_and_containers"):
                print(f"\n{name}, {part.replace('_', ' ')}:\n{table(result[name]['tools'], part)}")
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
