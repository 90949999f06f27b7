"""The casebook: incidents in their latest revision and what analysts said about them, in one SQLite file.

`eightysix watch` writes incidents while people write entries: WAL lets both go on, and each write is one transaction.
A closed incident whose verdict rises is opened again, and the casebook says so in an entry of its own.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from eightysix.model.case import Act, Case, CaseState, Entry
from eightysix.model.errors import StateError, UsageError
from eightysix.model.incident import Incident
from eightysix.model.stored import as_json, read_stored, visible
from eightysix.model.words import Verdict
from eightysix.store.sqlite_errors import told

__all__ = ["FILE", "MAX_CASES", "MAX_ENTRIES", "MAX_SAID", "SYSTEM", "Casebook"]

FILE = "casebook.sqlite"
VERSION = 1
"""In SQLite's `user_version`; another one is refused."""
MAX_SAID = 4_000
"""Characters of one note."""
MAX_ENTRIES = 1_000
"""Entries of one incident."""
MAX_CASES = 50_000
"""Incidents that are kept; of more, those go first that nobody spoke about, the mildest and oldest of them."""
SYSTEM = "eightysix"
"""Who speaks where the tool opens an incident again."""

_APPLICATION = 0x38365F63  # "86_c": tells our file from anybody's
_WAIT_S = 5.0
_AFTER = {Act.ACK: CaseState.ACKNOWLEDGED, Act.CLOSE: CaseState.CLOSED, Act.REOPEN: CaseState.OPEN}
_RESCUE = "incidents are written anew as they are found, what analysts said in it is lost"
_COLUMNS = "id, state, first_seen, last_seen, json"
_TABLES = """
CREATE TABLE incident (
    id TEXT PRIMARY KEY, revision TEXT NOT NULL, rank INTEGER NOT NULL, state TEXT NOT NULL, closed_rank INTEGER NOT NULL,
    first_seen TEXT NOT NULL, last_seen TEXT NOT NULL, said INTEGER NOT NULL, json BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE entry (
    number INTEGER PRIMARY KEY AUTOINCREMENT, incident TEXT NOT NULL, at TEXT NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL,
    text TEXT NOT NULL, revision TEXT NOT NULL, verdict TEXT NOT NULL
);
CREATE INDEX entry_of ON entry (incident, number);
"""


