"""`eightysix posture` as a user runs it."""

from __future__ import annotations

import json
import os
import shlex
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
    assert out.count("\n") < 70
    assert run(OBJECTS, "--exit-zero") == 0


def test_output_goes_to_a_private_file() -> None:
    assert run(OBJECTS, "--format", "json", "--output", "told.json") == 13
    assert json.loads(Path("told.json").read_text())["schema"] == "eightysix/posture/v1"
    assert stat.S_IMODE(Path("told.json").stat().st_mode) == 0o600


def test_every_format_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    for name, begin in (
        ("sarif", '{\n  "$schema": "https://docs.oasis-open.org/sarif/'),
        ("html", "<!doctype html>\n"),
        ("opengraph", '{\n"metadata": {"source_kind": "E86_Posture"}'),
    ):
        assert run(OBJECTS, "--cloud", CLOUD, "--format", name) == 13
        out, err = capsys.readouterr()
        assert out.startswith(begin)
        assert err == ""


def test_sarif_points_into_the_manifests(capsys: pytest.CaptureFixture[str]) -> None:
    run(OBJECTS, "--cloud", CLOUD, "--format", "sarif")
    results = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    worst = next(one for one in results if one["ruleId"] == "posture-reaches-cluster-admin")
    place = worst["locations"][0]["physicalLocation"]
    line = Path(OBJECTS).read_text().split("\n")[place["region"]["startLine"] - 1]
    assert place["artifactLocation"]["uri"] == OBJECTS
    assert line.startswith("apiVersion: ")
    assert "What cuts it: " in worst["message"]["text"]


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


def test_what_nothing_leads_to_is_not_reached(capsys: pytest.CaptureFixture[str]) -> None:
    for sink in ("sub-owner", "ns-admin/nowhere", "node/unknown", "sink:kv-secrets"):
        assert run("why", "ml/page", sink, OBJECTS) == 0
        assert "does not reach" in capsys.readouterr().out
    assert run("why", "ml/page", "ns-admin", OBJECTS) == 2


def test_the_cut_that_why_proposes_takes_the_way(capsys: pytest.CaptureFixture[str]) -> None:
    run("why", "ci/runner", "cluster-admin", OBJECTS)
    line = capsys.readouterr().out.rstrip().split("\n")[-1]
    words = shlex.split(line.removesuffix(" PATH..."))
    assert words[:3] == ["eightysix", "posture", "simulate"]
    assert run(*words[2:], OBJECTS) == 0
    assert "ci/StatefulSet/runner loses cluster-admin" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"kind": "Table", "apiVersion": "meta.k8s.io/v1", "rows": []}', "-o json"),
        ('{"kind": "Status", "apiVersion": "v1", "status": "Failure"}', "an error of the API server"),
        ("NAME   READY\nvllm-0 1/1\n", "no object of Kubernetes"),
    ],
)
def test_what_kubectl_prints_in_place_of_objects_is_named(
    capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    Path("told").write_text(text)
    assert run("told") == 10
    out, err = capsys.readouterr()
    assert said in err
    assert "No pod and no workload was read" in out
    assert "1 record that could not be used" in out


def test_a_name_that_is_nearly_right_is_proposed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("why", "ml/pages", "cluster-admin", OBJECTS) == 2
    assert "Near to it: ml/page" in capsys.readouterr().err
    assert run("nowhere.yaml") == 3
    assert "objects of Kubernetes" in capsys.readouterr().err
    run("--rules", "kubehound", OBJECTS)
    assert "know nothing that is worth reaching" in " ".join(capsys.readouterr().out.split())


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
        ((OBJECTS, "--namespace", "ml", "--namespace", "ci"), "live cluster"),
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


LOGS, WHEN = str(EXAMPLE / "logs.jsonl"), "2026-11-23T09:00:00Z"


def test_logs_tell_the_use_of_identities_wherever_they_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, OBJECTS, "--cloud", CLOUD, "--logs", LOGS, "--taken-at", WHEN)
    lives = {one["name"]: one for one in found["identities"]}
    assert [lives[name]["unused"] for name in ("inference", "ml/trainer", "ci/builder", "kubelet")] == [
        True,
        True,
        False,
        False,
    ]
    assert lives["ci/builder"]["used_by"] == ["ci/runner-0"]
    assert lives["inference"]["reached_by"] == ["pod:ml/Deployment/vllm"]
    assert found["past"]["bindings"][0]["until"] == "2026-11-20T23:52:22.000000Z"
    assert told(capsys, str(EXAMPLE), "--taken-at", WHEN) == found
    assert not any("sign-ins" in one["what"] for one in found["not_seen"])
    assert told(capsys, OBJECTS, "--manifests")["not_seen"] == []


def test_what_was_is_an_answer_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    Path("app.yaml").write_text(
        "kind: Pod\napiVersion: v1\nmetadata: {name: app, namespace: ml}\n"
        "spec: {serviceAccountName: inference, containers: [{name: c, image: i}]}\n---\n"
        "kind: ClusterRoleBinding\napiVersion: rbac.authorization.k8s.io/v1\nmetadata: {name: seen}\n"
        "roleRef: {kind: ClusterRole, name: view}\nsubjects: [{kind: User, name: jane}]\n"
    )
    asked = ("why", "ml/app", "cluster-admin", "app.yaml", "--logs", LOGS, "--taken-at", WHEN)
    assert run(*asked) == 0
    out = capsys.readouterr().out
    assert "does not reach cluster-admin" in out
    assert "not any more" in out
    answer = told(capsys, *asked)
    assert answer["paths"] == []
    assert answer["past"][0]["until"] == "2026-11-20T23:52:22.000000Z"
