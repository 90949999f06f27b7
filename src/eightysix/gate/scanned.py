"""What a scan's verdicts about layers and files count for. What could not be read holds: nobody can say what is in it."""

from __future__ import annotations

from collections.abc import Sequence

from eightysix.gate.signing import approval
from eightysix.model.finding import FileVerdict, Severity
from eightysix.model.gate import ContentVerdict, GateFinding

__all__ = ["content_findings"]

_TITLES = {
    FileVerdict.MALICIOUS: ("content-malicious", Severity.CRITICAL, "Loading it would run code"),
    FileVerdict.SUSPICIOUS: (
        "content-suspicious",
        Severity.HIGH,
        "It would use names that nobody vouches for",
    ),
    FileVerdict.UNSCANNABLE: ("content-unscannable", Severity.HIGH, "Part of it could not be read"),
    FileVerdict.MALFORMED: ("content-malformed", Severity.HIGH, "It breaks its own format"),
}

_TECHNIQUES = {
    "content-malicious": ("T1195.002", "T1525", "MS-TA9002"),
    "content-suspicious": ("T1195.002", "MS-TA9002"),
}

_MAX_TOLD = 4


def content_findings(content: Sequence[ContentVerdict], name: str) -> tuple[GateFinding, ...]:
    """One finding for each verdict that is not clean, with the files that it is about."""
    found = []
    for verdict, (rule, severity, title) in _TITLES.items():
        parts = [each for each in content if each.verdict == verdict.value]
        if not parts:
            continue
        told = [f"{each.path}: {each.why}" if each.why else each.path for each in parts[:_MAX_TOLD]]
        if len(parts) > _MAX_TOLD:
            told.append(f"and {len(parts) - _MAX_TOLD} more")
        found.append(
            GateFinding(
                rule=rule,
                severity=severity,
                holds=True,
                title=title,
                why="; ".join(told),
                approval=approval(name, rule),
                techniques=_TECHNIQUES.get(rule, ()),
            )
        )
    return tuple(found)
