"""What the stories that were written by hand share: the pod, the moment and the records of the recorded 86-second run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from eightysix.model.attribution import Attribution, Candidate
from eightysix.model.incident import Evidence, PodRef, Reason
from eightysix.model.story import Gap
from eightysix.model.words import Basis, Grade, Origin

__all__ = [
    "IMAGE",
    "NAME",
    "NOVELTY",
    "POD",
    "T0",
    "TAKER",
    "WHY",
    "at",
    "by_token",
    "seen",
]

T0 = datetime(2026, 11, 23, 16, 55, 38, 532000, tzinfo=UTC)
POD = PodRef(
    "aks-ml-prod", "aks-gpu-31337-vmss000000", "ml", "inference-0", "86868686-0000-4000-8000-000000005310"
)
NAME = "ml/inference-0"
IMAGE = "registry.example/ml/inference:prod@sha256:" + "5e" * 32
TAKER = "python /app/server.py (torch-perf-utils==1.4.3)"
NOVELTY = Gap("", "novelty per workload is unknown: no baseline", "eightysix baseline build")
WHY = (
    Reason(40, "the code that takes the credential landed after the container started", Basis.JUDGED),
    Reason(30, "secrets are listed", Basis.JUDGED),
    Reason(-25, "the container's own process tree ran the installer", Basis.JUDGED),
)


def at(offset: float) -> str:
    """The moment `offset` seconds after T0."""
    return (T0 + timedelta(seconds=offset)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def seen(source: str, *lines: int) -> tuple[Evidence, ...]:
    """Evidence in the run's file of `source`."""
    return tuple(Evidence(source, f"telemetry/attack-86s/{source}.jsonl.gz", line) for line in lines)


def by_token(key: str, why: str) -> Attribution:
    """Certain, by the token that was issued to the pod."""
    return Attribution(Grade.C, Origin.CONTROL_PLANE, key, True, (Candidate(NAME, POD.uid, 1.0, why),))
