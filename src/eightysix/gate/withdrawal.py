"""When the sensor is taken back: a container that ends again and again after it got it may be ended by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from eightysix.gate.parts import INJECTED, INSTALLER, PRELOAD, entries, mapping, text

__all__ = ["withdrawn", "workload_of"]

RESTARTS: Final = 3
"""Restarts after which it is no accident: the kubelet waits 10, 20 and 40 s between them."""

SOON_S: Final = 900
"""What began later than 15 minutes after the pod did is not the sensor's doing: it acts from the first instruction on."""

_CANNOT_BE_MADE: Final = frozenset(
    {"CreateContainerError", "CreateContainerConfigError", "RunContainerError"}
)
"""Reasons of the kubelet for a container that is not even started: a mount, or the preloaded file."""
_STUCK: Final = _CANNOT_BE_MADE | {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CrashLoopBackOff"}
"""The same, and that its image does not come or that it ends again and again."""


def withdrawn(pod: Mapping[str, object]) -> str | None:
    """Why the sensor is to be withdrawn from the workload of this pod, by its status; None where it is not.

    Whether the program also ended before it got the sensor is not asked: to go without costs less than to keep a service
    down. Who withdraws keeps `workload_of` and gives it to `inject` in `Options.withdrawn`.
    """
    meta, status = mapping(pod.get("metadata")), mapping(pod.get("status"))
    if INJECTED not in mapping(meta.get("annotations")):
        return None
    injected = set(_injected(mapping(pod.get("spec"))))
    began = _time(status.get("startTime")) or _time(meta.get("creationTimestamp"))
    for each in (*entries(status, "initContainerStatuses"), *entries(status, "containerStatuses")):
        name = text(each.get("name"))
        waiting = text(mapping(mapping(each.get("state")).get("waiting")).get("reason"))
        restarts = each.get("restartCount")
        count = restarts if isinstance(restarts, int) else 0
        if name == INSTALLER:
            if waiting in _STUCK or count >= RESTARTS:
                return f"the container that installs the sensor does not come up: {waiting or f'{count} restarts'}"
            continue
        if name not in injected:
            continue
        if waiting in _CANNOT_BE_MADE:
            return f"the container {name} cannot be made since it got the sensor: {waiting}"
        if _crashes(each, count, began):
            return f"the container {name} ended {count} times within minutes after it got the sensor"
    return None


def workload_of(pod: Mapping[str, object], namespace: str = "") -> str:
    """The name under which a withdrawal is kept: what made the pod and its template, so that a new release gets the sensor
    again; of a pod that nobody made, its own name."""
    meta = mapping(pod.get("metadata"))
    place = namespace or text(meta.get("namespace"))
    labels = mapping(meta.get("labels"))
    owner = next((each for each in entries(meta, "ownerReferences") if each.get("controller") is True), None)
    if owner is None:
        return f"{place}/Pod/{text(meta.get('name')) or text(meta.get('generateName'))}"
    revision = text(labels.get("controller-revision-hash")) or text(labels.get("pod-template-generation"))
    return f"{place}/{text(owner.get('kind'))}/{text(owner.get('name'))}{f'@{revision}' if revision else ''}"


def _injected(spec: Mapping[str, object]) -> Iterator[str]:
    for container in (*entries(spec, "initContainers"), *entries(spec, "containers")):
        for variable in entries(container, "env"):
            if variable.get("name") == "LD_PRELOAD" and PRELOAD in text(variable.get("value")):
                yield text(container.get("name"))


def _crashes(status: Mapping[str, object], count: int, began: float) -> bool:
    last = mapping(mapping(status.get("lastState")).get("terminated"))
    now = mapping(mapping(status.get("state")).get("terminated"))
    ended = now or last
    code = ended.get("exitCode")
    if count < RESTARTS or code == 0:
        return False
    finished = _time(ended.get("finishedAt"))
    return not finished or not began or finished - began <= SOON_S


def _time(value: object) -> float:
    """Seconds since 1970 of a time of the API server (RFC 3339), 0 where it is none."""
    try:
        return datetime.fromisoformat(text(value)).timestamp()
    except ValueError:
        return 0.0
