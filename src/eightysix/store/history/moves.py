"""Where tags pointed, in the order in which it became known: how it is written and asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct

from eightysix.model.gate import Outcome, Reference, RegistryAction, RegistryEvent, Stray, TagMove
from eightysix.model.stored import read_stored
from eightysix.store.history.ends import (
    COLUMNS,
    MAX_ROWS,
    OF_TAG,
    Observation,
    Recorded,
    as_move,
    key_of,
    observe,
    place_of,
    take,
    watch,
)
from eightysix.store.history.file import HistoryFile

__all__ = ["Moves", "Watched"]

_PAGE = 1_000
_event = msgspec.json.Decoder(RegistryEvent)


class Watched(Struct, frozen=True, kw_only=True):
    """How asking for a tag goes: when it was asked and when it last answered, by our clock; `problem` where it did not."""

    reference: Reference
    asked_ns: int
    answered_ns: int
    problem: str = ""


class Moves(HistoryFile):
    """The part of the history about tags."""

    def record(
        self, event: RegistryEvent, confirmed: bool = False, *, since: int | None = None, asked_ns: int = 0
    ) -> TagMove | None:
        """Record one event: the row that it added, if it added one (the first of several, for a deletion). `confirmed` says
        that it is an answer to a HEAD; `since` and `asked_ns` then are those of an `Observation`."""
        if confirmed:
            told = self._answered(event, asked_ns, since)
        else:
            (told,) = self.take([event])
        return told.moves[0] if told.moves else None

    def confirm(self, event: RegistryEvent, asked_ns: int = 0) -> bool:
        """Record an answer to a HEAD, as the reconciler gives it. False where the tag moved while the registry was asked:
        then it is to be asked again."""
        return self._answered(event, asked_ns, None).outcome is not Outcome.RACED

    def take(self, events: Sequence[RegistryEvent]) -> tuple[Recorded, ...]:
        """Record the events of one delivery, all or none; on the disk when it returns."""
        with self._write() as database:
            return tuple(take(database, event, self._clock()) for event in events)

    def observe(self, seen: Sequence[Observation]) -> tuple[Recorded, ...]:
        """Record the answers of a round of asking, all or none; on the disk when it returns."""
        with self._write() as database:
            return tuple(observe(database, each, self._clock()) for each in seen)

    def asked(self, told: Sequence[tuple[Reference, str]]) -> None:
        """Note how asking for tags went: the problem, empty for those that were answered. For `watched`; it moves nothing."""
        now = self._clock()
        with self._write() as database:
            for reference, problem in told:
                watch(database, reference, now, problem)

    def confirmed(self) -> dict[Reference, str]:
        """Where each tag points that the registry answered for last: the reconciler's `known`."""
        rows = self._rows(
            "SELECT tag.registry, tag.repository, tag.tag, tag.digest FROM tag JOIN move USING (sequence)"
            " WHERE confirmed OR EXISTS (SELECT 1 FROM confirmation WHERE confirmation.sequence = tag.sequence)"
        )
        return {Reference(*row[:3]): str(row[3]) for row in rows}

    def current(self, reference: Reference) -> TagMove | None:
        """The last row of a tag: where it points now, as far as is known."""
        query = f"SELECT {COLUMNS} FROM move WHERE {OF_TAG} ORDER BY sequence DESC LIMIT 1"  # noqa: S608
        rows = self._rows(query, key_of(reference))
        return as_move(rows[0]) if rows else None

    def history(self, reference: Reference, *, limit: int = _PAGE, before: int = 0) -> tuple[TagMove, ...]:
        """The last rows of a tag (of all tags of a repository, where the reference has none), oldest first; with `before`
        those before that sequence."""
        where, values = place_of(reference)
        if before:
            where, values = where + " AND sequence < ?", (*values, before)
        query = f"SELECT {COLUMNS} FROM move WHERE {where} ORDER BY sequence DESC LIMIT ?"  # noqa: S608
        return tuple(as_move(row) for row in reversed(self._rows(query, (*values, min(limit, MAX_ROWS)))))

    def after(
        self, reference: Reference, sequence: int, until_ns: int, *, limit: int = _PAGE
    ) -> tuple[TagMove, ...]:
        """The first rows of a tag or repository after a sequence, of those that were seen until a time; oldest first."""
        where, values = place_of(reference)
        query = f"SELECT {COLUMNS} FROM move WHERE {where} AND sequence > ? AND seen_ns <= ? ORDER BY sequence LIMIT ?"  # noqa: S608
        some = (*values, sequence, until_ns, min(limit, MAX_ROWS))
        return tuple(as_move(row) for row in self._rows(query, some))

    def moves(self, since: int = 0) -> Iterator[TagMove]:
        """All rows after the sequence `since`, page by page."""
        while True:
            query = f"SELECT {COLUMNS} FROM move WHERE sequence > ? ORDER BY sequence LIMIT ?"  # noqa: S608
            rows = self._rows(query, (since, _PAGE))
            yield from map(as_move, rows)
            if len(rows) < _PAGE:
                return
            since = int(rows[-1][0])

    def end(self) -> int:
        """The sequence of the last row, 0 where there is none."""
        return int(self._rows("SELECT coalesce(max(sequence), 0) FROM move")[0][0])

    def now(self) -> int:
        """The time by our own clock, which never runs back in the history: a clock that is set back makes nothing that expired
        count again."""
        rows = self._rows("SELECT seen_ns FROM move ORDER BY sequence DESC LIMIT 1")
        return max(self._clock(), int(rows[0][0])) if rows else self._clock()

    def between(self, from_ns: int, until_ns: int, *, limit: int = MAX_ROWS) -> tuple[TagMove, ...]:
        """Rows of any tag that were seen in that time, both ends included; the last ones, where there are more than `limit`."""
        query = f"SELECT {COLUMNS} FROM move WHERE seen_ns BETWEEN ? AND ? ORDER BY seen_ns DESC, sequence DESC LIMIT ?"  # noqa: S608
        return tuple(
            as_move(row) for row in reversed(self._rows(query, (from_ns, until_ns, min(limit, MAX_ROWS))))
        )

    def with_digest(self, digest: str, *, limit: int = _PAGE) -> tuple[TagMove, ...]:
        """Rows of any tag that pointed to a digest, oldest first."""
        query = f"SELECT {COLUMNS} FROM move WHERE digest = ? ORDER BY sequence LIMIT ?"  # noqa: S608
        return tuple(as_move(row) for row in self._rows(query, (digest, min(limit, MAX_ROWS))))

    def digests(self, reference: Reference) -> tuple[str, ...]:
        """The digests that a tag (any tag of the repository) ever pointed to, in the order of their first row."""
        where, values = place_of(reference)
        query = f"SELECT digest FROM move WHERE {where} AND digest <> '' GROUP BY digest ORDER BY min(sequence) LIMIT ?"  # noqa: S608
        return tuple(str(row[0]) for row in self._rows(query, (*values, MAX_ROWS)))

    def first_seen(self, digest: str) -> int:
        """When a digest was first seen anywhere, 0 where it never was."""
        query = (
            "SELECT min(at) FROM (SELECT min(seen_ns) AS at FROM move WHERE digest = ?"
            " UNION ALL SELECT first_ns FROM artifact WHERE digest = ?)"
        )
        return int(self._rows(query, (digest, digest))[0][0] or 0)

    def strays(self, reference: Reference, *, limit: int = _PAGE) -> tuple[Stray, ...]:
        """What was told of a tag (of any tag of the repository) and did not count, oldest first."""
        where, values = place_of(reference)
        query = f"SELECT json, outcome, current, seen_ns FROM stray WHERE {where} ORDER BY n DESC LIMIT ?"  # noqa: S608
        rows = self._rows(query, (*values, min(limit, MAX_ROWS)))
        return tuple(
            Stray(
                event=read_stored(_event.decode, bytes(json), f"an event in {self.path}"),
                outcome=Outcome(outcome),
                current=current,
                seen_ns=seen_ns,
            )
            for json, outcome, current, seen_ns in reversed(rows)
        )

    def watched(self) -> tuple[Watched, ...]:
        """How asking goes, for every tag that was asked for."""
        rows = self._rows(
            "SELECT registry, repository, tag, asked_ns, answered_ns, problem FROM watch"
            " ORDER BY registry, repository, tag"
        )
        return tuple(
            Watched(reference=Reference(*row[:3]), asked_ns=row[3], answered_ns=row[4], problem=row[5])
            for row in rows
        )

    def _answered(self, event: RegistryEvent, asked_ns: int, since: int | None) -> Recorded:
        seen = Observation(
            reference=Reference(event.registry, event.repository, event.tag),
            digest="" if event.action is RegistryAction.DELETE else event.digest,
            channel=event.channel,
            asked_ns=asked_ns,
            since=since,
            id=event.id,
            media_type=event.media_type,
            size=event.size,
        )
        return self.observe([seen])[0]
