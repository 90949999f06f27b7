"""Decisions as `gate/v1`: one JSON document, the same bytes for the same decisions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eightysix.model.gate import SCHEMA, Decision
from eightysix.report.interface import RenderOptions
from eightysix.report.json_text import indented

__all__ = ["FORMAT", "JsonFormat"]


class JsonFormat:
    """The decisions with everything that they say, under `decisions`."""

    def write(self, decisions: Sequence[Decision], options: RenderOptions, version: str) -> Iterator[str]:
        """One piece."""
        del options, version
        yield indented({"schema": SCHEMA, "decisions": list(decisions)})


FORMAT = JsonFormat()
