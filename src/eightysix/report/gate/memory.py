"""What the gate remembers of a tag, and a decision explained, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

from eightysix.model.gate import (
    Artifact,
    BaselineEntry,
    Change,
    Decision,
    Reference,
    Ruling,
    Stray,
    TagMove,
)
from eightysix.report.gate.interface import quiet
from eightysix.report.gate.plain import lines_of
from eightysix.report.inert import inert
from eightysix.report.interface import RenderOptions
from eightysix.report.json_text import indented
from eightysix.report.layout import Ink, Line, paint, row

__all__ = ["history_json", "history_lines", "why_json", "why_lines"]

_SHORT = 19
_CHANGES = 12


class _TagHistory(Protocol):
    @property
    def reference(self) -> Reference: ...
    @property
    def moves(self) -> Sequence[TagMove]: ...
    @property
    def more(self) -> bool: ...
    @property
    def artifacts(self) -> Mapping[str, Artifact]: ...
    @property
    def strays(self) -> Sequence[Stray]: ...
    @property
    def decisions(self) -> Sequence[Decision]: ...
    @property
    def changes(self) -> Sequence[Change]: ...


class _Explanation(Protocol):
    @property
    def decision(self) -> Decision: ...
    @property
    def now(self) -> TagMove | None: ...
    @property
    def since(self) -> Sequence[TagMove]: ...
    @property
    def places(self) -> Sequence[TagMove]: ...
    @property
    def before(self) -> Decision | None: ...
    @property
    def after(self) -> Sequence[Decision]: ...
    @property
    def entries(self) -> Sequence[BaselineEntry]: ...
    @property
    def changes(self) -> Sequence[Change]: ...


def history_json(told: _TagHistory) -> str:
    """The rows and what is known around them."""
    return indented(
        {
            "schema": "eightysix/gate-history/v1",
            "reference": told.reference,
            "moves": list(told.moves),
            "more": told.more,
            "artifacts": dict(sorted(told.artifacts.items())),
            "strays": list(told.strays),
            "decisions": list(told.decisions),
            "changes": list(told.changes),
        }
    )


def history_lines(told: _TagHistory, options: RenderOptions) -> Iterator[str]:
    """One line a move, oldest first, with what was decided about its digest."""
    for line in _history(told, options):
        yield quiet(paint(line, options.colour)) + "\n"


def why_json(told: _Explanation) -> str:
    """The decision with everything around it."""
    names = ("decision", "now", "since", "places", "before", "after", "entries", "changes")
    return indented({"schema": "eightysix/gate-why/v1"} | {name: getattr(told, name) for name in names})


def why_lines(told: _Explanation, options: RenderOptions) -> Iterator[str]:
    """The decision as it was told, then what has become of it."""
    for line in _why(told, options):
        yield quiet(paint(line, options.colour)) + "\n"


def _history(told: _TagHistory, options: RenderOptions) -> Iterator[Line]:
    reference = told.reference
    tag = f":{reference.tag}" if reference.tag else ""
    yield ((inert(f"{reference.registry}/{reference.repository}{tag}", limit=400), Ink.BOLD),)
    ruled = {decision.digest: decision for decision in told.decisions}
    if told.more:
        yield from row((), "… older rows are there (--limit)", options.width, Ink.DIM)
    for move in told.moves:
        name = "" if reference.tag else f"{move.tag} "
        where = inert(move.digest[:_SHORT]) if move.digest else "deleted"
        decision = ruled.get(move.digest)
        verdict = f"  {decision.ruling.value} {inert(decision.id[:8])}" if decision is not None else ""
        held = decision is not None and decision.ruling is Ruling.HOLD
        who = inert(
            " ".join(part for part in (move.actor, move.address, move.agent) if part) or "nobody named"
        )
        prefix: Line = (
            (_time(move.seen_ns), Ink.DIM),
            ("  ", Ink.PLAIN),
            (inert(name) + where, Ink.PLAIN),
            (verdict, Ink.RED if held else Ink.DIM),
            ("  ", Ink.PLAIN),
        )
        seen = f"{move.channel.value}{', confirmed' if move.confirmed else ''}"
        yield from row(prefix, f"{seen}: {who}", options.width, Ink.DIM)
    if not told.moves:
        yield from row((("  ", Ink.PLAIN),), "no row", options.width, Ink.DIM)
    for stray in told.strays[-_CHANGES:]:
        what = f"{stray.outcome.value}: {stray.event.channel.value} said {stray.event.tag} is {stray.event.digest[:_SHORT]}"
        yield from row((("not counted  ", Ink.DIM),), inert(what), options.width, Ink.DIM)
    yield from _changes(told.changes, options)


def _why(told: _Explanation, options: RenderOptions) -> Iterator[Line]:
    yield from lines_of(told.decision, options)
    yield ()
    now = told.now
    if now is None:
        yield from row((("now       ", Ink.DIM),), "nothing is known of the tag", options.width, Ink.DIM)
    elif now.digest == told.decision.digest:
        yield from row(
            (("now       ", Ink.DIM),),
            f"the tag still points there, since {_time(now.seen_ns)}",
            options.width,
        )
    else:
        where = inert(now.digest) or "nothing: it was deleted"
        yield from row(
            (("now       ", Ink.DIM),),
            f"the tag points to {where}, since {_time(now.seen_ns)}",
            options.width,
        )
    for move in [
        m
        for m in told.places
        if (m.repository, m.tag) != (told.decision.reference.repository, told.decision.reference.tag)
    ][:_CHANGES]:
        text = f"{move.registry}/{move.repository}:{move.tag} since {_time(move.seen_ns)}"
        yield from row((("also at   ", Ink.DIM),), inert(text), options.width, Ink.DIM)
    if told.before is not None:
        text = f"{told.before.digest} ({_time(told.before.at_ns)}, decision {told.before.id})"
        yield from row((("last good ", Ink.DIM),), inert(text), options.width, Ink.DIM)
    for entry in told.entries:
        who = (
            entry.profile.get("workflow")
            or entry.profile.get("subject")
            or entry.profile.get("key")
            or entry.profile.get("rule", "")
        )
        text = f"{entry.id} {entry.state.value} {entry.of} {who}, {entry.runs} runs"
        yield from row((("baseline  ", Ink.DIM),), inert(text), options.width, Ink.DIM)
    yield from _changes(told.changes, options)


def _changes(changes: Sequence[Change], options: RenderOptions) -> Iterator[Line]:
    for change in changes[-_CHANGES:]:
        text = f"{_time(change.at_ns)} {change.action} {change.detail.get('entry', '')} by {change.by}"
        yield from row(
            (("changed   ", Ink.DIM),),
            inert(text + (f": {change.why}" if change.why else "")),
            options.width,
            Ink.DIM,
        )


def _time(ns: int) -> str:
    return (
        datetime.fromtimestamp(ns / 10**9, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        if 0 < ns < 253_402_300_800 * 10**9
        else "no time"
    )
