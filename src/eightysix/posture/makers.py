"""Pods that custom resources make: every object that looks like a pod's specification, wherever in `spec` it stands.

No list of kinds could be complete, and the shapes are few: `containers` (KServe, LLMInferenceService, RayCluster's groups, the
replica specs of Kubeflow's jobs, JobSet, LeaderWorkerSet: inline or below a `template`), `container` or `script` beside
`sidecars` (Argo Workflows), `steps` (Tekton), and a `model` or a framework with a place of storage (KServe's predictor, to which
the runtime's container is added). Account and volumes of the last three stand further above. The search is bounded; what it
finds counts only where the pods themselves are not known (`templates`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from eightysix.posture.objects import Made, Meta, PodSpec

__all__ = ["MAX_DEPTH", "MAX_FOUND", "MAX_VALUES", "is_over", "specs_in"]

MAX_DEPTH: Final = 16
"""Levels below `spec` that are looked at; the deepest known (JobSet in a TrainingRuntime) has its pods nine deep."""

MAX_VALUES: Final = 50_000
"""Values of one object that are looked at: 256 KiB, the most that is kept of a custom resource, rarely has 20,000."""

MAX_FOUND: Final = 64
"""Specifications of one object that are kept; a workflow with more templates is told by those."""

_NO_MAKERS: Final = frozenset(
    {"CustomResourceDefinition", "ControllerRevision", "PodTemplate", "Application", "ApplicationSet"}
)
"""Kinds that hold specifications and make no pods of them."""

_ABOVE: Final = (
    "serviceAccountName",
    "automountServiceAccountToken",
    "volumes",
    "imagePullSecrets",
    "hostNetwork",
    "nodeSelector",
)
"""Members that Argo and Tekton give all pods of an object, beside its templates."""

_LONGEST: Final = 1_024
"""Characters of a path; real ones have a hundred."""

_BELOW: Final = frozenset({"containers", "initContainers", "volumes", "sidecars", "env", "status"})
_PLACES: Final = ("storageUri", "storageUris", "storage", "modelFormat")
_ENDS: Final = ("completionTime", "finishedAt", "endTime")
_MOST_PODS: Final = 100_000


class _Shape(NamedTuple):
    """A specification in a pod's own words, and where its containers stand."""

    spec: dict[str, Any]
    paths: tuple[str, ...] = ()


def specs_in(kind: str, item: Mapping[str, Any]) -> tuple[Made, ...]:
    """Everything in an object that pods are made of. Raises `msgspec.ValidationError` where nothing of it can be used."""
    if kind in _NO_MAKERS:
        return ()
    found: list[Made] = []
    fault: msgspec.ValidationError | None = None
    for at, shape, above in _found(kind, item.get("spec")):
        try:
            spec = msgspec.convert(shape.spec, PodSpec, strict=False)
            meta = msgspec.convert(_metadata(above), Meta, strict=False)
        except msgspec.ValidationError as error:
            fault = error
            continue
        found.append(Made(at, _part(at), meta, spec, _replicas(above), shape.paths))
        if len(found) >= MAX_FOUND:
            break
    if fault is not None and not found:
        raise fault
    return tuple(_apart(found))


def is_over(item: Mapping[str, Any]) -> bool:
    """Whether a job or workflow has ended, and makes no pods any more."""
    status = item.get("status")
    return isinstance(status, Mapping) and any(isinstance(status.get(end), str) for end in _ENDS)


