"""A cluster in few words, for tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import yaml

from eightysix.posture.objects import (
    Binding,
    NamespaceObject,
    NodeObject,
    Pod,
    Role,
    SecretObject,
    ServiceAccount,
    Workload,
)
from eightysix.posture.snapshot import Snapshot, Template

_WHERE: Mapping[str, tuple[str, Any]] = {
    "Pod": ("pods", Pod),
    "Role": ("roles", Role),
    "ClusterRole": ("cluster_roles", Role),
    "RoleBinding": ("role_bindings", Binding),
    "ClusterRoleBinding": ("cluster_role_bindings", Binding),
    "Namespace": ("namespaces", NamespaceObject),
    "Node": ("nodes", NodeObject),
    "Secret": ("secrets", SecretObject),
    "ServiceAccount": ("service_accounts", ServiceAccount),
    **dict.fromkeys(
        ("Deployment", "DaemonSet", "StatefulSet", "Job", "CronJob", "ReplicaSet"), ("workloads", Workload)
    ),
}
_CLUSTER = {"ClusterRole", "ClusterRoleBinding", "Namespace", "Node"}


def snapshot(*texts: str, server: str = "") -> Snapshot:
    """Objects as YAML, decoded; what has no namespace and needs one is in `default`, as kubectl does it."""
    found: dict[str, Any] = {}
    custom: dict[str, list[Mapping[str, object]]] = {}
    for document in (document for text in texts for document in yaml.safe_load_all(text)):
        for item in document["items"] if document and document["kind"].endswith("List") else [document]:
            if not item:
                continue
            kind = item["kind"]
            if kind not in _WHERE:
                custom.setdefault(kind, []).append(item)
                continue
            name, struct = _WHERE[kind]
            meta = item["metadata"]
            if kind not in _CLUSTER:
                meta.setdefault("namespace", "default")
            key = meta["name"] if kind in _CLUSTER else f"{meta['namespace']}/{meta['name']}"
            if kind.endswith(("Role", "Binding")):
                item["cluster"] = kind in _CLUSTER
            elif struct is not Workload:
                item.pop("kind", None)
            if name == "workloads":
                key = f"{kind}/{key}"
            found.setdefault(name, {})[key] = msgspec.convert(item, struct, strict=False)
    return Snapshot(server=server, custom={kind: tuple(items) for kind, items in custom.items()}, **found)


def templates(taken: Snapshot) -> list[Template]:
    """Each pod and each workload as a template."""
    rows = [
        Template(
            pod.metadata.namespace,
            "Pod",
            pod.metadata.name,
            pod.metadata,
            pod.spec,
            1,
            (pod.spec.node_name,) if pod.spec.node_name else (),
        )
        for pod in taken.pods.values()
    ]
    for workload in taken.workloads.values():
        if workload.template is not None:
            meta, spec = workload.template
            rows.append(
                Template(workload.metadata.namespace, workload.kind, workload.metadata.name, meta, spec)
            )
    return rows


def rule(verbs: str, resources: str, groups: str = "", names: str = "") -> str:
    """A rule as one line of YAML; lists are joined by commas, `core` is the empty group."""

    def listed(text: str) -> str:
        return "[" + ", ".join(f'"{"" if word == "core" else word}"' for word in text.split(",")) + "]"

    named = f", resourceNames: {listed(names)}" if names else ""
    return f"{{apiGroups: {listed(groups or 'core')}, resources: {listed(resources)}, verbs: {listed(verbs)}{named}}}"


def role(name: str, *rules: str, namespace: str = "") -> str:
    """A Role, or a ClusterRole where no namespace is given."""
    meta = f"{{name: {name}, namespace: {namespace}}}" if namespace else f"{{name: {name}}}"
    return f"---\nkind: {'Role' if namespace else 'ClusterRole'}\nmetadata: {meta}\nrules: [{', '.join(rules)}]\n"


def bind(name: str, to: str, *subjects: str, namespace: str = "", kind: str = "") -> str:
    """A binding. Subjects are `ns:name`, `user=name` or `group=name`."""
    rows = []
    for subject in subjects:
        if "=" in subject:
            what, _, who = subject.partition("=")
            rows.append(f"{{kind: {what.title()}, name: '{who}'}}")
        else:
            where, _, who = subject.partition(":")
            rows.append(
                f"{{kind: ServiceAccount, name: {who}" + (f", namespace: {where}}}" if where else "}")
            )
    meta = f"{{name: {name}, namespace: {namespace}}}" if namespace else f"{{name: {name}}}"
    return (
        f"---\nkind: {'RoleBinding' if namespace else 'ClusterRoleBinding'}\nmetadata: {meta}\n"
        f"roleRef: {{kind: {kind or ('Role' if namespace else 'ClusterRole')}, name: {to}}}\nsubjects: [{', '.join(rows)}]\n"
    )


def account(namespace: str, name: str) -> str:
    """A service account."""
    return f"---\nkind: ServiceAccount\nmetadata: {{name: {name}, namespace: {namespace}}}\n"


def space(name: str, level: str = "") -> str:
    """A namespace, with the level that Pod Security enforces."""
    labels = f", labels: {{pod-security.kubernetes.io/enforce: {level}}}" if level else ""
    return f"---\nkind: Namespace\nmetadata: {{name: {name}{labels}}}\n"


def pairs(edges: Iterable[Any], kind: str) -> set[tuple[str, str]]:
    """Source and target of the edges of a type."""
    return {(edge.source, edge.target) for edge in edges if edge.type == kind}
