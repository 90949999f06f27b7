"""`incidents/v1` as JSON: the whole report, lossless, the same bytes for the same report; see `json_text` for how."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from eightysix.model.incident import Counts, Coverage, Incident, Report
from eightysix.report.interface import RenderOptions, worst_first
from eightysix.report.json_text import indented

__all__ = ["FORMAT", "JsonFormat"]


class _Document(msgspec.Struct, frozen=True):
    """The order of the keys at the top: what it is, what was found, what could be seen."""

    schema: str
    incidents: list[Incident]
    coverage: Coverage
    counts: Counts
    activity: dict[str, int]


class JsonFormat:
    """Pretty-printed JSON, two spaces deep, ending with a newline. `options` change nothing."""

    name = "json"

    def write(self, report: Report, options: RenderOptions) -> Iterator[str]:
        """One piece, because the encoder needs the whole document."""
        document = _Document(
            report.schema, worst_first(report.incidents), report.coverage, report.counts, report.activity
        )
        yield indented(document)


FORMAT = JsonFormat()
