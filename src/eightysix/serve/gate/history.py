"""What the history has to say: of a tag, of a decision, and as what a move is judged with. Data only; others print it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from eightysix.gate.moves import MoveContext, Promotion
from eightysix.gate.policy.form import Mode
from eightysix.gate.references import format_reference
from eightysix.gate.scopes import ANY, scope_of
from eightysix.model.errors import UsageError
from eightysix.model.gate import (
    Artifact,
    BaselineEntry,
    Change,
    Decision,
    Reference,
    RegistryEvent,
    Ruling,
    Signature,
    Stray,
    TagMove,
)
from eightysix.store.history import GateHistory, Watched

__all__ = ["Explanation", "TagHistory", "judged_with", "tag_history", "watches", "why"]

_MOST_OWN = 2_000
"""Rows of one repository that a move is judged with."""
_MOST_AROUND = 5_000
"""Rows of all tags, of the days before: who moves how much at once."""
_AROUND_NS = 30 * 86_400 * 10**9
_ALL_TAGS = "*"


class TagHistory(Struct, frozen=True, kw_only=True):
    """A tag, or a repository where the reference has no tag: its last rows, oldest first, and what is known around them.

    `more` says that there are older rows: ask with `before` for those. `decisions` and `changes` are those about the
    reference and its scope; `strays` what was told and did not count; `watched` how asking for it goes.
    """

    reference: Reference
    moves: tuple[TagMove, ...]
    more: bool
    artifacts: dict[str, Artifact]
    strays: tuple[Stray, ...]
    decisions: tuple[Decision, ...]
    changes: tuple[Change, ...]
    watched: tuple[Watched, ...]


class Explanation(Struct, frozen=True, kw_only=True):
    """A decision with what it was about, then and now.

    `now` is where its tag points now and `since` how it came there; `places` are all tags that ever had the digest.
    `before` is the last decision before it that let something land, `after` are those that came later about the same tag.
    `entries` are the scope's baseline of now and `changes` how it came to be.
    """

    decision: Decision
    now: TagMove | None
    since: tuple[TagMove, ...]
    places: tuple[TagMove, ...]
    artifact: Artifact | None
    signatures: tuple[Signature, ...]
    before: Decision | None
    after: tuple[Decision, ...]
    entries: tuple[BaselineEntry, ...]
    changes: tuple[Change, ...]


def tag_history(
    history: GateHistory, reference: Reference, *, limit: int = 100, before: int = 0
) -> TagHistory:
    """What is known of a tag or repository. Raises `UsageError` where that is nothing."""
    place = replace(reference, digest="")
    rows = history.history(place, limit=limit + 1, before=before)
    moves = rows[-limit:]
    decisions = history.decisions(place, limit=limit)
    watched = tuple(each for each in history.watched() if _is_of(each.reference, place))
    strays = history.strays(place, limit=limit)
    if not (rows or decisions or watched or strays or before):
        raise UsageError(
            f"nothing is known of {format_reference(place)}",
            "watch it with eightysix gate watch, or check the name: registry/repository:tag",
        )
    return TagHistory(
        reference=place,
        moves=moves,
        more=len(rows) > limit,
        artifacts=history.artifacts(digest for move in moves for digest in (move.digest, move.previous)),
        strays=strays,
        decisions=decisions,
        changes=history.changes(scope_of(place), limit=limit) if place.tag else (),
        watched=watched,
    )


def why(history: GateHistory, start: str) -> Explanation:
    """The decision whose id begins with `start`, explained. Raises `UsageError` where that is none or several."""
    found = history.decision(start)
    if len(found) != 1:
        some = "no decision has" if not found else f"{len(found)} decisions or more have"
        raise UsageError(
            f"{some} an id that begins with {start[:80]!r}", "eightysix gate history REF tells the ids"
        )
    (decision,) = found
    place = replace(decision.reference, digest="")
    rows = history.history(place, limit=_MOST_OWN) if place.tag else ()
    at = max((n for n, row in enumerate(rows) if row.digest == decision.digest), default=-1)
    decided = history.decisions(place, limit=_MOST_OWN)
    number = max((n for n, each in enumerate(decided) if each.id == decision.id), default=-1)
    allowed = [each for each in decided[: max(number, 0)] if each.ruling is Ruling.ALLOW]
    scopes = _scopes(place)
    return Explanation(
        decision=decision,
        now=rows[-1] if rows else None,
        since=rows[at + 1 :] if at >= 0 else (),
        places=history.with_digest(decision.digest),
        artifact=history.artifacts([decision.digest]).get(decision.digest),
        signatures=history.signatures(decision.digest),
        before=allowed[-1] if allowed else None,
        after=decided[number + 1 :] if number >= 0 else (),
        entries=history.entries(scopes),
        changes=tuple(change for scope in scopes for change in history.changes(scope)),
    )


def judged_with(
    history: GateHistory,
    reference: Reference,
    *,
    subject: int = 0,
    promotions: Sequence[Promotion] = (),
    sources: Sequence[str] = (),
    read: Iterable[str] = (),
) -> tuple[tuple[TagMove, ...], MoveContext]:
    """Rows and context for `gate.moves.findings` about a tag's last row (or the one with the sequence `subject`)."""
    places = {Reference(reference.registry, reference.repository)}
    places |= {Reference(p.staging.registry, p.staging.repository) for p in promotions}
    rows = {row.sequence: row for place in places for row in history.history(place, limit=_MOST_OWN)}
    # The tag's own rows to their end: in a busy repository they may lie far back.
    own = history.history(Reference(reference.registry, reference.repository, reference.tag), limit=_MOST_OWN)
    rows |= {row.sequence: row for row in own}
    at_ns = next((row.seen_ns for row in own if row.sequence == subject), own[-1].seen_ns if own else 0)
    rows |= {row.sequence: row for row in history.between(at_ns - _AROUND_NS, at_ns, limit=_MOST_AROUND)}
    strays = {
        (stray.event.channel, stray.event.id, stray.outcome): stray
        for place in places
        for stray in history.strays(place)
    }
    context = MoveContext(
        reference=replace(reference, digest=""),
        subject=subject,
        promotions=tuple(promotions),
        artifacts=history.artifacts(digest for row in own for digest in (row.digest,) if digest),
        read=frozenset(read),
        strays=tuple(strays.values()),
        sources=tuple(sources),
        allowed=_allowed(history, reference),
        held=_held(history, reference),
    )
    return tuple(rows[sequence] for sequence in sorted(rows)), context


