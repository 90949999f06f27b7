"""Which pod a uid is: from JSON Lines that somebody on the node writes, or from the kubelet's list of its pods.

Nothing here comes from a pod. Names and images are the API server's, and only explain: the endpoint is the identity.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct, field

__all__ = ["MAX_BYTES", "Container", "PodDirectory", "PodInfo", "read_pods"]

MAX_BYTES = 64 << 20
"""Bytes of one list of pods: a node has at most some hundred, with 10 to 50 KB each."""

_MAX_PODS = 20_000


class Container(Struct, frozen=True):
    """A container of a pod, by its id."""

    name: str = ""
    image: str = ""


class PodInfo(Struct, frozen=True, omit_defaults=True):
    """What is known of a pod. `containers` are by id, without the runtime's scheme."""

    uid: str
    namespace: str = ""
    name: str = ""
    node: str = ""
    cluster: str = ""
    service_account: str = ""
    workload: str = ""
    workload_kind: str = ""
    containers: Mapping[str, Container] = field(default_factory=dict)

    def fields(self, container_id: str) -> dict[str, str]:
        """The pod as sensor records name it, for a process of this container (empty: of one that is not known)."""
        told = {
            "cluster": self.cluster,
            "namespace": self.namespace,
            "name": self.name,
            "uid": self.uid,
            "service_account": self.service_account,
            "workload": self.workload,
            "workload_kind": self.workload_kind,
        }
        if not container_id and len(self.containers) == 1:
            container_id = next(iter(self.containers))
        container = self.containers.get(container_id)
        if container_id:
            told["container_id"] = container_id
        if container is not None:
            told |= {"container": container.name, "image": container.image}
        return {name: value for name, value in told.items() if value}


class PodDirectory:
    """The pods of this node. `read` gives the bytes of the list, or None where it did not change."""

    def __init__(
        self,
        read: Callable[[], bytes | None],
        *,
        clock: Callable[[], float] = time.monotonic,
        every_s: float = 10.0,
        least_s: float = 1.0,
    ) -> None:
        self.trouble = ""
        """Why the list cannot be read, empty where it can."""
        self.complete = False
        """Whether the list is the kubelet's: a pod that is not in it is gone."""
        self._read = read
        self._clock = clock
        self._every_s, self._least_s = every_s, least_s
        self._pods: dict[str, PodInfo] = {}
        self._looked = float("-inf")

    @classmethod
    def of_file(cls, path: str, *, clock: Callable[[], float] = time.monotonic) -> PodDirectory:
        """The list in a file, read again when it changes."""
        return cls(_File(Path(path)), clock=clock, every_s=1.0, least_s=0.2)

    def __call__(self, uid: str) -> PodInfo | None:
        """The pod of `uid`; None where nobody knows it (yet)."""
        self._look(self._every_s)
        found = self._pods.get(uid)
        if found is None:
            self._look(self._least_s)
            found = self._pods.get(uid)
        return found

    @property
    def uids(self) -> frozenset[str]:
        """All pods that are known."""
        self._look(self._every_s)
        return frozenset(self._pods)

    def _look(self, every_s: float) -> None:
        now = self._clock()
        if now - self._looked < every_s:
            return
        self._looked = now
        try:
            data = self._read()
            if data is not None:
                self._pods, self.complete = read_pods(data)
            self.trouble = ""
        except (OSError, ValueError) as error:
            self.trouble = f"the list of pods cannot be read: {getattr(error, 'strerror', None) or error}"


def read_pods(data: bytes) -> tuple[dict[str, PodInfo], bool]:
    """Pods by uid, and whether it is the kubelet's whole list. Raises `ValueError` where it is no list of pods."""
    try:
        whole = _list(data)
    except msgspec.MsgspecError:
        return _of_lines(data), False
    return {pod.uid: pod for item in whole.items[:_MAX_PODS] if (pod := _of_object(item)).uid}, True


