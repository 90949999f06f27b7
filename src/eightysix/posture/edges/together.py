"""Edges that need several grants, wherever a subject has each from: two bindings together, or one and a group's.

The rules of binding and escalating are those of the API server (kubernetes.io/docs/reference/access-authn-authz/rbac,
"privilege escalation prevention and bootstrapping"): `bind` is asked in the namespace of the binding, for the kind and name of
the role; `escalate` for the role that is written. Impersonating groups asks for a user too. A certificate never gets
`system:masters` (admission refuses that since 1.20).
"""

from __future__ import annotations

from collections.abc import Iterator

from eightysix.model.posture import Confidence, Edge, VertexKind
from eightysix.posture.edges.grants import CLUSTER_ONLY, Grant, meet
from eightysix.posture.edges.hubs import ACCOUNTS
from eightysix.posture.edges.scene import Scene, edge, would_hold
from eightysix.posture.rbac import MASTERS, PermissionSet, SubjectKey, groups_of
from eightysix.posture.vertices import CLUSTER, group_id, hub_id, user_id, vertex_id

__all__ = ["together"]

_PARTS = frozenset(
    {
        "as_groups",
        "escalate",
        "escalate_cluster",
        "bind",
        "bind_cluster",
        "make_bindings",
        "make_cluster_bindings",
        "write_bindings",
        "write_cluster_bindings",
        "write_roles",
        "write_cluster_roles",
        "create_secrets",
        "make_requests",
        "write_approval",
        "approve",
        "write_namespaces",
        "make_volumes",
        "evict",
        "change_nodes",
    }
)
_WITH = frozenset({"as_users", "as_accounts", "list_secrets", "get_secrets", "make", "make_claims"})
_CLIENT = "kubernetes.io/kube-apiserver-client"
_KUBELET = "kubernetes.io/kube-apiserver-client-kubelet"

_Powers = dict[str, Grant]


class _Holder:
    """What one user or group holds, by scope."""

    def __init__(self, scene: Scene, subject: SubjectKey) -> None:
        self.scene = scene
        self.id = group_id(subject[1]) if subject[0] else user_id(subject[1])
        self.sets: list[PermissionSet] = list(scene.authorizer.sets_of(subject))
        if not subject[0]:
            for group in groups_of(subject[1]):
                self.sets.extend(scene.authorizer.sets_of((True, group)))
        self.by_scope: dict[str, _Powers] = {"": {}}
        for held in self.sets:
            powers = self.by_scope.setdefault(held.namespace, {})
            for power, grant in scene.grants.of(held).items():
                if (power in _PARTS or power in _WITH) and not (held.namespace and power in CLUSTER_ONLY):
                    before = powers.get(power)
                    powers[power] = grant if before is None else _more(before, grant)

    def view(self, namespace: str) -> _Powers:
        """What it may do in a namespace, the cluster's grants with it; in the cluster where it is empty."""
        wide = self.by_scope[""]
        if not namespace:
            return wide
        own = self.by_scope.get(namespace, {})
        return {
            **wide,
            **{power: _more(wide[power], grant) if power in wide else grant for power, grant in own.items()},
        }


def _more(one: Grant, other: Grant) -> Grant:
    if one.names is None:
        return one
    return other if other.names is None else Grant(one.names | other.names, one.evidence)


def together(scene: Scene) -> Iterator[Edge]:
    """Edges of every subject that holds a part of one."""
    for subject in scene.authorizer.subjects():
        own = scene.authorizer.sets_of(subject)
        if not any(power in _PARTS or power in _WITH for held in own for power in scene.grants.of(held)):
            continue
        holder = _Holder(scene, subject)
        if not any(power in _PARTS for powers in holder.by_scope.values() for power in powers):
            continue
        seen: set[tuple[str, str]] = set()
        for found in _all(holder):
            if (found.type, found.target) not in seen:
                seen.add((found.type, found.target))
                yield found


def _all(holder: _Holder) -> Iterator[Edge]:
    yield from _groups(holder)
    yield from _certificates(holder)
    yield from _steal(holder)
    yield from _cluster_bindings(holder)
    for namespace in holder.by_scope:
        if not holder.by_scope[namespace]:
            continue  # nothing of its own there
        powers = holder.view(namespace)
        yield from _escalate(holder, namespace, powers)
        yield from _bindings(holder, namespace, powers)
        yield from _mint(holder, namespace, powers)
        yield from _host(holder, namespace, powers)


