"""`eightysix posture` as a user runs it."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from eightysix.cli.main import main

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "posture"
OBJECTS, CLOUD = str(EXAMPLE / "cluster.yaml"), str(EXAMPLE / "cloud.json")
CUT = "HOLDS:service-account:ml/trainer:permission-set:cluster-admin::trainer-was-in-a-hurry"


@pytest.fixture(autouse=True)
def _plain_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("EIGHTYSIX_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> int:
    try:
        return main(["posture", *arguments])
    except SystemExit as stop:
        return int(stop.code or 0)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    run("--format", "json", *arguments)
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_first_screen(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(OBJECTS, "--cloud", CLOUD, "--cluster", "aks") == 13
    out, err = capsys.readouterr()
    assert err == ""
    for heading in ("Posture of aks", "WHICH PODS", "WHICH IDENTITIES", "WHICH FIXES", "NOT SEEN"):
        assert heading in out
    assert all(len(line) <= 80 for line in out.split("\n"))
    assert out.count("\n") < 65
    assert run(OBJECTS, "--exit-zero") == 0


def test_output_goes_to_a_private_file() -> None:
    assert run(OBJECTS, "--format", "json", "--output", "told.json") == 13
    assert json.loads(Path("told.json").read_text())["schema"] == "eightysix/posture/v1"
    assert stat.S_IMODE(Path("told.json").stat().st_mode) == 0o600


def test_why_tells_one_path_with_its_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("why", "ci/runner", "cluster-admin", OBJECTS, "--cloud", CLOUD) == 0
    out = capsys.readouterr().out
    assert out.startswith("ci/StatefulSet/runner reaches cluster-admin")
    assert "ClusterRoleBinding/trainer-was-in-a-hurry subjects" in out
    (path,) = told(capsys, "why", "runner", "sink:cluster-admin", OBJECTS)["paths"]
    assert path["steps"][-1]["target"] == "sink:cluster-admin"
    assert run("why", "ml/page", "cluster-admin", OBJECTS) == 0
    assert "does not reach cluster-admin" in capsys.readouterr().out
    assert told(capsys, "why", "ml/page", "cluster-admin", OBJECTS)["paths"] == []


def test_simulate_tells_what_a_cut_gains(capsys: pytest.CaptureFixture[str]) -> None:
    for order in (("--without", CUT, OBJECTS), (OBJECTS, "--without", CUT)):
        assert run("simulate", *order) == 0
        assert "loses cluster-admin" in capsys.readouterr().out
    changes = told(capsys, "simulate", "--without", CUT, OBJECTS)["changes"]
    assert all(
        "sink:cluster-admin" in one["lost"]
        for one in changes
        if one["pod"] != "pod:kube-system/DaemonSet/nvidia-device-plugin"
    )
    edge = next(
        edge
        for edge in told(capsys, OBJECTS)["edges"]
        if edge["source"].startswith("pod:ml/Deployment/page") is False
    )
    assert run("simulate", "--without", f"{edge['type']}:{edge['source']}:{edge['target']}", OBJECTS) == 0


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "nothing to read"),
        (("why", "ml/page"), "a pod and a sink"),
        (("why", "nobody", "node", OBJECTS), "no pod or workload nobody"),
        (("why", "ml/page", "the-moon", OBJECTS), "nothing leads to the-moon"),
        (("simulate", OBJECTS), "takes edges"),
        (("simulate", "--without", "X:y:z", OBJECTS), "no edge X:y:z"),
        ((OBJECTS, "--without", CUT), "belongs to a question"),
        ((OBJECTS, "--namespace", "ml"), "live cluster"),
        ((OBJECTS, "--taken-at", "yesterday"), "RFC 3339"),
        ((OBJECTS, "--kubeconfig", "x", "--manifests"), "no manifests"),
        ((OBJECTS, "--surely-not-an-option"), "unrecognized"),
    ],
)
def test_wrong_use_is_explained(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], why: str
) -> None:
    assert run(*arguments) == 2
    assert why in capsys.readouterr().err


def test_exit_codes_by_what_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    Path("quiet.yaml").write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  automountServiceAccountToken: false\n"
        "  containers: [{name: c, image: 'i@sha256:%s'}]\n" % ("a" * 64)
    )
    assert run("quiet.yaml") == 10
    assert run("--manifests", "quiet.yaml") == 0
    assert run("absent.yaml") == 3
    Path("broken.yaml").write_text("a: [")
    assert run("--manifests", "quiet.yaml", "broken.yaml") == 10
    assert "broken.yaml:1: malformed: not YAML" in capsys.readouterr().err


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with open(OBJECTS, encoding="utf-8") as file:
        monkeypatch.setattr("sys.stdin", file)
        assert run("-") == 13
    assert "ml/retrain" in capsys.readouterr().out
