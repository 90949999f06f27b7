"""Pods to templates: whose they are, what tells them apart, and which workloads count without a pod."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from eightysix.posture.reading import SnapshotBuilder
from eightysix.posture.snapshot import Template
from eightysix.posture.templates import templates_of


def owner(kind: str, name: str, controller: bool = True) -> dict[str, Any]:
    return {"kind": kind, "name": name, "uid": f"u-{name}", "controller": controller}


def pod(name: str, *owners: dict[str, Any], image: str = "i", **more: Any) -> dict[str, Any]:
    status = {"phase": more.pop("phase", "Running")}
    spec = {
        "nodeName": more.pop("node", "n1"),
        "containers": [{"name": "c", "image": image}],
        **more.pop("spec", {}),
    }
    meta = {"name": name, "namespace": "ml", "uid": f"u-{name}", "ownerReferences": list(owners), **more}
    return {"kind": "Pod", "apiVersion": "v1", "metadata": meta, "spec": spec, "status": status}


def workload(kind: str, name: str, *owners: dict[str, Any], live: bool = True, **spec: Any) -> dict[str, Any]:
    template = {"template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}}
    body = {"jobTemplate": {"spec": template}} if kind == "CronJob" else template
    group = "batch/v1" if kind in ("Job", "CronJob") else "apps/v1"
    meta = {
        "name": name,
        "namespace": "ml",
        "ownerReferences": list(owners),
        **({"uid": f"u-{name}"} if live else {}),
    }
    return {"kind": kind, "apiVersion": group, "metadata": meta, "spec": {**body, **spec}}


def templates(objects: Sequence[dict[str, Any]]) -> tuple[Template, ...]:
    builder = SnapshotBuilder()
    builder.take("\n".join(map(json.dumps, objects)).encode())
    assert builder.problems == []
    return templates_of(builder.snapshot())


def told(*objects: dict[str, Any]) -> list[tuple[str, str, int]]:
    return [(one.kind, one.name, one.pods) for one in templates(objects)]


def test_pods_belong_to_the_end_of_their_owners() -> None:
    found = told(
        pod("web-1-a", owner("ReplicaSet", "web-1")),
        pod("web-1-b", owner("ReplicaSet", "web-1")),
        workload("ReplicaSet", "web-1", owner("Deployment", "web")),
        workload("Deployment", "web"),
        pod("nightly-1-x", owner("Job", "nightly-1")),
        workload("Job", "nightly-1", owner("CronJob", "nightly")),
        workload("CronJob", "nightly"),
        pod("alone"),
        pod("kube-proxy-n1", owner("Node", "n1")),
    )
    assert found == [
        ("CronJob", "nightly", 1),
        ("Deployment", "web", 2),
        ("Pod", "alone", 1),
        ("Pod", "kube-proxy-n1", 1),
    ]


def test_owners_that_were_not_given_are_known_by_how_controllers_call_what_they_make() -> None:
    labels = {"pod-template-hash": "7d9f"}
    found = told(
        pod("web-7d9f-a", owner("ReplicaSet", "web-7d9f"), labels=labels),
        pod("web-7d9f-b", owner("ReplicaSet", "web-7d9f"), labels=labels),
        pod("odd-7d9f-b", owner("ReplicaSet", "odd-7d9f")),
        pod("nightly-29391234-x", owner("Job", "nightly-29391234")),
        pod("once-x", owner("Job", "once")),
    )
    assert found == [
        ("CronJob", "nightly", 1),
        ("Deployment", "web", 2),
        ("Job", "once", 1),
        ("ReplicaSet", "odd-7d9f", 1),
    ]


def test_owners_in_a_circle_end() -> None:
    ring = [workload("ReplicaSet", f"r{n}", owner("ReplicaSet", f"r{(n + 1) % 3}")) for n in range(3)]
    chain = [workload("ReplicaSet", f"c{n:02}", owner("ReplicaSet", f"c{n + 1:02}")) for n in range(40)]
    found = told(
        *ring,
        *chain,
        pod("a", owner("ReplicaSet", "r0")),
        pod("b", owner("ReplicaSet", "r2")),
        pod("c", owner("ReplicaSet", "c00")),
        pod("self", owner("ReplicaSet", "me")),
        workload("ReplicaSet", "me", owner("ReplicaSet", "me")),
    )
    assert found == [("ReplicaSet", "c08", 1), ("ReplicaSet", "me", 1), ("ReplicaSet", "r0", 2)]


def test_a_forged_owner_hides_nothing() -> None:
    forged = pod("zz", owner("ReplicaSet", "web-1"), spec={"hostPID": True})
    objects = [
        *(pod(f"web-1-{n}", owner("ReplicaSet", "web-1")) for n in range(3)),
        workload("ReplicaSet", "web-1", owner("Deployment", "web")),
        forged,
    ]
    found = templates(objects)
    assert [(one.kind, one.name, one.pods, one.spec.host_pid) for one in found] == [
        ("Deployment", "web", 3, None),
        ("ReplicaSet", "web-1", 1, True),
    ]


def test_each_shape_of_a_rollout_has_a_name_of_its_own() -> None:
    objects = [
        *(pod(f"web-2-{n}", owner("ReplicaSet", "web-2"), image="new") for n in range(3)),
        *(pod(f"web-1-{n}", owner("ReplicaSet", "web-1"), image="old") for n in range(2)),
        pod("web-1-debugged", owner("ReplicaSet", "web-1"), image="old", spec={"hostIPC": True}),
        pod("web-1-other", owner("ReplicaSet", "web-1"), image="odd"),
        workload("ReplicaSet", "web-1", owner("Deployment", "web")),
        workload("ReplicaSet", "web-2", owner("Deployment", "web")),
    ]
    found = [(one.kind, one.name, one.pods) for one in templates(objects)]
    assert found == [
        ("Deployment", "web", 3), ("Pod", "web-1-debugged", 1), ("Pod", "web-1-other", 1), ("ReplicaSet", "web-1", 2),
    ]  # fmt: skip
    assert sum(count for _, _, count in found) == 7


def test_labels_that_decide_keep_pods_apart_and_those_of_one_pod_do_not() -> None:
    def labelled(number: int, **labels: str) -> dict[str, Any]:
        own = {
            "apps.kubernetes.io/pod-index": str(number),
            "statefulset.kubernetes.io/pod-name": f"db-{number}",
        }
        claim = {"name": "data", "persistentVolumeClaim": {"claimName": f"data-db-{number}"}}
        return pod(
            f"db-{number}", owner("StatefulSet", "db"), labels={**own, **labels}, spec={"volumes": [claim]}
        )

    assert told(*(labelled(n) for n in range(3))) == [("StatefulSet", "db", 3)]
    mixed = told(labelled(0), labelled(1), labelled(2, **{"azure.workload.identity/use": "true"}))
    assert mixed == [("Pod", "db-2", 1), ("StatefulSet", "db", 2)]


def test_finished_pods_hold_nothing() -> None:
    assert told(pod("a", phase="Succeeded"), pod("b", phase="Failed"), pod("c", phase="Pending")) == [
        ("Pod", "c", 1)
    ]


def test_workloads_of_manifests_count_as_many_pods_as_they_ask_for() -> None:
    found = told(
        workload("Deployment", "web", live=False, replicas=3),
        workload("Deployment", "off", live=False, replicas=0),
        workload("DaemonSet", "agent", live=False),
        workload("Job", "once", live=False),
        workload("CronJob", "nightly", live=False),
    )
    assert found == [
        ("CronJob", "nightly", 1),
        ("DaemonSet", "agent", 1),
        ("Deployment", "off", 1),
        ("Deployment", "web", 3),
        ("Job", "once", 1),
    ]


def test_of_a_cluster_only_what_makes_pods_again_counts_without_one() -> None:
    found = told(
        pod("some"),
        workload("Deployment", "off", replicas=0),
        workload("Deployment", "pending", replicas=2),
        workload("Job", "done"),
        workload("CronJob", "nightly"),
        workload("ReplicaSet", "old-1", owner("Deployment", "pending"), replicas=0),
    )
    assert found == [("CronJob", "nightly", 0), ("Deployment", "pending", 0), ("Pod", "some", 1)]


def test_thousands_of_pods_collapse_and_tell_their_nodes() -> None:
    objects = [pod(f"w-{n:04}", owner("StatefulSet", "w"), node=f"n{n % 7}") for n in range(2000)]
    (one,) = templates(objects)
    assert (one.pods, one.nodes) == (2000, tuple(f"n{n}" for n in range(7)))
