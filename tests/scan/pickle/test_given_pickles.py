"""The given samples of the pickle family, judged with the packaged index. They are no part of the repository."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

from eightysix.scan.scanner import scan_file


def verdicts(folder: Path, label: str) -> Counter[str]:
    """Verdicts of the core samples under `label` that some reader here recognises."""
    counts: Counter[str] = Counter()
    with (folder / "manifest.csv").open(newline="") as lines:
        for row in csv.reader(lines):
            if row[1:2] != [label] or row[4:6] != ["pickle", "core"]:
                continue
            file = scan_file(str(folder / row[0])).file
            if file.format in ("pickle", "pickle-hidden", "numpy", "torch-legacy"):
                counts[str(file.verdict)] += 1
    return counts


def test_no_malicious_sample_is_clean(shared_data: Path) -> None:
    counts = verdicts(shared_data / "scan", "malicious")
    assert counts["clean"] == 0
    assert counts["malicious"] >= 0.95 * counts.total()
