"""Identities of a cloud that a pod can be: federated, bound, of its node; and vaults that are mounted into it.

azure.github.io/azure-workload-identity (topics/service-account-labels-and-annotations: the label on the pod is required),
learn.microsoft.com/azure/aks/{identity-bindings,imds-restriction}, azure.github.io/secrets-store-csi-driver-provider-azure,
docs.aws.amazon.com/eks (IRSA, Pod Identity), cloud.google.com/kubernetes-engine (Workload Identity).
"""

from __future__ import annotations

from collections.abc import Iterator

from eightysix.model.posture import Confidence, Credential, VertexKind
from eightysix.model.words import Domain
from eightysix.posture.holder import Holder
from eightysix.posture.lookup import text
from eightysix.posture.metadata import metadata_reach
from eightysix.posture.vertices import vertex_id

__all__ = [
    "BINDING",
    "CLIENT",
    "USE",
    "VAULT_DRIVER",
    "binds",
    "metadata_id",
    "read",
    "subject",
    "uses_federation",
]

USE = "azure.workload.identity/use"
CLIENT = "azure.workload.identity/client-id"
BINDING = "azure.workload.identity/use-identity-binding"
_SKIP = "azure.workload.identity/skip-containers"
_POD_IDENTITY = "aadpodidbinding"
_ROLE = "eks.amazonaws.com/role-arn"
_GOOGLE = "iam.gke.io/gcp-service-account"
VAULT_DRIVER = "secrets-store.csi.k8s.io"
_BLOB_DRIVERS = frozenset({"blob.csi.azure.com", "file.csi.azure.com"})

_MUTATED = {
    "AZURE_FEDERATED_TOKEN_FILE": "workload-identity",
    "AZURE_KUBERNETES_TOKEN_PROXY": "identity-binding",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "irsa",
    "AWS_ROLE_ARN": "irsa",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "eks-pod-identity",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "eks-pod-identity",
}
"""Variables that webhooks write into pods which get an identity."""


def subject(holder: Holder) -> str:
    """Whom a token of the pod's account names."""
    return f"system:serviceaccount:{holder.namespace}:{holder.account}"


def metadata_id(pool: str) -> str:
    """The vertex of the metadata service on the machines of a pool; of no pool known where `pool` is empty."""
    return vertex_id(VertexKind.ENDPOINT, "metadata", pool or "*")


def binds(holder: Holder) -> bool:
    """Whether a pod asks for an AKS identity binding."""
    return holder.annotations.get(BINDING) == "true" and holder.labels.get(USE) == "true"


def uses_federation(holder: Holder) -> bool:
    """Whether the webhook gives a pod's containers a federated token: the label asks for it, and not all are skipped."""
    if holder.labels.get(USE) != "true":
        return False
    skipped = {name.strip() for name in holder.annotations.get(_SKIP, "")[:65_536].split(";")}
    return any(container.name not in skipped for container in holder.spec.containers)


def read(holder: Holder) -> Iterator[Credential]:
    """Identities and vaults of the cloud."""
    yield from _mutated(holder)
    yield from _federated(holder)
    yield from _annotated(holder)
    yield from _metadata(holder)
    yield from _mounted(holder)


def _mutated(holder: Holder) -> Iterator[Credential]:
    for path, container in holder.containers():
        for index, variable in enumerate(container.env or ()):
            signal = _MUTATED.get(variable.name)
            if signal is not None and (variable.value or variable.value_from is not None):
                yield holder.credential(
                    Domain.CLOUD, holder.account, signal, f"{path}.env[{index}]", Confidence.PROVED
                )


