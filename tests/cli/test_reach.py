"""What a pod could reach, beside what it did: `--posture` of detect and reconstruct, and the inventory of the latter."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from eightysix.cli.main import main
from eightysix.lab.apiserver import ApiServer
from eightysix.model.errors import MissingExtraError

EXAMPLE = str(Path(__file__).resolve().parents[2] / "examples" / "breach-86s")
RBAC = "rbac.authorization.k8s.io"
AT = "2026-11-24T12:25:00Z"


def objects(*, admin: bool = True) -> list[dict[str, Any]]:
    """The cluster of the example: its pod may make pods, and one of the accounts beside it may do everything."""
    pod = {
        "serviceAccountName": "inference-sa",
        "containers": [{"name": "server", "image": "registry.example/ml/inference:prod"}],
    }

    def role(name: str, resources: list[str], account: str) -> list[dict[str, Any]]:
        rules = [{"apiGroups": [""], "resources": resources, "verbs": ["create", "list"]}]
        subject = {"kind": "ServiceAccount", "name": account, "namespace": "ml"}
        meta = {"name": name, "namespace": "ml"}
        ref = {"apiGroup": RBAC, "kind": "Role", "name": name}
        return [
            {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": meta, "rules": rules},
            {
                "apiVersion": f"{RBAC}/v1",
                "kind": "RoleBinding",
                "metadata": meta,
                "roleRef": ref,
                "subjects": [subject],
            },
        ]

    binding = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "in-a-hurry"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "trainer", "namespace": "ml"}],
    }
    accounts = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": "ml"}}
        for name in ("inference-sa", "trainer")
    ]
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": "inference", "namespace": "ml"},
            "spec": {"replicas": 2, "template": {"metadata": {"labels": {"app": "inference"}}, "spec": pod}},
        },
        *accounts,
        *role("maker", ["pods"], "inference-sa"),
        *([binding] if admin else []),
    ]


@pytest.fixture(autouse=True)
def _plain_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("EIGHTYSIX_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)


def write(items: list[dict[str, Any]], name: str = "cluster.json") -> str:
    Path(name).write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": items}))
    return name


def posture(items: list[dict[str, Any]] | None = None, *more: str) -> str:
    name = write(items if items is not None else objects())
    main(["posture", name, "--manifests", "--taken-at", AT, "--format", "json", "--output", "p.json", *more])
    return "p.json"


def run(*arguments: str) -> int:
    try:
        return main([*arguments])
    except SystemExit as stop:
        return int(stop.code or 0)


def told(capsys: pytest.CaptureFixture[str], command: str, *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    run(command, EXAMPLE, "--format", "json", *arguments)
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


# --- incidents --------------------------------------------------------------------------------------------------------


def test_an_incident_tells_the_reach_of_its_pod(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("detect", EXAMPLE, "--posture", posture()) == 14
    out = " ".join(capsys.readouterr().out.split())
    assert (
        "within its reach, by the posture it holds credentials of 2 of 4 domains: the cluster and the cloud it could reach"
        " cluster-admin in " in out
    )
    assert "posture of 2026-11-24 12:25 UTC, 3 hours after this began: what was changed meanwhile" in out


def test_without_the_option_there_is_no_such_field(capsys: pytest.CaptureFixture[str]) -> None:
    (incident,) = told(capsys, "detect")["incidents"]
    assert "reach" not in incident
    assert "reach" not in told(capsys, "reconstruct")["stories"][0]


def test_reach_changes_nothing_else_of_an_incident(capsys: pytest.CaptureFixture[str]) -> None:
    (plain,) = told(capsys, "detect")["incidents"]
    for items in (objects(), objects(admin=False)):
        (dressed,) = told(capsys, "detect", "--posture", posture(items))["incidents"]
        reach = dressed.pop("reach")
        assert reach["workload"] == "ml/StatefulSet/inference"
        assert (reach["density"], reach["domains"]) == (2, ["cluster", "cloud"])
        assert len(reach["ways"]) <= 1
        assert dressed == plain


def test_a_pod_that_the_posture_does_not_know_has_none(capsys: pytest.CaptureFixture[str]) -> None:
    other = [one | {"metadata": one["metadata"] | {"namespace": "web"}} for one in objects()]
    (incident,) = told(capsys, "detect", "--posture", posture(other))["incidents"]
    assert "reach" not in incident
    (elsewhere,) = told(capsys, "detect", "--posture", posture(objects(), "--cluster", "staging"))[
        "incidents"
    ]
    assert "reach" not in elsewhere


@pytest.mark.parametrize("command", ["detect", "reconstruct"])
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is no posture"),
        ("[]", "is no posture"),
        ("{" * 100_000, "is no posture"),
        ('{"schema": "eightysix/posture/v2"}', "not 'eightysix/posture/v1'"),
        ('{"pods": []}', "names no schema"),
        ('{"schema": "eightysix/posture/v1"}', "is no posture"),
        ('{"schema": "eightysix/posture/v1", "rules": "kubehound"}', "nothing that is worth reaching"),
        (
            (
                '{"schema": "eightysix/posture/v1", "cluster": 1, "taken_at": "", "pods": "x", "identities": [], "paths": [],'
                ' "not_seen": [], "edges": []}'
            ),
            "is no posture",
        ),
        ("\xff\xfe", "is no posture"),
    ],
)
def test_what_is_no_posture_is_an_error(
    capsys: pytest.CaptureFixture[str], command: str, text: str, why: str
) -> None:
    Path("p.json").write_bytes(text.encode("latin-1"))
    assert run(command, EXAMPLE, "--posture", "p.json") == 2
    err = capsys.readouterr().err
    assert why in err
    assert "p.json" in err


def test_a_posture_that_is_not_there_or_too_large_is_an_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("detect", EXAMPLE, "--posture", "nowhere.json") == 2
    assert "nowhere.json cannot be read: No such file" in capsys.readouterr().err
    monkeypatch.setattr("eightysix.serve.reaching.MAX_POSTURE", 1000)
    assert run("detect", EXAMPLE, "--posture", posture()) == 2
    assert "is larger than" in capsys.readouterr().err


# --- stories ----------------------------------------------------------------------------------------------------------


def inventory() -> tuple[str, ...]:
    return ("--inventory", write(objects()), "--inventory-at", AT)


def test_a_story_tells_what_was_taken_and_what_was_only_within_reach(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (by_file,) = told(capsys, "reconstruct", "--posture", posture())["stories"]
    (by_inventory,) = told(capsys, "reconstruct", *inventory())["stories"]
    reach = by_file["reach"]
    assert reach["age_s"] == 10_800.0
    assert {(one["name"], one["state"]) for one in reach["identities"]} == {
        ("ml/inference-sa", "used"),
        ("ml/trainer", "exposed"),
    }
    assert reach["ways"][0]["sink"] == "sink:cluster-admin"
    assert by_inventory["reach"] | {"unseen": 0} == reach | {"unseen": 0}
    assert any(text.startswith("It could have reached cluster-admin") for text in by_file["summary"])


def test_what_was_only_within_reach_comes_after_what_was_taken(capsys: pytest.CaptureFixture[str]) -> None:
    (story,) = told(capsys, "reconstruct", "--posture", posture())["stories"]
    (plain,) = told(capsys, "reconstruct")["stories"]
    steps = [one["what"] for one in story["rotate"]]
    (added,) = set(steps) - {one["what"] for one in plain["rotate"]}
    assert added == "look at what the pod could have used next: service account ml/trainer"
    at = steps.index(added)
    assert all("inference" not in text or "delete pod" in text for text in steps[at:])
    assert steps[at + 1].startswith("block the artifact")
    assert story["rotate"][at]["commands"] == [
        "eightysix reconstruct '<folder with newer telemetry>' --identity=ml/trainer"
    ]


@pytest.mark.parametrize("format_", ["plain", "markdown", "html", "sarif", "ocsf", "csv", "timesketch"])
def test_every_format_takes_a_story_with_a_reach(capsys: pytest.CaptureFixture[str], format_: str) -> None:
    assert run("reconstruct", EXAMPLE, "--posture", posture(), "--format", format_) == 14
    out = capsys.readouterr().out
    if format_ in ("plain", "markdown", "html"):
        assert "could have reached" in " ".join(out.split())
    if format_ in ("plain", "markdown"):
        assert "within its reach, by the posture" in out.lower()


@pytest.mark.parametrize(
    ("items", "why"),
    [
        ([one for one in objects() if "Binding" not in one["kind"]], "names no roles and bindings"),
        (
            [one for one in objects() if one["kind"] != "StatefulSet"],
            "names no roles and bindings",
        ),
        (
            [one | {"metadata": one["metadata"] | {"namespace": "web"}} for one in objects()],
            "does not know it",
        ),
    ],
)
def test_why_nothing_is_told_of_the_reach_is_a_gap(
    capsys: pytest.CaptureFixture[str], items: list[dict[str, Any]], why: str
) -> None:
    (story,) = told(capsys, "reconstruct", "--inventory", write(items))["stories"]
    assert "reach" not in story
    (gap,) = [one for one in story["gaps"] if "could reach" in one["text"]]
    assert why in gap["text"]


def test_a_live_cluster_is_judged_and_its_refusals_are_a_gap(capsys: pytest.CaptureFixture[str]) -> None:
    nobody = {"kind": "User", "name": "system:anonymous", "apiGroup": RBAC}
    opened = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "opened"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [nobody],
    }
    told_by: list[dict[str, Any]] = []
    for more in ([opened], []):
        with ApiServer([*objects(), *more]) as server:
            config = {
                "clusters": [{"name": "c", "cluster": {"server": server.url}}],
                "users": [],
                "contexts": [{"name": "x", "context": {"cluster": "c"}}],
                "current-context": "x",
            }
            Path("config").write_text(json.dumps(config))
            (story,) = told(capsys, "reconstruct", "--kubeconfig", "config")["stories"]
            told_by.append(story)
    judged, refused = told_by
    assert judged["reach"]["workload"] == "ml/StatefulSet/inference"
    assert judged["reach"]["sinks"][0] == "sink:cluster-admin"
    assert judged["reach"]["taken_at"]
    assert "reach" not in refused
    assert refused["identities"] == judged["identities"]


def test_an_inventory_is_not_judged_where_numpy_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def judged(_: object) -> None:
        raise MissingExtraError("the graph of what pods reach needs numpy", "Install it.")

    monkeypatch.setattr("eightysix.serve.reaching.judged", judged)
    assert run("reconstruct", EXAMPLE, *inventory()) == 14
    err = capsys.readouterr().err
    assert err.count("what pods could reach is not told: the graph of what pods reach needs numpy") == 1
