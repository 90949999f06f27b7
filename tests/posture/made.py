"""Objects of Kubernetes in a few words, for clusters whose truth is worked out by hand."""

from __future__ import annotations

import json
from typing import Any

from eightysix.posture.judge import World
from eightysix.posture.reading import SnapshotBuilder

Object = dict[str, Any]
RBAC = "rbac.authorization.k8s.io"
PINNED = "registry.example/a@sha256:" + "a" * 64


def meta(
    name: str, ns: str = "", labels: dict[str, str] | None = None, notes: dict[str, str] | None = None
) -> Object:
    """`metadata`."""
    told: Object = {"name": name}
    for key, value in (("namespace", ns), ("labels", labels), ("annotations", notes)):
        if value:
            told[key] = value
    return told


def account(ns: str, name: str, automount: bool | None = None) -> Object:
    """A service account."""
    told: Object = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta(name, ns)}
    if automount is not None:
        told["automountServiceAccountToken"] = automount
    return told


def space(name: str, enforce: str = "") -> Object:
    """A namespace, at a level of Pod Security."""
    labels = {"pod-security.kubernetes.io/enforce": enforce} if enforce else None
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta(name, labels=labels)}


def container(image: str = PINNED, name: str = "c", **more: Any) -> Object:
    """A container whose image nobody can replace, unless another is named."""
    return {"name": name, "image": image, **more}


def work(ns: str, name: str, who: str = "default", kind: str = "Deployment", **spec: Any) -> Object:
    """A workload, or a pod that nobody owns."""
    inside = {"serviceAccountName": who, "containers": [container()], **spec}
    if kind == "Pod":
        return {"apiVersion": "v1", "kind": kind, "metadata": meta(name, ns), "spec": inside}
    template = {"metadata": {"labels": {"app": name}}, "spec": inside}
    told: Object = {"template": template}
    if kind == "CronJob":
        told = {"jobTemplate": {"spec": told}}
    api = "batch/v1" if kind in ("Job", "CronJob") else "apps/v1"
    return {"apiVersion": api, "kind": kind, "metadata": meta(name, ns), "spec": told}


def running(ns: str, name: str, owner: tuple[str, str], phase: str = "Running", **spec: Any) -> Object:
    """A pod of a cluster."""
    told = work(ns, name, kind="Pod", nodeName="n1", **spec)
    owners = [{"apiVersion": "v1", "kind": owner[0], "name": owner[1], "controller": True, "uid": "x"}]
    told["metadata"] |= {"uid": f"uid-{name}", "ownerReferences": owners}
    return told | {"status": {"phase": phase}}


def rule(groups: str, resources: str, verbs: str, names: str = "") -> Object:
    """A rule; words are separated by spaces, and `core` is the group without a name."""
    told: Object = {
        "apiGroups": ["" if word == "core" else word for word in groups.split()],
        "resources": resources.split(),
        "verbs": verbs.split(),
    }
    return told | ({"resourceNames": names.split()} if names else {})


ANYTHING = rule("*", "*", "*")


def cluster_role(name: str, *rules: Object, labels: dict[str, str] | None = None) -> Object:
    """A ClusterRole."""
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": meta(name, labels=labels),
        "rules": list(rules),
    }


def role(ns: str, name: str, *rules: Object) -> Object:
    """A Role."""
    return {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": meta(name, ns), "rules": list(rules)}


def subject(text: str) -> Object:
    """`NS/ACCOUNT`, `group:NAME` or `user:NAME`; an account without a namespace as `/ACCOUNT`."""
    kind, colon, name = text.partition(":")
    if colon and kind in ("group", "user"):
        return {"kind": kind.title(), "name": name, "apiGroup": RBAC}
    ns, _, name = text.partition("/")
    return {"kind": "ServiceAccount", "name": name} | ({"namespace": ns} if ns else {})


def bind(name: str, to: str, *subjects: str, ns: str = "", kind: str = "ClusterRole") -> Object:
    """A binding: of the cluster, or of a namespace."""
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding" if ns else "ClusterRoleBinding",
        "metadata": meta(name, ns),
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": to},
        "subjects": list(map(subject, subjects)),
    }


def may(ns: str, *rules: Object) -> list[Object]:
    """Account `x` of a namespace with a deployment `d`, and what a Role there lets it do."""
    return [
        account(ns, "x"),
        work(ns, "d", "x"),
        role(ns, "r", *rules),
        bind("b", "r", f"{ns}/x", ns=ns, kind="Role"),
    ]


def may_anywhere(ns: str, *rules: Object) -> list[Object]:
    """The same, by a ClusterRole in the whole cluster."""
    return [account(ns, "x"), work(ns, "d", "x"), cluster_role("r", *rules), bind("b", "r", f"{ns}/x")]


def boss(ns: str, *, runs: bool = False) -> list[Object]:
    """An account that may do everything, perhaps with a pod."""
    told = [account(ns, "boss"), bind("boss", "cluster-admin", f"{ns}/boss")]
    return [*told, work(ns, "bossy", "boss")] if runs else told


def world(objects: list[Object]) -> World:
    """What is made of objects; none of them may be refused."""
    builder = SnapshotBuilder(manifests=True)
    builder.take(b"\n".join(json.dumps(one).encode() for one in objects))
    assert builder.problems == []
    return World(builder.snapshot())


def reached(objects: list[Object]) -> dict[str, set[str]]:
    """The sinks of each workload by `namespace/name`; single nodes are left out."""
    return {
        f"{pod.namespace}/{pod.name}": {
            sink.removeprefix("sink:") for sink in pod.sinks if not sink.startswith("sink:node/")
        }
        for pod in world(objects).reached()
    }
