"""A decision for people: the ruling first, why, who signed and how that differs, what is inside, what would let it pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from eightysix.model.finding import Severity
from eightysix.model.gate import Decision, GateFinding, Ruling, Signature, SignatureState
from eightysix.report.gate.interface import MAX_COMMAND, MAX_WHY, named, quiet
from eightysix.report.inert import inert
from eightysix.report.interface import RenderOptions
from eightysix.report.layout import Ink, Line, flow, paint, row

__all__ = ["FORMAT", "PlainFormat", "lines_of"]

_NARROWEST, _WIDEST = 40, 100
_FILES = 8
_SIGNATURES = 6
_SHORT = 19
_INK = {
    Severity.CRITICAL: Ink.RED,
    Severity.HIGH: Ink.YELLOW,
    Severity.MEDIUM: Ink.BLUE,
    Severity.LOW: Ink.DIM,
}
_STATE_INK = {
    SignatureState.VALID: Ink.PLAIN,
    SignatureState.INVALID: Ink.RED,
    SignatureState.UNVERIFIABLE: Ink.BLUE,
    SignatureState.UNSIGNED: Ink.YELLOW,
}
_MARGIN = ("  ", Ink.PLAIN)


class PlainFormat:
    """Plain text for 40 to 100 columns. Names of artifacts and commands may run further: they are to be copied whole."""

    def write(self, decisions: Sequence[Decision], options: RenderOptions, version: str) -> Iterator[str]:
        """One piece a line."""
        del version
        width = min(max(options.width, _NARROWEST), _WIDEST)
        options = replace(options, width=width)
        for number, decision in enumerate(decisions):
            if number:
                yield "\n"
            for line in lines_of(decision, options):
                yield quiet(paint(line, options.colour)) + "\n"


FORMAT = PlainFormat()


def lines_of(decision: Decision, options: RenderOptions) -> Iterator[Line]:
    """The lines of one decision."""
    width = options.width
    held = decision.ruling is Ruling.HOLD
    word = ("HOLD", Ink.RED) if held else ("ALLOW", Ink.BOLD)
    audit = " (audit: told, not enforced)" if held and decision.mode == "audit" else ""
    yield (word, ("  ", Ink.PLAIN), (inert(named(decision), limit=400) + audit, Ink.BOLD))
    if decision.digest:
        yield (_MARGIN, (f"is  {inert(decision.digest)}", Ink.DIM))
    if decision.previous and decision.previous != decision.digest:
        yield (_MARGIN, (f"was {inert(decision.previous)}", Ink.DIM))
    yield ()
    for finding in decision.findings:
        yield from _finding(finding, width)
    if not decision.findings:
        yield from row((_MARGIN,), "nothing differs from what this scope is known for", width)
        yield ()
    yield from _signatures(decision, options)
    yield from _content(decision, options)
    for text in decision.not_seen:
        yield from row((("not seen  ", Ink.DIM),), inert(text), width, Ink.DIM)
    yield from flow(
        [
            f"decision {inert(decision.id)}",
            _time(decision.at_ns),
            f"policy {inert(decision.policy[:_SHORT]) or 'default'}",
        ],
        width,
        ink=Ink.DIM,
    )


def _finding(finding: GateFinding, width: int) -> Iterator[Line]:
    ink = _INK[finding.severity]
    label = f"{'holds' if finding.holds else 'told'} {finding.severity}[{inert(finding.rule)}]"
    yield from row(
        (_MARGIN, (label, ink if finding.holds else Ink.DIM), (" ", Ink.PLAIN)), inert(finding.title), width
    )
    yield from row(
        (_MARGIN, _MARGIN), inert(finding.why, limit=MAX_WHY), width, Ink.BOLD if finding.holds else Ink.DIM
    )
    if finding.approval and finding.holds:
        yield from row((_MARGIN, _MARGIN), "somebody else than its maker may let it pass:", width, Ink.DIM)
        yield (_MARGIN, _MARGIN, _MARGIN, (inert(finding.approval, limit=MAX_COMMAND), Ink.CYAN))
    elif finding.holds:
        yield from row((_MARGIN, _MARGIN), "no approval lets this pass", width, Ink.DIM)
    yield ()


def _signatures(decision: Decision, options: RenderOptions) -> Iterator[Line]:
    prefix: Line
    shown = decision.signatures if options.verbose else decision.signatures[:_SIGNATURES]
    for signature in shown:
        if signature.state is SignatureState.UNSIGNED:
            prefix = (("signed    ", Ink.DIM), ("no", Ink.YELLOW), (" ", Ink.PLAIN))
            yield from row(prefix, inert(signature.why), options.width, Ink.DIM)
            continue
        prefix = (
            ("signed    ", Ink.DIM) if signature.state is SignatureState.VALID else ("signature ", Ink.DIM),
            (signature.state.value, _STATE_INK[signature.state]),
            (" ", Ink.PLAIN),
        )
        yield from row(prefix, inert(_who(signature)), options.width, Ink.PLAIN)
    if len(decision.signatures) > len(shown):
        yield from row(
            (), f"… and {len(decision.signatures) - len(shown)} more signatures (-v)", options.width, Ink.DIM
        )


def _who(signature: Signature) -> str:
    """One signature as a phrase."""
    what = signature.predicate_type or signature.kind.value
    signer = signature.signer
    if signer is None:
        return f"{what}: {signature.why}" if signature.why else what
    where = signer.workflow or signer.subject or f"key {signer.key[:16]}"
    parts = [part for part in (signer.ref, signer.runner, signer.trigger) if part]
    told = f"{what} by {where}" + (f" ({', '.join(parts)})" if parts else "")
    return told + (f" at {_time(signature.at_ns)}" if signature.at_ns else ", no trusted time")


def _content(decision: Decision, options: RenderOptions) -> Iterator[Line]:
    if not decision.content:
        return
    counts: dict[str, int] = {}
    for each in decision.content:
        counts[each.verdict] = counts.get(each.verdict, 0) + 1
    text = ", ".join(f"{number:,} {verdict}" for verdict, number in sorted(counts.items()))
    yield from row((("contents  ", Ink.DIM),), inert(text), options.width)
    if options.verbose:
        for each in decision.content[: _FILES * 100]:
            formats = f" ({', '.join(each.formats)})" if each.formats else ""
            yield from row((_MARGIN,), inert(f"{each.verdict} {each.path}{formats}"), options.width, Ink.DIM)


def _time(ns: int) -> str:
    return (
        datetime.fromtimestamp(ns / 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if 0 < ns < 253_402_300_800 * 10**9
        else ""
    )
