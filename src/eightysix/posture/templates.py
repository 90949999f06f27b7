"""Pods grouped by what made them: 100,000 pods are some thousand templates.

A pod belongs to the workload at the end of its `ownerReferences`: through ReplicaSet to Deployment, through Job to CronJob.
Anybody who makes a pod can write any owner into it, so an owner alone groups nothing: pods share a template only where spec
and the labels that matter are the same. The most numerous shape has the workload's name, others (of a rollout, of a debug
container, of a forgery) the name of the ReplicaSet or of the pod.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from eightysix.posture.objects import Meta, Owner, Pod, PodSpec, Volume, Workload
from eightysix.posture.snapshot import Snapshot, Template

__all__ = ["MAX_CLIMB", "MAX_NODES", "templates_of"]

MAX_CLIMB: Final = 8
"""Owners above a pod that are followed; real ones have two. Owners in a circle end here."""

MAX_NODES: Final = 10_000
"""Names of nodes that a template keeps; the largest clusters have 5,000."""

_CLIMBED: Final = frozenset({"ReplicaSet", "Job", "ReplicationController"})
"""Kinds that something else usually makes. What makes others (an operator's StatefulSet) is not where to change a pod."""

_FINISHED: Final = frozenset({"Succeeded", "Failed"})
_OF_ONE_POD: Final = frozenset(
    {
        "apps.kubernetes.io/pod-index",
        "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-completion-index",
        "batch.kubernetes.io/job-name",
        "controller-revision-hash",
        "controller-uid",
        "job-name",
        "pod-template-generation",
        "pod-template-hash",
        "statefulset.kubernetes.io/pod-name",
    }
)
"""Labels that controllers give (kubernetes.io/docs/reference/labels-annotations-taints), other in each pod or revision."""

_IDENTITY: Final = "azure.workload.identity/"
_MINUTES: Final = 8  # a CronJob's Job is called by minutes since 1970: 27 to 99 million until 2160
_SPEC_FIELDS: Final = tuple(name for name in PodSpec.__struct_fields__ if name != "node_name")


class _Who(NamedTuple):
    kind: str
    name: str


class _Shape:
    """Pods that are alike."""

    def __init__(self, direct: _Who, pod: Pod) -> None:
        self.direct, self.pod = direct, pod
        self.pods = 0
        self.nodes: dict[str, None] = {}

    def add(self, pod: Pod, direct: _Who) -> None:
        self.pods += 1
        if pod.metadata.name < self.pod.metadata.name:
            self.direct, self.pod = direct, pod
        if pod.spec.node_name and len(self.nodes) < MAX_NODES:
            self.nodes[pod.spec.node_name] = None


def templates_of(snapshot: Snapshot) -> tuple[Template, ...]:
    """The templates of a snapshot, by namespace, kind and name. Each has a kind and name of its own."""
    owners = _Owners(snapshot.workloads)
    digests = _Digests()
    groups: dict[tuple[str, _Who], dict[bytes, _Shape]] = {}
    for key in sorted(snapshot.pods):
        pod = snapshot.pods[key]
        if pod.status is not None and pod.status.phase in _FINISHED:
            continue
        direct, root = owners.of(pod)
        shapes = groups.setdefault((pod.metadata.namespace, root), {})
        digest = digests.of(pod, root)
        shape = shapes.get(digest)
        if shape is None:
            shape = shapes[digest] = _Shape(direct, pod)
        shape.add(pod, direct)
    live = any(pod.metadata.uid for pod in snapshot.pods.values())
    covered = _covered(snapshot)
    found: dict[tuple[str, str, str], Template] = {}
    later: list[tuple[str, _Shape]] = []
    for (namespace, root), shapes in sorted(groups.items()):
        first, *rest = sorted(shapes.values(), key=lambda shape: (-shape.pods, shape.pod.metadata.name))
        found[namespace, *root] = _template(namespace, root, first)
        later.extend((namespace, shape) for shape in rest)
    for template in _resting(snapshot.workloads, set(found), live, covered):
        found[template.namespace, template.kind, template.name] = template
    for namespace, shape in later:
        who = shape.direct
        if (namespace, *who) in found:
            who = _Who("Pod", shape.pod.metadata.name)
        found[namespace, *who] = _template(namespace, who, shape)
    return tuple(found[key] for key in sorted(found))


def _template(namespace: str, who: _Who, shape: _Shape) -> Template:
    pod = shape.pod
    return Template(
        namespace, who.kind, who.name, pod.metadata, pod.spec, shape.pods, tuple(sorted(shape.nodes))
    )


def _resting(
    workloads: Mapping[str, Workload],
    running: set[tuple[str, str, str]],
    live: bool,
    covered: Collection[tuple[str, str, str]],
) -> Iterator[Template]:
    """Templates of workloads without a living pod. Of a cluster's, those count that will make pods again: a finished Job
    and what is scaled to nothing do not, and what something else owns is that one's business."""
    for workload in workloads.values():
        meta = workload.metadata
        template = workload.template
        if workload.made and (meta.namespace, workload.kind, meta.name) not in covered:
            yield from _made(workload, live)
        if template is None or (meta.namespace, workload.kind, meta.name) in running:
            continue
        asked = workload.spec.replicas
        manifest = not meta.uid
        if not manifest and (
            _controller(meta) is not None or asked == 0 or (live and workload.kind == "Job")
        ):
            continue
        pods = 0 if live and not manifest else max(asked or 1, 1)
        yield Template(meta.namespace, workload.kind, meta.name, template[0], template[1], pods)


def _made(workload: Workload, live: bool) -> Iterator[Template]:
    """What a custom resource will make pods of. Of a cluster's, what has ended or belongs to another makes none."""
    meta = workload.metadata
    if meta.uid and (workload.over or _controller(meta) is not None):
        return
    for one in workload.made:
        if meta.uid and not one.replicas:
            continue
        name = f"{meta.name}:{one.part}" if one.part else meta.name
        pods = 0 if live and meta.uid else max(one.replicas, 1)
        yield Template(
            meta.namespace, workload.kind, name, one.meta, one.spec, pods, (), meta.name, one.at, one.paths
        )


def _covered(snapshot: Snapshot) -> set[tuple[str, str, str]]:
    """Custom resources with pods that live, or with something that makes their pods and is known: told by owners, through
    whatever is between them, or by the label that an operator gives them in its own group (`ray.io/cluster: NAME`)."""
    makers = [one for one in snapshot.workloads.values() if one.made]
    if not makers:
        return set()
    found: set[tuple[str, str, str]] = set()
    labels: set[tuple[str, str, str]] = set()
    seen: set[tuple[str, str, str]] = set()
    for pod in snapshot.pods.values():
        if pod.status is None or pod.status.phase not in _FINISHED:
            _climb_all(snapshot.workloads, pod.metadata, seen)
            for name, value in (pod.metadata.labels or {}).items():
                group, slash, _ = name.partition("/")
                if slash:
                    labels.add((pod.metadata.namespace, group, value))
    for workload in snapshot.workloads.values():
        if workload.template is not None:
            _climb_all(snapshot.workloads, workload.metadata, seen)
    groups = {group for _, group, _ in labels}
    for workload in makers:
        meta = workload.metadata
        if (meta.namespace, workload.kind, meta.name) in seen or any(
            (meta.namespace, group, meta.name) in labels
            for group in groups
            if group == workload.group or group.endswith(f".{workload.group}")
        ):
            found.add((meta.namespace, workload.kind, meta.name))
    return found


def _climb_all(workloads: Mapping[str, Workload], meta: Meta, seen: set[tuple[str, str, str]]) -> None:
    """Note everything above an object."""
    for _ in range(MAX_CLIMB):
        owner = _controller(meta)
        if owner is None or (meta.namespace, owner.kind, owner.name) in seen:
            return
        seen.add((meta.namespace, owner.kind, owner.name))
        above = workloads.get(f"{owner.kind}/{meta.namespace}/{owner.name}")
        if above is None:
            return
        meta = above.metadata


def _controller(meta: Meta) -> Owner | None:
    owners = meta.owner_references or ()
    return next((owner for owner in owners if owner.controller), owners[0] if owners else None)


class _Owners:
    """Who made a pod, followed to the end."""

    def __init__(self, workloads: Mapping[str, Workload]) -> None:
        self._workloads = workloads
        self._ends: dict[tuple[str, str, str, str], _Who] = {}

    def of(self, pod: Pod) -> tuple[_Who, _Who]:
        """The direct owner of a pod and the last one; the pod itself where nobody or its node (a static pod) made it."""
        meta = pod.metadata
        owner = _controller(meta)
        if owner is None or not owner.kind or not owner.name or owner.kind == "Node":
            who = _Who("Pod", meta.name)
            return who, who
        direct = _Who(owner.kind, owner.name)
        hash_ = (meta.labels or {}).get("pod-template-hash", "")
        key = (meta.namespace, owner.kind, owner.name, hash_)
        end = self._ends.get(key)
        if end is None:
            end = self._ends[key] = self._climb(meta.namespace, direct, hash_)
        return direct, end

    def _climb(self, namespace: str, who: _Who, hash_: str) -> _Who:
        seen = {who}
        for _ in range(MAX_CLIMB):
            if who.kind not in _CLIMBED:
                return who
            workload = self._workloads.get(f"{who.kind}/{namespace}/{who.name}")
            if workload is None:
                return _by_name(who, hash_)
            owner = _controller(workload.metadata)
            if owner is None or not owner.kind or not owner.name:
                return who
            above = _Who(owner.kind, owner.name)
            if above in seen:  # in a circle: the same one for all in it
                return min(seen)
            seen.add(above)
            who = above
        return who


def _by_name(who: _Who, hash_: str) -> _Who:
    """The owner of an owner that was not given, by how controllers call what they make: a Deployment's ReplicaSet ends with
    the hash that its pods have as a label, a CronJob's Job with the minute it was due."""
    name, dash, end = who.name.rpartition("-")
    if dash and name:
        if who.kind == "ReplicaSet" and hash_ and end == hash_:
            return _Who("Deployment", name)
        if who.kind == "Job" and len(end) == _MINUTES and end.isdecimal() and end.isascii():
            return _Who("CronJob", name)
    return who


class _Digests:
    """What tells shapes apart. Pods whose specs were decoded once share the members, so those are looked at once."""

    def __init__(self) -> None:
        self._specs: dict[tuple[int, ...], tuple[PodSpec, bytes]] = {}

    def of(self, pod: Pod, root: _Who) -> bytes:
        labels = {key: value for key, value in (pod.metadata.labels or {}).items() if key not in _OF_ONE_POD}
        annotations = {
            key: value for key, value in (pod.metadata.annotations or {}).items() if key.startswith(_IDENTITY)
        }
        told = msgspec.msgpack.encode((labels, annotations), order="deterministic")
        spec = self._claims(pod) if root.kind == "StatefulSet" else self._spec(pod.spec)
        return hashlib.blake2b(spec + told, digest_size=16).digest()

    def _spec(self, spec: PodSpec) -> bytes:
        key = tuple([id(getattr(spec, name)) for name in _SPEC_FIELDS])
        known = self._specs.get(key)
        if known is None:
            known = self._specs[key] = (spec, _encoded(spec))
        return known[1]

    def _claims(self, pod: Pod) -> bytes:
        """A StatefulSet's pods have a claim each, called by the pod."""
        end = f"-{pod.metadata.name}"

        def of_any(volume: Volume) -> Volume:
            claim = volume.persistent_volume_claim
            if claim is None or not claim.claim_name.endswith(end):
                return volume
            name = claim.claim_name.removesuffix(end)
            return msgspec.structs.replace(
                volume, persistent_volume_claim=msgspec.structs.replace(claim, claim_name=name)
            )

        volumes = pod.spec.volumes
        if volumes is None:
            return self._spec(pod.spec)
        return _encoded(msgspec.structs.replace(pod.spec, volumes=tuple(map(of_any, volumes))))


def _encoded(spec: PodSpec) -> bytes:
    told = msgspec.msgpack.encode(msgspec.structs.replace(spec, node_name=""), order="deterministic")
    return hashlib.blake2b(told, digest_size=16).digest()
