"""Real runs of a pod-like container, from all files and from parts of them, against their labels.

Needs the shared data (see `tests.tiers`); the runs are no part of the repository.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from eightysix.model.incident import Incident, Report
from eightysix.rules.catalog import load_packaged
from eightysix.serve.replay import Replay, ReplayOptions

ATTACKS = ("attack-86s", "attack-fast")
BENIGN = ("benign-dependencies-at-start", "benign-notebook")
SUBSETS = {
    "all": (
        "tetragon",
        "sensor",
        "aks-diagnostics",
        "kubernetes-audit",
        "azure-activity",
        "managed-identity-sign-ins",
    ),
    "kernel and AKS audit": ("tetragon", "aks-diagnostics"),
    "kernel": ("tetragon",),
    "sensor and audit": ("sensor", "kubernetes-audit"),
    "sensor and AKS audit": ("sensor", "aks-diagnostics"),
}


def judged(run: Path, subset: str) -> Report:
    files = [run / f"{name}.jsonl" for name in SUBSETS[subset]]
    paths = [str(file) for file in files if file.exists()]
    return Replay(load_packaged(), ReplayOptions()).read(paths, None)


def only(report: Report) -> Incident:
    (incident,) = report.incidents
    return incident


@pytest.mark.parametrize("run", ATTACKS)
@pytest.mark.parametrize("subset", SUBSETS)
def test_attack(shared_data: Path, run: str, subset: str) -> None:
    folder = shared_data / "telemetry" / run
    label = json.loads((folder / "label.json").read_text())
    incident = only(judged(folder, subset))
    assert incident.verdict == label["verdict"]
    expected = set(label["stages"])
    if "sensor" not in SUBSETS[subset]:
        expected -= {"run"}
        assert any(gap.startswith("run:") for gap in incident.gaps)
    assert {stage.stage for stage in incident.stages} == expected
    if incident.pod is not None and subset != "kernel":
        assert f"{incident.pod.namespace}/{incident.pod.name}" == "ml/inference-0"
        named = {f"{identity.kind} {identity.name}" for identity in incident.identities}
        assert "service-account ml/inference-sa" in named
        assert "secret ml/acr-push-sp" in named


@pytest.mark.parametrize("subset", SUBSETS)
def test_install_to_exfiltration_takes_87_6_seconds(shared_data: Path, subset: str) -> None:
    incident = only(judged(shared_data / "telemetry" / "attack-86s", subset))
    (leaves,) = [stage.offset_s for stage in incident.stages if stage.stage == "leave"]
    assert leaves == pytest.approx(87.6, abs=0.1)  # the sensor starts 0.05 s after the exec


@pytest.mark.parametrize("run", BENIGN)
@pytest.mark.parametrize("subset", SUBSETS)
def test_benign(shared_data: Path, run: str, subset: str) -> None:
    folder = shared_data / "telemetry" / run
    assert all(incident.verdict == "watch" for incident in judged(folder, subset).incidents)


def test_azure_files_that_nothing_joins_change_only_a_gap(shared_data: Path) -> None:
    folder = shared_data / "telemetry" / "attack-86s"
    with_azure = judged(folder, "all")
    names = [name for name in SUBSETS["all"] if not name.startswith(("azure", "managed"))]
    without = Replay(load_packaged(), ReplayOptions()).read(
        [str(folder / f"{name}.jsonl") for name in names], None
    )
    assert [replace(incident, gaps=()) for incident in with_azure.incidents] == [
        replace(incident, gaps=()) for incident in without.incidents
    ]
    assert any("no cloud log was read" in gap for gap in without.incidents[0].gaps)
    assert any("--identity" in gap for gap in with_azure.incidents[0].gaps)
    assert with_azure.counts.unrecognised == 0


def test_one_export_read_twice_is_one(shared_data: Path) -> None:
    folder = shared_data / "telemetry" / "attack-86s"
    once = judged(folder, "kernel")
    twice = Replay(load_packaged(), ReplayOptions()).read([str(folder / "tetragon.jsonl")] * 2, None)
    assert twice.incidents == once.incidents
    assert twice.counts.duplicate > 0