def _federated(holder: Holder) -> Iterator[Credential]:
    if not uses_federation(holder):
        return
    account = holder.service_account
    client = ((account.metadata.annotations or {}).get(CLIENT, "") if account is not None else "").strip()
    at = f"{_metadata_path(holder)}.labels['{USE}']"
    if binds(holder):
        target = holder.known.identity_id(client) if client else ""
        yield holder.credential(
            Domain.CLOUD, holder.account, "identity-binding", at, Confidence.INFERRED, target
        )
        return
    cloud = holder.known.snapshot.cloud
    trusted = holder.known.federations.get(subject(holder), ())
    for _, federation in trusted:
        yield holder.credential(
            Domain.CLOUD,
            holder.account,
            "workload-identity",
            at,
            Confidence.PROVED if client else Confidence.INFERRED,
            holder.known.identity_id(federation.identity) if federation.identity else "",
        )
    if trusted or (cloud.given and cloud.federations):  # a token that no identity trusts opens nothing
        return
    yield holder.credential(
        Domain.CLOUD,
        holder.account,
        "workload-identity",
        at,
        Confidence.INFERRED if client else Confidence.ASSUMED,
        holder.known.identity_id(client) if client else "",
    )


def _metadata_path(holder: Holder) -> str:
    return holder.at.removesuffix("spec") + "metadata"


def _annotated(holder: Holder) -> Iterator[Credential]:
    account = holder.service_account
    annotations = (account.metadata.annotations or {}) if account is not None else {}
    for name, signal in ((_ROLE, "irsa"), (_GOOGLE, "gke-workload-identity")):
        told = annotations.get(name, "").strip()
        if told:
            yield holder.credential(
                Domain.CLOUD,
                holder.account,
                signal,
                f"metadata.annotations['{name}']",
                Confidence.INFERRED,
                holder.known.identity_id(told[:2048]),
                holder.account_object,
            )
    binding = holder.labels.get(_POD_IDENTITY, "")
    if binding:
        yield holder.credential(
            Domain.CLOUD,
            binding,
            "aad-pod-identity",
            f"{_metadata_path(holder)}.labels['{_POD_IDENTITY}']",
            Confidence.INFERRED,
            _bound(holder, binding),
        )


def _bound(holder: Holder, selector: str) -> str:
    """The identity that an `AzureIdentityBinding` binds to a label (aad-pod-identity, retired)."""
    custom = holder.known.snapshot.custom
    wanted = {
        text(binding, "spec", "azureIdentity")
        for binding in custom.get("AzureIdentityBinding", ())
        if text(binding, "spec", "selector") == selector
    }
    for identity in custom.get("AzureIdentity", ()):
        if text(identity, "metadata", "name") in wanted:
            client = text(identity, "spec", "clientID") or text(identity, "spec", "resourceID")
            if client:
                return holder.known.identity_id(client)
    return ""


def _metadata(holder: Holder) -> Iterator[Credential]:
    reach = metadata_reach(holder.template, holder.known)
    if not reach.open:
        return
    path = f"{holder.at}.hostNetwork" if holder.spec.host_network else holder.at
    pools = holder.known.pools_of(holder.template.nodes)
    for pool in pools or (None,):
        name = pool.name if pool is not None else ""
        yield holder.credential(
            Domain.CLOUD,
            "identity of the node",
            "metadata-service",
            path,
            reach.confidence,
            metadata_id(name),
        )


def _mounted(holder: Holder) -> Iterator[Credential]:
    for path, volume, _ in holder.volumes():
        csi = volume.csi
        if csi is None:
            continue
        attributes = csi.volume_attributes or {}
        if csi.driver == VAULT_DRIVER:
            name = attributes.get("secretProviderClass", "")
            known = f"{holder.namespace}/{name}" in holder.known.classes
            yield holder.credential(
                Domain.CLOUD,
                name,
                "secret-provider-class",
                f"{path}.csi.volumeAttributes.secretProviderClass",
                Confidence.PROVED if known else Confidence.INFERRED,
                vertex_id(VertexKind.SECRET, holder.namespace, f"SecretProviderClass:{name}"),
            )
        elif csi.driver in _BLOB_DRIVERS:
            yield holder.credential(
                Domain.CLOUD,
                attributes.get("storageAccount") or attributes.get("secretName") or csi.driver,
                "storage-volume",
                f"{path}.csi",
                Confidence.INFERRED,
            )
