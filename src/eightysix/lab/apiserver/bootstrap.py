"""What every cluster has from its first second: namespaces, and the roles that make discovery and self reviews work.

Our own short set in the spirit of kubernetes.io/docs/reference/access-authn-authz/rbac#default-roles-and-role-bindings:
names and subjects are Kubernetes', the rules are what those pages describe, not the full lists of a real cluster.
"""

from __future__ import annotations

from eightysix.lab.apiserver.catalogue import Object

__all__ = ["NAMESPACES", "bootstrap"]

NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")

_RBAC = "rbac.authorization.k8s.io"
_READ = ["get", "list", "watch"]
_WRITE = ["create", "delete", "deletecollection", "patch", "update"]
_SEEN = [
    "configmaps",
    "endpoints",
    "events",
    "limitranges",
    "namespaces",
    "persistentvolumeclaims",
    "pods",
    "pods/log",
    "pods/status",
    "replicationcontrollers",
    "resourcequotas",
    "serviceaccounts",
    "services",
]
_MADE = [
    "configmaps",
    "endpoints",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "secrets",
    "serviceaccounts",
    "services",
]
_WORKLOADS = [
    "daemonsets",
    "deployments",
    "deployments/scale",
    "replicasets",
    "statefulsets",
    "statefulsets/scale",
]
_ENTERED = ["pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "services/proxy"]
_INFO = ["/healthz", "/livez", "/readyz", "/version", "/version/"]
_DISCOVERY = [*_INFO, "/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*"]
_ISSUER = [
    "/.well-known/openid-configuration",
    "/.well-known/openid-configuration/",
    "/openid/v1/jwks",
    "/openid/v1/jwks/",
]


def _rule(group: str, resources: list[str], verbs: list[str]) -> Object:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def _urls(paths: list[str]) -> Object:
    return {"nonResourceURLs": paths, "verbs": ["get"]}


_VIEW = [
    _rule("", _SEEN, _READ),
    _rule("apps", _WORKLOADS, _READ),
    _rule("batch", ["cronjobs", "jobs"], _READ),
    _rule("networking.k8s.io", ["ingresses", "networkpolicies"], _READ),
]
_EDIT = [
    _rule("", _MADE, _WRITE),
    _rule("", ["secrets", *_ENTERED], _READ),
    _rule("", [*_ENTERED, "pods/eviction", "serviceaccounts/token"], ["create"]),
    _rule("", ["serviceaccounts"], ["impersonate"]),
    _rule("apps", _WORKLOADS, _WRITE),
    _rule("batch", ["cronjobs", "jobs"], _WRITE),
    _rule("networking.k8s.io", ["ingresses", "networkpolicies"], _WRITE),
    _rule("coordination.k8s.io", ["leases"], _READ + _WRITE),
]
_ADMIN = [
    _rule("authorization.k8s.io", ["localsubjectaccessreviews"], ["create"]),
    _rule(_RBAC, ["rolebindings", "roles"], _READ + _WRITE),
]
_REVIEWS = [
    _rule("authorization.k8s.io", ["selfsubjectaccessreviews", "selfsubjectrulesreviews"], ["create"]),
    _rule("authentication.k8s.io", ["selfsubjectreviews"], ["create"]),
]
_NODE = [
    _rule("authentication.k8s.io", ["tokenreviews"], ["create"]),
    _rule("authorization.k8s.io", ["localsubjectaccessreviews", "subjectaccessreviews"], ["create"]),
    _rule("", ["configmaps", "nodes", "pods", "secrets", "services"], _READ),
    _rule("", ["nodes", "nodes/status", "pods/status"], ["patch", "update"]),
    _rule("", ["events", "nodes", "pods", "pods/eviction", "serviceaccounts/token"], ["create"]),
    _rule("", ["pods"], ["delete"]),
    _rule("coordination.k8s.io", ["leases"], ["create", "delete", "get", "patch", "update"]),
]

_ROLES: dict[str, tuple[list[Object], list[tuple[str, str]]]] = {
    "cluster-admin": (
        [
            {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
            {"nonResourceURLs": ["*"], "verbs": ["*"]},
        ],
        [("Group", "system:masters")],
    ),
    "admin": ([*_VIEW, *_EDIT, *_ADMIN], []),
    "edit": ([*_VIEW, *_EDIT], []),
    "view": (_VIEW, []),
    "system:auth-delegator": (_NODE[:2], []),
    "system:basic-user": (_REVIEWS, [("Group", "system:authenticated")]),
    "system:discovery": ([_urls(_DISCOVERY)], [("Group", "system:authenticated")]),
    "system:node": (_NODE, [("Group", "system:nodes")]),
    "system:public-info-viewer": (
        [_urls(_INFO)],
        [("Group", "system:authenticated"), ("Group", "system:unauthenticated")],
    ),
    "system:service-account-issuer-discovery": ([_urls(_ISSUER)], [("Group", "system:serviceaccounts")]),
}


def bootstrap() -> list[Object]:
    """The objects, without uids and times: those come with their first write."""
    found: list[Object] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in NAMESPACES
    ]
    for name, (rules, subjects) in _ROLES.items():
        metadata = {
            "name": name,
            "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
            "annotations": {f"{_RBAC.replace('k8s.io', 'kubernetes.io')}/autoupdate": "true"},
        }
        found.append(
            {"apiVersion": f"{_RBAC}/v1", "kind": "ClusterRole", "metadata": metadata, "rules": rules}
        )
        if subjects:
            found.append(
                {
                    "apiVersion": f"{_RBAC}/v1",
                    "kind": "ClusterRoleBinding",
                    "metadata": metadata,
                    "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": name},
                    "subjects": [{"apiGroup": _RBAC, "kind": kind, "name": who} for kind, who in subjects],
                }
            )
    return found
