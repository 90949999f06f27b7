"""The cloud beside a cluster, from what `az` answers: identities, trusts, roles, node pools, clusters, registries.

Read are, as they are: `az identity list`, `az identity federated-credential list`, `az role assignment list --all`, `az
vmss list`, `az aks list|show`, `az acr list`, `az aks identity-binding list`. Ids are compared in small letters. The order
of answers means nothing: of two that differ the lesser text stays.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from eightysix.context.inventory.azure import Ids, Resource
from eightysix.posture.snapshot import Cloud, CloudIdentity, FederatedCredential, RoleAssignment, ScaleSet

__all__ = ["MAX_RECORDS", "CloudBuilder"]

MAX_RECORDS = 1_000_000
"""Records of each kind that are kept."""

_FEDERATED = "/federatedidentitycredentials/"
_LONGEST = 1024


class _Os(Struct, rename="camel"):
    computer_name_prefix: str | None = None


class _Machines(Struct, rename="camel"):
    os_profile: _Os | None = None


class _Network(Struct, rename="camel"):
    network_policy: str | None = None
    network_dataplane: str | None = None
    pod_link_local_access: str | None = None


class _Told(
    Resource,
    gc=False,
    rename={
        "role": "roleDefinitionName",
        "role_id": "roleDefinitionId",
        "machines": "virtualMachineProfile",
        "network": "networkProfile",
    },
):
    """A resource, with what posture reads beside what an inventory does."""

    audiences: tuple[str, ...] | None = None
    role: str | None = None
    role_id: str | None = None
    scope: str | None = None
    machines: _Machines | None = None
    network: _Network | None = None
    tags: dict[str, str | None] | None = None


_told = msgspec.json.Decoder(_Told)


def _small(text: str | None) -> str:
    return (text or "").strip().lower()[:_LONGEST]


class CloudBuilder:
    """Takes answers in any order."""

    def __init__(self) -> None:
        self._identities: dict[str, CloudIdentity] = {}
        self._federations: dict[FederatedCredential, None] = {}
        self._assignments: dict[RoleAssignment, None] = {}
        self._scale_sets: dict[str, ScaleSet] = {}
        self._registries: set[str] = set()
        self._kubelets: set[str] = set()
        self._restricted: set[bool] = set()
        self._policies: set[str] = set()
        self.given: set[str] = set()

    def take(self, data: bytes | msgspec.Raw) -> str:
        """Take one record; what it was, empty where it means nothing here. Raises `msgspec.ValidationError`."""
        told = _told.decode(data)
        kind = (told.type or "").lower()
        if told.issuer and told.subject:
            name = self._federation(told)
        elif told.principal_id and told.scope and (told.role or told.role_id):
            name = self._assignment(told)
        elif kind == "microsoft.managedidentity/userassignedidentities":
            self._identity(told.id, told, told.name or "")
            name = "identity"
        elif kind == "microsoft.compute/virtualmachinescalesets":
            name = self._scale_set(told)
        elif kind == "microsoft.containerservice/managedclusters":
            name = self._cluster(told)
        elif kind == "microsoft.containerservice/managedclusters/identitybindings":
            if told.properties is not None:
                self._identity("", told.properties.managed, "")
            name = "identity binding"
        elif kind == "microsoft.containerregistry/registries":
            if told.id and len(self._registries) < MAX_RECORDS:
                self._registries.add(_small(told.id))
            name = "registry"
        else:
            return ""
        self.given.add(name)
        return name

    def cloud(self) -> Cloud:
        """All that was told. Several clusters in one answer: what they differ in is not known."""
        return Cloud(
            identities=tuple(self._identities[key] for key in sorted(self._identities)),
            federations=tuple(
                sorted(self._federations, key=lambda one: (one.identity, one.issuer, one.subject))
            ),
            assignments=tuple(
                sorted(self._assignments, key=lambda one: (one.principal_id, one.role, one.scope))
            ),
            scale_sets=tuple(self._scale_sets[key] for key in sorted(self._scale_sets)),
            kubelet_client_id=next(iter(self._kubelets)) if len(self._kubelets) == 1 else "",
            metadata_restricted=next(iter(self._restricted)) if len(self._restricted) == 1 else None,
            network_policy=next(iter(self._policies)) if len(self._policies) == 1 else "",
            registries=tuple(sorted(self._registries)),
            given=bool(self.given),
        )

    def _identity(
        self, id_: str | None, told: Ids | Resource | None, name: str, kind: str = "user-assigned"
    ) -> str:
        """Take an identity, under all the ids it is told with; gives its resource id, or what stands for it."""
        client, principal = _small(told.client_id if told else ""), _small(told.principal_id if told else "")
        if isinstance(told, Ids):
            principal = principal or _small(told.object_id)
            id_ = id_ or told.resource_id
        resource = _small(id_)
        key = resource or principal or client
        if not key or (key not in self._identities and len(self._identities) >= MAX_RECORDS):
            return ""
        known = self._identities.get(key, CloudIdentity(name="", kind=kind))
        self._identities[key] = CloudIdentity(
            name=_lesser(known.name, name[:256] or resource.rpartition("/")[2]),
            client_id=_lesser(known.client_id, client),
            principal_id=_lesser(known.principal_id, principal),
            resource_id=resource,
            kind=kind,
        )
        return key

    def _federation(self, told: _Told) -> str:
        id_ = _small(told.id)
        identity = id_.partition(_FEDERATED)[0] if _FEDERATED in id_ else ""
        one = FederatedCredential(
            identity,
            (told.issuer or "")[:_LONGEST].rstrip("/"),
            (told.subject or "")[:_LONGEST],
            tuple(sorted({audience[:256] for audience in (told.audiences or ())[:16]})),
        )
        if len(self._federations) < MAX_RECORDS:
            self._federations[one] = None
        return "federated credential"

    def _assignment(self, told: _Told) -> str:
        role = (told.role or (told.role_id or "").rpartition("/")[2])[:256]
        if len(self._assignments) < MAX_RECORDS:
            self._assignments[RoleAssignment(_small(told.principal_id), role, _small(told.scope))] = None
        return "role assignment"

    def _scale_set(self, told: _Told) -> str:
        id_, name = _small(told.id), (told.name or "")[:256]
        found: set[str] = set()
        if told.identity is not None:
            principal = _small(told.identity.principal_id)
            if principal:
                self._identity("", told.identity, name, "system-assigned")
                found.add(f"system:{principal}")
            for resource, ids in list((told.identity.user_assigned or {}).items())[:1000]:
                found.add(self._identity(resource, ids, "") or _small(resource))
        profile = told.machines.os_profile if told.machines is not None else None
        prefix = (profile.computer_name_prefix if profile is not None else "") or ""
        pool = (told.tags or {}).get("aks-managed-poolName") or (told.tags or {}).get("poolName") or ""
        key = id_ or name
        if key and (key in self._scale_sets or len(self._scale_sets) < MAX_RECORDS):
            before = self._scale_sets.get(key)
            found.update(before.identities if before is not None else ())
            self._scale_sets[key] = ScaleSet(name, prefix[:256], tuple(sorted(found)), pool[:256])
        return "scale set"

    def _cluster(self, told: _Told) -> str:
        kubelet = (told.identity_profile or {}).get("kubeletidentity")
        for ids in [*(told.identity_profile or {}).values()][:100]:
            self._identity("", ids, "")
        for addon in [*(told.addons or {}).values()][:100]:
            if addon is not None:
                self._identity("", addon.identity, "")
        if kubelet is not None and kubelet.client_id:
            self._kubelets.add(_small(kubelet.client_id))
        network = told.network or _Network()
        plugin = network.network_policy or network.network_dataplane or ""
        self._policies.add("" if plugin.lower() == "none" else plugin.lower()[:64])
        self._restricted.add((network.pod_link_local_access or "IMDS").lower() == "none")
        return "cluster"


def _lesser(one: str, other: str) -> str:
    return min(one, other) if one and other else one or other
