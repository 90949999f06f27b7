"""Which credentials of a node lie under a path that a pod mounts from it."""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct

from eightysix.context.credentials import credential_at, normalise_path
from eightysix.model.posture import Confidence
from eightysix.model.words import Domain

__all__ = ["HostFile", "files_under"]

MAX_PATH = 4096
"""PATH_MAX (include/uapi/linux/limits.h)."""


class HostFile(Struct, frozen=True, gc=False):
    """A credential on a node: the domain, what it is, where. `inferred` where every node of the kind has it by default."""

    domain: Domain
    signal: str
    path: str
    confidence: Confidence


_FILES = tuple(
    HostFile(Domain(domain), signal, path, Confidence(confidence))
    for domain, signal, path, confidence in (
        ("cluster", "node-credential", "/var/lib/kubelet/pki/kubelet-client-current.pem", "inferred"),
        ("cluster", "node-credential", "/var/lib/kubelet/kubeconfig", "inferred"),
        ("cluster", "node-credential", "/etc/kubernetes/kubelet.conf", "inferred"),
        ("cluster", "tokens-of-the-node", "/var/lib/kubelet/pods", "inferred"),
        ("cluster", "admin-kubeconfig", "/etc/kubernetes/admin.conf", "assumed"),
        ("cluster", "cluster-key", "/etc/kubernetes/pki/ca.key", "assumed"),
        ("delivery", "runtime-socket", "/run/docker.sock", "inferred"),
        ("delivery", "runtime-socket", "/run/containerd/containerd.sock", "inferred"),
        ("delivery", "runtime-socket", "/run/crio/crio.sock", "inferred"),
        ("delivery", "runtime-socket", "/run/cri-dockerd.sock", "inferred"),
        ("delivery", "docker-config", "/var/lib/kubelet/config.json", "assumed"),
        ("delivery", "docker-config", "/root/.docker/config.json", "assumed"),
        ("cloud", "azure-json", "/etc/kubernetes/azure.json", "inferred"),
        ("cloud", "cloud-cli", "/root/.azure", "assumed"),
        ("cloud", "cloud-cli", "/root/.aws/credentials", "assumed"),
        ("cloud", "cloud-cli", "/root/.config/gcloud", "assumed"),
    )
)
"""kubernetes.io/docs (reference/setup-tools/kubeadm; reference/config-api/kubelet-config), learn.microsoft.com/azure/aks
(azure.json and the kubelet's kubeconfig), sockets as crictl looks for them (kubernetes.io/docs/setup/production-environment/
container-runtimes). A control plane's files are on its own nodes alone: `assumed`."""


def files_under(path: str) -> tuple[HostFile, ...]:
    """Credentials of a node that a mount of `path` gives away: the path is one, lies inside one, or one lies below it."""
    return _files_under(path) if 0 < len(path) <= MAX_PATH and path.startswith("/") else ()


@lru_cache(maxsize=4096)
def _files_under(path: str) -> tuple[HostFile, ...]:
    mounted = normalise_path(f"{path}/x/.").removesuffix("/x").rstrip("/") or "/"
    below = mounted.rstrip("/") + "/"
    found = [
        file
        for file in _FILES
        if file.path == mounted or file.path.startswith(below) or below.startswith(file.path + "/")
    ]
    if not found:
        known = credential_at(mounted)
        if known is not None:
            found.append(HostFile(known.domain, known.kind, mounted, Confidence.ASSUMED))
    return tuple(found)
