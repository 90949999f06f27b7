"""What was not given, what that leaves unknown, and how to give it."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from eightysix.model.posture import NotSeen

__all__ = ["not_given"]

_KUBECTL = "kubectl get {} -A -o json"
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob")
_OBJECTS = (
    (("Role", "ClusterRole"), "roles", "paths by access control are missing", "clusterroles,roles"),
    (
        ("RoleBinding", "ClusterRoleBinding"),
        "role bindings",
        "paths by access control are missing",
        "clusterrolebindings,rolebindings",
    ),
    (
        ("ServiceAccount",),
        "service accounts",
        "tokens are taken as mounted by default; cloud identities that accounts name are missing",
        "serviceaccounts",
    ),
    (
        ("Namespace",),
        "namespaces",
        "their Pod Security levels are unknown and taken as letting all pass",
        "namespaces",
    ),
)
_LIVE = (
    (("Node",), "nodes", "which machines of which cloud pods run on is assumed", "nodes"),
    (
        ("NetworkPolicy",),
        "network policies",
        "the metadata service is taken as open to every pod",
        "networkpolicies",
    ),
    (
        _WORKLOADS,
        "workloads",
        "pods are grouped by the names of their owners; what runs from time to time is missing",
        "deployments,statefulsets,daemonsets,replicasets,jobs,cronjobs",
    ),
)
_CLOUD = (
    ("identity", "cloud identities", "which ids belong to one identity is unknown", "az identity list"),
    (
        "federated credential",
        "federated credentials",
        "accounts that an identity trusts without an annotation are missing",
        "az identity federated-credential list --identity-name NAME --resource-group GROUP",
    ),
    (
        "role assignment",
        "role assignments of the cloud",
        "what a cloud identity may do is unknown",
        "az role assignment list --all",
    ),
    ("scale set", "scale sets", "identities of the node pools are unknown", "az vmss list"),
    (
        "cluster",
        "settings of the cluster's service",
        "whether the metadata service is restricted is unknown and taken as not",
        "az aks list",
    ),
    ("registry", "registries", "registries are known by the names of images alone", "az acr list"),
)


def not_given(kinds: Collection[str], cloud: Collection[str], *, live: bool) -> Iterator[NotSeen]:
    """Rows for kinds of which nothing was given. What only a cluster has is asked for where objects are from one (`live`)."""
    if "Pod" not in kinds and not any(kind in kinds for kind in _WORKLOADS):
        yield NotSeen("pods", "nothing is told of any pod", _KUBECTL.format("pods"))
    elif not live:
        yield NotSeen(
            "running pods",
            "told is what manifests ask for, not what runs; what operators create by themselves is missing",
            _KUBECTL.format("pods"),
        )
    for asked, what, why, plural in (*_OBJECTS, *(_LIVE if live else ())):
        if not any(kind in kinds for kind in asked):
            yield NotSeen(what, why, _KUBECTL.format(plural))
    if "Secret" not in kinds:
        yield NotSeen(
            "names and types of Secrets",
            "tokens and logins kept in Secrets are known by their names alone",
            "kubectl get secrets -A -o json | jq 'del(.items[].data)'",
        )
    if not cloud:
        yield NotSeen(
            "the cloud",
            "identities of pods and nodes end at the cluster's border",
            "give the answers of az with --cloud (docs/posture.md)",
        )
        return
    for given, what, why, command in _CLOUD:
        if given not in cloud:
            yield NotSeen(what, why, f"{command} -o json")
