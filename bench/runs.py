"""The given real runs, from all files and from parts of them: verdict, stages and seconds from install to exfiltration.

    python -m bench.runs FOLDER [--output bench/results/runs.json]

FOLDER holds one folder a run, with its telemetry and a `label.json`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from eightysix.rules.catalog import load_packaged
from eightysix.serve.replay import Replay, ReplayOptions

SUBSETS: dict[str, tuple[str, ...]] = {
    "all": ("*.jsonl",),
    "tetragon and AKS audit": ("tetragon.jsonl", "aks-diagnostics.jsonl"),
    "sensor and audit": ("sensor.jsonl", "kubernetes-audit.jsonl"),
    "tetragon": ("tetragon.jsonl",),
    "sensor": ("sensor.jsonl",),
}


def judge(run: Path, patterns: tuple[str, ...]) -> dict[str, object]:
    """What the files of `run` that match `patterns` amount to."""
    paths = sorted(str(path) for pattern in patterns for path in run.glob(pattern))
    report = Replay(load_packaged(), ReplayOptions()).read(paths, None)
    told: dict[str, object] = {"files": len(paths), "verdict": "none"}
    for incident in report.incidents[:1]:
        leaves = [stage.offset_s for stage in incident.stages if stage.stage == "leave"]
        told |= {
            "verdict": str(incident.verdict),
            "score": incident.score,
            "stages": list(dict.fromkeys(str(stage.stage) for stage in incident.stages)),
            "install_to_exfiltration_s": leaves[-1] if leaves else None,
        }
    return told


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    rows = {}
    for run in sorted(path for path in args.folder.iterdir() if (path / "label.json").exists()):
        label = json.loads((run / "label.json").read_text())
        rows[run.name] = {
            "label": {"verdict": label["verdict"], "stages": label.get("stages", [])},
            **{name: judge(run, patterns) for name, patterns in SUBSETS.items()},
        }
    text = json.dumps(rows, indent=1) + "\n"
    if args.output:
        args.output.write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