def _allowed(history: GateHistory, reference: Reference) -> dict[str, int]:
    """When each digest of a repository was let to land, of those whose last decision says so."""
    allowed: dict[str, int] = {}
    for decision in history.decisions(Reference(reference.registry, reference.repository), limit=_MOST_OWN):
        if decision.ruling is Ruling.ALLOW:
            allowed[decision.digest] = decision.at_ns
        else:
            allowed.pop(decision.digest, None)
    return allowed


def _held(history: GateHistory, reference: Reference) -> frozenset[str]:
    """The digests that the last decision about this very tag kept out. A decision that audit mode made kept nothing out."""
    last: dict[str, Decision] = {}
    tag = replace(reference, digest="")
    for decision in history.decisions(tag, limit=_MOST_OWN):
        if decision.reference == tag:
            last[decision.digest] = decision
    return frozenset(
        digest for digest, each in last.items() if each.ruling is Ruling.HOLD and each.mode == Mode.ENFORCE
    )


def watches(references: Iterable[Reference]) -> Callable[[RegistryEvent], bool]:
    """Says which events are of something that is watched: references with a tag, or with `*` for a whole repository. A
    deletion by digest names no tag and is of all of them."""
    tags: dict[tuple[str, str], set[str]] = {}
    for reference in references:
        tags.setdefault((reference.registry, reference.repository), set()).add(reference.tag or _ALL_TAGS)

    def watched(event: RegistryEvent) -> bool:
        known = tags.get((event.registry, event.repository))
        return known is not None and (not event.tag or event.tag in known or _ALL_TAGS in known)

    return watched


def _is_of(reference: Reference, place: Reference) -> bool:
    same = (reference.registry, reference.repository) == (place.registry, place.repository)
    return same and place.tag in ("", reference.tag)


def _scopes(place: Reference) -> tuple[str, ...]:
    scope = scope_of(place)
    return scope, f"{scope.rpartition(':')[0]}:{ANY}"
