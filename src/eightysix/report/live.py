"""What `watch` prints: each incident as it is told, for a person or for a pipe."""

from __future__ import annotations

from eightysix.model.incident import Incident
from eightysix.report.interface import RenderOptions
from eightysix.report.layout import Ink, paint
from eightysix.report.stored import encode_incident
from eightysix.report.story import tell

__all__ = ["json_line", "story"]


def story(incident: Incident, options: RenderOptions, before: Incident | None = None) -> str:
    """The whole story as text, with an empty line after it; first what it takes the place of, if it was told before."""
    lines = [paint(line, options.colour) for line in tell(incident, options)]
    if before is not None:
        was = f"told before at {before.verdict} with {before.score} points; its story changed:"
        lines.insert(0, paint(((was, Ink.DIM),), options.colour))
    return "\n".join([*lines, "", ""])


def json_line(incident: Incident) -> str:
    """The incident as one line of JSON, as in the list of `incidents/v1`."""
    return encode_incident(incident).decode() + "\n"
