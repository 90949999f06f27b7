"""One way to make the edges of credentials, and what each is called by ATT&CK and by Microsoft's threat matrix.

ATT&CK for Enterprise v18 (attack.mitre.org); threat matrix for Kubernetes (microsoft.github.io/Threat-Matrix-for-Kubernetes).
"""

from __future__ import annotations

from eightysix.model.posture import Confidence, Credential, Edge, VertexKind
from eightysix.posture.vertices import vertex_id

__all__ = [
    "LLM_SPEND",
    "MODEL_WRITE",
    "NODE",
    "PUSHED",
    "SUBSCRIPTION",
    "VAULT",
    "artifact_id",
    "edge",
    "evidence_of",
    "external_id",
    "pull_id",
    "push_id",
    "vault_id",
    "weaker",
    "write_id",
]

NODE = "sink:node"
SUBSCRIPTION = "sink:sub-owner"
PUSHED = "sink:acr-write"
MODEL_WRITE = "sink:model-store-write"
VAULT = "sink:kv-secrets"
LLM_SPEND = "sink:llm-spend"

_TECHNIQUES = {
    name: tuple(told.split())
    for names, told in (
        ("SA_TOKEN_MOUNTED", "T1528 MS-TA9016"),
        ("IMDS_NODE_ID", "T1552.005 MS-TA9033"),
        ("IMDS_OTHER_UAMI", "T1552.005 MS-TA9028"),
        ("WI_FEDERATED WI_IDENTITY_BINDING", "T1528 MS-TA9028"),
        ("AZURE_JSON", "T1552.001 MS-TA9026"),
        ("CSI_KV_ACCESS KV_READ", "T1555.006 MS-TA9020"),
        ("STATIC_CLOUD_KEY", "T1552 MS-TA9027"),
        ("HOLDS_ROLE", "T1078.004 MS-TA9020"),
        ("LIST_CLUSTER_ADMIN AKS_RBAC", "T1078.004 MS-TA9001"),
        ("VMSS_RUN_COMMAND", "T1651 MS-TA9020"),
        ("FIC_WRITE ROLE_WRITE", "T1098 MS-TA9020"),
        ("BLOB_WRITE_MODEL", "T1565.001 MS-TA9020"),
        ("CAN_PUSH REPLACES_ARTIFACT", "T1525 MS-TA9002"),
        ("PULLS_FROM", "T1530 MS-TA9037"),
        ("LOADS_ARTIFACT", "T1195.002 MS-TA9002"),
        ("HAS_CRED_CICD", "T1552 MS-TA9027"),
        ("RUNNER_JOB_EXEC", "T1072 MS-TA9006"),
        ("DOCKER_SOCK", "T1611 MS-TA9013"),
        ("HAS_LLM_KEY", "T1552 MS-TA9027"),
        ("MODEL_ACCESS", "T1496.004 MS-TA9020"),
        ("GPU_PRIV_OPERAND", "T1611 MS-TA9018"),
    )
    for name in names.split()
}

_ORDER = (Confidence.PROVED, Confidence.INFERRED, Confidence.ASSUMED)


def edge(
    type_: str,
    source: str,
    target: str,
    evidence: tuple[tuple[str, str], ...],
    confidence: Confidence = Confidence.PROVED,
    needs: str = "",
) -> Edge:
    """An edge with its techniques."""
    return Edge(type_, source, target, evidence, confidence, _TECHNIQUES[type_], needs)


def evidence_of(credential: Credential) -> tuple[tuple[str, str], ...]:
    """Where a credential is written."""
    return ((credential.object, credential.path),)


def weaker(*confidences: Confidence) -> Confidence:
    """The least sure of some."""
    return max(confidences, key=_ORDER.index)


def external_id(system: str) -> str:
    """A system outside of cluster and cloud."""
    return vertex_id(VertexKind.EXTERNAL, "", system)


def push_id(host: str) -> str:
    """Writing into a registry. NOTE: another vertex than reading from it, else every reader could replace images."""
    return vertex_id(VertexKind.CLOUD_RESOURCE, "push", host)


def pull_id(host: str) -> str:
    """Reading from a registry."""
    return vertex_id(VertexKind.CLOUD_RESOURCE, "pull", host)


def write_id(account: str) -> str:
    """Writing into a storage account."""
    return vertex_id(VertexKind.CLOUD_RESOURCE, "write", account)


def vault_id(name: str) -> str:
    """The secrets of a key vault."""
    return vertex_id(VertexKind.CLOUD_RESOURCE, "vault", name.lower())


def artifact_id(kind: str, name: str) -> str:
    """What pods load: an `image`, a `model`, a package of `pypi`."""
    return vertex_id(VertexKind.ARTIFACT, kind, name)
