"""Brings what README.md and docs/ show up to date: the table of measurements, and the output of every command in them.

python tools/readme_output.py            write both
python tools/readme_output.py --check    write nothing, exit 1 where the table is out of date (a test compares the output)

The table stands between two marks in README.md. Without `bench/results/throughput.json` nothing stands there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "README.md"
RESULTS = ROOT / "bench" / "results" / "throughput.json"
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"


def table(found: Mapping[str, Any]) -> str:
    """The measurements of `bench/throughput.py` as a table."""
    speed, median, score = found["records_per_cpu_second"], found["median"], found["incidents"]
    floor = found["floor_over_detect"]
    rows = [
        (
            f"Tetragon records in a CPU second, {found['bytes'] / found['records'] / 1000:.1f} KB each",
            f"{speed['detect']:,}",
        ),
        ("peak memory", f"{median['detect']['peak_mb']:.0f} MB"),
        (
            "CPU of a bare typed decode, over that of `detect`",
            f"{floor['median']:.2f} ({floor['min']:.2f} to {floor['max']:.2f})",
        ),
        ("CPU of Python EQL with one query, over that of `detect`", f"{found['eql_over_detect']:.1f}"),
        ("CPU with 50 rules, over that with the packaged ones", f"{found['fifty_rules_over_packaged']:.2f}"),
        (
            "planted chains found, missed, and pods told without one",
            f"{score['found']} of {score['planted']}, {score['missed']}, {score['false']}",
        ),
    ]
    lines = [
        f"{found['records']:,} records, median of {found['rounds']} rounds, Python {found['python']}, one core:",
        "",
        "| measured | result |",
        "|---|---:|",
        *(f"| {what} | {result} |" for what, result in rows),
        "",
        "All of them: [bench/results/throughput.json](bench/results/throughput.json).",
    ]
    return "\n".join(lines)


def live_table(folder: Path) -> str:
    """What `bench/live.py` and `bench/crash.py` measured of `watch`, as a table; nothing where they did not."""
    names = ("live_latency", "live_steady", "live_backlog", "crash")
    found = {
        name: json.loads((folder / f"{name}.json").read_text())
        for name in names
        if (folder / f"{name}.json").is_file()
    }
    rows = []
    if "live_latency" in found:
        told = found["live_latency"]
        late = told["latency"]
        rows.append(
            (
                f"from a record on disk to the delivered incident, {told['rate']:,} records/s for {told['seconds']:.0f} s",
                f"p50 {late['p50_ms']:.0f} ms, p99 {late['p99_ms']:.0f} ms (n={late['n']})",
            )
        )
    if "live_steady" in found:
        told = found["live_steady"]
        rows.append(
            (
                f"{told['rate']:,} records/s of {told.get('pods', 0):,} pods for {told['seconds'] / 60:.0f} minutes",
                f"{told['share_of_a_core'] * 100:.1f} % of a core, {told['peak_mb']:.0f} MB",
            )
        )
    if "live_backlog" in found:
        told = found["live_backlog"]
        rows.append(
            (f"a backlog of {told['records']:,} records", f"{told['records_per_second']:,} records/s")
        )
    if "crash" in found:
        told = found["crash"]
        rows.append(
            (
                f"killed (SIGKILL) {told['kills']} times, {told['incidents']} incidents: lost, changed, repeated revisions",
                f"{told['lost']}, {told['changed_or_invented']}, {told['repeated']}",
            )
        )
    if not rows:
        return ""
    lines = [
        "`eightysix watch`, with state, delivering to a webhook:",
        "",
        "| measured | result |",
        "|---|---:|",
    ]
    return "\n".join([*lines, *(f"| {what} | {result} |" for what, result in rows), ""])


def scan_table(folder: Path) -> str:
    """What `bench/scan/peers.py` and `bench/scan/big.py` measured, as tables; nothing where they did not."""
    parts = []
    if (folder / "scan.json").is_file():
        measured = json.loads((folder / "scan.json").read_text())
        for name, title in (
            ("generated", "a corpus made here"),
            ("given", "a labelled folder of others' files"),
        ):
            if name in measured:
                parts.append(_scanners(measured[name], title))
    if (folder / "scan_big.json").is_file():
        parts.append(_big_inputs(json.loads((folder / "scan_big.json").read_text())["rows"]))
    return "\n".join(parts)


def _scanners(measured: Mapping[str, Any], title: str) -> str:
    rows = measured["tools"]
    labels = measured["labels"]
    counts = f"{labels.get('malicious', 0):,} malicious and {labels.get('benign', 0):,} benign files"
    lines = [
        f"`eightysix scan` and its peers over {title}, {counts}. In brackets: the other setting of the same tool.",
        "",
        "| scanner | found | false alarms | not read, crashes, hangs | CPU a file | memory |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        bad, good = row["all"]["malicious"], row["all"]["benign"]
        name = f"{row['tool']} {row['version']}" + (f", {row['sample']} files" if row.get("sample") else "")
        lines.append(
            f"| {name} ({row['other_setting']}) | {bad['default_pct']:.1f} % ({bad['other_pct']:.1f} %) "
            f"| {good['default_pct']:.1f} % ({good['other_pct']:.1f} %) "
            f"| {row['error'] + row['unsupported']}, {row['crash']}, {row['timeout']} "
            f"| {row['cpu_ms_a_file']:.1f} ms | {row['peak_mb']:.0f} MB |"
        )
    return "\n".join([*lines, ""])


def _big_inputs(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        "Big inputs, CPU seconds of the whole command, and what a bare BLAKE3 of the same bytes takes:",
        "",
        "| input | scan | with `--digest` | BLAKE3 | memory |",
        "|---|---:|---:|---:|---:|",
    ]
    for row in rows:
        hashed = (
            f"{row['scan_digest']['cpu']:.2f} s | {row['blake3']['cpu']:.2f} s"
            if "blake3" in row
            else "- | -"
        )
        lines.append(
            f"| {row['input']} | {row['scan']['cpu']:.2f} s | {hashed} | {row['scan']['peak_mb']:.0f} MB |"
        )
    return "\n".join([*lines, ""])


def with_table(page: str, results: Path) -> str:
    """`page` with the tables of `results` and its folder between the marks, or with nothing there where they are absent."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{PAGE.name} lacks the marks {BEGIN} and {END}")
    inside = f"\n{table(json.loads(results.read_text()))}\n" if results.is_file() else "\n"
    live = live_table(results.parent)
    inside += f"\n{live}" if live else ""
    scans = scan_table(results.parent)
    inside += f"\n{scans}" if scans else ""
    return f"{before}{BEGIN}{inside}{END}{after}"


def main(arguments: Sequence[str]) -> int:
    """Write or check."""
    page = PAGE.read_text(encoding="utf-8")
    wanted = with_table(page, RESULTS)
    if "--check" in arguments:
        if page != wanted:
            print("the table in README.md is out of date: run python tools/readme_output.py")
        return int(page != wanted)
    PAGE.write_text(wanted, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "tests/repo/test_readme.py"]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, "EIGHTYSIX_UPDATE_SNAPSHOTS": "1"}, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
