"""What built-in roles of Azure let their holder do, as far as it leads to a cluster, its artifacts or its secrets.

learn.microsoft.com/azure/role-based-access-control/built-in-roles (actions of each role), learn.microsoft.com/azure/aks/
{control-kubeconfig-access,manage-azure-rbac} (`listClusterAdminCredential` gives cluster-admin whatever the RBAC inside
says, while local accounts are enabled), learn.microsoft.com/azure/container-registry/container-registry-rbac-built-in-roles-
overview. A role of one's own is not read: nobody tells its actions here.
"""

from __future__ import annotations

from enum import StrEnum

from eightysix.model.posture import Confidence

__all__ = ["Power", "powers"]


class Power(StrEnum):
    """What a role lets its holder do in its scope."""

    CLUSTER_ADMIN = "cluster-admin"  # fetch the administrator's kubeconfig, or run commands as one
    CLUSTER_RBAC = "cluster-rbac"  # rights inside the cluster by Azure's authorisation
    MACHINES = "machines"  # run commands on machines
    TRUST = "trust"  # write federated credentials of identities
    ASSIGN = "assign"  # give roles to anybody
    PUSH = "push"
    PULL = "pull"
    BLOBS = "blobs"  # write into storage
    VAULT = "vault"  # read secrets
    MODELS = "models"  # call models, or list the keys to them


_P, _I, _A = Confidence.PROVED, Confidence.INFERRED, Confidence.ASSUMED
_ALL = {
    Power.CLUSTER_ADMIN: _P,
    Power.MACHINES: _P,
    Power.TRUST: _P,
    Power.PUSH: _P,
    Power.PULL: _P,
    Power.BLOBS: _I,  # by listing the account's keys, which can be forbidden
    Power.VAULT: _A,  # by access policies, where the vault does not take roles alone
    Power.MODELS: _I,
}

_ROLES: dict[str, dict[Power, Confidence]] = {
    "owner": {**_ALL, Power.ASSIGN: _P, Power.VAULT: _I, Power.CLUSTER_RBAC: _I},
    "contributor": _ALL,
    "user access administrator": {Power.ASSIGN: _P},
    "role based access control administrator": {Power.ASSIGN: _P},
    "azure kubernetes service cluster admin role": {Power.CLUSTER_ADMIN: _P},
    "azure kubernetes service contributor role": {Power.CLUSTER_ADMIN: _I},
    "azure kubernetes service rbac cluster admin": {Power.CLUSTER_RBAC: _P},
    "azure kubernetes service rbac admin": {Power.CLUSTER_RBAC: _I},
    "azure kubernetes service rbac writer": {Power.CLUSTER_RBAC: _I},
    "virtual machine contributor": {Power.MACHINES: _P},
    "managed identity contributor": {Power.TRUST: _P},
    "acrpush": {Power.PUSH: _P, Power.PULL: _P},
    "container registry repository writer": {Power.PUSH: _P, Power.PULL: _P},
    "container registry repository contributor": {Power.PUSH: _P, Power.PULL: _P},
    "acrpull": {Power.PULL: _P},
    "container registry repository reader": {Power.PULL: _P},
    "storage blob data owner": {Power.BLOBS: _P},
    "storage blob data contributor": {Power.BLOBS: _P},
    "storage account contributor": {Power.BLOBS: _I},
    "storage account key operator service role": {Power.BLOBS: _I},
    "key vault administrator": {Power.VAULT: _P},
    "key vault secrets officer": {Power.VAULT: _P},
    "key vault secrets user": {Power.VAULT: _P},
    "key vault contributor": {Power.VAULT: _A},
    "cognitive services openai contributor": {Power.MODELS: _P},
    "cognitive services openai user": {Power.MODELS: _P},
    "cognitive services contributor": {Power.MODELS: _I},
    "cognitive services user": {Power.MODELS: _I},
    "azure ai developer": {Power.MODELS: _I},
}
"""By the role's name in small letters. `inferred` where it needs a default of the resource (keys may be listed, local
accounts are on) or a second step inside of the cluster; `assumed` where it needs the older model of permissions."""


_IDS = {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "owner",
    "b24988ac-6180-42a0-ab88-20f7382dd24c": "contributor",
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": "user access administrator",
    "0ab0b1a8-8aac-4efd-b8c2-3ee1fb270be8": "azure kubernetes service cluster admin role",
    "b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b": "azure kubernetes service rbac cluster admin",
    "9980e02c-c2be-4d73-94e8-173b1dc7cf3c": "virtual machine contributor",
    "e40ec5ca-96e0-45a2-b4ff-59039f2c2b59": "managed identity contributor",
    "8311e382-0749-4cb8-b61a-304f252e45ec": "acrpush",
    "7f951dda-4ed3-4680-a7ca-43fe172d538d": "acrpull",
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "storage blob data owner",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "storage blob data contributor",
    "00482a5a-887f-4fb3-b363-3b7fe8e74483": "key vault administrator",
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": "key vault secrets officer",
    "4633458b-17de-408a-b874-0445c86b69e6": "key vault secrets user",
}
"""Ids of built-in roles, which some answers have in the place of the name; those that are used most."""


def powers(role: str) -> dict[Power, Confidence]:
    """What a role of this name (or id) lets its holder do; nothing where it is no built-in role that matters here."""
    name = " ".join(role.lower().split()).rpartition("/")[2]
    return _ROLES.get(_IDS.get(name, name), {})
