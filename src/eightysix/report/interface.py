"""What every output format is: a name and a way to write a `Report` as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Protocol, cast

from msgspec import Struct

from eightysix.model.errors import UsageError
from eightysix.model.incident import Incident, Report

__all__ = ["FORMATS", "Format", "RenderOptions", "get_format", "worst_first"]

FORMATS = {
    "plain": "eightysix.report.plain",
    "json": "eightysix.report.json_format",
    "ocsf": "eightysix.report.ocsf",
}
"""Name of each format and the module whose `FORMAT` implements it; imported only when asked for."""


class RenderOptions(Struct, frozen=True):
    """How a person wants to read it; machine formats ignore all of it, so that their bytes depend on the report alone.

    `width` is in terminal columns, `colour` allows ANSI sequences of our own, `verbose` 1 or more lifts every limit
    on how much is shown.
    """

    width: int = 80
    colour: bool = False
    verbose: int = 0


class Format(Protocol):
    """One way to write a report. `write` yields text in pieces whose joint ends with a newline."""

    @property
    def name(self) -> str:
        """What `--format` calls it."""

    def write(self, report: Report, options: RenderOptions) -> Iterator[str]:
        """The report as text; never raises because of what a string in it holds."""


def get_format(name: str) -> Format:
    """The format called `name`; its module is imported here and not before."""
    module = FORMATS.get(name)
    if module is None:
        raise UsageError(f"There is no output format {name!r}", f"Choose one of: {', '.join(FORMATS)}")
    return cast(Format, import_module(module).FORMAT)


def worst_first(incidents: Iterable[Incident]) -> list[Incident]:
    """The order in which every format tells incidents: by verdict, then by time, then by id."""
    return sorted(incidents, key=lambda incident: (-incident.verdict.rank, incident.t0, incident.id))
