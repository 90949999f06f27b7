"""Texts within workflow commands of GitHub Actions: in a message `%`, CR and LF are escaped, in a property also `:` and `,`
(docs.github.com/actions/reference/workflows-and-actions/workflow-commands). Inert first: no line can begin another command.
"""

from __future__ import annotations

from eightysix.report.inert import LIMIT, inert

__all__ = ["message", "value"]


def message(text: str, limit: int = LIMIT) -> str:
    """What stands after the second `::`."""
    return inert(text, limit).replace("%", "%25")


def value(text: str) -> str:
    """What a property is."""
    return inert(text).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
