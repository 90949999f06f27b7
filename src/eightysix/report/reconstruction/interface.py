"""What every output format of a reconstruction is: a name and a way to write a `Reconstruction` as text."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Protocol, cast

from eightysix.model.errors import UsageError
from eightysix.model.story import Reconstruction
from eightysix.report.interface import RenderOptions

__all__ = ["FORMATS", "ReconstructionFormat", "get_reconstruction_format"]

FORMATS = {
    "plain": "eightysix.report.reconstruction.plain",
    "json": "eightysix.report.reconstruction.json_format",
    "html": "eightysix.report.html",
    "markdown": "eightysix.report.reconstruction.markdown",
    "sarif": "eightysix.report.reconstruction.sarif",
    "ocsf": "eightysix.report.reconstruction.ocsf",
    "navigator": "eightysix.report.reconstruction.navigator",
    "timesketch": "eightysix.report.reconstruction.timesketch",
    "csv": "eightysix.report.reconstruction.csv_format",
}
"""Name of each format and the module whose `FORMAT` implements it; imported only when asked for."""


class ReconstructionFormat(Protocol):
    """One way to write a reconstruction. `write` yields text in pieces whose joint ends with a newline, or nothing."""

    @property
    def name(self) -> str:
        """What `--format` calls it."""

    def write(self, reconstruction: Reconstruction, options: RenderOptions) -> Iterator[str]:
        """The reconstruction as text; never raises because of what a string in it holds."""


def get_reconstruction_format(name: str) -> ReconstructionFormat:
    """The format called `name`; its module is imported here and not before."""
    module = FORMATS.get(name)
    if module is None:
        raise UsageError(f"There is no output format {name!r}", f"Choose one of: {', '.join(FORMATS)}")
    return cast(ReconstructionFormat, import_module(module).FORMAT)
