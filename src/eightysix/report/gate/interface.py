"""What every output format of a decision is: a name and a way to write decisions as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Protocol, cast

from eightysix.model.errors import UsageError
from eightysix.model.gate import Decision
from eightysix.report.interface import RenderOptions

__all__ = ["FORMATS", "MAX_COMMAND", "MAX_WHY", "DecisionFormat", "get_decision_format", "named", "quiet"]

FORMATS = {
    "plain": "eightysix.report.gate.plain",
    "json": "eightysix.report.gate.json_format",
    "sarif": "eightysix.report.gate.sarif",
    "github": "eightysix.report.gate.github",
}
"""Name of each format and the module whose `FORMAT` implements it; imported only when asked for."""


MAX_COMMAND = 2_000
"""Columns of a command: the longest reference with its digest has some 500, paths of a policy and history come on top."""

MAX_WHY = 1_200


class DecisionFormat(Protocol):
    """One way to write decisions. `write` yields text in pieces whose joint ends with a newline, or nothing."""

    def write(self, decisions: Sequence[Decision], options: RenderOptions, version: str) -> Iterator[str]:
        """The decisions as text; never raises because of what a string in them holds."""


def get_decision_format(name: str) -> DecisionFormat:
    """The format called `name`; its module is imported here and not before."""
    module = FORMATS.get(name)
    if module is None:
        raise UsageError(f"There is no output format {name!r}", f"Choose one of: {', '.join(FORMATS)}")
    return cast(DecisionFormat, import_module(module).FORMAT)


def named(decision: Decision) -> str:
    """What people call the artifact: `registry/repository:tag`, without its digest."""
    reference = decision.reference
    tag = f":{reference.tag}" if reference.tag else ""
    return f"{reference.registry}/{reference.repository}{tag}"


def quiet(line: str) -> str:
    """A line in which no log of a CI system finds a command: Azure Pipelines and GitHub look for `##vso[` and `##[`."""
    return line.replace("##", "#\\x23") if "##" in line else line
