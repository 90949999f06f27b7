"""Ids of vertices: `kind:namespace/name`, or `kind:name` for what has no namespace.

A slash in a namespace, or in the name of a kind that may or may not have a namespace, is escaped: no hostile name is taken
for another thing. Users and groups are told apart in the place of the namespace, as both may have any name.
"""

from __future__ import annotations

from eightysix.model.posture import VertexKind

__all__ = [
    "CLUSTER",
    "CLUSTER_ADMIN",
    "group_id",
    "hub_id",
    "node_id",
    "ns_admin_id",
    "pod_id",
    "secret_id",
    "service_account_id",
    "user_id",
    "vertex_id",
]

CLUSTER_ADMIN = "sink:cluster-admin"
CLUSTER = "cluster:"
"""Full control of the cluster."""

_EITHER = frozenset({VertexKind.PERMISSION_SET, VertexKind.POD})
_ACCOUNT = "system:serviceaccount:"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("/", "%2F") if "/" in text or "%" in text else text


def vertex_id(kind: VertexKind, namespace: str, name: str) -> str:
    """The id of a thing."""
    if namespace:
        return f"{kind}:{_escaped(namespace)}/{name}"
    return f"{kind}:{_escaped(name) if kind in _EITHER else name}"


def pod_id(namespace: str, kind: str, name: str) -> str:
    """The id of pods that are alike: a pod that nobody owns by its name, a workload's by its kind and name."""
    named = _escaped(name) if kind in {"", "Pod"} else f"{_escaped(kind)}/{_escaped(name)}"
    return f"{VertexKind.POD}:{_escaped(namespace)}/{named}"


def service_account_id(namespace: str, name: str) -> str:
    """The id of a service account."""
    return vertex_id(VertexKind.SERVICE_ACCOUNT, namespace, name)


def user_id(name: str) -> str:
    """The id of a user; of a service account where the name is one's."""
    if name.startswith(_ACCOUNT):
        namespace, colon, account = name.removeprefix(_ACCOUNT).partition(":")
        if namespace and colon and account:
            return service_account_id(namespace, account)
    return vertex_id(VertexKind.SUBJECT, "user", name)


def group_id(name: str) -> str:
    """The id of a group."""
    return vertex_id(VertexKind.SUBJECT, "group", name)


def secret_id(namespace: str, name: str) -> str:
    """The id of a Secret."""
    return vertex_id(VertexKind.SECRET, namespace, name)


def node_id(name: str) -> str:
    """The id of a node: root on it."""
    return vertex_id(VertexKind.NODE, "", name)


def ns_admin_id(namespace: str) -> str:
    """The sink: everything in a namespace."""
    return vertex_id(VertexKind.SINK, "ns-admin", namespace)


def hub_id(namespace: str, what: str = "") -> str:
    """A hub: all of `what` (`pods`, `secrets`, ...) in a namespace, in the whole cluster where it is empty; full control
    where `what` is empty."""
    if not namespace:
        return f"{VertexKind.CLUSTER}:{what}"
    return f"{VertexKind.NAMESPACE}:{_escaped(namespace)}" + (f"/{what}" if what else "")
