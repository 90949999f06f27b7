"""Findings as workflow commands: a step of GitHub Actions shows them at the files of a pull request.

The syntax and its escapes are those of
docs.github.com/actions/reference/workflows-and-actions/workflow-commands: in a message `%`, CR and LF are escaped,
in a property also `:` and `,`.
"""

from __future__ import annotations

from collections.abc import Iterator

from eightysix.model.finding import ScanReport, Severity
from eightysix.report.findings.interface import Setting, by_path, place
from eightysix.report.workflow_commands import message, value

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
                    f"::{_COMMAND[finding.severity]} file={value(finding.path)},title={value(title)}"
                    f"::{message(text)}\n"
                )


FORMAT = GithubFormat()
