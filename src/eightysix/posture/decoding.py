"""One object's bytes to its struct: under which name it is kept, and which of two of one name is the later.

No Secret's data is ever decoded: of a Secret only metadata and type have members to go to, and of its annotations only the
one that names a service account is kept, as `kubectl apply` writes the whole object, data and all, into another. That one
(`last-applied-configuration`) is dropped from everything.

Pods of one workload differ in little but their node's name and the random name of their token's volume. With both put
aside, equal bytes are decoded once, and such pods share their spec.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from eightysix.posture.makers import is_over, specs_in
from eightysix.posture.objects import (
    NO_SPEC,
    Binding,
    Meta,
    NamespaceObject,
    NetworkPolicy,
    NodeObject,
    Pod,
    PodSpec,
    Role,
    SecretObject,
    ServiceAccount,
    Workload,
    _PodStatus,
)

__all__ = [
    "CUSTOM_KINDS",
    "MAX_CUSTOM_BYTES",
    "Bytes",
    "Missing",
    "Specs",
    "Told",
    "UnusableError",
    "decode",
    "decode_custom",
    "decode_maker",
    "has_template",
    "is_known",
    "rank",
]

MAX_CUSTOM_BYTES: Final = 256 << 10
"""Largest custom resource that is kept as it came; etcd holds 1.5 MiB, and a large SecretProviderClass has 10 kB."""

CUSTOM_KINDS: Final = frozenset(
    {
        "AutoscalingRunnerSet",
        "AzureIdentity",
        "AzureIdentityBinding",
        "AzurePodIdentityException",
        "EndpointSlice",
        "PersistentVolume",
        "SecretProviderClass",
    }
)
"""Kinds that edges read as they come."""

_GROUPS: Final = {
    "": {"Pod", "ServiceAccount", "Namespace", "Node", "Secret", "ReplicationController"},
    "apps": {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"},
    "extensions": {"Deployment", "DaemonSet", "ReplicaSet", "NetworkPolicy"},
    "batch": {"Job", "CronJob"},
    "rbac.authorization.k8s.io": {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"},
    "networking.k8s.io": {"NetworkPolicy"},
}
_CLUSTER_WIDE: Final = frozenset(
    {"ClusterRole", "ClusterRoleBinding", "Namespace", "Node", "PersistentVolume"}
)
_LONGEST_NAME: Final = 1024  # Kubernetes takes 253
_LONGEST_ANNOTATION: Final = 16_384
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_TOKEN_OF: Final = "kubernetes.io/service-account.name"  # noqa: S105 - a name
_TOKEN_VOLUME: Final = b'"kube-api-access-'
_TOKEN_SUFFIX: Final = 5  # k8s.io/apiserver/pkg/storage/names: five random characters
_MAKING: Final = (b'"image"', b'"storageUri"', b'"modelFormat"')
_TEXTS: Final = frozenset({"labels", "annotations", "matchLabels"})

_MOST_SHARED: Final = 500_000
"""Sets of labels, owners and names of nodes that are kept for sharing."""

Bytes = bytes | msgspec.Raw
Missing = Callable[[], str]


class UnusableError(ValueError):
    """Why an object cannot be used, without any of its content."""


class Told(NamedTuple):
    """An object, the member of `Snapshot` that it goes to, and its key there."""

    where: str
    key: str
    found: Any


class _PodHead(Struct):
    metadata: Meta
    spec: msgspec.Raw
    status: _PodStatus | None = None


class _SpecHead(Struct, rename="camel"):
    node_name: str = ""


class _Containers(Struct):
    containers: list[msgspec.Raw] | None = None


class _MaybeTemplate(Struct):
    spec: _Containers | None = None


class _MaybeSpec(Struct):
    template: _MaybeTemplate | None = None


class _MaybeWorkload(Struct):
    spec: _MaybeSpec | None = None


_pod_head = msgspec.json.Decoder(_PodHead).decode
_spec_head = msgspec.json.Decoder(_SpecHead).decode
_spec = msgspec.json.Decoder(PodSpec).decode
_maybe_workload = msgspec.json.Decoder(_MaybeWorkload).decode
_workload = msgspec.json.Decoder(Workload).decode


def is_known(kind: str, group: str, *, anywhere: bool) -> bool:
    """Whether a kind of this API group is one of Kubernetes' own that posture reads; `anywhere` where no group is told."""
    if anywhere:
        return any(kind in kinds for kinds in _GROUPS.values())
    return kind in _GROUPS.get(group, ())


