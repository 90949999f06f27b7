"""Edges of access control, as Kubernetes' authorizer decides it: what one permission set gives by itself.

Source: kubernetes.io/docs/concepts/security/rbac-good-practices. What needs several grants is in `together`, as they may come
from several bindings. Where this is more exact than other tools: a namespaced bind of a cluster role counts; a workload is
created in its own API group; rules with resource names count, for those names; a role binding reaches subjects of any
namespace; Secrets lead to the service accounts whose tokens are in them, not to all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from eightysix.model.posture import Confidence, Edge, VertexKind
from eightysix.posture.edges.grants import CLUSTER_ONLY, Grant
from eightysix.posture.edges.hubs import ACCOUNTS, hubs
from eightysix.posture.edges.scene import Scene, edge, would_hold
from eightysix.posture.edges.together import together
from eightysix.posture.rbac import Authorizer, PermissionSet
from eightysix.posture.snapshot import Snapshot, Template
from eightysix.posture.vertices import hub_id, node_id, secret_id, service_account_id, user_id, vertex_id

__all__ = ["edges"]

_GUESS = "the name of a Secret: get shows one whose name is known"
_EXEC_BY_CREATE = 35
"""From 1.35 on a websocket to a pod's commands needs `create`, unless that is turned off
(AuthorizePodWebsocketUpgradeCreatePermission)."""
_OPERATOR = "the operator that makes pods of this resource, which may refuse"


class _Row(Struct, frozen=True):
    """A power that is an edge by itself: its type, the hub it leads to, what a name in it names."""

    kind: str
    hub: str
    named: str = ""
    confidence: Confidence = Confidence.PROVED
    needs: str = ""


_ROWS: dict[str, _Row] = {
    "list_secrets": _Row("READ_SECRETS", "secrets", "secret"),
    "get_secrets": _Row("READ_SECRETS", "secrets", "secret", Confidence.INFERRED, _GUESS),
    "token": _Row("TOKEN_REQUEST", ACCOUNTS, "account"),
    "exec": _Row("EXEC", "pods", "pod"),
    "exec_get": _Row(
        "EXEC", "pods", "pod", Confidence.INFERRED, "a server that lets get open a websocket (before 1.35)"
    ),
    "attach": _Row(
        "ATTACH", "pods", "pod", Confidence.ASSUMED, "a container that takes commands on its standard input"
    ),
    "forward": _Row(
        "PORT_FORWARD", "pods", "pod", Confidence.ASSUMED, "a port that trusts whoever reaches it"
    ),
    "debug": _Row("DEBUG_POD", "pods", "pod"),
    "change_pods": _Row("REPLACE_IMAGE", "pods", "pod"),
    "make": _Row("CREATE_WORKLOAD", "workloads"),
    "make_custom": _Row("CREATE_WORKLOAD", "workloads", "", Confidence.INFERRED, _OPERATOR),
    "change": _Row("UPDATE_WORKLOAD", "workloads", "workload"),
    "change_custom": _Row("UPDATE_WORKLOAD", "workloads", "workload", Confidence.INFERRED, _OPERATOR),
    "bind_pods": _Row(
        "BIND_PODS", "pods", "", Confidence.ASSUMED, "a node that one holds, and pods that wait for a node"
    ),
    "as_users": _Row("IMPERSONATE", "users", "user"),
    "as_accounts": _Row("IMPERSONATE", ACCOUNTS, "account"),
    "nodes_proxy": _Row("NODES_PROXY", "pods", "node"),
    "hooks": _Row(
        "ADMISSION_HOOK",
        "workloads",
        "",
        Confidence.INFERRED,
        "somebody who makes or changes objects meanwhile",
    ),
    "seeing_hooks": _Row(
        "ADMISSION_HOOK", "secrets", "", Confidence.INFERRED, "somebody who writes Secrets meanwhile"
    ),
    "api_services": _Row(
        "API_SERVICE", "groups", "", Confidence.ASSUMED, "somebody with rights who asks that API meanwhile"
    ),
}


def _targets(scene: Scene, held: PermissionSet, row: _Row, grant: Grant) -> Iterator[str]:
    """Where a power leads: to the hub, or to each thing that its names name."""
    where = held.namespace
    if grant.names is None:
        if row.named != "workload" or (where in scene.made_in if where else scene.made_in):
            yield hub_id(where, row.hub)
        return
    for name in sorted(grant.names):
        if row.named == "secret":
            spaces = [where] if where else scene.secrets.get(name, [])
            yield from (secret_id(space, name) for space in spaces)
        elif row.named == "account":
            spaces = [where] if where else scene.account_names.get(name, [])
            yield from (service_account_id(space, name) for space in spaces)
        elif row.named == "pod":
            yield from scene.pods_named(where, name)
        elif row.named == "workload":
            named = {template.namespace for template in scene.workloads_named(name)}
            yield from (hub_id(space, row.hub) for space in sorted(named) if not where or space == where)
        elif row.named == "user":
            if not name.startswith("system:serviceaccount:"):  # those are asked for as service accounts
                yield user_id(name)
        elif row.named == "node":
            yield f"{node_id(name)}/pods"
        else:  # a hook or a service of the API by its name, as good as any
            yield hub_id(where, row.hub)
            return


def set_edges(scene: Scene, held: PermissionSet, source: str) -> Iterator[Edge]:
    """What one permission set gives by itself."""
    powers = scene.grants.of(held)
    everything = powers.get("everything")
    if everything is not None:
        yield edge(
            "CLUSTER_ADMIN" if held.cluster else "NS_ADMIN",
            source,
            hub_id(held.namespace),
            (everything.evidence,),
        )
        return
    if _administers(powers):
        where = hub_id(held.namespace) if held.namespace else hub_id("", "namespaces")
        yield edge("NS_ADMIN", source, where, (powers["make_bindings"].evidence,))
    yield from _by_deputies(scene, held, source, powers)
    for power, grant in powers.items():
        row = _ROWS.get(power)
        if row is None or (held.namespace and power in CLUSTER_ONLY):
            continue
        if power == "get_secrets" and _covered(powers.get("list_secrets"), grant):
            continue
        if power == "exec_get" and _covered(powers.get("exec"), grant):
            continue
        confidence, needs = row.confidence, row.needs
        if power == "exec_get" and scene.server is not None:
            older = scene.server < _EXEC_BY_CREATE
            confidence, needs = (Confidence.PROVED, "") if older else (Confidence.ASSUMED, needs)
        if power == "get_secrets" and grant.names is not None:  # the name is in the rule
            confidence, needs = Confidence.PROVED, ""
        evidence = (grant.evidence, (held.binding_object, "roleRef"))
        for target in dict.fromkeys(_targets(scene, held, row, grant)):
            yield edge(row.kind, source, target, evidence, confidence, needs)


_FLUX = "controllers that do not make everybody name an account (--default-service-account)"
_ARGO = "a project that lets it deploy there"
_CONTROLLERS = {
    "deploy_kustomizations": ("fluxcd/kustomize-controller", "", _FLUX),
    "deploy_releases": ("fluxcd/helm-controller", "", _FLUX),
    "deploy_applications": ("argoproj/argocd", "application-controller", _ARGO),
}
"""By which image, and which part of its account's name, a controller is known, and what must not stand in the way."""


