"""What is asked of a snapshot again and again, by keys: made once for a snapshot and kept while it is the one in use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from eightysix.model.posture import Credential, VertexKind
from eightysix.posture.objects import NetworkPolicy, ServiceAccount
from eightysix.posture.snapshot import (
    CloudIdentity,
    FederatedCredential,
    RoleAssignment,
    ScaleSet,
    Snapshot,
    Template,
)
from eightysix.posture.vertices import vertex_id

__all__ = ["POLICIES_HELD", "Lookup", "lookup", "text"]

POLICIES_HELD = frozenset({"calico", "cilium"})
"""Network plugins that hold a NetworkPolicy against the metadata service too. Azure's own (NPM) does not: a policy that
denies all egress left 169.254.169.254 open (github.com/MicrosoftDocs/azure-docs/issues/63362)."""

_AGENTS = {
    "calico-node": "calico",
    "cilium": "cilium",
    "azure-npm": "azure",
    "anetd": "cilium",
    "weave-net": "weave",
}
"""DaemonSets by which the plugin is known (projectcalico.org, cilium.io, learn.microsoft.com/azure/aks/use-network-policies,
cloud.google.com/kubernetes-engine/docs/concepts/dataplane-v2)."""

_PROVIDERS = {"azure": "azure", "aws": "aws", "gce": "gcp"}
"""Beginnings of `spec.providerID` of clouds that answer at 169.254.169.254."""


def text(value: object, *path: str) -> str:
    """The text at a path of members in a custom resource, empty where there is none."""
    for member in path:
        if not isinstance(value, Mapping):
            return ""
        value = value.get(member)
    return value[:4096] if isinstance(value, str) else ""


class Lookup:
    """A snapshot by keys. Ids of the cloud are compared in small letters."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        cloud = snapshot.cloud
        self.identities: dict[str, CloudIdentity] = {}
        for identity in cloud.identities:
            for id_ in (identity.client_id, identity.principal_id, identity.resource_id):
                if id_:
                    self.identities.setdefault(id_.lower(), identity)
        self.federations: dict[str, list[tuple[int, FederatedCredential]]] = {}
        for index, federation in enumerate(cloud.federations):
            self.federations.setdefault(federation.subject, []).append((index, federation))
        self.assignments: dict[str, list[tuple[int, RoleAssignment]]] = {}
        for index, assignment in enumerate(cloud.assignments):
            self.assignments.setdefault(assignment.principal_id.lower(), []).append((index, assignment))
        self.policies: dict[str, list[tuple[str, NetworkPolicy]]] = {}
        for key, policy in snapshot.network_policies.items():
            namespace = policy.metadata.namespace or key.partition("/")[0]
            self.policies.setdefault(namespace, []).append((key, policy))
        self.classes = {
            f"{text(item, 'metadata', 'namespace')}/{text(item, 'metadata', 'name')}": item
            for item in snapshot.custom.get("SecretProviderClass", ())
        }
        self.clouds = self._clouds()
        self.plugin = cloud.network_policy.lower() or self._plugin()
        self.credentials: dict[int, tuple[Template, tuple[Credential, ...]]] = {}
        self._prefixes = sorted(
            ((pool.prefix or pool.name).lower(), index)
            for index, pool in enumerate(cloud.scale_sets)
            if pool.prefix or pool.name
        )
        self._pools: dict[str, ScaleSet | None] = {}

    def _clouds(self) -> frozenset[str]:
        """Clouds that the nodes are machines of; `none` for machines of no cloud, empty where nobody tells."""
        found = {"azure"} if self.snapshot.cloud.given or self.snapshot.cloud.scale_sets else set()
        for node in self.snapshot.nodes.values():
            provider = node.spec.provider_id.partition("://")[0] if node.spec is not None else ""
            if provider:
                found.add(_PROVIDERS.get(provider, "none"))
        return frozenset(found)

    def _plugin(self) -> str:
        for key, workload in self.snapshot.workloads.items():
            name = workload.metadata.name or key.rpartition("/")[2]
            namespace = workload.metadata.namespace or key.partition("/")[0]
            if name in _AGENTS and namespace in ("kube-system", "calico-system", "cilium"):
                return _AGENTS[name]
        return ""

    def account(self, namespace: str, name: str) -> ServiceAccount | None:
        """A service account."""
        return self.snapshot.service_accounts.get(f"{namespace}/{name}")

    def pool_of(self, node: str) -> ScaleSet | None:
        """The scale set whose machine a node is: the one with the longest name that the node's begins with."""
        if node not in self._pools:
            low = node.lower()
            best = max(
                ((prefix, index) for prefix, index in self._prefixes if low.startswith(prefix)),
                key=lambda found: len(found[0]),
                default=None,
            )
            self._pools[node] = self.snapshot.cloud.scale_sets[best[1]] if best is not None else None
        return self._pools[node]

    def pools_of(self, nodes: Iterable[str]) -> tuple[ScaleSet, ...]:
        """Scale sets of some nodes, each once."""
        found = {pool.name: pool for node in nodes if (pool := self.pool_of(node)) is not None}
        return tuple(found.values())

    def identity_id(self, told: str) -> str:
        """The vertex of an identity, by any of its ids; of one that nobody listed, by the id that was told."""
        known = self.identities.get(told.lower())
        if known is None:
            return vertex_id(VertexKind.CLOUD_IDENTITY, "", told.lower())
        return identity_vertex(known)


def identity_vertex(identity: CloudIdentity) -> str:
    """The vertex of an identity."""
    told = identity.resource_id or identity.client_id or identity.principal_id or identity.name
    return vertex_id(VertexKind.CLOUD_IDENTITY, "", told.lower())


_last: Lookup | None = None


def lookup(snapshot: Snapshot) -> Lookup:
    """The lookup of a snapshot. That of the last one asked for is kept, so that all who read one share it."""
    global _last  # noqa: PLW0603 - a memo of one entry
    last = _last
    if last is None or last.snapshot is not snapshot:
        _last = last = Lookup(snapshot)
    return last