def has_template(text: Bytes) -> bool:
    """Whether a custom resource has a pod template where a Deployment has it."""
    try:
        shape = _maybe_workload(text)
    except ValueError:
        return False
    template = shape.spec.template if shape.spec is not None else None
    return template is not None and template.spec is not None and bool(template.spec.containers)


def decode(kind: str, text: Bytes, specs: Specs, missing: Missing = lambda: "default") -> Told:
    """An object of a kind that Kubernetes has, or of any other that makes pods; `missing` gives the namespace of one that
    names none. Raises `ValueError` (of `msgspec` or `UnusableError`) and `RecursionError`."""
    try:
        return _decode(kind, text, specs, missing)
    except msgspec.ValidationError:
        return _decode(kind, _mended(text), specs, missing)


def decode_custom(kind: str, text: Bytes, missing: Missing = lambda: "default") -> Told:
    """A custom resource as it came. Raises as `decode`."""
    if memoryview(text).nbytes > MAX_CUSTOM_BYTES:
        raise UnusableError(f"larger than {MAX_CUSTOM_BYTES >> 10} KiB")
    item = msgspec.json.decode(text, type=dict[str, Any])
    meta = _usable(msgspec.convert(_dropped(item.get("metadata")), Meta), kind, missing)
    item["metadata"] = {
        "name": meta.name,
        "namespace": meta.namespace,
        "labels": meta.labels or {},
        "annotations": meta.annotations or {},
        "resourceVersion": meta.resource_version,
    }
    return Told("custom", f"{kind}/{meta.namespace}/{meta.name}", item)


def decode_maker(kind: str, group: str, text: Bytes, missing: Missing = lambda: "default") -> Told | None:
    """A custom resource whose pods' specifications stand elsewhere than a Deployment's, none where there are none. Raises as
    `decode`."""
    view = bytes(text)
    if not any(word in view for word in _MAKING):
        return None
    if len(view) > MAX_CUSTOM_BYTES:
        raise UnusableError(f"larger than {MAX_CUSTOM_BYTES >> 10} KiB")
    item = _dropped(msgspec.json.decode(view, type=dict[str, Any]))
    made = specs_in(kind, item)
    if not made:
        return None
    meta = _usable(msgspec.convert(item.get("metadata", {}), Meta), kind, missing)
    workload = Workload(meta, NO_SPEC, kind, group, made, is_over(item))
    return Told("workloads", f"{kind}/{meta.namespace}/{meta.name}", workload)


def rank(found: Any) -> tuple[int, bytes]:
    """Which of two objects of one name is the later: by `resourceVersion`; between equals by what they say, so that the
    order they came in decides nothing."""
    version = (
        found["metadata"]["resourceVersion"] if isinstance(found, dict) else found.metadata.resource_version
    )
    number = int(version) if version.isdecimal() and version.isascii() and len(version) < 30 else -1
    # a custom resource is as it came, and JSON's numbers have no end
    encode = msgspec.json.encode if isinstance(found, dict) else msgspec.msgpack.encode
    return number, encode(found, order="deterministic")


class Specs:
    """Specs of pods by what they say, and what else they share: labels, owners, nodes."""

    def __init__(self) -> None:
        self._known: dict[bytes, PodSpec] = {}
        self._shared: dict[Any, Any] = {}

    def share(self, meta: Meta) -> Meta:
        """The same metadata, sharing members with that of pods that are alike."""
        found = meta
        if meta.labels:
            found = msgspec.structs.replace(found, labels=self._one(tuple(meta.labels.items()), meta.labels))
        if meta.owner_references:
            found = msgspec.structs.replace(
                found, owner_references=self._one(meta.owner_references, meta.owner_references)
            )
        return found

    def _one(self, key: Any, value: Any) -> Any:
        known = self._shared.get(key)
        if known is None:
            known = value
            if len(self._shared) < _MOST_SHARED:
                self._shared[key] = value
        return known

    def take(self, raw: bytes) -> PodSpec:
        """The spec, sharing its members with those of pods that are alike."""
        node = _spec_head(raw).node_name
        if node:
            name = msgspec.json.encode(node)
            for colon in (b":", b": "):
                raw = raw.replace(b'"nodeName"' + colon + name, b'"nodeName":""')
        at = raw.find(_TOKEN_VOLUME)
        if at >= 0:
            end = at + len(_TOKEN_VOLUME) + _TOKEN_SUFFIX
            if raw[end : end + 1] == b'"':
                raw = raw.replace(raw[at : end + 1], _TOKEN_VOLUME + b'*"')
        digest = hashlib.blake2b(raw, digest_size=16).digest()
        spec = self._known.get(digest)
        if spec is None:
            spec = self._known[digest] = _spec(raw)
        if spec.node_name == node:
            return spec
        return msgspec.structs.replace(spec, node_name=self._one(node, node))


