"""From a snapshot to what is told of it: the written example, how bad it is, and the cases of KubeHound."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eightysix.model.errors import UsageError
from eightysix.model.posture import Posture
from eightysix.posture import judge as judging
from eightysix.posture.graph import EdgeKey
from eightysix.posture.judge import World, judge, worst
from eightysix.posture.reading import SnapshotBuilder
from eightysix.posture.snapshot import Snapshot

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "posture"
PLAIN = {
    "kind": "Pod",
    "apiVersion": "v1",
    "metadata": {"name": "p", "namespace": "ml"},
    "spec": {
        "automountServiceAccountToken": False,
        "containers": [{"name": "c", "image": "r.io/i@sha256:" + "a" * 64}],
    },
}


def snapshot(*texts: str, **more: Any) -> Snapshot:
    builder = SnapshotBuilder(**more)
    for text in texts:
        (builder.take if text[:1] in "{[" else builder.take_yaml)(
            text.replace("\n", " ").encode() if text[:1] in "{[" else text.encode()
        )
    assert builder.problems == []
    return builder.snapshot()


@pytest.fixture(scope="module")
def example() -> World:
    cloud = (EXAMPLE / "cloud.json").read_text()
    return World(snapshot((EXAMPLE / "cluster.yaml").read_text(), cloud, cluster="aks"))


def test_the_example_is_told(example: World) -> None:
    told = judge(example.snapshot, world=example)
    by_name = {pod.name: pod for pod in told.pods}
    assert worst(told) == "high"
    assert "sink:cluster-admin" in by_name["retrain"].sinks
    assert "sink:acr-write" in by_name["vllm"].sinks  # by the identity that its account stands for
    assert by_name["page"].sinks == ()
    assert by_name["nvidia-device-plugin"].architectural
    assert set(by_name["vllm"].domains) == {"cluster", "delivery", "cloud"}
    assert by_name["runner"].density == 3
    assert told.fixes[0].command == "kubectl delete -- clusterrolebinding trainer-was-in-a-hurry"
    assert {path.pod for path in told.paths} == {pod.id for pod in told.pods if pod.sinks}
    assert len(told.paths) == sum(len(pod.sinks) for pod in told.pods)
    assert all(path.steps[0].source == path.pod and path.steps[-1].target == path.sink for path in told.paths)


def test_every_edge_leads_from_and_to_a_vertex_and_has_evidence_by_name(example: World) -> None:
    told = judge(example.snapshot, world=example)
    ids = {vertex.id for vertex in told.vertices}
    assert {edge.source for edge in told.edges} | {edge.target for edge in told.edges} <= ids
    assert {pod.id for pod in told.pods} <= ids
    assert len({vertex.id for vertex in told.vertices}) == len(told.vertices)
    identity = next(one for one in told.vertices if one.facts.get("name") == "inference")
    assert identity.facts["principal_id"].startswith("2222")


def test_a_fix_does_what_it_says(example: World) -> None:
    told = judge(example.snapshot, world=example)
    first = told.fixes[0]
    change = example.simulate([EdgeKey(*key) for key in first.edges])
    lost = sum(one.pods for one in change.changes if one.lost)
    assert lost == first.pods
    assert change.unknown == ()


def test_order_of_objects_means_nothing(example: World) -> None:
    documents = (EXAMPLE / "cluster.yaml").read_text().split("---\n")
    turned = snapshot("---\n".join(reversed(documents)), (EXAMPLE / "cloud.json").read_text(), cluster="aks")
    assert judge(turned) == judge(example.snapshot, world=example)


def _level(*objects: Any, **more: Any) -> str:
    return worst(
        judge(
            snapshot(
                "\n".join(map(json.dumps, objects))
                if len(objects) == 1
                else json.dumps({"kind": "List", "items": objects}),
                **more,
            )
        )
    )


def test_how_bad_it_is() -> None:
    assert _level(PLAIN, manifests=True) == "none"
    assert _level(PLAIN) == "unseen"
    root = json.loads(json.dumps(PLAIN))
    root["spec"]["containers"][0]["securityContext"] = {"privileged": True}
    assert _level(root, manifests=True) == "medium"
    operand = json.loads(json.dumps(root))
    operand["spec"]["containers"][0]["image"] = "nvcr.io/nvidia/k8s-device-plugin:v0.17.0"
    assert _level(operand, manifests=True) == "low"


def test_full_control_is_the_worst_only_where_something_can_be_replaced() -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a", "namespace": "ml"}}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "b"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "a", "namespace": "ml"}],
    }
    admin = json.loads(json.dumps(PLAIN))
    admin["spec"].update(serviceAccountName="a", automountServiceAccountToken=True)
    assert _level(admin, account, binding, manifests=True) == "medium"
    admin["spec"]["containers"][0].update(image="r.io/i:latest")
    assert _level(admin, account, binding, manifests=True) == "high"


def test_a_pod_is_found_by_what_people_call_it(example: World) -> None:
    vertex = "pod:ml/Deployment/vllm"
    for name in (vertex, "vllm", "ml/vllm", "ml/Deployment/vllm", "ml/vllm-7d9f8b-x2x4z"):
        assert example.find(name) == vertex
    with pytest.raises(UsageError, match="no pod or workload"):
        example.find("nobody")
    twice = json.loads(json.dumps(PLAIN))
    twice["metadata"]["namespace"] = "other"
    both = World(snapshot(json.dumps({"kind": "List", "items": [PLAIN, twice]})))
    with pytest.raises(UsageError, match="2 are called p"):
        both.find("p")


def test_more_paths_than_are_told_are_counted(example: World, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = judge(example.snapshot, world=example)
    monkeypatch.setattr(judging, "MAX_PATHS", 3)
    cut = judge(example.snapshot, world=example)
    assert cut.paths == whole.paths[:3]
    assert f"{len(whole.paths) - 3} more paths" in {gap.what for gap in cut.not_seen}


def test_nothing_at_all_is_told_as_such() -> None:
    told = judge(snapshot("{}"))
    assert isinstance(told, Posture)
    assert (told.pods, told.paths, told.fixes, worst(told)) == ((), (), (), "unseen")


def test_rules_of_kubehound_have_its_edges_and_no_sinks(example: World) -> None:
    told = judge(example.snapshot, rules="kubehound")
    types = {edge.type for edge in told.edges}
    assert {"IDENTITY_ASSUME", "PERMISSION_DISCOVER"} <= types
    assert not types & {"HOLDS", "SA_TOKEN_MOUNTED", "GPU_PRIV_OPERAND"}
    assert (told.rules, told.paths, told.fixes) == ("kubehound", (), ())
    with pytest.raises(UsageError, match="no rules"):
        World(example.snapshot, "other")


def test_what_gpus_need_is_told_once_for_each_node_pool_with_what_its_nodes_hold() -> None:
    nodes = [f"aks-gpu-{number}" for number in range(3)]
    operand = {
        "containers": [
            {
                "name": "d",
                "image": "nvcr.io/nvidia/driver:550",
                "securityContext": {"privileged": True},
            }
        ],
        "automountServiceAccountToken": False,
    }
    pods = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"{name}-{node}",
                "namespace": "ops",
                "uid": "u",
                "ownerReferences": [{"kind": "DaemonSet", "name": name, "controller": True}],
            },
            "spec": {**spec, "nodeName": node},
        }
        for node in nodes
        for name, spec in (
            ("driver", operand),
            ("trainer", {"containers": [{"name": "t", "image": "t"}], "serviceAccountName": "admin"}),
        )
    ]
    rbac = """
kind: ClusterRoleBinding
apiVersion: rbac.authorization.k8s.io/v1
metadata: {name: all}
roleRef: {kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: admin, namespace: ops}]
"""
    pool = {
        "id": "/subscriptions/s/pool",
        "type": "Microsoft.Compute/virtualMachineScaleSets",
        "name": "gpu",
        "identity": {"userAssignedIdentities": {"/ids/a": {"clientId": "c", "principalId": "p"}}},
        "virtualMachineProfile": {"osProfile": {"computerNamePrefix": "aks-gpu-"}},
    }
    told = judge(snapshot(json.dumps(pods), json.dumps([pool]), rbac))
    (found,) = told.architectural
    assert (found.pool, found.nodes) == ("gpu", tuple(nodes))
    assert found.operands == ("pod:ops/DaemonSet/driver",)
    assert found.neighbours == ("pod:ops/DaemonSet/trainer",)
    assert (found.pods, found.identities) == (3, ("cloud-identity:/ids/a",))
    assert "sink:cluster-admin" in found.sinks
