"""What moves are judged with: read from the history once for a whole stretch of them.

A busy tag, or a feed that has a day to catch up with, asks for the same thousands of rows for one move as for the next.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import TypeVar

from msgspec.structs import replace

from eightysix.gate.moves import MoveContext, Promotion
from eightysix.gate.moves.findings import ROUND_NS
from eightysix.gate.policy.form import Mode
from eightysix.model.gate import Artifact, Decision, Reference, Ruling, Stray, TagMove
from eightysix.store.history import GateHistory

__all__ = ["Evidence", "judged_with"]

_MOST_OWN = 2_000
"""Rows, and decisions, of one tag or repository that a move is judged with: the last ones before it."""
_MOST_AROUND = 5_000
"""Rows of all tags, of the days before: who moves how much at once."""
_AROUND_NS = 30 * 86_400 * 10**9

_T = TypeVar("_T")
_K = TypeVar("_K")
_sequence = attrgetter("sequence")


class Evidence:
    """Rows and context for `gate.moves.findings`, of the moves `stretch`: rows that follow one another in the history.

    Without a stretch, of the last row of any tag, and with all rows until now: a row that is not there yet can be judged
    with those too. What it has read it does not read again while the repository stays the same, so ask for the moves of one
    after another; it is made for some moves and then dropped, as a decision that is made meanwhile is not seen.
    """

    def __init__(
        self, history: GateHistory, stretch: Sequence[TagMove] = (), *, promotions: Sequence[Promotion] = ()
    ) -> None:
        self._history = history
        self._promotions = tuple(promotions)
        self._staging = {Reference(p.staging.registry, p.staging.repository) for p in promotions}
        self._first = stretch[0] if stretch else None
        self._last = stretch[-1] if stretch else None
        self._count = stretch[-1].sequence - stretch[0].sequence if stretch else 0
        self._repository = Reference("", "")
        self._rows: dict[Reference, list[TagMove]] = {}
        self._around: list[TagMove] = []
        self._around_of = 0
        self._strays: dict[Reference, tuple[Stray, ...]] = {}
        self._allowed: dict[Reference, Mapping[str, int]] = {}
        self._held: dict[Reference, frozenset[str]] = {}
        self._artifacts: dict[str, Artifact | None] = {}

    def of(
        self, reference: Reference, *, subject: int = 0, sources: Sequence[str] = (), read: Iterable[str] = ()
    ) -> tuple[tuple[TagMove, ...], MoveContext]:
        """Rows and context of a tag's last row, or of the one with the sequence `subject`, which is of the stretch."""
        tag = replace(reference, digest="")
        repository = Reference(reference.registry, reference.repository)
        self._turn_to(repository)
        places = {repository, *self._staging}
        own = self._until(tag, subject)
        rows = {row.sequence: row for place in places for row in self._until(place, subject)}
        # The tag's own rows to their end: in a busy repository they may lie far back.
        rows |= {row.sequence: row for row in own}
        rows |= {row.sequence: row for row in self._moved_around(own[-1] if own else None)}
        strays = {
            (stray.event.channel, stray.event.id, stray.outcome): stray
            for place in places
            for stray in _kept(self._strays, place, self._history.strays)
        }
        context = MoveContext(
            reference=tag,
            subject=subject,
            promotions=self._promotions,
            artifacts=self._known({row.digest for row in own} - {""}),
            read=frozenset(read),
            strays=tuple(strays.values()),
            sources=tuple(sources),
            allowed=_kept(self._allowed, repository, self._read_allowed),
            held=_kept(self._held, tag, self._read_held),
        )
        return tuple(rows[sequence] for sequence in sorted(rows)), context

    def _turn_to(self, repository: Reference) -> None:
        """Forget the rows of the repository before: those of fifty are 100 MB."""
        if repository != self._repository:
            self._repository = repository
            self._rows = {place: rows for place, rows in self._rows.items() if place in self._staging}
            self._artifacts = {}

    def _until(self, place: Reference, subject: int) -> Sequence[TagMove]:
        """The last rows of a place until `subject`; of staging also those that the same round of asking found later."""
        rows = _kept(self._rows, place, self._read_rows)
        if not subject:
            return rows
        end = bisect_right(rows, subject, key=_sequence)
        return rows[max(0, end - _MOST_OWN) : None if place in self._staging else end]

    def _read_rows(self, place: Reference) -> list[TagMove]:
        if self._last is None:
            return list(self._history.history(place, limit=_MOST_OWN))
        until = self._last.sequence
        rows = list(self._history.history(place, limit=_MOST_OWN + self._count, before=until + 1))
        if place in self._staging:
            rows += self._history.after(place, until, self._last.seen_ns + ROUND_NS)
        return rows

    def _moved_around(self, move: TagMove | None) -> Sequence[TagMove]:
        """The last rows of any tag, of the days until a move was seen, before it."""
        if move is None:
            return ()
        first, last = self._first or move, self._last or move
        if self._around_of != last.sequence:
            self._around_of = last.sequence
            rows = self._history.between(
                first.seen_ns - _AROUND_NS, last.seen_ns, limit=_MOST_AROUND + self._count
            )
            self._around = sorted(rows, key=_sequence)
        end = bisect_right(self._around, move.sequence, key=_sequence)
        some = self._around[max(0, end - _MOST_AROUND) : end]
        return [row for row in some if row.seen_ns >= move.seen_ns - _AROUND_NS]

    def _known(self, digests: set[str]) -> dict[str, Artifact]:
        unread = digests - self._artifacts.keys()
        if unread:
            found = self._history.artifacts(unread)
            self._artifacts |= {digest: found.get(digest) for digest in unread}
        known = ((digest, self._artifacts[digest]) for digest in digests)
        return {digest: artifact for digest, artifact in known if artifact is not None}

    def _read_allowed(self, repository: Reference) -> Mapping[str, int]:
        """When each digest of a repository was let to land, of those whose last decision says so."""
        allowed: dict[str, int] = {}
        for decision in self._history.decisions(repository, limit=_MOST_OWN):
            if decision.ruling is Ruling.ALLOW:
                allowed[decision.digest] = decision.at_ns
            else:
                allowed.pop(decision.digest, None)
        return allowed

    def _read_held(self, tag: Reference) -> frozenset[str]:
        """The digests that the last decision about this very tag kept out. One that audit mode made kept nothing out."""
        last: dict[str, Decision] = {}
        for decision in self._history.decisions(tag, limit=_MOST_OWN):
            if decision.reference == tag:
                last[decision.digest] = decision
        return frozenset(
            digest
            for digest, each in last.items()
            if each.ruling is Ruling.HOLD and each.mode == Mode.ENFORCE
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
    tag = replace(reference, digest="")
    stretch = history.history(tag, limit=1, before=subject + 1) if subject else ()
    return Evidence(history, stretch, promotions=promotions).of(
        tag, subject=subject, sources=sources, read=read
    )


def _kept(known: dict[_K, _T], key: _K, read: Callable[[_K], _T]) -> _T:
    if key not in known:
        known[key] = read(key)
    return known[key]
