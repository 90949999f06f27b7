"""What the history has to say: of a tag and of a decision. Data only; others print it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct
from msgspec.structs import replace

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

__all__ = ["Explanation", "TagHistory", "tag_history", "watches", "why"]

_MOST_OWN = 2_000
"""Rows, and decisions, of a tag that a decision is explained with: the last ones."""
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
