"""What every output format of findings is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Protocol, cast

from msgspec import Struct

from eightysix.model.errors import UsageError
from eightysix.model.finding import Finding, ScanReport, Severity
from eightysix.report.interface import RenderOptions

__all__ = ["FORMATS", "FindingsFormat", "RuleText", "Setting", "by_path", "get_findings_format", "place"]

FORMATS = {
    "plain": "eightysix.report.findings.plain",
    "json": "eightysix.report.findings.json_format",
    "sarif": "eightysix.report.findings.sarif",
    "github": "eightysix.report.findings.github",
}
"""Name of each format and the module whose `FORMAT` implements it; imported only when asked for."""


class RuleText(Protocol):
    """What a format tells of a rule."""

    @property
    def id(self) -> str:
        """As in `Finding.rule`."""

    @property
    def title(self) -> str:
        """One line."""

    @property
    def what(self) -> str:
        """What was seen."""

    @property
    def why(self) -> str:
        """What an attacker gains by it."""

    @property
    def fix(self) -> str:
        """What to do."""

    @property
    def severity(self) -> Severity:
        """Of each of its findings."""


class Setting(Struct, frozen=True, kw_only=True):
    """What a format needs beside the report. `accept` has the line of a policy for each path where one could accept what
    was found; `version` is the tool's."""

    render: RenderOptions = RenderOptions()
    rules: Mapping[str, RuleText] = {}
    accept: Mapping[str, str] = {}
    version: str = ""


class FindingsFormat(Protocol):
    """One way to write a scan's report. `write` yields text in pieces whose joint ends with a newline, or nothing."""

    def write(self, report: ScanReport, setting: Setting) -> Iterator[str]:
        """The report as text; never raises because of what a string in it holds."""


def get_findings_format(name: str) -> FindingsFormat:
    """The format called `name`; its module is imported here and not before."""
    module = FORMATS.get(name)
    if module is None:
        raise UsageError(f"There is no output format {name!r}", f"Choose one of: {', '.join(FORMATS)}")
    return cast(FindingsFormat, import_module(module).FORMAT)


def by_path(findings: Sequence[Finding]) -> dict[str, list[Finding]]:
    """The findings of each file, the worst first, else in the order in which they were found."""
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        found.setdefault(finding.path, []).append(finding)
    for several in found.values():
        several.sort(key=lambda finding: -finding.severity.rank)
    return found


def place(finding: Finding) -> str:
    """Where in the file, in words: the member and the byte, as far as there is one."""
    parts = [finding.member] if finding.member else []
    if finding.offset is not None:
        parts.append(f"byte {finding.offset:,}")
    return ", ".join(parts)
