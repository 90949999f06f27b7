"""Records to a snapshot: any mixture and order, what is broken costs itself, and no Secret's data gets in."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from eightysix.posture.decoding import MAX_CUSTOM_BYTES
from eightysix.posture.reading import SnapshotBuilder
from eightysix.posture.snapshot import Snapshot

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "posture"
CANARY = "Q0FOQVJZ"


def taken(*texts: str | bytes, **more: Any) -> SnapshotBuilder:
    builder = SnapshotBuilder(**more)
    for number, text in enumerate(texts):
        data = text.encode() if isinstance(text, str) else text
        (builder.take if data[:1] in (b"{", b"[") else builder.take_yaml)(data, f"file-{number}")
    return builder


def bare(snapshot: Snapshot) -> bytes:
    """Everything but what was not seen, as bytes to compare."""
    return msgspec.msgpack.encode(msgspec.structs.replace(snapshot, not_seen=()))


def example() -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all((EXAMPLE / "cluster.yaml").read_text()) if one]


def pod(name: str, node: str, token: str = "abcde", **more: Any) -> dict[str, Any]:  # noqa: S107
    volume = f"kube-api-access-{token}"
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": name, "namespace": "ml", "uid": f"u-{name}", "resourceVersion": "5", **more},
        "spec": {
            "nodeName": node,
            "containers": [
                {"name": "c", "image": "i", "volumeMounts": [{"name": volume, "mountPath": "/t"}]}
            ],
            "volumes": [
                {"name": volume, "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
            ],
        },
        "status": {"phase": "Running"},
    }


def test_json_lines_lists_and_yaml_make_the_same_snapshot() -> None:
    objects = example()
    lines = "\n".join(json.dumps(one) for one in objects)
    as_list = json.dumps({"kind": "List", "apiVersion": "v1", "items": objects})
    wanted = taken((EXAMPLE / "cluster.yaml").read_bytes())
    assert wanted.problems == []
    for other in (
        taken(lines),
        taken(as_list),
        taken(yaml.safe_dump_all(objects)),
        taken(yaml.safe_dump(json.loads(as_list))),
    ):
        assert bare(other.snapshot()) == bare(wanted.snapshot())
        assert other.kinds == wanted.kinds


@given(st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_the_order_of_records_means_nothing(chance: random.Random) -> None:
    objects = [*example(), pod("a", "n1"), pod("a", "n2", resourceVersion="9"), pod("a", "n3", uid="other")]
    records = [*map(json.dumps, objects), *map(json.dumps, json.loads((EXAMPLE / "cloud.json").read_text()))]
    chance.shuffle(records)
    found = taken("\n".join(records)).snapshot()
    assert bare(found) == bare(taken("\n".join(sorted(records))).snapshot())
    assert found.pods["ml/a"].spec.node_name == "n2"


def test_of_one_object_the_latest_version_stays() -> None:
    old, new = pod("a", "old", resourceVersion="99"), pod("a", "new", resourceVersion="100")
    for records in ((old, new), (new, old)):
        snapshot = taken("\n".join(map(json.dumps, records))).snapshot()
        assert snapshot.pods["ml/a"].spec.node_name == "new"


def test_no_secret_data_gets_in() -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/dockerconfigjson",
        "metadata": {
            "name": "pull",
            "namespace": "ml",
            "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": f'{{"data":{{"x":"{CANARY}"}}}}',
                "some.tool/copy": CANARY,
                "kubernetes.io/service-account.name": "robot",
            },
        },
        "data": {".dockerconfigjson": CANARY},
        "stringData": {"plain": CANARY},
    }
    broken = {**secret, "metadata": {"name": "broken", "labels": CANARY}, "type": {"x": CANARY}}
    record = "\n".join(map(json.dumps, (secret, broken)))
    builder = taken(
        record, yaml.safe_dump_all([secret, broken]), json.dumps({"kind": "SecretList", "items": [secret]})
    )
    snapshot = builder.snapshot()
    told = snapshot.secrets["ml/pull"]
    assert told.type == "kubernetes.io/dockerconfigjson"
    assert told.metadata.annotations == {"kubernetes.io/service-account.name": "robot"}
    assert len(builder.problems) == 2
    assert CANARY not in repr(snapshot)
    assert CANARY not in repr(builder.problems)


def test_what_is_broken_costs_itself_and_is_named() -> None:
    good = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "good"}}
    records = [
        json.dumps(good),
        '{"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p", "namespace": "x"}, "spec": {"hostPID": "yes"}}',
        '{"kind": "Role", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {}}',
        '{"kind": "Node", "apiVersion": "v1", "metadata": "no"}',
        "{not json",
        '{"kind": "List", "items": [{"kind": "List", "items": [{"kind": "List", "items": []}]}]}',
        "[" * 100_000,
        json.dumps({**good, "metadata": {"name": "n" * 2000}}),
    ]
    builder = taken("\n".join(records))
    assert list(builder.snapshot().service_accounts) == ["default/good"]
    assert [(p.line, p.reason.split(": ")[0]) for p in builder.problems[:3]] == [
        (2, "Pod/x/p"),
        (3, "Role/of no name"),
        (4, "Node/of no usable name"),
    ]
    assert [p.line for p in builder.problems] == [2, 3, 4, 5, 6, 7, 8]
    assert any("7 records" in gap.what for gap in builder.snapshot().not_seen)


def test_charts_forget_types_and_leave_members_empty() -> None:
    text = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  annotations:
  labels: {release: 7, canary: true}
spec:
  replicas:
  template:
    metadata: {annotations: {checksum/secret: 60e0}}
    spec:
      serviceAccountName:
      volumes: null
      containers: [{name: c, image: i, command: null}]
"""
    builder = taken(text)
    assert builder.problems == []
    (workload,) = builder.snapshot().workloads.values()
    assert workload.metadata.labels == {"release": "7", "canary": "true"}


