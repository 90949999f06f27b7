"""Techniques of Microsoft's threat matrix for Kubernetes, by id.

From the technique pages of microsoft.github.io/Threat-Matrix-for-Kubernetes; MS-TA9032 is not among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["MATRIX", "PAGES"]

PAGES = "https://microsoft.github.io/Threat-Matrix-for-Kubernetes/techniques/"
"""Where the pages of techniques lie, each under its title."""

MATRIX: Mapping[str, str] = MappingProxyType(
    {
        "MS-TA9001": "Using Cloud Credentials",
        "MS-TA9002": "Compromised Image In Registry",
        "MS-TA9003": "Kubeconfig file",
        "MS-TA9004": "Application Vulnerability",
        "MS-TA9005": "Exposed sensitive interfaces",
        "MS-TA9006": "Exec into container",
        "MS-TA9007": "bash or cmd inside container",
        "MS-TA9008": "New Container",
        "MS-TA9009": "Application Exploit (RCE)",
        "MS-TA9010": "SSH server running inside container",
        "MS-TA9011": "Sidecar Injection",
        "MS-TA9012": "Backdoor container",
        "MS-TA9013": "Writable hostPath mount",
        "MS-TA9014": "Kubernetes CronJob",
        "MS-TA9015": "Malicious admission controller",
        "MS-TA9016": "Container service account",
        "MS-TA9017": "Static Pods",
        "MS-TA9018": "Privileged container",
        "MS-TA9019": "Cluster-admin binding",
        "MS-TA9020": "Access cloud resources",
        "MS-TA9021": "Clear container logs",
        "MS-TA9022": "Delete K8S events",
        "MS-TA9023": "Pod or container name similarity",
        "MS-TA9024": "Connect from Proxy server",
        "MS-TA9025": "List K8S secrets",
        "MS-TA9026": "Mount service principal",
        "MS-TA9027": "Application credentials in configuration files",
        "MS-TA9028": "Access Managed Identity credentials",
        "MS-TA9029": "Access the K8S API server",
        "MS-TA9030": "Access Kubelet API",
        "MS-TA9031": "Network mapping",
        "MS-TA9033": "Instance Metadata API",
        "MS-TA9034": "Cluster internal networking",
        "MS-TA9035": "CoreDNS poisoning",
        "MS-TA9036": "ARP poisoning and IP spoofing",
        "MS-TA9037": "Images from a private registry",
        "MS-TA9038": "Data destruction",
        "MS-TA9039": "Resource hijacking",
        "MS-TA9040": "Denial of service",
        "MS-TA9041": "Collecting Data from Pod",
    }
)
