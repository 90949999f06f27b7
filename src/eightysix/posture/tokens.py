"""Tokens of the cluster in a pod, and what a mount of the node's files gives away.

kubernetes.io/docs: tasks/configure-pod-container/configure-service-account (the pod's `automountServiceAccountToken` wins
over its account's, both default to true), concepts/storage/projected-volumes (an empty audience is the API server's),
concepts/configuration/secret (types).
"""

from __future__ import annotations

from collections.abc import Iterator

from eightysix.model.posture import Confidence, Credential
from eightysix.model.words import Domain
from eightysix.posture.holder import Holder
from eightysix.posture.hostfiles import files_under
from eightysix.posture.objects import Volume
from eightysix.posture.vertices import service_account_id

__all__ = ["read", "secret_of_account"]

_AUTOMOUNTED = ("kube-api-access-", "default-token-")
"""How the admission plugin names the volume of an automounted token (plugin/pkg/admission/serviceaccount)."""

_SERVER = tuple(
    f"{scheme}kubernetes.default{end}"
    for scheme in ("", "https://")
    for end in ("", ".svc", ".svc.cluster.local")
)
_ISSUER_ENDS = (".oic.prod-aks.azure.com", ".amazonaws.com", ".googleapis.com")
_TOKEN_TYPE = "kubernetes.io/service-account-token"  # noqa: S105 - a type
_ACCOUNT_NAME = "kubernetes.io/service-account.name"

_AUDIENCES = {
    "api://azureadtokenexchange": (Domain.CLOUD, "federated-token"),
    "api://aksidentitybinding": (Domain.CLOUD, "identity-binding"),
    "sts.amazonaws.com": (Domain.CLOUD, "federated-token"),
    "pods.eks.amazonaws.com": (Domain.CLOUD, "federated-token"),
    "vault": (Domain.DELIVERY, "vault-token"),
    "sigstore": (Domain.DELIVERY, "signing-token"),
}
"""What takes tokens for an audience: azure.github.io/azure-workload-identity, learn.microsoft.com/azure/aks/identity-bindings,
docs.aws.amazon.com/eks (IRSA, Pod Identity), developer.hashicorp.com/vault, docs.sigstore.dev. A token for any other audience
(`istio-ca`) opens neither API server nor cloud."""


def read(holder: Holder) -> Iterator[Credential]:
    """Tokens of the cluster, projected tokens for others, files of the node."""
    yield from _automounted(holder)
    for path, volume, sub_paths in holder.volumes():
        yield from _projected(holder, path, volume)
        yield from _from_node(holder, path, volume, sub_paths)


def _automounted(holder: Holder) -> Iterator[Credential]:
    told, account = holder.spec.automount_service_account_token, holder.service_account
    path, where = f"{holder.at}.automountServiceAccountToken", ""
    if told is None and account is not None:
        told = account.automount_service_account_token
        if told is not None:
            path, where = "automountServiceAccountToken", holder.account_object
    if told is False:
        return
    sure = told is True or account is not None
    yield holder.credential(
        Domain.CLUSTER,
        holder.account,
        "automounted-token",
        path,
        Confidence.PROVED if sure else Confidence.INFERRED,
        service_account_id(holder.namespace, holder.account),
        where,
    )


def _projected(holder: Holder, path: str, volume: Volume) -> Iterator[Credential]:
    if volume.projected is None:
        return
    mounted = volume.name.startswith(_AUTOMOUNTED)
    for index, source in enumerate(volume.projected.sources or ()):
        token = source.service_account_token
        if token is None:
            continue
        at = f"{path}.projected.sources[{index}].serviceAccountToken"
        audience = token.audience.strip().rstrip("/")
        domain, signal = _audience(audience)
        if domain is Domain.CLUSTER:
            yield holder.credential(
                domain,
                holder.account,
                "automounted-token" if mounted else "projected-token",
                at,
                Confidence.PROVED,
                service_account_id(holder.namespace, holder.account),
            )
        elif domain is not None:
            sure = Confidence.PROVED if domain is Domain.CLOUD else Confidence.INFERRED
            yield holder.credential(domain, audience, signal, at, sure)


def _audience(audience: str) -> tuple[Domain | None, str]:
    """What a token for an audience opens."""
    low = audience.lower()
    if low in ("", *_SERVER):
        return Domain.CLUSTER, ""
    known = _AUDIENCES.get(low)
    if known is not None:
        return known
    if low.endswith(".svc.id.goog") or low.startswith(
        ("//iam.googleapis.com/", "https://iam.googleapis.com/")
    ):
        return Domain.CLOUD, "federated-token"
    host = low.removeprefix("https://").partition("/")[0]
    if host.endswith(_ISSUER_ENDS) and low != host:  # the issuer's address is a managed API server's audience
        return Domain.CLUSTER, ""
    return None, ""


def secret_of_account(holder: Holder, name: str) -> str | None:
    """The service account of a Secret that holds a token of one, None where it holds none."""
    secret = holder.known.snapshot.secrets.get(f"{holder.namespace}/{name}")
    if secret is None or secret.type != _TOKEN_TYPE:
        return None
    return (secret.metadata.annotations or {}).get(_ACCOUNT_NAME, "")


def _from_node(holder: Holder, path: str, volume: Volume, sub_paths: list[str]) -> Iterator[Credential]:
    if volume.host_path is None or not volume.host_path.path:
        return
    for sub_path in sub_paths:
        base = volume.host_path.path.rstrip("/")
        for file in files_under(f"{base}/{sub_path}" if sub_path else volume.host_path.path):
            yield holder.credential(
                file.domain, file.path, file.signal, f"{path}.hostPath.path", file.confidence
            )
