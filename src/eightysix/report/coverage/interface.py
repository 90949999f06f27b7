"""What every output format of coverage is."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Protocol, cast

from eightysix.model.errors import UsageError
from eightysix.model.visibility import Visibility
from eightysix.report.interface import RenderOptions

__all__ = ["FORMATS", "CoverageFormat", "get_coverage_format"]

FORMATS = {
    "plain": "eightysix.report.coverage.plain",
    "json": "eightysix.report.coverage.json_format",
    "markdown": "eightysix.report.coverage.markdown",
}
"""Name of each format and the module whose `FORMAT` implements it; imported only when asked for."""


class CoverageFormat(Protocol):
    """One way to write it. `write` yields text in pieces whose joint ends with a newline."""

    name: str

    def write(self, visibility: Visibility, options: RenderOptions) -> Iterator[str]:
        """It as text; never raises because of what a string in it holds."""


def get_coverage_format(name: str) -> CoverageFormat:
    """The format called `name`; its module is imported here and not before."""
    module = FORMATS.get(name)
    if module is None:
        raise UsageError(f"There is no output format {name!r}", f"Choose one of: {', '.join(FORMATS)}")
    return cast(CoverageFormat, import_module(module).FORMAT)
