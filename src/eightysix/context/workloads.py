"""Which pods a workload makes, by the names that its controllers give them."""

from __future__ import annotations

__all__ = ["MAKERS", "is_made_by"]

_SEGMENTS = {
    "pods": 0,
    "daemonsets": 1,
    "statefulsets": 1,
    "replicasets": 1,
    "replicationcontrollers": 1,
    "jobs": 1,
    "deployments": 2,
    "cronjobs": 2,
}
"""Parts that stand behind the workload's name: a suffix, an ordinal, a template hash, a scheduled time
(kubernetes/pkg/controller, `SimpleNameGenerator`; pkg/controller/cronjob, `getJobName`)."""

MAKERS = frozenset(_SEGMENTS)
"""API resources that are pods or make some."""

_LONGEST_NAME = 253  # RFC 1123 subdomain, as Kubernetes names objects
_CUT_AT = 58  # k8s.io/apiserver/pkg/storage/names: maxGeneratedNameLength, a longer base is cut there


def is_made_by(resource: str, name: str, pod: str, workload: str = "") -> bool:
    """Whether a pod called `pod` (of `workload`, where the kernel's agent tells it) is one that `name` made."""
    segments = _SEGMENTS.get(resource)
    if segments is None or not name or len(pod) > _LONGEST_NAME:
        return False
    if not segments:
        return pod == name
    if workload and workload != name and not (resource == "cronjobs" and _is_run_of(name, workload)):
        return False
    head, *rest = pod.rsplit("-", segments)
    return len(rest) == segments and head == name[:_CUT_AT] and all(part.isalnum() for part in rest)


def _is_run_of(cronjob: str, workload: str) -> bool:
    """Whether `workload` is a Job of the CronJob: its name, and the minute that it was due."""
    head, _, minute = workload.rpartition("-")
    return head == cronjob and minute.isdigit()