def _found(kind: str, spec: object) -> Iterator[tuple[str, _Shape, list[Mapping[str, Any]]]]:
    """Specifications with their paths and all that is above each, the nearest last (the specification's own object)."""
    waiting: list[tuple[str, object, tuple[Mapping[str, Any], ...]]] = [("spec", spec, ())]
    looked_at = 0
    while waiting and looked_at < MAX_VALUES:
        at, value, above = waiting.pop()
        looked_at += 1
        if len(above) > MAX_DEPTH:
            continue
        if isinstance(value, list):
            waiting.extend((f"{at}[{index}]", one, above) for index, one in reversed([*enumerate(value)]))
        elif isinstance(value, dict):
            here = (*above, value)
            shape = _shape(kind, value, above)
            if shape is not None:
                yield at, shape, [*here]
            waiting.extend(
                (f"{at}.{name}", one, here)
                for name, one in reversed([*value.items()])
                if isinstance(one, dict | list) and name not in _BELOW and len(at) + len(name) < _LONGEST
            )


def _shape(kind: str, value: Mapping[str, Any], above: tuple[Mapping[str, Any], ...]) -> _Shape | None:
    if _containers(value.get("containers")):
        return _Shape(dict(value))
    for name in ("container", "script"):
        one = value.get(name)
        if isinstance(one, dict) and isinstance(one.get("image"), str):
            return _joined(value, above, [one], (name,))
    steps = _containers(value.get("steps"))
    if steps and all("image" in one for one in steps):
        return _joined(value, above, steps, tuple(f"steps[{index}]" for index in range(len(steps))))
    if kind == "InferenceService":
        for name, one in value.items():
            if isinstance(one, dict) and any(place in one for place in _PLACES):
                return _Shape({**value, "containers": [{"name": name, **_container(one)}]}, (name,))
    return None


def _containers(value: object) -> list[dict[str, Any]]:
    """The members of what looks like a list of containers, none of what does not."""
    if not isinstance(value, list):
        return []
    alike = all(isinstance(one, dict) and ("image" in one or "name" in one) for one in value)
    return value if alike else []


def _container(one: Mapping[str, Any]) -> dict[str, Any]:
    return {name: member for name, member in one.items() if name not in ("name", "args", "command")}


def _joined(
    value: Mapping[str, Any],
    above: tuple[Mapping[str, Any], ...],
    containers: list[Any],
    paths: tuple[str, ...],
) -> _Shape:
    """Containers that stand under other names, with what is given to all further above."""
    more = _containers(value.get("sidecars"))
    spec: dict[str, Any] = {}
    for name in _ABOVE:
        for source in (value, *reversed(above)):
            if source.get(name) is not None:
                spec[name] = source[name]
                break
    if _containers(value.get("initContainers")):
        spec["initContainers"] = value["initContainers"]
    spec["containers"] = [*containers, *more]
    return _Shape(spec, (*paths, *(f"sidecars[{index}]" for index in range(len(more)))))


def _metadata(above: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Labels and annotations of the pods: of a template beside its `spec`, or inline."""
    for source in reversed(above[-2:]):
        told = source.get("metadata")
        inline = told if isinstance(told, dict) else source
        kept = {
            name: inline[name] for name in ("labels", "annotations") if isinstance(inline.get(name), dict)
        }
        if kept:
            return kept
    return {}


def _replicas(above: list[Mapping[str, Any]]) -> int:
    for source in reversed(above[-3:]):
        for name in ("replicas", "minReplicas"):
            told = source.get(name)
            if isinstance(told, int) and not isinstance(told, bool):
                return min(max(told, 0), _MOST_PODS)
    return 1


def _part(at: str) -> str:
    """The end of a path that means something: `spec.headGroupSpec.template.spec` is the `headGroupSpec`."""
    parts = [part for part in at.split(".") if part not in ("spec", "template")]
    return parts[-1] if parts else "template"


def _apart(found: list[Made]) -> Iterator[Made]:
    """Each with a part of its own: the whole path where two would be called the same; none where there is only one."""
    if len(found) == 1:
        yield msgspec.structs.replace(found[0], part="")
        return
    counts: dict[str, int] = {}
    for one in found:
        counts[one.part] = counts.get(one.part, 0) + 1
    for one in found:
        yield one if counts[one.part] == 1 else msgspec.structs.replace(one, part=one.at)
