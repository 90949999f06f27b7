"""What the control socket takes: each operation with its request and its answer.

| op | request | answer |
| --- | --- | --- |
| `pod` | `pod` (a `PodSpec`), `uid`, `container_id` | `token`, `federated_token`, `token_path`, `federated_token_path`, `ca` |
| `delete-pod` | `pod`, `namespace` | |
| `exec` | `pod`, `namespace`, `argv`, `user` | |
| `created-pods` | | `pods`: those that pods made, each told once: `pod`, `uid` |
| `secret` | `namespace`, `name`, `data` (plain text) | |
| `objects` | `items`: any objects of Kubernetes that were there before | |
| `push` | `repository`, `tag`, `content_b64`, `by`, `address` | `digest` |
| `blob` | `container`, `name`, `content_b64` | `etag` |
| `leap` | `seconds` | `ahead_ns`, `now_ns` |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import Struct

from eightysix.lab.interface import PodSpec
from eightysix.lab.services.control import ControlError
from eightysix.lab.services.directory import resource_of
from eightysix.lab.services.registry_push import Pushing, push
from eightysix.lab.services.roster import Pod
from eightysix.lab.world import REGISTRY_HOST, TOKEN_FOLDER

if TYPE_CHECKING:
    from eightysix.lab.services.assembly import Services
    from eightysix.lab.services.cluster import Cluster

__all__ = ["FEDERATED_PATH", "RUNNER_IP", "Operations"]

RUNNER_IP = "198.51.100.20"
"""Where pushes of the run come from, as the telemetry tells it: a runner outside of the cluster (RFC 5737)."""
FEDERATED_PATH = "/var/run/secrets/azure/tokens/azure-identity-token"
"""Where the webhook of workload identity projects the token that Entra exchanges."""
_RUNNER = "docker/28.0.1 go/go1.23.6 git-commit/bbd0a17 kernel/6.8.0-1021-azure os/linux arch/amd64"
_REGISTRY_RESOURCE = "https://containerregistry.azure.net"

_T = TypeVar("_T")
Told = Mapping[str, object]


class _Pod(Struct):
    pod: PodSpec
    uid: str
    container_id: str = ""


class _Named(Struct):
    pod: str
    namespace: str = "ml"


class _Exec(Struct):
    pod: str
    argv: tuple[str, ...]
    namespace: str = "ml"
    user: str = "operator@contoso.example"


class _Secret(Struct):
    name: str
    data: dict[str, str]
    namespace: str = "ml"


class _Objects(Struct):
    items: list[dict[str, Any]]


class _Nothing(Struct):
    pass


class _Leap(Struct):
    seconds: float


class _Push(Struct):
    """`content_b64` is base64, which msgspec decodes for `bytes`."""

    repository: str
    tag: str
    content_b64: bytes
    by: str
    address: str = RUNNER_IP


class _Blob(Struct):
    container: str
    name: str
    content_b64: bytes


class Operations:
    """The operations on `services`."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def by_name(self) -> Mapping[str, Callable[[msgspec.Raw], Told]]:
        """Each by what a request calls it."""
        return {
            "pod": _taking(_Pod, self._pod),
            "delete-pod": _taking(_Named, self._delete_pod),
            "exec": _taking(_Exec, self._exec),
            "created-pods": _taking(_Nothing, self._created_pods),
            "secret": _taking(_Secret, self._secret),
            "objects": _taking(_Objects, self._objects),
            "push": _taking(_Push, self._push),
            "blob": _taking(_Blob, self._blob),
            "leap": _taking(_Leap, self._leap),
        }

    def _cluster(self) -> Cluster:
        if self._services.cluster is None:
            raise ControlError("this run has no API server")
        return self._services.cluster

    def _pod(self, asked: _Pod) -> Told:
        services = self._services
        pod = Pod(asked.pod, asked.uid, asked.container_id)
        services.roster.add(pod)
        told: dict[str, object] = {"token": "", "federated_token": ""}
        if services.cluster is not None:
            try:
                told = services.cluster.add(pod)
            except BaseException:
                services.roster.remove(pod.spec.namespace, pod.spec.name)
                raise
        services.record.mark(
            "pod-started",
            pod=pod.spec.name,
            namespace=pod.spec.namespace,
            uid=pod.uid,
            container_id=pod.container_id,
            ip=pod.spec.ip,
        )
        paths = {"token_path": f"{TOKEN_FOLDER}/token", "federated_token_path": FEDERATED_PATH}
        return {**told, **paths, "ca": services.ca}

    def _find(self, namespace: str, name: str) -> Pod:
        pod = self._services.roster.get(namespace, name)
        if pod is None:
            raise ControlError(f"no pod is called {namespace}/{name}")
        return pod

    def _delete_pod(self, asked: _Named) -> Told:
        services, pod = self._services, self._find(asked.namespace, asked.pod)
        if services.cluster is not None:
            services.cluster.remove(pod)
        services.roster.remove(asked.namespace, asked.pod)
        services.record.mark("pod-ended", pod=asked.pod, namespace=asked.namespace, uid=pod.uid)
        return {}

    def _exec(self, asked: _Exec) -> Told:
        services, pod = self._services, self._find(asked.namespace, asked.pod)
        if services.cluster is not None:
            services.cluster.exec(pod, asked.argv, asked.user)
        argv = list(asked.argv)
        services.record.mark("exec", pod=asked.pod, namespace=asked.namespace, argv=argv, user=asked.user)
        return {}

    def _created_pods(self, asked: _Nothing) -> Told:
        del asked
        return {"pods": self._cluster().created()}

    def _secret(self, asked: _Secret) -> Told:
        self._cluster().secret(asked.namespace, asked.name, asked.data)
        return {}

    def _objects(self, asked: _Objects) -> Told:
        self._cluster().load(asked.items)
        return {}

    def _push(self, asked: _Push) -> Told:
        """Push as a principal from outside of the cluster: it signs in first, as a runner does."""
        services = self._services
        who = services.directory.named(asked.by)
        resource = resource_of(_REGISTRY_RESOURCE)
        if resource is None:
            raise AssertionError(_REGISTRY_RESOURCE)
        issued = services.directory.issue(who, _REGISTRY_RESOURCE, how="secret")
        services.directory.sign_in(
            who, resource, how="secret", uti=issued.uti, address=asked.address, agent=_RUNNER
        )
        ip, port, tls = services.where("registry")
        host = REGISTRY_HOST if port in (80, 443) else f"{REGISTRY_HOST}:{port}"
        at = Pushing(ip, port, host, issued.token, asked.address, services.door.secret, _RUNNER, tls)
        return {"digest": push(at, asked.repository, asked.tag, asked.content_b64)}

    def _blob(self, asked: _Blob) -> Told:
        return {"etag": self._services.storage.put(asked.container, asked.name, asked.content_b64)}

    def _leap(self, asked: _Leap) -> Told:
        ahead = self._services.clock.leap(asked.seconds)
        self._services.record.mark("leap", seconds=asked.seconds)
        return {"ahead_ns": ahead, "now_ns": self._services.clock.now_ns()}


def _taking(kind: type[_T], act: Callable[[_T], Told]) -> Callable[[msgspec.Raw], Told]:
    """`act` for the text of a request."""
    decoder = msgspec.json.Decoder(kind)
    return lambda request: act(decoder.decode(request))
