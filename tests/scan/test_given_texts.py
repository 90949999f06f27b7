"""The given samples of texts and agent state, against their labels.

Needs the shared data (see `tests.tiers`); the samples are no part of the repository. They are read as bytes alone.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from eightysix.scan.scanner import scan_file

GOOD = ("benign/gen/hf_llama", "benign/gen/lc", "benign/gen/yaml")
BAD = ("malicious/gen/config", "malicious/gen/other/hydra_config.yaml")


def files(folder: Path, names: tuple[str, ...]) -> list[Path]:
    found = [path for name in names for path in [folder / name, *sorted((folder / name).rglob("*"))]]
    return [path for path in found if path.is_file()]


@pytest.mark.tier("shared-data")
def test_benign_samples_are_clean(shared_data: Path) -> None:
    paths = files(shared_data / "scan", GOOD)
    assert len(paths) >= 10
    assert {str(path): scan_file(str(path)).file.verdict.value for path in paths} == {
        str(path): "clean" for path in paths
    }


@pytest.mark.tier("shared-data")
def test_no_malicious_sample_is_clean(shared_data: Path) -> None:
    paths = files(shared_data / "scan", BAD)
    assert len(paths) >= 15
    verdicts = {path.name: scan_file(str(path)).file.verdict.value for path in paths}
    assert set(verdicts.values()) <= {"malicious", "suspicious"}
    assert sum(verdict == "malicious" for verdict in verdicts.values()) >= len(verdicts) / 2
