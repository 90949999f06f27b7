"""What folders of a node give to whoever reads or writes them. Paths are put in normal form first; a folder counts with all
that lies under it, so a mount of a parent gives what its children give. Devices (`/dev`) give nothing by themselves: the
device rules of a container that is not privileged keep it from using them.

Sources: kubernetes.io/docs/reference/node/kubelet-files (the kubelet's folders), kubeadm's implementation details (keys of
the control plane), and the defaults of containerd, CRI-O and Docker for sockets.
"""

from __future__ import annotations

import posixpath

__all__ = ["SOCKETS", "inside", "node_keys", "normal", "runs_code", "sockets", "token_folder"]

SOCKETS = (
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/run/docker.sock",
    "/run/dockershim.sock",
    "/run/cri-dockerd.sock",
    "/run/podman/podman.sock",
    "/run/k3s/containerd/containerd.sock",
)

_PODS = "/var/lib/kubelet/pods"
_KEYS = (
    "/etc/kubernetes",  # admin.conf and pki on a control plane, azure.json
    "/var/lib/kubelet/pki",
    "/var/lib/kubelet/kubeconfig",
    "/var/lib/etcd",
    "/etc/rancher",
    "/var/lib/rancher/k3s/server",
    "/root/.ssh",
    "/root/.kube",
    "/etc/shadow",
)
_CODE = (
    # programs and libraries that root runs
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/opt/cni/bin",
    "/opt/bin",
    # what starts them, and what lets people in
    "/etc/cron.d",
    "/etc/cron.daily",
    "/etc/cron.hourly",
    "/etc/crontab",
    "/var/spool/cron",
    "/etc/systemd",
    "/run/systemd",
    "/etc/init.d",
    "/etc/profile.d",
    "/etc/ld.so.preload",
    "/etc/passwd",
    "/etc/shadow",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/ssh",
    "/etc/pam.d",
    "/etc/udev",
    "/root/.ssh",
    "/root",
    "/home",
    # what Kubernetes and the runtime take as told
    "/etc/kubernetes",
    "/etc/cni",
    "/etc/containerd",
    "/etc/docker",
    "/etc/crio",
    "/var/lib/kubelet/config.yaml",
    "/var/lib/kubelet/kubeadm-flags.env",
    "/var/lib/kubelet/kubeconfig",
    "/var/lib/kubelet/pki",
    "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs",
    "/var/lib/docker/overlay2",
    "/var/lib/containers/storage/overlay",
    "/var/lib/etcd",
    "/var/lib/rancher",
    "/sys/fs/cgroup",
    "/sys/kernel/uevent_helper",
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/modprobe",
    "/boot",
)


def normal(path: str, sub_path: str = "") -> str:
    """A path in normal form; `/var/run` is `/run` on every node there is. A sub-path may not lead out of its volume."""
    whole = posixpath.normpath("/" + path.lstrip("/"))
    if sub_path:
        joined = posixpath.normpath(posixpath.join(whole, sub_path.lstrip("/")))
        whole = joined if inside(joined, whole) else whole
    if whole == "/var/run" or whole.startswith("/var/run/"):
        whole = whole.removeprefix("/var")
    return whole


def inside(path: str, folder: str) -> bool:
    """Whether a path is a folder or lies in it."""
    return folder == "/" or path == folder or path.startswith(folder + "/")


def _touches(path: str, wanted: str) -> bool:
    return inside(wanted, path) or inside(path, wanted)


def token_folder(path: str) -> bool:
    """Whether pods' tokens can be read below: the kubelet keeps them by pod, in volumes."""
    if inside(_PODS, path):
        return True
    if not inside(path, _PODS):
        return False
    rest = path.removeprefix(_PODS).strip("/").split("/")
    return len(rest) < 2 or rest[1] == "volumes"


def node_keys(path: str) -> str:
    """The first of a node's keys that lies below or above, or nothing."""
    return next((key for key in _KEYS if _touches(path, key)), "")


def runs_code(path: str) -> str:
    """The first place below or above where what is written gets run or trusted by root, or nothing. The kubelet's folder of
    volumes is none: pods' own data lies there."""
    if inside(path, _PODS):
        return ""
    return next((place for place in _CODE if _touches(path, place)), "")


def sockets(path: str) -> str:
    """The first socket of a container runtime that lies below, or nothing. A socket is used through a read-only mount too."""
    return next((socket for socket in SOCKETS if inside(socket, path)), "")