def test_kinds_are_told_apart_by_their_group() -> None:
    builder = taken(
        json.dumps({"apiVersion": "iam.example.com/v1", "kind": "Role", "metadata": {"name": "r"}}),
        json.dumps({"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": "s"}}),
        json.dumps(
            {
                "kind": "RoleList",
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "items": [{"metadata": {"name": "r"}}],
            }
        ),
    )
    assert list(builder.snapshot().roles) == ["default/r"]
    assert builder.unknown == {"Role": 1, "Service": 1}


def test_a_custom_resource_with_a_pod_template_makes_pods() -> None:
    spec = {"containers": [{"name": "c", "image": "i"}]}
    notebook = {
        "apiVersion": "kubeflow.org/v1",
        "kind": "Notebook",
        "metadata": {"name": "mine", "namespace": "ml"},
        "spec": {"template": {"spec": spec}},
    }
    certificate = {
        "apiVersion": "x.io/v1",
        "kind": "Certificate",
        "metadata": {"name": "c"},
        "spec": {"template": {"spec": {"containers": []}}},
    }
    builder = taken(json.dumps(notebook), json.dumps(certificate))
    assert list(builder.snapshot().workloads) == ["Notebook/ml/mine"]
    assert builder.unknown == {"Certificate": 1}


def test_a_custom_resource_is_kept_as_it_came_unless_it_is_huge() -> None:
    base: dict[str, Any] = {
        "apiVersion": "secrets-store.csi.x-k8s.io/v1",
        "kind": "SecretProviderClass",
        "metadata": {"name": "vault", "namespace": "ml"},
        "spec": {"parameters": {"keyvaultName": "kv"}},
    }
    huge = {**base, "metadata": {"name": "huge"}, "spec": {"x": "x" * MAX_CUSTOM_BYTES}}
    builder = taken(json.dumps(base), json.dumps(huge))
    (kept,) = builder.snapshot().custom["SecretProviderClass"]
    assert kept["spec"] == base["spec"]
    assert "larger than" in builder.problems[0].reason