class Casebook:
    """An open casebook. `clock` gives seconds since 1970. Every method may raise `StateError`."""

    def __init__(self, folder: str, clock: Callable[[], float], *, create: bool = False) -> None:
        """Open the casebook in `folder`; `create` makes folder and file, readable by their owner alone."""
        self.path = str(Path(folder) / FILE)
        self._clock = clock
        if create:
            _make_private(folder, self.path)
        elif not os.path.exists(self.path):
            raise UsageError(
                f"there is no casebook in {folder}",
                "--state (EIGHTYSIX_STATE) is the folder that eightysix watch keeps its state in",
            )
        with told(self.path, _RESCUE):
            self._database = sqlite3.connect(
                self.path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare()
            except BaseException:
                self._database.close()
                raise

    def close(self) -> None:
        """Close the file; what was written is on the disk."""
        self._database.close()

    def record(self, incidents: Iterable[Incident]) -> list[str]:
        """Keep the latest revision of each incident, all in one transaction; gives the ids that this opened again."""
        now = _time(self._clock())
        with told(self.path, _RESCUE), _Transaction(self._database):
            reopened = [incident.id for incident in incidents if self._record(incident, now)]
            self._trim()
        return reopened

    def cases(self, *, closed: bool = False, limit: int = 1_000) -> list[Case]:
        """The first `limit` cases, worst first, then by what was seen last; those that are closed only if asked for."""
        where = "" if closed else "WHERE state <> 'closed'"
        order = "ORDER BY rank DESC, last_seen DESC, id LIMIT ?"
        query = f"SELECT {_COLUMNS} FROM incident {where} {order}"  # noqa: S608  no text from outside
        with told(self.path, _RESCUE):
            rows = self._database.execute(query, (limit,)).fetchall()
            return [self._case(row) for row in rows]

    def counts(self) -> dict[CaseState, int]:
        """How many incidents there are in each state."""
        with told(self.path, _RESCUE):
            rows = self._database.execute("SELECT state, count(*) FROM incident GROUP BY state").fetchall()
        found = {CaseState(state): count for state, count in rows}
        return {state: found.get(state, 0) for state in CaseState}

    def case(self, start: str) -> Case:
        """The case whose incident id begins with `start`, or that was joined with an incident of that id."""
        with told(self.path, _RESCUE):
            return self._case(self._row(start))

    def say(self, start: str, what: Act, who: str, text: str) -> Case:
        """Write an entry to the case that `case(start)` finds; gives the case as it is then.

        Raises `UsageError` for a text or name that is too long, and where the case has too many entries.
        """
        if len(text) > MAX_SAID or len(who) > 200:
            raise UsageError(
                f"a note has at most {MAX_SAID} characters, a name 200",
                "keep long texts elsewhere and note where",
            )
        now = _time(self._clock())
        with told(self.path, _RESCUE), _Transaction(self._database):
            key = str(self._row(start)[0])
            (count,) = self._database.execute(
                "SELECT count(*) FROM entry WHERE incident = ?", (key,)
            ).fetchone()
            if count >= MAX_ENTRIES:
                raise UsageError(f"incident {key} has {count} entries already", "no more are kept")
            self._write(key, now, who, what, text)
            return self._case(self._row(key))

    def _prepare(self) -> None:
        database = self._database
        (version,) = database.execute("PRAGMA user_version").fetchone()
        (application,) = database.execute("PRAGMA application_id").fetchone()
        (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and application != _APPLICATION:
            raise StateError(f"{self.path} is a database of something else", "name another folder by --state")
        if tables and version != VERSION:
            newer = "newer" if version > VERSION else "older"
            raise StateError(
                f"{self.path} is from a {newer} eightysix (version {version}, this one knows {VERSION})",
                f"use that one, or move the file away: {_RESCUE}",
            )
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        if not tables:
            with _Transaction(database):
                # Another process may have made them while this one waited for the lock.
                if not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                    for statement in _TABLES.split(";"):
                        database.execute(statement)
                    database.execute(f"PRAGMA application_id = {_APPLICATION}")
                    database.execute(f"PRAGMA user_version = {VERSION}")

    def _record(self, incident: Incident, now: str) -> bool:
        rank = incident.verdict.rank
        document = as_json(incident)
        row = self._database.execute(
            "SELECT json, state, closed_rank FROM incident WHERE id = ?", (incident.id,)
        ).fetchone()
        if row is None:
            self._database.execute(
                "INSERT INTO incident VALUES (?, ?, ?, 'open', 0, ?, ?, 0, ?)",
                (incident.id, incident.revision, rank, now, now, document),
            )
            return False
        before, state, closed_rank = row
        if before == document:
            return False
        self._database.execute(
            "UPDATE incident SET revision = ?, rank = ?, last_seen = ?, json = ? WHERE id = ?",
            (incident.revision, rank, now, document, incident.id),
        )
        if state != CaseState.CLOSED or rank <= closed_rank:
            return False
        closed_at = next(verdict for verdict in Verdict if verdict.rank == closed_rank)
        text = f"the verdict rose from {closed_at} to {incident.verdict} after it was closed"
        self._write(incident.id, now, SYSTEM, Act.REOPEN, text)
        return True

    def _write(self, key: str, now: str, who: str, what: Act, text: str) -> None:
        """Add an entry about the incident as it is now, and move its state."""
        revision, rank, state = self._database.execute(
            "SELECT revision, rank, state FROM incident WHERE id = ?", (key,)
        ).fetchone()
        verdict = next(verdict for verdict in Verdict if verdict.rank == rank)
        self._database.execute(
            "INSERT INTO entry (incident, at, who, what, text, revision, verdict) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (key, now, visible(who), str(what), visible(text), revision, str(verdict)),
        )
        closed_rank = rank if what is Act.CLOSE else 0
        self._database.execute(
            "UPDATE incident SET said = 1, state = ?, closed_rank = CASE WHEN ? = 'closed' THEN max(closed_rank, ?) ELSE 0 END"
            " WHERE id = ?",
            (str(_AFTER.get(what, state)), str(_AFTER.get(what, state)), closed_rank, key),
        )

    def _row(self, start: str) -> tuple[str, str, str, str, bytes]:
        """The row that `start` means; `UsageError` where it means none or several."""
        found: list[tuple[str, str, str, str, bytes]] = []
        start = visible(start)
        if start:
            query = f"SELECT {_COLUMNS} FROM incident WHERE id >= ? AND id < ? LIMIT 9"  # noqa: S608
            found = self._database.execute(query, (start, start + "\U0010ffff")).fetchall()
            exact = [row for row in found if row[0] == start]
            found = exact or found
        if not found and len(start) >= 4:
            rows = self._database.execute(f"SELECT {_COLUMNS} FROM incident")  # noqa: S608
            found = [row for row in rows if any(a.startswith(start) for a in self._decode(row[4]).aliases)]
        if len(found) != 1:
            some = "no incident has" if not found else f"{len(found)} incidents have"
            raise UsageError(
                f"{some} an id that begins with {start!r}",
                "'eightysix incident list --all' tells the ids",
            )
        return found[0]

    def _case(self, row: tuple[str, str, str, str, bytes]) -> Case:
        key, state, first_seen, last_seen, document = row
        incident = self._decode(document)
        keys = (key, *incident.aliases)
        marks = ", ".join("?" * len(keys))
        rows = self._database.execute(
            f"SELECT at, who, what, text, revision, verdict FROM entry WHERE incident IN ({marks}) ORDER BY number",  # noqa: S608
            keys,
        )
        entries = tuple(
            Entry(at, who, Act(what), text, revision, Verdict(verdict))
            for at, who, what, text, revision, verdict in rows
        )
        return Case(CaseState(state), first_seen, last_seen, incident, entries)

    def _decode(self, document: bytes) -> Incident:
        return read_stored(_decode, document, f"an incident in {self.path}", _RESCUE)

    def _trim(self) -> None:
        (count,) = self._database.execute("SELECT count(*) FROM incident").fetchone()
        if count > MAX_CASES:
            self._database.execute(
                "DELETE FROM incident WHERE id IN (SELECT id FROM incident ORDER BY said, rank, last_seen, id LIMIT ?)",
                (count - MAX_CASES,),
            )
            self._database.execute("DELETE FROM entry WHERE incident NOT IN (SELECT id FROM incident)")


class _Transaction:
    """One write, whole or not at all; takes the lock at its start, so that it cannot fail half way for another's."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._database.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if kind is None:
                self._database.execute("COMMIT")
        finally:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")


def _make_private(folder: str, path: str) -> None:
    try:
        Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite gives its -wal and -shm files the mode of the database.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StateError(
            f"{path} cannot be made: {error.strerror}", "check the folder, its rights and its room"
        ) from error


_decode = msgspec.json.Decoder(Incident).decode


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
