"""Which things the scope of a role assignment covers: the cluster, its machines, a named resource.

Scopes are resource ids, whose parts are compared in small letters (learn.microsoft.com/azure/role-based-access-control/
scope-overview). A cluster's own id is not in its snapshot: subscription and node resource group are read from the nodes'
`spec.providerID` and from ids of identities, its own group from AKS's name for the node group (`MC_GROUP_CLUSTER_REGION`).
"""

from __future__ import annotations

from eightysix.model.posture import Confidence
from eightysix.posture.snapshot import Snapshot

__all__ = ["Place", "level", "named", "parts_of"]


def parts_of(scope: str) -> list[str]:
    """The parts of a resource id."""
    return [part for part in scope.lower()[:2048].split("/") if part]


def level(scope: str) -> str:
    """`root` (everything, or a management group), `subscription`, `group`, or `resource`."""
    parts = parts_of(scope)
    if not parts or parts[:2] == ["providers", "microsoft.management"]:
        return "root"
    if parts[0] != "subscriptions":
        return "resource"
    return {2: "subscription", 4: "group"}.get(len(parts), "resource")


def named(scope: str, type_: str) -> str:
    """The name of the resource of a type that a scope is, or lies in (`.../registries/NAME`), empty for any other."""
    parts = parts_of(scope)
    place = next((place for place, part in enumerate(parts) if part == type_ and place >= 4), -1)
    return parts[place + 1] if 0 <= place < len(parts) - 1 else ""


class Place:
    """Where a cluster is, as far as its snapshot tells."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.cluster = snapshot.cluster.lower()
        self.subscription, self.machines_group = "", ""
        told = [
            node.spec.provider_id.partition("://")[2]
            for node in snapshot.nodes.values()
            if node.spec is not None and node.spec.provider_id.startswith("azure://")
        ]
        told += [identity for pool in snapshot.cloud.scale_sets for identity in pool.identities]
        for scope in told:
            parts = parts_of(scope)
            if len(parts) >= 4 and parts[0] == "subscriptions":
                self.subscription = self.subscription or parts[1]
                if not self.machines_group and (
                    "virtualmachinescalesets" in parts or parts[3].startswith("mc_")
                ):
                    self.machines_group = parts[3]
        self.group = self._group()

    def _group(self) -> str:
        """The cluster's own resource group, by the name of that of its machines."""
        name = self.machines_group
        if not name.startswith("mc_") or not self.cluster:
            return ""
        group, middle, region = name[3:].rpartition(f"_{self.cluster}_")
        return group if middle and region else ""

    def covers_cluster(self, scope: str) -> Confidence | None:
        """How surely a scope covers the cluster."""
        cluster = named(scope, "managedclusters")
        if cluster:
            if not self.cluster:
                return Confidence.INFERRED
            return Confidence.PROVED if cluster == self.cluster else None
        return self._by_level(scope, self.group, other=self.machines_group)

    def covers_machines(self, scope: str) -> Confidence | None:
        """How surely a scope covers the machines of the cluster."""
        if named(scope, "virtualmachinescalesets"):
            return None  # of one pool; whoever asks knows which
        return self._by_level(scope, self.machines_group, other=self.group)

    def _by_level(self, scope: str, group: str, other: str) -> Confidence | None:
        at, parts = level(scope), parts_of(scope)
        if at == "root":
            return Confidence.INFERRED
        if at not in ("subscription", "group"):
            return None
        if self.subscription and parts[1] != self.subscription:
            return None
        if at == "subscription":
            return Confidence.PROVED if self.subscription else Confidence.INFERRED
        if group:
            return Confidence.PROVED if parts[3] == group else None
        return None if parts[3] == other else Confidence.ASSUMED

    def covers(self, scope: str, resource: str) -> Confidence | None:
        """How surely a scope covers a resource; `resource` is its id, or empty where only its name is known."""
        at = level(scope)
        if at == "resource":
            return None
        if resource:
            mine, its = parts_of(scope), parts_of(resource)
            return Confidence.PROVED if at == "root" or its[: len(mine)] == mine else None
        return Confidence.ASSUMED
