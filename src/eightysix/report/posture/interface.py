"""What every output format of a posture is: a name and a way to write a `Posture` as text."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Protocol, cast

from eightysix.model.errors import UsageError
from eightysix.model.posture import Posture
from eightysix.report.interface import RenderOptions

__all__ = ["FORMATS", "PostureFormat", "get_posture_format"]

FORMATS = {
    "plain": "eightysix.report.posture.plain",
    "json": "eightysix.report.posture.json_format",
    "sarif": "eightysix.report.posture.sarif",
    "html": "eightysix.report.posture.html",
    "opengraph": "eightysix.report.posture.opengraph",
}
"""Name of each format and the module whose `FORMAT` implements it; imported only when asked for."""


class PostureFormat(Protocol):
    """One way to write a posture. `write` yields text in pieces whose joint ends with a newline."""

    @property
    def name(self) -> str:
        """What `--format` calls it."""

    def write(self, posture: Posture, options: RenderOptions) -> Iterator[str]:
        """The posture as text; never raises because of what a string in it holds."""


def get_posture_format(name: str) -> PostureFormat:
    """The format called `name`; its module is imported here and not before."""
    module = FORMATS.get(name)
    if module is None:
        raise UsageError(f"There is no output format {name!r}", f"Choose one of: {', '.join(FORMATS)}")
    return cast(PostureFormat, import_module(module).FORMAT)
