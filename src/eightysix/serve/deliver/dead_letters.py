"""The file of what no receiver took: JSON Lines, readable by its owner alone, one line a delivery, never overwritten."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import Struct

from eightysix.model.incident import Incident
from eightysix.serve.deliver.appending import append_lines
from eightysix.serve.deliver.interface import Delivery

__all__ = ["DeadLetter", "DeadLetters"]


class DeadLetter(Struct, frozen=True):
    """One line of the file; `at` is when it was given up (RFC 3339), `reason` what was wrong in words."""

    at: str
    sink: str
    id: str
    revision: str
    attempts: int
    reason: str
    incident: Incident


class DeadLetters:
    """Appends to `path`. Raises `DeliveryError` where that fails, and the delivery is then kept waiting."""

    def __init__(self, path: str) -> None:
        self.path = path

    def add(self, sink: str, delivery: Delivery, attempts: int, reason: str, at_s: float) -> None:
        """Write one line to the disk; `at_s` is seconds since 1970."""
        from eightysix.report.json_text import one_line

        at = datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        letter = DeadLetter(
            at, sink, delivery.id, delivery.revision, attempts, reason[:500], delivery.incident
        )
        append_lines(self.path, [one_line(letter)], "dead letters")
