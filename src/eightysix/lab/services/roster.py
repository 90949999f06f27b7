"""The pods of the run, as the services know them: who has which address, and who may reach the metadata service."""

from __future__ import annotations

import threading

from msgspec import Struct

from eightysix.lab.interface import PodSpec

__all__ = ["MOST_PODS", "Pod", "Roster"]

MOST_PODS = 1_000


class Pod(Struct, frozen=True):
    """A pod that was started."""

    spec: PodSpec
    uid: str
    container_id: str


class Roster:
    """Pods by namespace and name. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pods: dict[tuple[str, str], Pod] = {}

    def add(self, pod: Pod) -> None:
        """Take a pod in; one of the same name is replaced."""
        with self._lock:
            if len(self._pods) >= MOST_PODS:
                raise ValueError(f"there are {MOST_PODS} pods already")
            self._pods[pod.spec.namespace, pod.spec.name] = pod

    def get(self, namespace: str, name: str) -> Pod | None:
        """A pod by its name."""
        with self._lock:
            return self._pods.get((namespace, name))

    def remove(self, namespace: str, name: str) -> Pod | None:
        """Take a pod out; None where there was none."""
        with self._lock:
            return self._pods.pop((namespace, name), None)

    def at(self, ip: str) -> Pod | None:
        """The pod with this address: the one started last, where several have it (they share a network)."""
        with self._lock:
            found = [pod for pod in self._pods.values() if pod.spec.ip == ip]
        return found[-1] if found else None

    def name_at(self, ip: str) -> str:
        """`namespace/name` of the pod with this address, or nothing."""
        pod = self.at(ip)
        return f"{pod.spec.namespace}/{pod.spec.name}" if pod else ""

    def may_reach_metadata(self, ip: str) -> bool:
        """Whether nothing forbids this address the metadata service."""
        pod = self.at(ip)
        return pod is None or pod.spec.metadata