def test_pods_that_are_alike_share_their_spec() -> None:
    pods = [pod(f"p{n}", f"node-{n}", f"{n:05}") for n in range(4)]
    for text in (
        "\n".join(map(json.dumps, pods)),
        "\n".join(json.dumps(one, separators=(",", ":")) for one in pods),
    ):
        found = list(taken(text).snapshot().pods.values())
        assert len({id(one.spec.containers) for one in found}) == 1
        assert [one.spec.node_name for one in found] == [f"node-{n}" for n in range(4)]


def test_a_node_name_written_elsewhere_is_not_put_aside() -> None:
    plain, odd = pod("a", "n1"), pod("b", "n1")
    odd["spec"]["nodeSelector"] = {"nodeName": "n1"}
    found = taken("\n".join(map(json.dumps, (plain, odd)))).snapshot().pods
    assert found["ml/a"].spec.node_selector is None
    assert found["ml/b"].spec.node_selector is not None


def test_the_cloud_is_read_from_what_az_answers() -> None:
    cloud = taken((EXAMPLE / "cloud.json").read_text().replace("\n", " ")).snapshot().cloud
    assert {one.name for one in cloud.identities} == {"inference", "kubelet"}
    kubelet = next(one for one in cloud.identities if one.name == "kubelet")
    assert kubelet.client_id.startswith("3333")
    assert kubelet.principal_id.startswith("4444")
    (trust,) = cloud.federations
    assert trust.identity == next(one.resource_id for one in cloud.identities if one.name == "inference")
    assert (trust.issuer, trust.subject) == (
        "https://oidc.example/cluster",
        "system:serviceaccount:ml:inference",
    )
    (assignment,) = cloud.assignments
    assert (assignment.role, assignment.scope.rpartition("/")[2]) == ("AcrPush", "acme")
    (pool,) = cloud.scale_sets
    assert (pool.pool, pool.prefix, pool.identities) == ("gpu", "aks-gpu-vmss", (kubelet.resource_id,))
    assert cloud.kubelet_client_id == kubelet.client_id
    assert (cloud.metadata_restricted, cloud.network_policy, len(cloud.registries)) == (False, "azure", 1)
    assert cloud.given


def test_the_restriction_of_the_metadata_service_is_read() -> None:
    cluster = {
        "type": "Microsoft.ContainerService/ManagedClusters",
        "id": "/x",
        "networkProfile": {"podLinkLocalAccess": "None"},
    }
    assert taken(json.dumps(cluster)).snapshot().cloud.metadata_restricted is True
    assert taken("{}").snapshot().cloud.metadata_restricted is None


@pytest.mark.parametrize("live", [True, False])
def test_what_was_not_given_is_told(live: bool) -> None:
    records = (
        [json.dumps(pod("a", "n"))] if live else [json.dumps({**pod("a", ""), "metadata": {"name": "a"}})]
    )
    missing = {gap.what for gap in taken(*records).snapshot().not_seen}
    assert {"roles", "role bindings", "service accounts", "namespaces", "the cloud"} <= missing
    assert ("running pods" in missing) is not live
    assert ("nodes" in missing) is live
    assert taken(*records, manifests=True).snapshot().not_seen == ()
    empty = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleList", "items": []}
    assert "roles" not in {gap.what for gap in taken(*records, json.dumps(empty)).snapshot().not_seen}


def test_a_binding_brings_the_roles_that_every_cluster_has() -> None:
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "b"},
        "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
    }
    live = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "own", "uid": "1"},
    }
    assert "cluster-admin" in taken(json.dumps(binding)).snapshot().cluster_roles
    assert list(taken(json.dumps(binding), json.dumps(live)).snapshot().cluster_roles) == ["own"]
