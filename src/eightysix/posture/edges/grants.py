"""What the rules of a role give an attacker: powers, each with the names it is limited to and where it is written.

Source: kubernetes.io/docs/concepts/security/rbac-good-practices ("privilege escalation risks") and the authorizer's own
matching. A power over what has no namespace is none by a role binding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from eightysix.posture.objects import PolicyRule
from eightysix.posture.rbac import PermissionSet

__all__ = ["CLUSTER_ONLY", "DEPUTIES", "Grant", "Grants", "meet"]

_RBAC = "rbac.authorization.k8s.io"
_CERTIFICATES = "certificates.k8s.io"
_ADMISSION = "admissionregistration.k8s.io"
_WRITE = ("update", "patch")

_MAKERS: tuple[tuple[str, str], ...] = (
    ("", "pods"),
    ("", "replicationcontrollers"),
    ("apps", "deployments"),
    ("apps", "daemonsets"),
    ("apps", "statefulsets"),
    ("apps", "replicasets"),
    ("batch", "jobs"),
    ("batch", "cronjobs"),
)
_CUSTOM: dict[str, str] = {
    "actions.github.com": "autoscalingrunnersets ephemeralrunnersets ephemeralrunners",
    "actions.summerwind.dev": "runners runnersets runnerdeployments runnerreplicasets",
    "apps.kruise.io": "clonesets statefulsets daemonsets",
    "argoproj.io": "workflows cronworkflows rollouts",
    "batch.volcano.sh": "jobs cronjobs",
    "flink.apache.org": "flinkdeployments",
    "jobset.x-k8s.io": "jobsets",
    "kaito.sh": "workspaces",
    "keda.sh": "scaledjobs",
    "kubeflow.org": "notebooks pytorchjobs tfjobs mpijobs xgboostjobs jaxjobs",
    "leaderworkerset.x-k8s.io": "leaderworkersets",
    "machinelearning.seldon.io": "seldondeployments",
    "monitoring.coreos.com": "prometheuses alertmanagers thanosrulers",
    "opentelemetry.io": "opentelemetrycollectors",
    "ray.io": "rayclusters rayjobs rayservices",
    "serving.knative.dev": "services configurations",
    "serving.kserve.io": "inferenceservices inferencegraphs llminferenceservices servingruntimes",
    "sparkoperator.k8s.io": "sparkapplications scheduledsparkapplications",
    "tekton.dev": "taskruns pipelineruns",
}
"""Resources out of which operators make pods with an account that the resource names, by each one's own documentation."""

_CUSTOM_MAKERS = tuple((group, name) for group, names in _CUSTOM.items() for name in names.split())

DEPUTIES: dict[str, tuple[str, str]] = {
    "deploy_kustomizations": ("kustomize.toolkit.fluxcd.io", "kustomizations"),
    "deploy_releases": ("helm.toolkit.fluxcd.io", "helmreleases"),
    "deploy_applications": ("argoproj.io", "applications"),
}
"""Resources whose controller makes anything that they ask for, with its own rights (fluxcd.io, security best practices;
argo-cd.readthedocs.io, security)."""

_Ask = tuple[tuple[str, ...], str, str, str]


def _write(group: str, *resources: str) -> tuple[_Ask, ...]:
    return tuple((_WRITE, group, resource, "") for resource in resources)


def _make(makers: Iterable[tuple[str, str]], *verbs: str) -> tuple[_Ask, ...]:
    return tuple((verbs, group, resource, "") for group, resource in makers)


_HOOKS = ("mutatingwebhookconfigurations", "mutatingadmissionpolicies", "mutatingadmissionpolicybindings")

