"""What `az` tells of identities: which machines have them, which service accounts stand for them, what their ids are.

Read are the answers of `az identity list|show`, `az identity federated-credential list`, `az ad app federated-credential
list`, `az vmss list|show`, `az vm list|show`, `az aks list|show` and `az aks identity-binding list`, as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from eightysix.context.inventory.kept import Facts
from eightysix.context.inventory.nouns import Federation

__all__ = ["Resource", "is_azure", "take_resource"]

_FEDERATED = "/federatedidentitycredentials/"


class Ids(
    Struct,
    gc=False,
    rename={
        "client_id": "clientId",
        "principal_id": "principalId",
        "object_id": "objectId",
        "resource_id": "resourceId",
    },
):
    """The ids of an identity, under the names that different answers give them."""

    client_id: str | None = None
    principal_id: str | None = None
    object_id: str | None = None
    resource_id: str | None = None


class Assigned(Ids, gc=False, rename={"user_assigned": "userAssignedIdentities"}):
    """`identity` of a machine, a scale set or a cluster: its own ids, and the user-assigned ones by resource id."""

    user_assigned: dict[str, Ids | None] | None = None


class Addon(Struct, gc=False):
    """One of `addonProfiles`."""

    identity: Ids | None = None


class Issuer(Struct, gc=False, rename={"url": "issuerUrl", "binding_url": "oidcIssuerUrl"}):
    """`oidcIssuerProfile`, or `oidcIssuer` of an identity binding."""

    url: str | None = None
    binding_url: str | None = None


class Bound(Struct, gc=False, rename={"managed": "managedIdentity", "issuer": "oidcIssuer"}):
    """`properties` of an identity binding."""

    managed: Ids | None = None
    issuer: Issuer | None = None


class Resource(
    Struct,
    gc=False,
    rename={
        "client_id": "clientId",
        "principal_id": "principalId",
        "identity_profile": "identityProfile",
        "addons": "addonProfiles",
        "node_group": "nodeResourceGroup",
        "oidc": "oidcIssuerProfile",
    },
):
    """A resource, or a federated credential."""

    id: str | None = None
    name: str | None = None
    type: str | None = None
    client_id: str | None = None
    principal_id: str | None = None
    issuer: str | None = None
    subject: str | None = None
    identity: Assigned | None = None
    identity_profile: dict[str, Ids | None] | None = None
    addons: dict[str, Addon | None] | None = None
    node_group: str | None = None
    oidc: Issuer | None = None
    properties: Bound | None = None


def is_azure(type_: str | None, subject: str | None) -> bool:
    """Whether a record is one of these."""
    return (type_ or "").lower() in _READERS or bool(subject)


def take_resource(facts: Facts, told: Resource) -> bool:
    """Take a resource; False where its type means nothing here."""
    if told.issuer and told.subject:
        _federated(facts, told)
        return True
    reader = _READERS.get((told.type or "").lower())
    if reader is None:
        return False
    reader(facts, told)
    return True


def _ids(told: Ids | None, resource_id: str = "") -> list[str]:
    if told is None:
        return [resource_id.lower()[:512]] if resource_id else []
    found = (told.client_id, told.principal_id, told.object_id, told.resource_id or resource_id)
    return [id_.strip().lower()[:512] for id_ in found if id_]


def _identity(facts: Facts, told: Resource) -> None:
    facts.alias(id_ for id_ in (told.id, told.client_id, told.principal_id) if id_)


def _federated(facts: Facts, told: Resource) -> None:
    id_ = (told.id or "").lower()[:1024]
    identity = id_.partition(_FEDERATED)[0] if _FEDERATED in id_ else ""
    one = Federation(
        (told.issuer or "")[:512].rstrip("/"), (told.subject or "")[:512], identity, (told.name or "")[:256]
    )
    facts.version += 1
    for key in (id_, identity and f"{identity}|{one.name}"):
        if key and len(facts.federations) < 200_000:
            facts.federations.setdefault(key, set()).add(one)


def _machine(facts: Facts, told: Resource) -> None:
    """A machine or scale set: whatever runs there can ask for each of its identities."""
    place = (told.id or "").lower()[:1024].rstrip("/")
    if not place or told.identity is None:
        return
    own = _ids(told.identity)
    facts.alias(own)
    groups = [own, *_assigned(told.identity.user_assigned)]
    for ids in groups:
        facts.alias(ids)
        for id_ in ids:
            facts.note(facts.assigned, id_, [place])


def _assigned(user_assigned: Mapping[str, Ids | None] | None) -> list[list[str]]:
    members = list((user_assigned or {}).items())[:1000]
    return [_ids(ids, resource_id) for resource_id, ids in members]


def _cluster(facts: Facts, told: Resource) -> None:
    """A cluster: its kubelet's identity, and those of its add-ons, are on all machines of its node resource group."""
    parts = (told.id or "").lower()[:1024].split("/")
    subscription = parts[2] if len(parts) > 2 else ""
    place = f"/subscriptions/{subscription}/resourcegroups/{(told.node_group or '').lower()[:256]}/"
    profiles = [*(told.identity_profile or {}).values()][:100]
    addons = [one.identity for one in [*(told.addons or {}).values()][:100] if one is not None]
    for one in (*profiles, *addons):
        ids = _ids(one)
        facts.alias(ids)
        for id_ in ids:
            if told.node_group:
                facts.note(facts.assigned, id_, [place])
    if told.oidc is not None and told.oidc.url and told.name and len(facts.issuers) < 10_000:
        facts.version += 1
        issuer = told.oidc.url[:512].rstrip("/")
        facts.issuers[issuer] = min(facts.issuers.get(issuer, told.name[:256]), told.name[:256])


def _binding(facts: Facts, told: Resource) -> None:
    """An identity binding: the ids of one identity. Who may use it, the annotations of service accounts tell."""
    if told.properties is not None:
        facts.alias(_ids(told.properties.managed))


_READERS: dict[str, Callable[[Facts, Resource], None]] = {
    "microsoft.managedidentity/userassignedidentities": _identity,
    "microsoft.compute/virtualmachinescalesets": _machine,
    "microsoft.compute/virtualmachines": _machine,
    "microsoft.containerservice/managedclusters": _cluster,
    "microsoft.containerservice/managedclusters/identitybindings": _binding,
}
