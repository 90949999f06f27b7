"""Volumes in the kubelet's folder on a node: which pod's, and whether it holds a credential.

`/var/lib/kubelet/pods/UID/volumes/PLUGIN/NAME/...` (kubernetes/pkg/volume, `GetPodVolumeDir`). In a container the folder
lies wherever somebody mounted it, so only the part from `pods/` on counts.
"""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct

from eightysix.context.credentials import MAX_PATH, normalise_path

__all__ = ["KubeletVolume", "volume_at"]

_PLUGINS = {"kubernetes.io~projected": "projected", "kubernetes.io~secret": "secret"}
_UID = frozenset("0123456789abcdef-")


class KubeletVolume(Struct, frozen=True, gc=False):
    """A file of a pod's volume: `kind` is `projected` (tokens) or `secret`."""

    pod_uid: str
    kind: str
    volume: str
    name: str


def volume_at(path: str) -> KubeletVolume | None:
    """The volume that `path` lies in, None where it lies in none that holds credentials. Never raises."""
    if "kubernetes.io~" not in path or len(path) > MAX_PATH:
        return None
    return _volume_at(path)


@lru_cache(maxsize=2048)
def _volume_at(path: str) -> KubeletVolume | None:
    parts = normalise_path(path).split("/")
    for place in range(len(parts) - 5, -1, -1):
        if parts[place] != "pods" or parts[place + 2] != "volumes":
            continue
        uid, kind = parts[place + 1], _PLUGINS.get(parts[place + 3], "")
        # A static pod's uid is a hash without dashes (kubernetes/pkg/kubelet/config, `generatePodName`).
        if kind and 32 <= len(uid) <= 36 and _UID.issuperset(uid):
            return KubeletVolume(uid, kind, parts[place + 4], parts[-1] if len(parts) > place + 5 else "")
    return None
