"""What lies behind digests, who signed it, and what was decided about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from eightysix.model.gate import Artifact, Decision, Reference, Ruling, Signature
from eightysix.model.stored import as_json, read_stored
from eightysix.store.history.ends import MAX_ROWS, key_of, place_of, seen_at
from eightysix.store.history.file import HistoryFile

__all__ = ["Judged"]

_PAGE = 1_000
_MARKS = 200
"""Values that one query asks for at once."""
_ARTIFACT = "digest, media_type, size, kinds, claims, first_ns"

_kinds = msgspec.json.Decoder(tuple[str, ...])
_claims = msgspec.json.Decoder(dict[str, str])
_signature = msgspec.json.Decoder(Signature)
_decision = msgspec.json.Decoder(Decision)


class Judged(HistoryFile):
    """The part of the history about artifacts, signatures and decisions."""

    def learn(self, artifacts: Iterable[Artifact]) -> None:
        """Keep what is known of digests. What was known stays: a digest is what it is, and a later word about the same
        bytes fills gaps and changes nothing."""
        now = self._clock()
        with self._write() as database:
            first = seen_at(database, now)
            for each in artifacts:
                database.execute(
                    "INSERT INTO artifact VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
                    " media_type = CASE WHEN media_type = '' THEN excluded.media_type ELSE media_type END,"
                    " size = CASE WHEN size = 0 THEN excluded.size ELSE size END,"
                    " kinds = CASE WHEN kinds = CAST('[]' AS BLOB) THEN excluded.kinds ELSE kinds END,"
                    " claims = CASE WHEN claims = CAST('{}' AS BLOB) THEN excluded.claims ELSE claims END",
                    (
                        each.digest,
                        each.media_type,
                        each.size,
                        as_json(each.kinds),
                        as_json(each.claims),
                        first,
                    ),
                )

    def artifacts(self, digests: Iterable[str]) -> dict[str, Artifact]:
        """What is known of digests, by digest; those that nothing is known of are missing."""
        found = {}
        for some in _slices(sorted(set(digests))):
            marks = ", ".join("?" * len(some))
            for row in self._rows(f"SELECT {_ARTIFACT} FROM artifact WHERE digest IN ({marks})", some):  # noqa: S608
                what = f"an artifact in {self.path}"
                found[str(row[0])] = Artifact(
                    digest=row[0],
                    media_type=row[1],
                    size=row[2],
                    kinds=read_stored(_kinds.decode, bytes(row[3]), what),
                    claims=read_stored(_claims.decode, bytes(row[4]), what),
                    first_ns=row[5],
                )
        return found

    def sign(self, scope: str, subject: str, signatures: Iterable[tuple[Signature, str]]) -> None:
        """Keep judged signatures about the digest `subject`, each with the run that made it (empty: none); the same twice
        is one."""
        now = self._clock()
        with self._write() as database:
            for signature, run in signatures:
                json = as_json(signature)
                mark = sha256(json).hexdigest()
                database.execute(
                    "INSERT INTO signature SELECT (SELECT coalesce(max(n), 0) + 1 FROM signature), ?, ?, ?, ?, ?, ?"
                    " WHERE NOT EXISTS (SELECT 1 FROM signature WHERE scope = ? AND subject = ? AND mark = ?)",
                    (scope, subject, run, mark, seen_at(database, now), json, scope, subject, mark),
                )

    def signatures(self, subject: str) -> tuple[Signature, ...]:
        """The judged signatures about a digest, in the order in which they became known."""
        query = "SELECT json FROM signature WHERE subject = ? ORDER BY n LIMIT ?"
        what = f"a signature in {self.path}"
        return tuple(
            read_stored(_signature.decode, bytes(row[0]), what)
            for row in self._rows(query, (subject, MAX_ROWS))
        )

    def runs(self, scope: str, runs: Iterable[str]) -> dict[str, str]:
        """The digest that each of these runs was first seen with in a scope."""
        found: dict[str, str] = {}
        for some in _slices(sorted(set(runs) - {""})):
            marks = ", ".join("?" * len(some))
            query = f"SELECT run, subject FROM signature WHERE scope = ? AND run IN ({marks}) ORDER BY n"  # noqa: S608
            for run, subject in self._rows(query, (scope, *some)):
                found.setdefault(str(run), str(subject))
        return found

    def decide(self, decision: Decision) -> bool:
        """Keep a decision; false where the last one about this reference was the same."""
        place = decision.reference
        with self._write() as database:
            last = database.execute(
                "SELECT id FROM decision WHERE repository = ? AND registry = ? AND tag = ? ORDER BY n DESC LIMIT 1",
                key_of(place),
            ).fetchone()
            if last is not None and last[0] == decision.id:
                return False
            database.execute(
                "INSERT INTO decision SELECT coalesce(max(n), 0) + 1, ?, ?, ?, ?, ?, ?, ?, ? FROM decision",
                (
                    decision.id,
                    decision.at_ns,
                    place.registry,
                    place.repository,
                    place.tag,
                    decision.digest,
                    decision.ruling,
                    as_json(decision),
                ),
            )
        return True

    def decisions(
        self, reference: Reference | None = None, *, digest: str = "", limit: int = _PAGE
    ) -> tuple[Decision, ...]:
        """The last decisions, oldest first: all, those about a tag or repository, those about a digest."""
        where, values = place_of(reference) if reference is not None else ("1", ())
        if digest:
            where, values = where + " AND digest = ?", (*values, digest)
        query = f"SELECT json FROM decision WHERE {where} ORDER BY n DESC LIMIT ?"  # noqa: S608
        return self._decided(reversed(self._rows(query, (*values, min(limit, MAX_ROWS)))))

    def decision(self, start: str) -> tuple[Decision, ...]:
        """The decisions whose id begins with `start`, the latest of each id, at most nine."""
        if not start:
            return ()
        query = (
            "SELECT json FROM decision WHERE n IN (SELECT max(n) FROM decision WHERE id >= ? AND id < ? GROUP BY id LIMIT 9)"
            " ORDER BY id"
        )
        return self._decided(self._rows(query, (start, start + "\U0010ffff")))

    def last_allowed(self, reference: Reference) -> Decision | None:
        """The last decision that let something land under a tag: what the next is held against."""
        query = (
            "SELECT json FROM decision WHERE repository = ? AND registry = ? AND tag = ? AND ruling = ?"
            " ORDER BY n DESC LIMIT 1"
        )
        found = self._decided(self._rows(query, (*key_of(reference), Ruling.ALLOW)))
        return found[0] if found else None

    def _decided(self, rows: Iterable[Sequence[Any]]) -> tuple[Decision, ...]:
        what = f"a decision in {self.path}"
        return tuple(read_stored(_decision.decode, bytes(row[0]), what) for row in rows)


def _slices(values: Sequence[str]) -> list[Sequence[str]]:
    return [values[at : at + _MARKS] for at in range(0, len(values), _MARKS)]
