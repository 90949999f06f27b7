"""Detection on generated telemetry: 20 hours of a cluster, with every kind of attack and look-alike, late and repeated.

    python -m bench.generated [--pods 30000] [--hours 20] [--rate 15] [--output bench/results/generated.json]

Each row generates the same cluster (same seed) with another lateness, reads it with `eightysix detect` as a user would, and
holds the incidents against the labels. Sensor in two namespaces, audit log switched off for the last quarter, a tenth
of the nodes without Tetragon: attacks are seen by different subsets of the sources, some by none that could tell. A last row is
longer and smaller, for attacks that sleep for a day. All of it is generated: nothing here was recorded.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from hashlib import blake2b
from pathlib import Path
from typing import Any

__all__ = ["judge", "main"]

LATENESS_S = (0, 30, 120, 600)
DUPLICATES = 0.05
ORDER = ("none", "watch", "suspect", "contain")

Json = dict[str, Any]


def run(command: list[str]) -> tuple[int, float, float]:
    """Run `eightysix ...`; its exit code, CPU seconds and peak memory in MiB."""
    process = subprocess.Popen([sys.executable, "-m", "eightysix", *command], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1_024


def judge(labels: Json, report: Json) -> Json:
    """Incidents held against labels."""
    worst: dict[str, str] = {}
    for incident in report["incidents"]:
        pod = incident["pod"]
        uid = pod["uid"] if pod else ""
        worst[uid] = max(worst.get(uid, "none"), incident["verdict"], key=ORDER.index)
    verdict = {
        told["id"]: max((worst.get(uid, "none") for uid in [told["pod"]["uid"]]), key=ORDER.index)
        for told in [*labels["attacks"], *labels["look_alikes"]]
    }
    attacks, look_alikes = labels["attacks"], labels["look_alikes"]
    evaluable = [told for told in attacks if told["evaluable"]]
    rest = [told for told in attacks if not told["evaluable"]]
    missed = [told for told in evaluable if _below(verdict[told["id"]], "suspect")]
    raised = [told for told in look_alikes if not _below(verdict[told["id"]], "suspect")]
    planted = {uid for told in attacks for uid in told["pods"]} | {told["pod"]["uid"] for told in look_alikes}
    others = [uid for uid, told in worst.items() if uid not in planted and not _below(told, "suspect")]
    return {
        "attacks": len(attacks),
        "evaluable": len(evaluable),
        "found": len(evaluable) - len(missed),
        "contain": sum(verdict[told["id"]] == "contain" for told in evaluable),
        "below_their_label": _kinds(t for t in evaluable if _below(verdict[t["id"]], t["at_least"])),
        "missed": _kinds(missed),
        "refused_attempts": len(_of(attacks, "attempt")),
        "not_evaluable": len(_of(attacks, "telemetry")),
        "not_evaluable_share": round(len(_of(attacks, "telemetry")) / max(1, len(attacks)), 3),
        "not_evaluable_why": _reasons(_of(attacks, "telemetry")),
        "no_rule": len(_of(attacks, "rules")),
        "no_rule_why": _reasons(_of(attacks, "rules")),
        "found_though_not_asked_for": _kinds(t for t in rest if not _below(verdict[t["id"]], "suspect")),
        "by_telemetry": _by_telemetry(attacks, verdict),
        "look_alikes": len(look_alikes),
        "look_alikes_at_watch": sum(verdict[told["id"]] == "watch" for told in look_alikes),
        "look_alikes_raised": _kinds(raised),
        "other_pods_at_watch": sum(told == "watch" for uid, told in worst.items() if uid not in planted),
        "other_pods_raised": len(others),
        "flooded": [text.partition(": ")[2] or text for text in report["coverage"]["flooded"]][:5],
        "outcome": blake2b(
            json.dumps(sorted((i["id"], i["verdict"], i["score"]) for i in report["incidents"])).encode(),
            digest_size=6,
        ).hexdigest(),
    }


def _by_telemetry(attacks: list[Json], verdict: dict[str, str]) -> Json:
    rows: dict[str, Counter[str]] = {}
    for told in attacks:
        row = rows.setdefault(" ".join(told["telemetry"]) or "nothing", Counter())
        row["attacks"] += 1
        row["evaluable"] += told["evaluable"]
        row["found"] += told["evaluable"] and not _below(verdict[told["id"]], "suspect")
    return {name: dict(row) for name, row in sorted(rows.items())}


def _of(attacks: list[Json], gap: str) -> list[Json]:
    return [told for told in attacks if told["gap"] == gap]


def _reasons(attacks: list[Json]) -> Json:
    return dict(sorted(Counter(told["why_not"] for told in attacks).items()))


def _kinds(told: Any) -> Json:
    return dict(sorted(Counter(f"{one['kind']} ({' '.join(one['telemetry'])})" for one in told).items()))


def _below(verdict: str, bound: str) -> bool:
    return ORDER.index(verdict) < ORDER.index(bound)


def row(folder: Path, lateness: int, options: dict[str, object]) -> Json:
    """Generate, detect, judge."""
    command = ["generate", str(folder), "--lateness", str(lateness), "--duplicates", str(DUPLICATES)]
    for name, value in options.items():
        for one in value if isinstance(value, list) else [value]:
            command += [f"--{name}", str(one)]
    code, cpu, peak = run(command)
    assert code == 0, command
    labels = json.loads((folder / "labels.json").read_bytes())
    telemetry = folder / "telemetry"
    size = sum(path.stat().st_size for path in telemetry.rglob("*.jsonl"))
    report_file = folder / "report.json"
    code, detect_cpu, detect_peak = run(
        ["detect", str(telemetry), "--quiet", "--format", "json", "--output", str(report_file)]
    )
    assert code in (0, 10, 11, 13, 14), code
    report = json.loads(report_file.read_bytes())
    records = sum(labels["records"].values()) + sum(labels["duplicates"].values())
    assert records == report["counts"]["records"], "every delivered record is read"
    return {
        "lateness_s": lateness,
        "duplicates": DUPLICATES,
        "hours": labels["plan"]["hours"],
        "pods": sum(labels["pods"].values()),
        "nodes": labels["plan"]["nodes"],
        "records": records,
        "gigabytes": round(size / 1e9, 2),
        "generate_cpu_s": round(cpu, 1),
        "generate_peak_mib": round(peak),
        "detect_cpu_s": round(detect_cpu, 1),
        "detect_peak_mib": round(detect_peak),
        **judge(labels, report),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pods", type=int, default=30_000)
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--hours", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=15.0)
    parser.add_argument("--attacks", type=int, default=312)
    parser.add_argument("--look-alikes", type=int, default=3_000)
    parser.add_argument("--seed", type=int, default=86)
    parser.add_argument("--lateness", type=int, nargs="*", default=list(LATENESS_S))
    parser.add_argument("--folder", type=Path, help="where to write (default: a temporary folder)")
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    options: dict[str, object] = {
        "pods": args.pods,
        "nodes": args.nodes,
        "hours": args.hours,
        "rate": args.rate,
        "attacks": args.attacks,
        "look-alikes": args.look_alikes,
        "seed": args.seed,
        "sensor-namespace": ["ml", "serving"],
        "audit-hours": args.hours * 0.75,
        "blind-nodes": args.nodes // 10,
    }
    day = {
        "pods": 3_000,
        "nodes": 20,
        "hours": 48,
        "rate": 3,
        "attacks": 120,
        "look-alikes": 300,
        "seed": args.seed,
    }
    rows: list[Json] = []
    with tempfile.TemporaryDirectory(dir=args.folder) as scratch:
        for lateness, chosen in [*((late, options) for late in args.lateness), (600, day)]:
            folder = Path(scratch) / str(len(rows))
            rows.append(row(folder, lateness, chosen))
            shutil.rmtree(folder)
            print(json.dumps(rows[-1]), file=sys.stderr)
    text = json.dumps({"data": "generated", "rows": rows}, indent=1) + "\n"
    if args.output:
        args.output.write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
