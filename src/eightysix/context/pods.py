"""Who is who: the key that a pod's chain is kept by, and the other names by which records speak of the same pod."""

from __future__ import annotations

from eightysix.model.event import PodKey

__all__ = [
    "CONTAINER_PREFIX",
    "account_key",
    "address_key",
    "container_key",
    "is_alias",
    "named_key",
    "node_key",
    "pod_key",
    "principal_key",
    "sensor_key",
]

CONTAINER_PREFIX = 12
"""Characters of a container id that every source has: Falco prints 12, Tetragon's `docker` field 15 to 31
(github.com/cilium/tetragon, `docker` truncated to the cgroup name buffer), the runtime all 64."""


def pod_key(uid: str) -> PodKey:
    """The key of a pod whose uid is known: the uid itself."""
    return PodKey(uid)


def container_key(node: str, container_id: str) -> PodKey:
    """The key of a pod of which only a container id (or its prefix, without runtime scheme) is known."""
    return PodKey(f"c:{node}/{container_id[:CONTAINER_PREFIX]}")


def named_key(namespace: str, name: str) -> PodKey:
    """The key of a pod of which only the name is known, as audit events tell it; a name may be used again later."""
    return PodKey(f"n:{namespace}/{name}")


def node_key(node: str) -> PodKey:
    """The key of everything on a node that no pod could be found for."""
    return PodKey(f"h:{node}")


def sensor_key() -> PodKey:
    """The key of sensor records that carry no pod at all."""
    return PodKey("s:")


def account_key(service_account: str) -> PodKey:
    """The key of requests by a service account (`namespace/name`) of which no pod is known."""
    return PodKey(f"a:{service_account}")


def address_key(address: str) -> PodKey:
    """The key of what a pod is told to have done by its address alone; an address is used again by other pods."""
    return PodKey(f"i:{address}")


def principal_key(principal: str) -> PodKey:
    """The key of what cloud logs tell of a principal, of which no pod is known."""
    return PodKey(f"p:{principal}")


def is_alias(key: str) -> bool:
    """Tell whether `key` is a makeshift name that may later turn out to be a known pod."""
    return key[1:2] == ":" and key[:1] in "achinps"