_POWERS: dict[str, tuple[_Ask, ...]] = {
    "list_secrets": ((("list", "watch"), "", "secrets", ""),),
    "get_secrets": ((("get",), "", "secrets", ""),),
    "create_secrets": ((("create",), "", "secrets", ""),),
    "token": ((("create",), "", "serviceaccounts", "token"),),
    "exec": ((("create",), "", "pods", "exec"),),
    "exec_get": ((("get",), "", "pods", "exec"),),
    "attach": ((("create", "get"), "", "pods", "attach"),),
    "forward": ((("create", "get"), "", "pods", "portforward"),),
    "debug": ((_WRITE, "", "pods", "ephemeralcontainers"),),
    "change_pods": _write("", "pods"),
    "make": _make(_MAKERS, "create"),
    "make_custom": _make(_CUSTOM_MAKERS, "create"),
    "change": _make(_MAKERS[1:], *_WRITE),
    "change_custom": _make(_CUSTOM_MAKERS, *_WRITE),
    "bind_pods": ((("create",), "", "pods", "binding"), (("create",), "", "bindings", "")),
    "evict": ((("delete", "deletecollection"), "", "pods", ""), (("create",), "", "pods", "eviction")),
    "change_nodes": (*_write("", "nodes"), (_WRITE, "", "nodes", "status")),
    "as_users": ((("impersonate",), "", "users", ""),),
    "as_groups": ((("impersonate",), "", "groups", ""),),
    "as_accounts": ((("impersonate",), "", "serviceaccounts", ""),),
    "escalate_cluster": ((("escalate",), _RBAC, "clusterroles", ""),),
    "escalate": ((("escalate",), _RBAC, "roles", ""),),
    "write_cluster_roles": _write(_RBAC, "clusterroles"),
    "write_roles": _write(_RBAC, "roles"),
    "bind_cluster": ((("bind",), _RBAC, "clusterroles", ""),),
    "bind": ((("bind",), _RBAC, "roles", ""),),
    "make_cluster_bindings": ((("create",), _RBAC, "clusterrolebindings", ""),),
    "make_bindings": ((("create",), _RBAC, "rolebindings", ""),),
    "write_cluster_bindings": _write(_RBAC, "clusterrolebindings"),
    "write_bindings": _write(_RBAC, "rolebindings"),
    "nodes_proxy": ((("create", "get"), "", "nodes", "proxy"),),
    "make_requests": ((("create",), _CERTIFICATES, "certificatesigningrequests", ""),),
    "write_approval": ((_WRITE, _CERTIFICATES, "certificatesigningrequests", "approval"),),
    "approve": ((("approve",), _CERTIFICATES, "signers", ""),),
    "hooks": (*_make(((_ADMISSION, hook) for hook in _HOOKS), "create", *_WRITE),),
    "seeing_hooks": ((("create", *_WRITE), _ADMISSION, "validatingwebhookconfigurations", ""),),
    "api_services": ((("create", *_WRITE), "apiregistration.k8s.io", "apiservices", ""),),
    "write_namespaces": _write("", "namespaces"),
    "make_volumes": ((("create",), "", "persistentvolumes", ""),),
    **{power: _make((asked,), "create", *_WRITE) for power, asked in DEPUTIES.items()},
    "make_claims": ((("create",), "", "persistentvolumeclaims", ""),),
}

CLUSTER_ONLY = frozenset(
    {
        "change_nodes",
        "as_users",
        "as_groups",
        "escalate_cluster",
        "write_cluster_roles",
        "make_cluster_bindings",
        "write_cluster_bindings",
        "nodes_proxy",
        "make_requests",
        "write_approval",
        "approve",
        "hooks",
        "seeing_hooks",
        "api_services",
        "make_volumes",
    }
)
"""Powers over what has no namespace."""

_NAMELESS = frozenset({"create", "deletecollection"})


class Grant(Struct, frozen=True):
    """A power. `names` is empty-handed as `None`: everything."""

    names: frozenset[str] | None
    evidence: tuple[str, str]

    def over(self, name: str) -> bool:
        """Whether it reaches this name."""
        return self.names is None or name in self.names


def meet(one: Grant, other: Grant) -> frozenset[str] | None:
    """Names that both reach; `None` for all."""
    if one.names is None:
        return other.names
    return one.names if other.names is None else one.names & other.names


def _names(rule: PolicyRule, verbs: Sequence[str], subresource: str) -> frozenset[str] | None:
    """Names that a rule is limited to for these verbs: nothing at all where a named rule never allows them."""
    if not rule.resource_names:
        return None
    if "*" not in rule.verbs:
        verbs = [verb for verb in verbs if verb in rule.verbs]
    usable = subresource or any(verb not in _NAMELESS for verb in verbs)
    return frozenset(rule.resource_names) if usable else frozenset()


class Grants:
    """Powers of roles, worked out once for rules that are the same object."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[tuple[PolicyRule, ...], dict[str, Grant]]] = {}

    def of(self, held: PermissionSet) -> dict[str, Grant]:
        """Powers of a permission set's rules, whatever its scope."""
        known = self._known.get(id(held.rules))
        if known is None:
            known = self._known[id(held.rules)] = (held.rules, self._work_out(held))
        return known[1]

    def _work_out(self, held: PermissionSet) -> dict[str, Grant]:
        found: dict[str, Grant] = {}
        for rule, origin in zip(held.rules, held.origins, strict=True):
            resources, groups, verbs = frozenset(rule.resources or ()), rule.api_groups or (), rule.verbs
            if "*" in verbs and "*" in groups and "*" in resources and not rule.resource_names:
                return {"everything": Grant(None, origin)}
            every = "*" in resources
            for power, asks in _POWERS.items():
                for wanted, group, resource, sub in asks:
                    whole = f"{resource}/{sub}" if sub else resource
                    if not (every or whole in resources or (sub and f"*/{sub}" in resources)):
                        continue
                    if ("*" in verbs or any(verb in verbs for verb in wanted)) and (
                        "*" in groups or group in groups
                    ):
                        _add(found, power, _names(rule, wanted, sub), origin)
        return found


def _add(found: dict[str, Grant], power: str, names: frozenset[str] | None, origin: tuple[str, str]) -> None:
    before = found.get(power)
    if names == frozenset() or (before is not None and before.names is None):
        return
    if before is None or names is None:
        found[power] = Grant(names, origin)
    else:
        found[power] = Grant((before.names or frozenset()) | names, before.evidence)
