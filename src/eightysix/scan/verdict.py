"""From the findings about a file to its verdict."""

from __future__ import annotations

from collections.abc import Iterable

from eightysix.model.finding import FileVerdict, Finding
from eightysix.scan.catalog import rule

__all__ = ["verdict_of"]


def verdict_of(findings: Iterable[Finding]) -> FileVerdict:
    """The worst that any finding makes of the file; `clean` where there is none."""
    return max(
        (rule(finding.rule).verdict for finding in findings),
        key=lambda verdict: verdict.rank,
        default=FileVerdict.CLEAN,
    )
