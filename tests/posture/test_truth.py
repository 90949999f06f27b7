"""Access control that people really write, with the truth worked out by hand: what each workload reaches, and nothing else."""

from __future__ import annotations

import pytest

from tests.posture.made import (
    ANYTHING,
    RBAC,
    Object,
    account,
    bind,
    boss,
    cluster_role,
    container,
    may,
    may_anywhere,
    meta,
    reached,
    role,
    rule,
    space,
    work,
)

A = space("a", "restricted")
ALL = {"cluster-admin", "node", "ns-admin/a"}
NOTHING: set[str] = set()
AUTOMOUNT = "automountServiceAccountToken"


def token(**source: str) -> Object:
    """A pod's spec with one projected token in place of the usual one."""
    volume = {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "token", **source}}]}}
    mounts = [{"name": "t", "mountPath": "/t"}]
    return {AUTOMOUNT: False, "volumes": [volume], "containers": [container(volumeMounts=mounts)]}


def secret(name: str, of: str) -> Object:
    """A Secret with a token."""
    notes = {"kubernetes.io/service-account.name": of}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/service-account-token",
        "metadata": meta(name, "a", notes=notes),
    }


def aggregating(label: str) -> Object:
    """A ClusterRole made of those with a label."""
    told = cluster_role("sum")
    return told | {"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {label: "yes"}}]}}


TO_VIEW = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
X = [A, account("a", "x"), work("a", "d", "x")]

CASES: dict[str, tuple[list[Object], set[str]]] = {
    # roles that are made of others
    "aggregated": (
        [*X, aggregating("g"), cluster_role("p", ANYTHING, labels={"g": "yes"}), bind("b", "sum", "a/x")],
        ALL,
    ),
    "aggregated, another label": (
        [*X, aggregating("g"), cluster_role("p", ANYTHING, labels={"g": "no"}), bind("b", "sum", "a/x")],
        NOTHING,
    ),
    "operator widens view": (
        [*X, cluster_role("p", ANYTHING, labels=TO_VIEW), bind("b", "view", "a/x")],
        ALL,
    ),
    "operator adds its kinds to view": (
        [
            *X,
            cluster_role("p", rule("example.com", "things", "get list"), labels=TO_VIEW),
            bind("b", "view", "a/x"),
        ],
        NOTHING,
    ),
    # names of resources
    "create has no name": ([A, *may("a", rule("core", "pods", "create", "some")), *boss("a")], NOTHING),
    "token of a named account": (
        [A, *may("a", rule("core", "serviceaccounts/token", "create", "boss")), *boss("a")],
        ALL,
    ),
    "token of another name": (
        [A, *may("a", rule("core", "serviceaccounts/token", "create", "other")), *boss("a")],
        NOTHING,
    ),
    "secret of another name": (
        [A, *may("a", rule("core", "secrets", "get", "mine")), *boss("a"), secret("boss-token", "boss")],
        NOTHING,
    ),
    "secret of that name": (
        [
            A,
            *may("a", rule("core", "secrets", "get", "boss-token")),
            *boss("a"),
            secret("boss-token", "boss"),
        ],
        ALL,
    ),
    "secrets by watching": (
        [A, *may("a", rule("core", "secrets", "watch")), *boss("a"), secret("boss-token", "boss")],
        ALL,
    ),
    # resources below others
    "logs and events": (
        [
            A,
            *may_anywhere("a", rule("core", "pods pods/log events", "get list watch")),
            *boss("a", runs=True),
        ],
        NOTHING,
    ),
    "exec": ([A, *may("a", rule("core", "pods/exec", "create")), *boss("a", runs=True)], ALL),
    "exec by */exec": ([A, *may("a", rule("core", "*/exec", "*")), *boss("a", runs=True)], ALL),
    "pods/* is no pattern": ([A, *may("a", rule("core", "pods/*", "*")), *boss("a", runs=True)], NOTHING),
    "ephemeral containers": (
        [A, *may("a", rule("core", "pods/ephemeralcontainers", "patch")), *boss("a", runs=True)],
        ALL,
    ),
    "the kubelet": (
        [A, *may_anywhere("a", rule("core", "nodes/proxy nodes/metrics", "get")), *boss("a", runs=True)],
        ALL,
    ),
    "metrics of nodes": (
        [A, *may_anywhere("a", rule("core", "nodes/metrics nodes/stats", "get")), *boss("a", runs=True)],
        NOTHING,
    ),
    "the kubelet by a role binding": (
        [A, *may("a", rule("core", "nodes/proxy", "*")), *boss("a", runs=True)],
        NOTHING,
    ),
    # groups of the API
    "all of apps": ([A, *may("a", rule("apps", "*", "*")), *boss("a")], ALL),
    "core is no group": (
        [
            A,
            *may(
                "a",
                {"apiGroups": ["core", "v1"], "resources": ["secrets", "pods", "pods/exec"], "verbs": ["*"]},
            ),
            *boss("a", runs=True),
        ],
        NOTHING,
    ),
    "paths that are no resources": (
        [
            *X,
            {**cluster_role("r"), "rules": [{"nonResourceURLs": ["*"], "verbs": ["*"]}]},
            bind("b", "r", "a/x"),
        ],
        NOTHING,
    ),
    # who is meant
    "everybody": ([*X, bind("b", "cluster-admin", "group:system:authenticated")], ALL),
    "all accounts": ([*X, bind("b", "cluster-admin", "group:system:serviceaccounts")], ALL),
    "accounts of another namespace": (
        [*X, bind("b", "cluster-admin", "group:system:serviceaccounts:b")],
        NOTHING,
    ),
    "an account as a user": ([*X, bind("b", "cluster-admin", "user:system:serviceaccount:a:x")], ALL),
    "a group called like the account": ([*X, bind("b", "cluster-admin", "group:a/x")], NOTHING),
    "no namespace in the cluster": ([*X, bind("b", "cluster-admin", "/x")], NOTHING),
    "no namespace in a namespace": ([*X, bind("b", "cluster-admin", "/x", ns="a")], {"ns-admin/a"}),
    "the default account": ([A, work("a", "d"), bind("b", "cluster-admin", "a/default")], ALL),
    "nobody, by the group": (
        [
            A,
            work("a", "d", automountServiceAccountToken=False),
            bind("b", "cluster-admin", "group:system:unauthenticated"),
        ],
        ALL,
    ),
    "nobody, by the user": (
        [
            A,
            work("a", "d", automountServiceAccountToken=False),
            bind("b", "cluster-admin", "user:system:anonymous"),
        ],
        ALL,
    ),
    "nobody may see the version": (
        [
            A,
            work("a", "d", automountServiceAccountToken=False),
            {**cluster_role("v"), "rules": [{"nonResourceURLs": ["/version"], "verbs": ["get"]}]},
            bind("b", "v", "group:system:unauthenticated"),
        ],
        NOTHING,
    ),
    # what is bound
    "a role that is gone": ([*X, bind("b", "gone", "a/x")], NOTHING),
    "a Role called cluster-admin": (
        [
            *X,
            role("a", "cluster-admin", rule("core", "configmaps", "get")),
            bind("b", "cluster-admin", "a/x", ns="a", kind="Role"),
        ],
        NOTHING,
    ),
    "cluster-admin of another namespace": (
        [*X, space("b", "restricted"), bind("b", "cluster-admin", "a/x", ns="b")],
        {"ns-admin/b"},
    ),
    "admin of a namespace": ([*X, bind("b", "admin", "a/x", ns="a")], {"ns-admin/a"}),
    "admin of all namespaces": ([*X, bind("b", "admin", "a/x")], {"ns-admin/a"}),
    "edit in a quiet namespace": ([*X, bind("b", "edit", "a/x", ns="a")], NOTHING),
    "edit beside a stronger account": ([*X, bind("b", "edit", "a/x", ns="a"), *boss("a")], ALL),
    "view": ([*X, bind("b", "view", "a/x"), *boss("a", runs=True)], NOTHING),
    # tokens
    "no token by the account": (
        [A, account("a", "x", automount=False), work("a", "d", "x"), bind("b", "cluster-admin", "a/x")],
        NOTHING,
    ),
    "the pod goes before the account": (
        [
            A,
            account("a", "x", automount=False),
            work("a", "d", "x", automountServiceAccountToken=True),
            bind("b", "cluster-admin", "a/x"),
        ],
        ALL,
    ),
    "a projected token": (
        [A, account("a", "x"), work("a", "d", "x", **token()), bind("b", "cluster-admin", "a/x")],
        ALL,
    ),
    "a projected token for others": (
        [
            A,
            account("a", "x"),
            work("a", "d", "x", **token(audience="istio-ca")),
            bind("b", "cluster-admin", "a/x"),
        ],
        NOTHING,
    ),
    # writing rights
    "escalate": ([A, *may("a", rule(RBAC, "roles", "update escalate"))], {"ns-admin/a"}),
    "bind alone": ([A, *may_anywhere("a", rule(RBAC, "clusterroles", "bind"))], NOTHING),
    "bindings alone": (
        [A, *may_anywhere("a", rule(RBAC, "clusterrolebindings rolebindings", "create update patch"))],
        NOTHING,
    ),
    "bind and bindings": (
        [
            A,
            *may_anywhere(
                "a", rule(RBAC, "clusterroles", "bind"), rule(RBAC, "clusterrolebindings", "create")
            ),
        ],
        ALL,
    ),
    "bind in a namespace": (
        [A, *may("a", rule(RBAC, "clusterroles", "bind"), rule(RBAC, "rolebindings", "create"))],
        {"ns-admin/a"},
    ),
    "acting as groups": ([A, *may_anywhere("a", rule("core", "users groups", "impersonate"))], ALL),
    "acting as groups alone": ([A, *may_anywhere("a", rule("core", "groups", "impersonate"))], NOTHING),
    "acting as groups by a role binding": (
        [A, *may("a", rule("core", "users groups", "impersonate"))],
        NOTHING,
    ),
    "certificates never get system:masters": (
        [
            A,
            *may_anywhere(
                "a",
                rule("certificates.k8s.io", "certificatesigningrequests", "create"),
                rule("certificates.k8s.io", "certificatesigningrequests/approval", "update"),
                rule("certificates.k8s.io", "signers", "approve", "kubernetes.io/kube-apiserver-client"),
            ),
        ],
        NOTHING,
    ),
    "a certificate of an administrator": (
        [
            A,
            *may_anywhere(
                "a",
                rule("certificates.k8s.io", "certificatesigningrequests", "create"),
                rule("certificates.k8s.io", "certificatesigningrequests/approval", "update"),
                rule("certificates.k8s.io", "signers", "approve", "kubernetes.io/kube-apiserver-client"),
            ),
            bind("ann", "cluster-admin", "user:ann"),
        ],
        ALL,
    ),
    # making pods
    "pods where all pass": ([space("a"), *may("a", rule("core", "pods", "create"))], {"node"}),
    "pods at baseline": ([space("a", "baseline"), *may("a", rule("core", "pods", "create"))], NOTHING),
    "pods taken away": (
        [A, *may_anywhere("a", rule("core", "pods", "delete deletecollection")), *boss("a", runs=True)],
        NOTHING,
    ),
    "leader and workers": (
        [A, *may("a", rule("leaderworkerset.x-k8s.io", "leaderworkersets", "create")), *boss("a")],
        ALL,
    ),
    "sets of jobs": ([A, *may("a", rule("jobset.x-k8s.io", "jobsets", "*")), *boss("a")], ALL),
    "rollouts": ([A, *may("a", rule("argoproj.io", "rollouts", "create")), *boss("a")], ALL),
    "rollouts are only seen": (
        [A, *may("a", rule("argoproj.io", "rollouts", "get list")), *boss("a")],
        NOTHING,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_truth(name: str) -> None:
    objects, truth = CASES[name]
    assert reached(objects)["a/d"] == truth
