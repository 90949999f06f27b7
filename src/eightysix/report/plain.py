"""The plain format: a story that a person reads in ten seconds on a terminal of 80 columns.

What was read, then every incident with its worst first, then what could not be judged, then one line that counts
everything. Text from telemetry is inert; without colour nothing is lost.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from eightysix.model.incident import Incident, Report
from eightysix.report.inert import columns, inert
from eightysix.report.interface import RenderOptions, worst_first
from eightysix.report.layout import Ink, Line, paint, row
from eightysix.report.notes import coverage, input_read, quiet, silenced, tally
from eightysix.report.story import MARGIN, heading, one_line, tell

__all__ = ["FORMAT", "PlainFormat"]

_NARROWEST, _WIDEST = 40, 100
_STORIES = 5
_LINES = 20


class PlainFormat:
    """Plain text, laid out for at least 40 columns and at most 100, where a line is still easy to follow."""

    name = "plain"

    def write(self, report: Report, options: RenderOptions) -> Iterator[str]:
        """One piece a line."""
        options = replace(options, width=min(max(options.width, _NARROWEST), _WIDEST))
        for line in _lines(report, options):
            yield paint(line, options.colour) + "\n"


FORMAT = PlainFormat()


def _lines(report: Report, options: RenderOptions) -> Iterator[Line]:
    ordered = worst_first(report.incidents)
    told = [incident for incident in ordered if not silenced(incident)]
    yield from input_read(report, options)
    yield ()
    if not told:
        yield from quiet(report, options)
        yield ()
    stories = len(told) if options.verbose else _stories(told)
    for incident in told[:stories]:
        yield from tell(incident, options)
    yield from _table("more (-v tells each story)", told[stories:], options)
    yield from _table("silenced by an exception", [item for item in ordered if silenced(item)], options)
    yield from coverage(report, options)
    yield from tally(report, options)


def _stories(told: list[Incident]) -> int:
    """How many incidents are told in full: all of a few, else the worst."""
    return _STORIES if len(told) > _STORIES + 1 else len(told)


def _table(title: str, incidents: list[Incident], options: RenderOptions) -> Iterator[Line]:
    if not incidents:
        return
    yield heading(f"{len(incidents)} {title}")
    shown = incidents if options.verbose else incidents[:_LINES]
    rule_columns = max(columns(inert(incident.rule)) for incident in shown)
    for incident in shown:
        yield one_line(incident, rule_columns, options)
    if len(incidents) > len(shown):
        rest = f"… and {len(incidents) - len(shown)} more (--format json has all of them)"
        yield from row((MARGIN,), rest, options.width, Ink.DIM)
    yield ()
