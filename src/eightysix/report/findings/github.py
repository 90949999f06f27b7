"""Findings as workflow commands: a step of GitHub Actions shows them at the files of a pull request.

The syntax and its escapes are those of
docs.github.com/actions/reference/workflows-and-actions/workflow-commands: in a message `%`, CR and LF are escaped,
in a property also `:` and `,`.
"""

from __future__ import annotations

from collections.abc import Iterator

from eightysix.model.finding import ScanReport, Severity
from eightysix.report.findings.interface import Setting, by_path, place
from eightysix.report.inert import inert

__all__ = ["FORMAT", "GithubFormat"]

_COMMAND = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "notice",
}


class GithubFormat:
    """One command a finding. Its text is inert before it is escaped: no line of it can begin another command."""

    def write(self, report: ScanReport, setting: Setting) -> Iterator[str]:
        """One piece a finding, files in the order of the report."""
        found = by_path(report.findings)
        for file in report.files:
            for finding in found.get(file.path, ()):
                where = place(finding)
                text = f"{finding.why} ({where})" if where else finding.why
                title = f"{finding.severity}[{finding.rule}] {finding.title}"
                yield (
                    f"::{_COMMAND[finding.severity]} file={_property(finding.path)},title={_property(title)}"
                    f"::{_message(text)}\n"
                )


def _message(text: str) -> str:
    return inert(text).replace("%", "%25")


def _property(text: str) -> str:
    return inert(text).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")


FORMAT = GithubFormat()