class _File:
    """A file's content when it is another one than at the last call."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] = (-1, -1, -1)

    def __call__(self) -> bytes | None:
        with open(self._path, "rb") as file:
            told = os.fstat(file.fileno())
            seen = (told.st_ino, told.st_size, told.st_mtime_ns)
            if seen == self._seen:
                return None
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES} bytes")
        self._seen = seen
        return data


# --- the kubelet's list: v1 PodList (kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1)


class _Owner(Struct):
    kind: str = ""
    name: str = ""
    controller: bool = False


class _Metadata(Struct):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    labels: dict[str, str] | None = None
    owners: list[_Owner] | None = msgspec.field(default=None, name="ownerReferences")


class _Spec(Struct, rename="camel"):
    node_name: str = ""
    service_account_name: str = ""


class _ContainerStatus(Struct):
    name: str = ""
    image: str = ""
    container_id: str = msgspec.field(default="", name="containerID")
    image_id: str = msgspec.field(default="", name="imageID")


class _Status(Struct, rename="camel"):
    container_statuses: list[_ContainerStatus] | None = None
    init_container_statuses: list[_ContainerStatus] | None = None
    ephemeral_container_statuses: list[_ContainerStatus] | None = None


class _Pod(Struct):
    metadata: _Metadata
    spec: _Spec = msgspec.field(default_factory=_Spec)
    status: _Status = msgspec.field(default_factory=_Status)


class _PodList(Struct):
    items: list[_Pod]


_list = msgspec.json.Decoder(_PodList).decode

_MIRROR = "kubernetes.io/config.hash"
"""The uid that the kubelet gives to a static pod, in the annotations of its mirror; in its own list it is the uid."""


def _of_object(pod: _Pod) -> PodInfo:
    meta, status = pod.metadata, pod.status
    containers: dict[str, Container] = {}
    for each in (
        *(status.container_statuses or ()),
        *(status.init_container_statuses or ()),
        *(status.ephemeral_container_statuses or ()),
    ):
        name = each.container_id.rpartition("/")[2]
        if name:
            containers[name] = Container(each.name, _with_digest(each.image, each.image_id))
    workload, kind = _workload(meta)
    return PodInfo(
        meta.uid,
        meta.namespace,
        meta.name,
        node=pod.spec.node_name,
        service_account=pod.spec.service_account_name,
        workload=workload,
        workload_kind=kind,
        containers=containers,
    )


def _workload(meta: _Metadata) -> tuple[str, str]:
    """What made the pod, as Tetragon tells it: of a ReplicaSet, the Deployment whose template's hash it carries."""
    owner = next((each for each in meta.owners or () if each.controller), None)
    if owner is None:
        return meta.name, "Pod"
    template = (meta.labels or {}).get("pod-template-hash", "")
    if owner.kind == "ReplicaSet" and template and owner.name.endswith(f"-{template}"):
        return owner.name.removesuffix(f"-{template}"), "Deployment"
    return owner.name, owner.kind


def _with_digest(image: str, image_id: str) -> str:
    """The image with the digest that runs: `imageID` is `repository@sha256:...` where the runtime knows one."""
    digest = image_id.rpartition("@")[2]
    if "@" in image_id and digest.startswith("sha256:"):
        return f"{image.partition('@')[0]}@{digest}"
    return image


# --- JSON Lines: what the kernel sensor is told, too


class _Image(Struct):
    id: str = ""
    name: str = ""


class _LineContainer(Struct):
    id: str = ""
    name: str = ""
    image: _Image = msgspec.field(default_factory=_Image)


class _LinePod(Struct):
    uid: str = ""
    namespace: str = ""
    name: str = ""
    container: _LineContainer = msgspec.field(default_factory=_LineContainer)
    workload: str = ""
    workload_kind: str = ""
    service_account: str = ""


class _Line(Struct):
    pod: _LinePod
    container_id: str = ""
    node: str = ""
    cluster: str = ""
    service_account: str = ""


_line = msgspec.json.Decoder(_Line).decode


class _Seen(NamedTuple):
    info: PodInfo
    containers: dict[str, Container]


def _of_lines(data: bytes) -> dict[str, PodInfo]:
    """A line for each container: `{"container_id", "pod": {Tetragon's pod object}, "node", "cluster", "service_account"}`."""
    seen: dict[str, _Seen] = {}
    for number, text in enumerate(data.split(b"\n"), 1):
        if not text.strip():
            continue
        try:
            line = _line(text)
        except (msgspec.MsgspecError, RecursionError) as error:
            if number > 1 and not data.endswith(b"\n") and text == data.rpartition(b"\n")[2]:
                break  # being written
            raise ValueError(f"line {number} is no pod: {error}") from error
        pod = line.pod
        known = seen.get(pod.uid)
        containers = known.containers if known is not None else {}
        identity = (line.container_id or pod.container.id).rpartition("/")[2]
        if identity:
            image = _with_digest(pod.container.image.name, pod.container.image.id)
            containers[identity] = Container(pod.container.name, image)
        if pod.uid and len(seen) < _MAX_PODS:
            seen[pod.uid] = _Seen(
                PodInfo(
                    pod.uid,
                    pod.namespace,
                    pod.name,
                    line.node,
                    line.cluster,
                    line.service_account or pod.service_account,
                    pod.workload,
                    pod.workload_kind,
                    containers,
                ),
                containers,
            )
    return {uid: each.info for uid, each in seen.items()}
