"""Who is who in a written stream: cluster, nodes, pods, containers and the Python distributions inside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from eightysix.lab.generate.clock import BASE_NS, SECOND
from eightysix.lab.generate.ids import hex_id, number, uuid_id

__all__ = ["SITE_PACKAGES", "Cluster", "Container", "Image", "Node", "Pod"]

SITE_PACKAGES = "/opt/venv/lib/python3.11/site-packages"

_IMAGE_AGE_S = 1_209_600.0

_IMAGE_DISTRIBUTIONS = {
    "adlfs": "2026.1.0",
    "azure-core": "1.41.0",
    "azure-identity": "1.27.0",
    "azure-storage-blob": "12.29.0",
    "certifi": "2026.10.4",
    "charset-normalizer": "3.5.2",
    "cryptography": "50.0.2",
    "gunicorn": "24.1.0",
    "huggingface-hub": "1.9.0",
    "joblib": "1.6.0",
    "kserve": "0.17.0",
    "kubernetes": "35.0.0",
    "langchain-core": "1.2.4",
    "langchain-openai": "1.1.0",
    "langgraph": "1.1.0",
    "langgraph-checkpoint": "4.0.0",
    "mlflow": "3.6.0",
    "msal": "1.39.0",
    "pip": "23.0.1",
    "ray": "2.60.0",
    "requests": "2.34.2",
    "setuptools": "66.1.1",
    "torch": "2.10.0",
    "transformers": "5.23.0",
    "uvicorn": "0.41.0",
    "urllib3": "2.8.0",
    "vllm": "0.11.2",
}
"""What the images of the written workloads hold already; installed when the image was built."""


@dataclass(frozen=True)
class Image:
    """A container image: `name` is `repository:tag`, `release` is what its digest is drawn from."""

    name: str
    release: str = "1"

    @property
    def digest(self) -> str:
        """`sha256:` and 64 hex digits."""
        return "sha256:" + hex_id(64, "digest", self.name, self.release)

    @property
    def id(self) -> str:
        """`repository@sha256:...`."""
        return f"{self.name.rpartition(':')[0]}@{self.digest}"


@dataclass
class Cluster:
    """An AKS cluster. `api_server` is the address of the service `kubernetes.default`."""

    name: str = "aks-ml-prod"
    api_server: str = "10.0.0.1"

    @property
    def resource_id(self) -> str:
        """Resource id in the upper case in which Azure's diagnostic settings write it."""
        return (
            "/SUBSCRIPTIONS/00000000-0000-0000-0000-000000000000/RESOURCEGROUPS/RG-ML/PROVIDERS/"
            f"MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/{self.name.upper()}"
        )


@dataclass
class Node:
    """A node with its own process numbers. `booted_ns` is what boot-relative exec ids count from."""

    name: str
    cluster: Cluster = field(default_factory=Cluster)
    booted_ns: int = BASE_NS - 41 * 86_400 * SECOND
    _last_pid: int = 0
    _drawn: int = 0

    def next_pid(self) -> int:
        """The next process number: a few above the last, as other processes of the node take some."""
        if not self._last_pid:
            self._last_pid = number(20_000, 60_000, "first pid", self.name)
        self._drawn += 1
        self._last_pid += number(1, 7, "pid", self.name, self._drawn)
        return self._last_pid


@dataclass
class Pod:
    """A pod. `ip` and `uid` are drawn from its name."""

    node: Node
    namespace: str
    name: str
    workload: str
    kind: str = "Deployment"
    service_account: str = "default"
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def cluster(self) -> Cluster:
        """The cluster of its node."""
        return self.node.cluster

    @property
    def uid(self) -> str:
        """A UUID."""
        return uuid_id("pod", self.cluster.name, self.namespace, self.name)

    @property
    def ip(self) -> str:
        """An address of the pod network."""
        return f"10.244.{number(1, 60, 'net', self.node.name)}.{number(4, 250, 'ip', self.uid)}"


@dataclass(eq=False)
class Container:
    """A container of a pod from `started_ns` on: where processes run and distributions are installed.

    `instrumented` tells whether the in-process sensor is injected. `attempt` counts restarts: each has
    a container id of its own.
    """

    pod: Pod
    name: str
    image: Image
    started_ns: int
    attempt: int = 0
    instrumented: bool = True
    _installed: dict[str, tuple[str, int]] = field(default_factory=dict)
    _ns_pids: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def id(self) -> str:
        """64 hex digits."""
        return hex_id(64, "container", self.pod.uid, self.name, self.attempt)

    def next_ns_pid(self) -> int:
        """The next process number inside the container; 1 for its first process."""
        return next(self._ns_pids)

    def install(self, name: str, version: str, time_ns: int) -> None:
        """Let a distribution be there, in this version, from `time_ns` on."""
        self._installed[name] = (version, time_ns)

    def distribution(self, name: str, time_ns: int) -> tuple[str, float | None]:
        """Version of a distribution and seconds since its metadata was written, as the sensor sees them at `time_ns`."""
        if name in self._installed:
            version, since = self._installed[name]
            return version, round((time_ns - since) / SECOND, 1)
        if name in _IMAGE_DISTRIBUTIONS:
            age = _IMAGE_AGE_S + (time_ns - self.started_ns) / SECOND + number(0, 90, "build order", name)
            return _IMAGE_DISTRIBUTIONS[name], round(age, 1)
        return "", None