def _by_deputies(
    scene: Scene, held: PermissionSet, source: str, powers: Mapping[str, Grant]
) -> Iterator[Edge]:
    """Controllers that make what they are asked for: Flux in every namespace, Argo CD in its own."""
    for power in _CONTROLLERS.keys() & powers.keys():
        image, called, needs = _CONTROLLERS[power]
        for namespace, account in scene.controllers(image):
            own = power != "deploy_applications" or held.namespace in ("", namespace)
            if called in account and own:
                target = service_account_id(namespace, account)
                yield edge("DEPUTY", source, target, (powers[power].evidence,), Confidence.INFERRED, needs)


_ADMIN = ("make", "exec", "list_secrets", "create_secrets", "make_bindings")
"""What ClusterRole `admin` gives in a namespace (kubernetes.io/docs/reference/access-authn-authz/rbac, user-facing roles): with
its pods, its Secrets and its bindings the namespace is one's own, without a `*` in any rule."""


def _administers(powers: Mapping[str, Grant]) -> bool:
    return all(power in powers and powers[power].names is None for power in _ADMIN)


def _covered(stronger: Grant | None, grant: Grant) -> bool:
    return stronger is not None and (
        stronger.names is None or (grant.names is not None and grant.names <= stronger.names)
    )


def edges(snapshot: Snapshot, templates: Sequence[Template], authorizer: Authorizer) -> Iterator[Edge]:
    """Every edge of access control."""
    scene = Scene(snapshot, templates, authorizer)
    yield from hubs(scene)
    for held in authorizer.permission_sets():
        yield from set_edges(scene, held, vertex_id(VertexKind.PERMISSION_SET, held.namespace, held.name))
    yield from together(scene)
    for held in list(scene.bound.values()):
        yield from set_edges(scene, held, vertex_id(VertexKind.PERMISSION_SET, held.namespace, held.name))
    yield from _roles_of_namespaces(scene)
    yield from _bound_in_namespaces(scene)


def _roles_of_namespaces(scene: Scene) -> Iterator[Edge]:
    """What a hub of Roles that may be bound contains: each, as if it were bound."""
    if not scene.role_hubs:
        return
    for namespace in scene.namespaces if "" in scene.role_hubs else ():
        yield edge("CONTAINS", hub_id("", "roles"), hub_id(namespace, "roles"))
    for role in scene.snapshot.roles.values():
        namespace = role.metadata.namespace
        if namespace in scene.role_hubs or "" in scene.role_hubs:
            held = would_hold(scene, "Role", namespace, role.metadata.name)
            if held is not None:
                here = vertex_id(VertexKind.PERMISSION_SET, namespace, held.name)
                yield edge("CONTAINS", hub_id(namespace, "roles"), here)
                yield from set_edges(scene, held, here)


def _bound_in_namespaces(scene: Scene) -> Iterator[Edge]:
    """What a hub of bindings that may be changed contains: the permission set of each."""
    hubs_of = {"Role": scene.bound_role_hubs, "ClusterRole": scene.bound_cluster_role_hubs}
    for kind, spaces in hubs_of.items():
        for namespace in scene.namespaces if "" in spaces else ():
            yield edge("CONTAINS", hub_id("", f"bound-{kind}"), hub_id(namespace, f"bound-{kind}"))
    for held in scene.authorizer.permission_sets():
        spaces = hubs_of.get(held.role_kind, set())
        if held.namespace and (held.namespace in spaces or "" in spaces):
            here = vertex_id(VertexKind.PERMISSION_SET, held.namespace, held.name)
            yield edge(
                "CONTAINS",
                hub_id(held.namespace, f"bound-{held.role_kind}"),
                here,
                ((held.binding_object, "roleRef"),),
            )