def _said(*grants: Grant) -> tuple[tuple[str, str], ...]:
    return tuple(dict.fromkeys(grant.evidence for grant in grants))


def _groups(holder: _Holder) -> Iterator[Edge]:
    groups = holder.by_scope[""].get("as_groups")
    someone = holder.by_scope[""].get("as_users")
    for powers in holder.by_scope.values():
        someone = someone or powers.get("as_accounts")
    if groups is None or someone is None:
        return
    if groups.over(MASTERS):
        yield edge("IMPERSONATE_GROUP", holder.id, group_id(MASTERS), _said(groups, someone))
    if groups.names is None:
        yield edge("IMPERSONATE_GROUP", holder.id, hub_id("", "groups"), _said(groups, someone))
    for name in sorted((groups.names or frozenset()) - {MASTERS}):
        yield edge("IMPERSONATE_GROUP", holder.id, group_id(name), _said(groups, someone))


def _certificates(holder: _Holder) -> Iterator[Edge]:
    powers = holder.by_scope[""]
    parts = [powers.get(power) for power in ("make_requests", "write_approval", "approve")]
    grants = [grant for grant in parts if grant is not None]
    if len(grants) < len(parts):
        return
    approve = grants[2]
    for signer, targets in (
        (_CLIENT, (hub_id("", "users"), hub_id("", "groups"))),
        (_KUBELET, (group_id("system:nodes"),)),
    ):
        if approve.over(signer) or approve.over("kubernetes.io/*"):
            for target in targets:
                yield edge("SIGN_CERTIFICATE", holder.id, target, _said(*grants))


def _steal(holder: _Holder) -> Iterator[Edge]:
    powers = holder.by_scope[""]
    if "evict" in powers and "change_nodes" in powers:
        needs = "a node that one holds"
        evidence = _said(powers["evict"], powers["change_nodes"])
        yield edge("STEAL_PODS", holder.id, hub_id("", "pods"), evidence, Confidence.ASSUMED, needs)


def _wildcard(scene: Scene, name: str) -> bool:
    if name == "cluster-admin":  # every cluster has it
        return True
    held = would_hold(scene, "ClusterRole", "", name)
    return held is not None and "everything" in scene.grants.of(held)


def _bound(scene: Scene, kind: str, namespace: str, name: str) -> str | None:
    """The permission set that a new binding would make, noted so that its own edges are drawn."""
    key = (kind, namespace, name)
    if key not in scene.bound:
        held = would_hold(scene, kind, namespace, name)
        if held is None:
            return None
        scene.bound[key] = held
    return vertex_id(VertexKind.PERMISSION_SET, namespace, f"{name}::*")


def _cluster_bindings(holder: _Holder) -> Iterator[Edge]:
    """Cluster role bindings, made or changed."""
    scene, powers = holder.scene, holder.by_scope[""]
    bind, make, write = (
        powers.get(power) for power in ("bind_cluster", "make_cluster_bindings", "write_cluster_bindings")
    )
    if bind is None:
        return
    if make is not None:
        evidence = _said(make, bind)
        for name in ["cluster-admin"] if bind.names is None else sorted(bind.names):
            target = CLUSTER if _wildcard(scene, name) else _bound(scene, "ClusterRole", "", name)
            if target is not None:
                yield edge("BIND_ROLE", holder.id, target, evidence)
    if write is not None:
        evidence = _said(write, bind)
        if write.names is None and bind.over("cluster-admin"):  # the binding of that name is in every cluster
            yield edge("BIND_ROLE", holder.id, CLUSTER, evidence)
            return
        for held in scene.bindings_of("ClusterRole", None, bind.names, write.names):
            if bind.over(held.role) and write.over(held.binding):
                yield edge(
                    "BIND_ROLE", holder.id, vertex_id(VertexKind.PERMISSION_SET, "", held.name), evidence
                )


