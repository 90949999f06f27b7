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


def powers(role: str) -> dict[Power, Confidence]:
    """What a role of this name lets its holder do; nothing where it is no built-in role that matters here."""
    return _ROLES.get(" ".join(role.lower().split()), {})
