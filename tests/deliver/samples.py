"""Deliveries made of the recorded breach, and a clock that stands still until it is set."""

from __future__ import annotations

from msgspec.structs import replace

from eightysix.model.words import Verdict
from eightysix.serve.deliver.interface import Delivery
from tests.report.sample import breach

__all__ = ["SECRET", "Clock", "delivery"]

SECRET = "correct-horse-battery-staple"


class Clock:
    """Seconds that a test sets."""

    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def delivery(
    number: int = 1, revision: str = "r1", verdict: Verdict = Verdict.SUSPECT, age_s: float = 0.0
) -> Delivery:
    incident = replace(breach(), id=f"{number:016x}", revision=revision, verdict=verdict)
    return Delivery(incident.id, revision, incident, age_s)