def _decode(kind: str, text: Bytes, specs: Specs, missing: Missing) -> Told:
    if kind == "Pod":
        head = _pod_head(text)
        meta = _usable(head.metadata, kind, missing)
        spec = specs.take(bytes(head.spec))
        return Told("pods", f"{meta.namespace}/{meta.name}", Pod(specs.share(meta), spec, head.status))
    reader = _READERS.get(kind)
    if reader is not None:
        where, decoder = reader
        found = decoder(text)
        meta = _usable(found.metadata, kind, missing)
        changed: dict[str, Any] = {"metadata": meta}
        if isinstance(found, Role | Binding):
            changed["cluster"] = kind in _CLUSTER_WIDE
        key = meta.name if kind in _CLUSTER_WIDE else f"{meta.namespace}/{meta.name}"
        return Told(where, key, msgspec.structs.replace(found, **changed))
    workload = _workload(text)
    meta = _usable(workload.metadata, kind, missing)
    return Told("workloads", f"{kind}/{meta.namespace}/{meta.name}", Workload(meta, workload.spec, kind))


def _reader(where: str, type_: type[Any]) -> tuple[str, Callable[[Bytes], Any]]:
    return where, msgspec.json.Decoder(type_).decode


_READERS: dict[str, tuple[str, Callable[[Bytes], Any]]] = {
    "Role": _reader("roles", Role),
    "ClusterRole": _reader("cluster_roles", Role),
    "RoleBinding": _reader("role_bindings", Binding),
    "ClusterRoleBinding": _reader("cluster_role_bindings", Binding),
    "ServiceAccount": _reader("service_accounts", ServiceAccount),
    "Namespace": _reader("namespaces", NamespaceObject),
    "Node": _reader("nodes", NodeObject),
    "Secret": _reader("secrets", SecretObject),
    "NetworkPolicy": _reader("network_policies", NetworkPolicy),
}


def _usable(meta: Meta, kind: str, missing: Missing) -> Meta:
    """Metadata with a name and, where there has to be one, a namespace; without annotations that hold whole objects. What has
    a uid and no namespace is of a kind that has none, and counts as in `default`."""
    name = meta.name or meta.generate_name
    if not name:
        raise UnusableError("it has no name")
    if len(name) > _LONGEST_NAME or len(meta.namespace) > _LONGEST_NAME:
        raise UnusableError(f"a name longer than {_LONGEST_NAME} characters")
    namespace = "" if kind in _CLUSTER_WIDE else meta.namespace or ("default" if meta.uid else missing())
    annotations = meta.annotations
    if annotations:
        annotations = {
            key: value
            for key, value in annotations.items()
            if key != _LAST_APPLIED
            and len(value) <= _LONGEST_ANNOTATION
            and (kind != "Secret" or key == _TOKEN_OF)
        }
    if name == meta.name and namespace == meta.namespace and annotations == meta.annotations:
        return meta
    return msgspec.structs.replace(meta, name=name, namespace=namespace, annotations=annotations)


def _mended(text: Bytes) -> bytes:
    """The object as it was surely meant: null members are as absent, and labels and annotations are texts, as charts often
    forget. Raises as decoding does."""
    return msgspec.json.encode(_dropped(msgspec.json.decode(text)))


def _dropped(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        kept = {name: _dropped(member, name) for name, member in value.items() if member is not None}
        return {name: _as_text(member) for name, member in kept.items()} if key in _TEXTS else kept
    if isinstance(value, list):
        return [_dropped(member) for member in value]
    return value


def _as_text(value: Any) -> Any:
    return msgspec.json.encode(value).decode() if isinstance(value, bool | int | float) else value
