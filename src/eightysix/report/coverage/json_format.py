"""`coverage/v1` as JSON: the same bytes for the same records, in whatever order they came."""

from __future__ import annotations

from collections.abc import Iterator

from eightysix.model.visibility import Visibility
from eightysix.report.interface import RenderOptions
from eightysix.report.json_text import indented

__all__ = ["FORMAT", "JsonFormat"]


class JsonFormat:
    """Pretty-printed JSON, two spaces deep, ending with a newline."""

    name = "json"

    def write(self, visibility: Visibility, options: RenderOptions) -> Iterator[str]:
        """One piece, because the encoder needs the whole document."""
        yield indented(visibility)


FORMAT = JsonFormat()
