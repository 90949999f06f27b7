"""From an identity of the cloud by its roles to clusters, machines, registries, stores, vaults and models: and so back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eightysix.model.posture import Confidence, Edge, VertexKind
from eightysix.posture.edges.azure_roles import Power, powers
from eightysix.posture.edges.make import (
    LLM_SPEND,
    MODEL_WRITE,
    NODE,
    PUSHED,
    SUBSCRIPTION,
    VAULT,
    edge,
    pull_id,
    push_id,
    vault_id,
    weaker,
    write_id,
)
from eightysix.posture.edges.scopes import Place, level, named
from eightysix.posture.edges.stores import accounts_used, registries
from eightysix.posture.lookup import Lookup, identity_vertex, lookup
from eightysix.posture.snapshot import ScaleSet, Snapshot, Template
from eightysix.posture.vertices import CLUSTER_ADMIN, node_id, vertex_id

__all__ = ["edges", "role_id"]

_AROUND = ("root", "subscription")


def role_id(role: str, scope: str) -> str:
    """The vertex of a role at a scope."""
    return vertex_id(VertexKind.CLOUD_ROLE, "", f"{role}@{scope.lower()}")


class _Role:
    """A role at a scope, and what is needed to say where it leads."""

    def __init__(self, world: _World, role: str, scope: str, index: int) -> None:
        self.world = world
        self.scope = scope
        self.vertex = role_id(role, scope)
        self.evidence = (("cloud", f"assignments[{index}]"),)

    def to(self, type_: str, target: str, *confidences: Confidence, needs: str = "") -> Edge:
        """An edge from the role."""
        return edge(type_, self.vertex, target, self.evidence, weaker(*confidences), needs)


class _World:
    def __init__(self, known: Lookup, templates: Sequence[Template]) -> None:
        self.known = known
        self.place = Place(known.snapshot)
        self.registries = registries(known.snapshot, templates)
        self.accounts = accounts_used(known.snapshot, templates)


def edges(snapshot: Snapshot, templates: Sequence[Template]) -> Iterator[Edge]:
    """Edges of all role assignments; each role at a scope is told once, however many hold it."""
    known = lookup(snapshot)
    world = _World(known, templates)
    told: set[str] = set()
    pushed: set[str] = set()
    for index, assignment in enumerate(snapshot.cloud.assignments):
        role = _Role(world, assignment.role, assignment.scope, index)
        holder = known.identity_id(assignment.principal_id)
        yield edge("HOLDS_ROLE", holder, role.vertex, role.evidence)
        if role.vertex in told:
            continue
        told.add(role.vertex)
        for power, sure in powers(assignment.role).items():
            for one in _LEADS[power](role, sure):
                yield one
                pushed.add(one.target)
    for host in world.registries:
        if push_id(host) in pushed:
            yield edge("CAN_PUSH", push_id(host), PUSHED, (("cloud", "registries"),))
    yield from _machines(world, pushed)


def _cluster_admin(role: _Role, sure: Confidence) -> Iterator[Edge]:
    covered = role.world.place.covers_cluster(role.scope)
    if covered is not None:
        yield role.to(
            "LIST_CLUSTER_ADMIN", CLUSTER_ADMIN, sure, covered, needs="local accounts of the cluster are on"
        )


def _cluster_rbac(role: _Role, sure: Confidence) -> Iterator[Edge]:
    covered = role.world.place.covers_cluster(role.scope)
    if covered is not None and not named(role.scope, "namespaces"):
        needs = "the cluster takes Azure's authorisation"
        yield role.to("AKS_RBAC", CLUSTER_ADMIN, sure, covered, Confidence.INFERRED, needs=needs)


def _pool_id(name: str) -> str:
    return vertex_id(VertexKind.CLOUD_RESOURCE, "machines", name)


def _run_command(role: _Role, sure: Confidence) -> Iterator[Edge]:
    one = named(role.scope, "virtualmachinescalesets")
    pools = role.world.known.snapshot.cloud.scale_sets
    covered = role.world.place.covers_machines(role.scope)
    if covered is not None and not pools:
        yield role.to("VMSS_RUN_COMMAND", NODE, sure, covered)
    for pool in pools:
        if one and pool.name.lower() == one:
            yield role.to("VMSS_RUN_COMMAND", _pool_id(pool.name), sure)
        elif covered is not None:
            yield role.to("VMSS_RUN_COMMAND", _pool_id(pool.name), sure, covered)


def _machines(world: _World, reached: set[str]) -> Iterator[Edge]:
    """From the machines of a pool to its nodes: one edge a node, however many roles cover them."""
    pools: dict[str, ScaleSet] = {
        pool.name: pool for pool in world.known.snapshot.cloud.scale_sets if _pool_id(pool.name) in reached
    }
    for name in pools:
        yield edge("VMSS_RUN_COMMAND", _pool_id(name), NODE, (("cloud", "scaleSets"),))
    for node in world.known.snapshot.nodes if pools else ():
        found = world.known.pool_of(node)
        if found is not None and found.name in pools:
            evidence = ((f"Node/{node}", "spec.providerID"),)
            yield edge("VMSS_RUN_COMMAND", _pool_id(found.name), node_id(node), evidence)


def _trust(role: _Role, sure: Confidence) -> Iterator[Edge]:
    one = named(role.scope, "userassignedidentities")
    for identity in role.world.known.snapshot.cloud.identities:
        if identity.kind != "user-assigned":
            continue
        target = identity_vertex(identity)
        if one:
            if one == identity.name.lower() or identity.resource_id.lower() == role.scope.lower():
                yield role.to("FIC_WRITE", target, sure)
            continue
        covered = role.world.place.covers(role.scope, identity.resource_id)
        if covered is not None:
            yield role.to("FIC_WRITE", target, sure, covered)


def _assign(role: _Role, sure: Confidence) -> Iterator[Edge]:
    if level(role.scope) in _AROUND:
        yield role.to("ROLE_WRITE", SUBSCRIPTION, sure)
    covered = role.world.place.covers_cluster(role.scope)
    if covered is not None:
        yield role.to("ROLE_WRITE", CLUSTER_ADMIN, sure, covered, Confidence.INFERRED)


def _push(role: _Role, sure: Confidence) -> Iterator[Edge]:
    for host, covered in _registries(role):
        yield role.to("CAN_PUSH", push_id(host), sure, covered)
    host = _host(role.scope)
    if level(role.scope) != "resource" or (host and host not in role.world.registries):
        yield role.to("CAN_PUSH", PUSHED, sure)


def _pull(role: _Role, sure: Confidence) -> Iterator[Edge]:
    for host, covered in _registries(role):
        yield role.to("PULLS_FROM", pull_id(host), sure, covered)


def _host(scope: str) -> str:
    name = named(scope, "registries")
    return f"{name}.azurecr.io" if name else ""


def _registries(role: _Role) -> Iterator[tuple[str, Confidence]]:
    one = _host(role.scope)
    for host, resource in role.world.registries.items():
        if one:
            if host == one:
                yield host, Confidence.PROVED
        elif host.endswith(".azurecr.io"):
            covered = role.world.place.covers(role.scope, resource)
            if covered is not None:
                yield host, covered


def _blobs(role: _Role, sure: Confidence) -> Iterator[Edge]:
    one = named(role.scope, "storageaccounts")
    if one or level(role.scope) != "resource":
        yield role.to("BLOB_WRITE_MODEL", MODEL_WRITE, sure)
    for account in role.world.accounts:
        if one and account == one:
            yield role.to("BLOB_WRITE_MODEL", write_id(account), sure)
        elif not one:
            covered = role.world.place.covers(role.scope, "")
            if covered is not None:
                yield role.to("BLOB_WRITE_MODEL", write_id(account), sure, covered)


def _vault(role: _Role, sure: Confidence) -> Iterator[Edge]:
    one = named(role.scope, "vaults")
    if one:
        yield role.to("KV_READ", vault_id(one), sure)
        yield edge("KV_READ", vault_id(one), VAULT, role.evidence)
    elif level(role.scope) != "resource":
        yield role.to("KV_READ", VAULT, sure)


def _models(role: _Role, sure: Confidence) -> Iterator[Edge]:
    if level(role.scope) != "resource":
        yield role.to("MODEL_ACCESS", LLM_SPEND, sure, Confidence.INFERRED)
    elif named(role.scope, "accounts"):
        yield role.to("MODEL_ACCESS", LLM_SPEND, sure)


_LEADS = {
    Power.CLUSTER_ADMIN: _cluster_admin,
    Power.CLUSTER_RBAC: _cluster_rbac,
    Power.MACHINES: _run_command,
    Power.TRUST: _trust,
    Power.ASSIGN: _assign,
    Power.PUSH: _push,
    Power.PULL: _pull,
    Power.BLOBS: _blobs,
    Power.VAULT: _vault,
    Power.MODELS: _models,
}
