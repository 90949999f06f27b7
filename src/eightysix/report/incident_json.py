"""One incident as a document of its own: what webhooks and JSON Lines files get."""

from __future__ import annotations

import msgspec

from eightysix.model.incident import SCHEMA, Incident
from eightysix.report.json_text import one_line

__all__ = ["incident_line"]


class _Document(msgspec.Struct, frozen=True):
    schema: str
    incidents: list[Incident]


def incident_line(incident: Incident) -> str:
    """`incidents/v1` with this incident alone, on one line; without `coverage` and `counts`, which are of a run."""
    return one_line(_Document(SCHEMA, [incident]))
