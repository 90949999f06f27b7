"""Names of the techniques that edges of a posture are called by: ATT&CK's and Microsoft's threat matrix for Kubernetes.

ATT&CK for Enterprise v18 (attack.mitre.org); Threat Matrix for Kubernetes (microsoft.github.io/Threat-Matrix-for-Kubernetes).
ATT&CK calls a sub-technique by its own name alone; both names are told here where it says little without the other.
"""

from __future__ import annotations

from collections.abc import Iterable

from eightysix.context import techniques

__all__ = ["NAMES", "split", "url"]

_MATRIX = "https://microsoft.github.io/Threat-Matrix-for-Kubernetes/"

NAMES = {
    **techniques.NAMES,
    "T1057": "Process Discovery",
    "T1069": "Permission Groups Discovery",
    "T1072": "Software Deployment Tools",
    "T1078": "Valid Accounts",
    "T1078.003": "Valid Accounts: Local Accounts",
    "T1080": "Taint Shared Content",
    "T1098": "Account Manipulation",
    "T1098.006": "Additional Container Cluster Roles",
    "T1210": "Exploitation of Remote Services",
    "T1496.004": "Cloud Service Hijacking",
    "T1546": "Event Triggered Execution",
    "T1552.004": "Private Keys",
    "T1557": "Adversary-in-the-Middle",
    "T1565.001": "Stored Data Manipulation",
    "T1609": "Container Administration Command",
    "T1613": "Container and Resource Discovery",
    "T1649": "Steal or Forge Authentication Certificates",
    "T1651": "Cloud Administration Command",
    "MS-TA9001": "Using cloud credentials",
    "MS-TA9002": "Compromised image in registry",
    "MS-TA9006": "Exec into container",
    "MS-TA9008": "New container",
    "MS-TA9013": "Writable hostPath mount",
    "MS-TA9015": "Malicious admission controller",
    "MS-TA9016": "Access container service account",
    "MS-TA9018": "Privileged container",
    "MS-TA9019": "Cluster-admin binding",
    "MS-TA9020": "Access cloud resources",
    "MS-TA9025": "List Kubernetes secrets",
    "MS-TA9026": "Mount service principal",
    "MS-TA9027": "Application credentials in configuration files",
    "MS-TA9028": "Access managed identity credentials",
    "MS-TA9029": "Access the K8S API server",
    "MS-TA9030": "Access Kubelet API",
    "MS-TA9033": "Instance Metadata API",
    "MS-TA9034": "Cluster internal networking",
    "MS-TA9037": "Images from a private registry",
}
"""The name of each id; a test holds every type of edge against it."""


def split(ids: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Ids of ATT&CK, and those of the threat matrix."""
    told = tuple(ids)
    return tuple(one for one in told if one.startswith("T")), tuple(
        one for one in told if one.startswith("MS-")
    )


def url(id_: str) -> str:
    """Where a technique is described."""
    return _MATRIX if id_.startswith("MS-") else techniques.technique_url(id_)
