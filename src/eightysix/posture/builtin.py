"""Roles that every cluster has and no manifest: a chart binds `cluster-admin` without writing it.

Kubernetes' user-facing roles (kubernetes.io/docs/reference/access-authn-authz/rbac#user-facing-roles; rules as a server of
1.20 holds them, with the token requests that `edit` has since 1.22), of which `admin`, `edit` and `view` are gathered
from whatever is labelled for them. Reading that nobody's path needs is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from eightysix.posture.objects import AggregationRule, Meta, PolicyRule, Role, _Selector

__all__ = ["BUILTIN", "with_builtin"]

_READ: Final = ("get", "list", "watch")
_WRITE: Final = ("create", "delete", "deletecollection", "patch", "update")
_LABEL: Final = "rbac.authorization.k8s.io/aggregate-to-"
_REACHED: Final = ("pods/attach", "pods/exec", "pods/portforward", "pods/proxy")
_PLAIN: Final = (
    "configmaps",
    "endpoints",
    "persistentvolumeclaims",
    "replicationcontrollers",
    "replicationcontrollers/scale",
    "serviceaccounts",
    "services",
)
_APPS: Final = (
    "daemonsets",
    "deployments",
    "deployments/scale",
    "replicasets",
    "replicasets/scale",
    "statefulsets",
    "statefulsets/scale",
)
_JOBS: Final = ("cronjobs", "jobs")
_NETWORK: Final = ("ingresses", "networkpolicies")


def _rule(group: str, resources: tuple[str, ...], verbs: tuple[str, ...]) -> PolicyRule:
    return PolicyRule(verbs=verbs, api_groups=(group,), resources=resources)


def _gathered(name: str, into: str) -> Role:
    selector = _Selector(match_labels={f"{_LABEL}{name}": "true"})
    labels = {f"{_LABEL}{into}": "true"} if into else None
    return Role(
        Meta(name=name, labels=labels),
        aggregation_rule=AggregationRule(cluster_role_selectors=(selector,)),
        cluster=True,
    )


def _part(name: str, *rules: PolicyRule) -> Role:
    meta = Meta(name=f"system:aggregate-to-{name}", labels={f"{_LABEL}{name}": "true"})
    return Role(meta, rules=rules, cluster=True)


BUILTIN: Final = {
    role.metadata.name: role
    for role in (
        Role(
            Meta(name="cluster-admin"),
            rules=(
                _rule("*", ("*",), ("*",)),
                PolicyRule(verbs=("*",), non_resource_urls=("*",)),
            ),
            cluster=True,
        ),
        _gathered("admin", ""),
        _gathered("edit", "admin"),
        _gathered("view", "edit"),
        _part(
            "admin",
            _rule("rbac.authorization.k8s.io", ("rolebindings", "roles"), (*_READ, *_WRITE)),
            _rule("authorization.k8s.io", ("localsubjectaccessreviews",), ("create",)),
        ),
        _part(
            "edit",
            _rule("", (*_REACHED, "secrets", "services/proxy"), _READ),
            _rule("", ("serviceaccounts",), ("impersonate",)),
            _rule("", ("serviceaccounts/token",), ("create",)),
            _rule("", ("pods", *_REACHED), _WRITE),
            _rule("", (*_PLAIN, "secrets", "services/proxy"), _WRITE),
            _rule("apps", _APPS, _WRITE),
            _rule("batch", _JOBS, _WRITE),
            _rule("networking.k8s.io", _NETWORK, _WRITE),
        ),
        _part(
            "view",
            _rule("", (*_PLAIN, "pods", "pods/log", "namespaces", "events"), _READ),
            _rule("apps", _APPS, _READ),
            _rule("batch", _JOBS, _READ),
            _rule("networking.k8s.io", _NETWORK, _READ),
        ),
    )
}


def with_builtin(cluster_roles: Mapping[str, Role]) -> Mapping[str, Role]:
    """`cluster_roles`, and of those that every cluster has the ones that were not told; a server's own list is left alone."""
    if any(role.metadata.uid for role in cluster_roles.values()):
        return cluster_roles
    return {**BUILTIN, **cluster_roles}
