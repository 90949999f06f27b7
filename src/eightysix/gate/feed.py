"""What the gate tells detection, as lines of JSON: moves of tags and decisions about digests (`gate-event/v1`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from eightysix.model.gate import (
    Decision,
    GateEvent,
    GateEventKind,
    GateFinding,
    SignatureState,
    TagMove,
)
from eightysix.model.stored import as_json

__all__ = ["MAX_WHY", "line", "of_decision", "of_move"]

MAX_WHY = 600

_BEST = (SignatureState.VALID, SignatureState.INVALID, SignatureState.UNVERIFIABLE, SignatureState.UNSIGNED)


def of_move(move: TagMove, findings: Sequence[GateFinding]) -> GateEvent:
    """The event of a row of the history with what was found about it."""
    return GateEvent(
        id=f"move-{move.sequence}",
        kind=GateEventKind.MOVE,
        time=_time(move.seen_ns),
        registry=move.registry,
        repository=move.repository,
        tag=move.tag,
        digest=move.digest,
        previous=move.previous,
        image=f"{move.registry}/{move.repository}@{move.digest}" if move.digest else "",
        held_for=_rules(findings, holds=True),
        told_of=_rules(findings, holds=False),
        severity=_worst(findings),
        why=_why(findings),
        actor=move.actor,
        address=move.address,
        agent=move.agent,
        channel=move.channel.value,
        confirmed=move.confirmed,
    )


def of_decision(decision: Decision) -> GateEvent:
    """The event of a decision. In audit mode `ruling` is what enforcing would have said, and `mode` says that it did not."""
    reference = decision.reference
    states = {signature.state for signature in decision.signatures}
    pieces = f"{reference.registry}/{reference.repository}"
    return GateEvent(
        id=decision.id,
        kind=GateEventKind.DECISION,
        time=_time(decision.at_ns),
        registry=reference.registry,
        repository=reference.repository,
        tag=reference.tag,
        digest=decision.digest,
        previous=decision.previous,
        image=f"{pieces}@{decision.digest}" if decision.digest else "",
        ruling=decision.ruling.value,
        mode=decision.mode,
        held_for=_rules(decision.findings, holds=True),
        told_of=_rules(decision.findings, holds=False),
        severity=_worst(decision.findings),
        why=_why(decision.findings),
        signed=next((state.value for state in _BEST if state in states), ""),
        channel="check",
        confirmed=True,
    )


def line(event: GateEvent) -> bytes:
    """The event as one line."""
    return as_json(event) + b"\n"


def _rules(findings: Sequence[GateFinding], *, holds: bool) -> tuple[str, ...]:
    return tuple(sorted({finding.rule for finding in findings if finding.holds is holds}))


def _worst(findings: Sequence[GateFinding]) -> str:
    return max((f.severity for f in findings), key=lambda severity: severity.rank).value if findings else ""


def _why(findings: Sequence[GateFinding]) -> str:
    if not findings:
        return ""
    worst = max(findings, key=lambda finding: (finding.holds, finding.severity.rank))
    return f"{worst.title}: {worst.why}"[:MAX_WHY]


def _time(ns: int) -> str:
    seconds, rest = divmod(ns, 10**9)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{rest:09d}Z"
