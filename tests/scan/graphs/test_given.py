"""The given samples of weights and graphs, by their labels. Needs the shared data (see `tests.tiers`)."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from eightysix.model.finding import FileVerdict
from eightysix.scan.scanner import scan_file

FAMILIES = ("gguf", "safetensors", "onnx", "tf", "keras")

ONLY_INFORMS = {"safetensors:metadata-code"}
"""Text in metadata that reads like code: no loader runs it, so it changes no verdict."""


def given(shared_data: Path, label: str) -> list[tuple[Path, str]]:
    folder = shared_data / "scan"
    if not (folder / "manifest.csv").exists():
        pytest.skip("the shared data hold no samples of models")
    with (folder / "manifest.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["label"] == label and row["family"] in FAMILIES]
    # Archives are opened by another family of readers.
    return [(folder / row["path"], row["technique"]) for row in rows if not row["path"].endswith(".keras")]


def test_malicious_ones_are_not_clean(shared_data: Path) -> None:
    seen = given(shared_data, "malicious")
    passed = {technique for path, technique in seen if scan_file(str(path)).file.verdict is FileVerdict.CLEAN}
    assert len(seen) > 25
    assert passed == ONLY_INFORMS


def test_benign_ones_are_clean(shared_data: Path) -> None:
    seen = given(shared_data, "benign")
    verdicts = {path.name: scan_file(str(path)).file.verdict for path, _ in seen}
    assert len(seen) > 8
    assert {name for name, verdict in verdicts.items() if verdict is not FileVerdict.CLEAN} == set()
