"""Manifests in a test to a snapshot and its templates, without the collector: kinds that the tests here need."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import yaml

from eightysix.posture.objects import (
    Binding,
    Meta,
    NamespaceObject,
    NetworkPolicy,
    NodeObject,
    Pod,
    PodSpec,
    Role,
    SecretObject,
    ServiceAccount,
    Workload,
)
from eightysix.posture.snapshot import Cloud, Snapshot, Template

__all__ = ["snapshot_of", "templates_of", "world"]

_KINDS: dict[str, tuple[str, type[Any]]] = {
    "Pod": ("pods", Pod),
    "ServiceAccount": ("service_accounts", ServiceAccount),
    "Role": ("roles", Role),
    "ClusterRole": ("cluster_roles", Role),
    "RoleBinding": ("role_bindings", Binding),
    "ClusterRoleBinding": ("cluster_role_bindings", Binding),
    "Namespace": ("namespaces", NamespaceObject),
    "Node": ("nodes", NodeObject),
    "Secret": ("secrets", SecretObject),
    "NetworkPolicy": ("network_policies", NetworkPolicy),
}
_BUILT_IN = frozenset("Deployment StatefulSet DaemonSet ReplicaSet Job CronJob".split())
_WORKLOADS = _BUILT_IN | frozenset({"AutoscalingRunnerSet"})


def documents(text: str) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(text) if isinstance(one, dict) and one.get("kind")]


def snapshot_of(text: str, cloud: Cloud | None = None, **more: Any) -> Snapshot:
    found: dict[str, Any] = {}
    custom: dict[str, list[dict[str, Any]]] = {}
    for one in documents(text):
        kind, meta = one["kind"], one["metadata"]
        key = "/".join(filter(None, (meta.get("namespace"), meta["name"])))
        if kind in _WORKLOADS:
            found.setdefault("workloads", {})[f"{kind}/{key}"] = msgspec.convert(one, Workload)
        if kind in _KINDS:
            member, struct = _KINDS[kind]
            found.setdefault(member, {})[key] = msgspec.convert(one, struct)
        if kind not in _KINDS and kind not in _BUILT_IN:
            custom.setdefault(kind, []).append(one)
    return Snapshot(
        **found,
        **more,
        custom={kind: tuple(items) for kind, items in custom.items()},
        cloud=cloud or Cloud(),
    )


def templates_of(text: str, nodes: Iterable[str] = ()) -> list[Template]:
    templates = []
    for one in documents(text):
        kind, meta = one["kind"], one["metadata"]
        place = (meta.get("namespace", "default"), kind, meta["name"])
        spec, inner = one.get("spec") or {}, meta
        if kind in _WORKLOADS:
            spec = spec["jobTemplate"]["spec"] if kind == "CronJob" else spec
            if "template" not in spec:
                continue
            inner, spec = spec["template"].get("metadata") or {}, spec["template"]["spec"]
        elif kind != "Pod":
            continue
        where = tuple(filter(None, (spec.get("nodeName"),))) or tuple(nodes)
        converted = msgspec.convert(spec, PodSpec)
        templates.append(Template(*place, meta=msgspec.convert(inner, Meta), spec=converted, nodes=where))
    return templates


def world(
    text: str, cloud: Cloud | None = None, nodes: Iterable[str] = (), **more: Any
) -> tuple[Snapshot, list[Template]]:
    return snapshot_of(text, cloud, **more), templates_of(text, nodes)
