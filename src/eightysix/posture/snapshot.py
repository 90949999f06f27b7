"""Everything that is known of a cluster and its cloud at one time, decoded."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from eightysix.model.posture import NotSeen
from eightysix.posture.objects import (
    Binding,
    Meta,
    NamespaceObject,
    NetworkPolicy,
    NodeObject,
    Pod,
    PodSpec,
    Role,
    SecretObject,
    ServiceAccount,
    Workload,
)

__all__ = [
    "Cloud",
    "CloudIdentity",
    "FederatedCredential",
    "RoleAssignment",
    "ScaleSet",
    "Snapshot",
    "Template",
]


class CloudIdentity(Struct, frozen=True):
    """An identity of the cloud: `client_id`, `principal_id` and `resource_id` as `az identity list` tells them, in small
    letters."""

    name: str
    client_id: str = ""
    principal_id: str = ""
    resource_id: str = ""
    kind: str = "user-assigned"


class FederatedCredential(Struct, frozen=True):
    """A trust: tokens of `issuer` with `subject` (`system:serviceaccount:NAMESPACE:NAME`) are taken for the identity."""

    identity: str
    issuer: str
    subject: str
    audiences: tuple[str, ...] = ()


class RoleAssignment(Struct, frozen=True):
    """What a principal may do: `role` by name, at `scope` (a resource id)."""

    principal_id: str
    role: str
    scope: str


class ScaleSet(Struct, frozen=True):
    """A node pool's machines: names of nodes begin with `prefix`; `identities` are resource ids, or `system:PRINCIPAL`."""

    name: str
    prefix: str
    identities: tuple[str, ...] = ()
    pool: str = ""


class Cloud(Struct, frozen=True):
    """The cloud beside the cluster; everything empty where nothing was given."""

    identities: tuple[CloudIdentity, ...] = ()
    federations: tuple[FederatedCredential, ...] = ()
    assignments: tuple[RoleAssignment, ...] = ()
    scale_sets: tuple[ScaleSet, ...] = ()
    kubelet_client_id: str = ""
    metadata_restricted: bool | None = None
    network_policy: str = ""
    registries: tuple[str, ...] = ()
    given: bool = False


class Template(Struct, frozen=True):
    """Pods that are alike: one workload's, or one pod that nobody owns. `pods` counts those that live; `nodes` are where. Of a
    custom resource `owner` is its name, `at` where the specification stands, `paths` the containers in it."""

    namespace: str
    kind: str
    name: str
    meta: Meta
    spec: PodSpec
    pods: int = 1
    nodes: tuple[str, ...] = ()
    owner: str = ""
    at: str = ""
    paths: tuple[str, ...] = ()


class Snapshot(Struct, frozen=True):
    """Objects by kind. Keys are `namespace/name`, or the name alone for what has no namespace. `server` is the version of the
    API server (`1.34`), empty where not known; `crds` are custom resources by kind, as they came."""

    cluster: str = ""
    taken_at: str = ""
    server: str = ""
    pods: Mapping[str, Pod] = field(default_factory=dict)
    workloads: Mapping[str, Workload] = field(default_factory=dict)
    service_accounts: Mapping[str, ServiceAccount] = field(default_factory=dict)
    roles: Mapping[str, Role] = field(default_factory=dict)
    cluster_roles: Mapping[str, Role] = field(default_factory=dict)
    role_bindings: Mapping[str, Binding] = field(default_factory=dict)
    cluster_role_bindings: Mapping[str, Binding] = field(default_factory=dict)
    namespaces: Mapping[str, NamespaceObject] = field(default_factory=dict)
    nodes: Mapping[str, NodeObject] = field(default_factory=dict)
    secrets: Mapping[str, SecretObject] = field(default_factory=dict)
    network_policies: Mapping[str, NetworkPolicy] = field(default_factory=dict)
    custom: Mapping[str, tuple[Mapping[str, object], ...]] = field(default_factory=dict)
    cloud: Cloud = field(default_factory=Cloud)
    not_seen: tuple[NotSeen, ...] = ()
