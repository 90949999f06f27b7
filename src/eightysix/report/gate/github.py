"""Decisions as workflow commands: a step of GitHub Actions shows them with the run.

The syntax and its escapes are those of docs.github.com/actions/reference/workflows-and-actions/workflow-commands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eightysix.model.finding import Severity
from eightysix.model.gate import Decision, GateFinding, Ruling
from eightysix.report.gate.interface import MAX_COMMAND, MAX_WHY, named, quiet
from eightysix.report.interface import RenderOptions
from eightysix.report.workflow_commands import message, value

__all__ = ["FORMAT", "GithubFormat"]


class GithubFormat:
    """A command for each finding, and one for the decision. Nothing of theirs can begin another command."""

    def write(self, decisions: Sequence[Decision], options: RenderOptions, version: str) -> Iterator[str]:
        """One piece a command."""
        del options, version
        for decision in decisions:
            for finding in decision.findings:
                title = value(f"{finding.severity}[{finding.rule}] {finding.title}")
                text = message(finding.why, MAX_WHY)
                if finding.approval:  # by itself: a command that lost its middle is none
                    text += f". To let it pass: {message(finding.approval, MAX_COMMAND)}"
                yield quiet(f"::{_command(finding)} title={title}::{text}") + "\n"
            held = decision.ruling is Ruling.HOLD
            title = value(f"gate: {decision.ruling}")
            what = f"{named(decision)} {decision.digest} is {'held' if held else 'allowed'} (decision {decision.id})"
            yield quiet(f"::{'error' if held else 'notice'} title={title}::{message(what)}") + "\n"


def _command(finding: GateFinding) -> str:
    if finding.holds:
        return "error"
    return "warning" if finding.severity.rank >= Severity.MEDIUM.rank else "notice"


FORMAT = GithubFormat()
