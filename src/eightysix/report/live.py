"""What `watch` prints: each incident as it is told, for a person or for a pipe."""

from __future__ import annotations

from eightysix.model.incident import Incident
from eightysix.report.interface import RenderOptions
from eightysix.report.layout import paint
from eightysix.report.stored import encode_incident
from eightysix.report.story import tell

__all__ = ["json_line", "story"]


def story(incident: Incident, options: RenderOptions) -> str:
    """The whole story as text, with an empty line after it."""
    lines = [paint(line, options.colour) for line in tell(incident, options)]
    return "\n".join([*lines, "", ""])


def json_line(incident: Incident) -> str:
    """The incident as one line of JSON, as in the list of `incidents/v1`."""
    return encode_incident(incident).decode() + "\n"