def _bindings(holder: _Holder, namespace: str, powers: _Powers) -> Iterator[Edge]:
    """Role bindings of a namespace, or of all."""
    make, write = powers.get("make_bindings"), powers.get("write_bindings")
    for kind, power in (("ClusterRole", "bind_cluster"), ("Role", "bind")):
        bind = powers.get(power)
        if bind is None:
            continue
        if make is not None:
            yield from _new_bindings(holder, namespace, kind, bind, make)
        if write is not None:
            yield from _old_bindings(holder, namespace, kind, bind, write)


def _new_bindings(holder: _Holder, namespace: str, kind: str, bind: Grant, make: Grant) -> Iterator[Edge]:
    scene, evidence = holder.scene, _said(make, bind)
    whole = hub_id(namespace) if namespace else hub_id("", "namespaces")
    if kind == "Role":
        if bind.names is None:
            scene.role_hubs.add(namespace)
            yield edge("BIND_ROLE", holder.id, hub_id(namespace, "roles"), evidence)
            return
    elif any(_wildcard(scene, name) for name in (bind.names or ("cluster-admin",))):
        yield edge("BIND_ROLE", holder.id, whole, evidence)
        return
    for name in sorted(bind.names or ()):
        for space in [namespace] if namespace else scene.namespaces:
            target = _bound(scene, kind, space, name)
            if target is not None:
                yield edge("BIND_ROLE", holder.id, target, evidence)


def _old_bindings(holder: _Holder, namespace: str, kind: str, bind: Grant, write: Grant) -> Iterator[Edge]:
    scene, evidence = holder.scene, _said(write, bind)
    if write.names is None and bind.names is None:
        (scene.bound_role_hubs if kind == "Role" else scene.bound_cluster_role_hubs).add(namespace)
        yield edge("BIND_ROLE", holder.id, hub_id(namespace, f"bound-{kind}"), evidence)
        return
    for held in scene.bindings_of(kind, namespace, bind.names, write.names):
        if write.over(held.binding) and bind.over(held.role):
            yield edge(
                "BIND_ROLE",
                holder.id,
                vertex_id(VertexKind.PERMISSION_SET, held.namespace, held.name),
                evidence,
            )


def _escalate(holder: _Holder, namespace: str, powers: _Powers) -> Iterator[Edge]:
    """Rights written into a role that is bound to the writer: what its binding's scope is, that is won."""
    pairs = [("Role", "escalate", "write_roles")]
    if not namespace:
        pairs.append(("ClusterRole", "escalate_cluster", "write_cluster_roles"))
    for kind, power, writing in pairs:
        escalate, write = powers.get(power), powers.get(writing)
        if escalate is None or write is None:
            continue
        names = meet(escalate, write)
        for held in holder.sets:
            mine = held.role_kind == kind and (names is None or held.role in names)
            if mine and (kind == "ClusterRole" or not namespace or held.namespace == namespace):
                yield edge("ESCALATE", holder.id, hub_id(held.namespace), _said(escalate, write))


def _mint(holder: _Holder, namespace: str, powers: _Powers) -> Iterator[Edge]:
    create = powers.get("create_secrets")
    read = powers.get("list_secrets") or powers.get("get_secrets") or powers.get("make")
    if create is not None and read is not None:
        yield edge("MINT_TOKEN_SECRET", holder.id, hub_id(namespace, ACCOUNTS), _said(create, read))


def _host(holder: _Holder, namespace: str, powers: _Powers) -> Iterator[Edge]:
    """A node by way of what Pod Security does not see, or no longer sees."""
    make = powers.get("make")
    if make is None:
        return
    nodes = hub_id("", "nodes")
    patch = powers.get("write_namespaces")
    if patch is not None:
        spaces = (
            [namespace]
            if namespace
            else sorted(patch.names or ())
            if patch.names is not None
            else holder.scene.namespaces
        )
        if any(patch.over(space) and holder.scene.privileged_pods(space) is None for space in spaces):
            yield edge("NAMESPACE_PATCH", holder.id, nodes, _said(patch, make))
    volumes, claims = powers.get("make_volumes"), powers.get("make_claims")
    if volumes is not None and claims is not None:
        yield edge("HOST_VOLUME", holder.id, nodes, _said(volumes, claims, make))
