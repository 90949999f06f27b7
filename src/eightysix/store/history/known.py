"""Who is known to sign, and every change of it: each carries the digest of the one before.

The chain shows a change that was taken out, put in or altered by whoever did not also make all later ones anew. Whoever may
write the file can do that too: note the digest of the last change elsewhere, and the chain up to it is proven.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Any, Protocol, TypeVar

import msgspec
from msgspec.structs import replace

from eightysix.model.gate import BaselineEntry, Change
from eightysix.model.stored import as_json, read_stored
from eightysix.store.history.ends import MAX_ROWS
from eightysix.store.history.file import HistoryFile

__all__ = ["Amendment", "Known", "digest_of_change"]

_PAGE = 1_000
_CHANGE = "sequence, at_ns, scope, action, by, why, detail, before, digest"

_entry = msgspec.json.Decoder(BaselineEntry)
_detail = msgspec.json.Decoder(dict[str, str])


class Amendment(Protocol):
    """Entries as they are to be, and the changes that made them so. Entries that are not among them stay."""

    @property
    def entries(self) -> Sequence[BaselineEntry]:
        """Entries to keep."""
        ...

    @property
    def changes(self) -> Sequence[Change]:
        """What changed; sequence and digests are given by the history."""
        ...


_A = TypeVar("_A", bound=Amendment)


def digest_of_change(change: Change) -> str:
    """The digest that the next change carries: of all that this one says, with what it carries itself."""
    return "sha256:" + sha256(as_json(replace(change, digest=""))).hexdigest()


class Known(HistoryFile):
    """The part of the history about baselines."""

    def entries(self, scopes: Iterable[str] = ()) -> tuple[BaselineEntry, ...]:
        """The entries of these scopes, of all where none is named."""
        return _entries(self._rows, scopes, str(self.path))

    def judging(self, repository: str) -> tuple[BaselineEntry, ...]:
        """The entries of all scopes of `registry/repository` that signers are held against: active or approved."""
        found = self._rows(
            "SELECT json FROM entry WHERE scope > ? AND scope < ? AND state IN ('active', 'approved') ORDER BY id",
            (f"{repository}:", f"{repository};"),  # the letter after the colon
        )
        return tuple(
            read_stored(_entry.decode, bytes(row[0]), f"a baseline entry in {self.path}") for row in found
        )

    def amend(self, scopes: Iterable[str], edit: Callable[[tuple[BaselineEntry, ...]], _A]) -> _A:
        """Change entries: `edit` gets those of `scopes` and says what they are to be and why. Reading, writing and the
        record of it are one transaction, so that of two who change at once one sees what the other did. Gives what `edit`
        gave."""
        with self._write() as database:
            before = _entries(lambda query, values: database.execute(query, values).fetchall(), scopes, "")
            known = {entry.id: entry for entry in before}
            amendment = edit(before)
            for entry in amendment.entries:
                if known.get(entry.id) != entry:
                    database.execute(
                        "INSERT INTO entry VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET scope = excluded.scope,"
                        " state = excluded.state, json = excluded.json",
                        (entry.id, entry.scope, entry.state, as_json(entry)),
                    )
            for change in amendment.changes:
                _append(database, change, self._clock())
            return amendment

    def append_change(self, change: Change) -> Change:
        """Record a change that is no entry's (of a policy, of a list of approvers): as it stands in the chain."""
        with self._write() as database:
            return _append(database, change, self._clock())

    def changes(self, scope: str = "", *, since: int = 0, limit: int = _PAGE) -> tuple[Change, ...]:
        """Changes of a scope (of all) after the sequence `since`, oldest first."""
        where, values = ("scope = ? AND ", (scope,)) if scope else ("", ())
        query = f"SELECT {_CHANGE} FROM change WHERE {where}sequence > ? ORDER BY sequence LIMIT ?"  # noqa: S608
        return tuple(
            _change(row, str(self.path)) for row in self._rows(query, (*values, since, min(limit, MAX_ROWS)))
        )

    def broken_change(self) -> int:
        """The sequence of the first change that does not continue the chain, 0 where it is whole."""
        last = ""
        number = 0
        while some := self.changes(since=number):
            for change in some:
                number += 1
                whole = change.sequence == number and change.before == last
                if not whole or change.digest != digest_of_change(change):
                    return change.sequence
                last = change.digest
        return 0


def _append(database: sqlite3.Connection, change: Change, now: int) -> Change:
    row = database.execute(
        "SELECT sequence, at_ns, digest FROM change ORDER BY sequence DESC LIMIT 1"
    ).fetchone()
    sequence, at_ns, before = row or (0, 0, "")
    made = replace(
        change, sequence=sequence + 1, at_ns=max(change.at_ns or now, at_ns), before=before, digest=""
    )
    made = replace(made, digest=digest_of_change(made))
    database.execute(
        "INSERT INTO change VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            made.sequence,
            made.at_ns,
            made.scope,
            made.action,
            made.by,
            made.why,
            as_json(made.detail),
            made.before,
            made.digest,
        ),
    )
    return made


def _entries(
    rows: Callable[[str, Sequence[object]], list[tuple[Any, ...]]], scopes: Iterable[str], path: str
) -> tuple[BaselineEntry, ...]:
    wanted = sorted(set(scopes))
    marks = ", ".join("?" * len(wanted))
    where = f"WHERE scope IN ({marks})" if wanted else ""
    found = rows(f"SELECT json FROM entry {where} ORDER BY id", wanted)  # noqa: S608
    return tuple(read_stored(_entry.decode, bytes(row[0]), f"a baseline entry in {path}") for row in found)


def _change(row: Sequence[Any], path: str) -> Change:
    detail = read_stored(_detail.decode, bytes(row[6]), f"a change in {path}")
    return Change(
        sequence=row[0],
        at_ns=row[1],
        scope=row[2],
        action=row[3],
        by=row[4],
        why=row[5],
        detail=detail,
        before=row[7],
        digest=row[8],
    )
