"""The state database of `watch`: one SQLite file a shard, in which offsets, pod states and the outbox change together.

What is committed is always of one piece: the records up to the committed positions are in the committed states, and
every incident that they amount to is in the outbox. New events of a pod go to a journal; when that has grown, the pod's
whole state is written and its journal dropped. States do not depend on the order of events or on repetition, so a state
is its snapshot and its journal, put together in any way.

The layout is the contract of the design: `source(id, dev, ino, head_hash, offset, carry)`, `pod(key, shard, state,
version)`, `outbox(id, revision, json, sent)`, and beside them `journal` and `delivered`.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

from msgspec import Struct

from eightysix.model.errors import StateError
from eightysix.model.stored import REBUILT
from eightysix.store.sqlite_errors import told

__all__ = ["VERSION", "Commit", "LiveStore", "OutboxRow", "SourceRow"]

VERSION = 1
"""`PRAGMA user_version` of the layout below."""

BUSY_MS = 5_000
"""How long a writer waits for another one: the courier marks rows as sent while the loop commits."""

_LAYOUT = """
CREATE TABLE source (id TEXT PRIMARY KEY, dev INTEGER, ino INTEGER, head_hash TEXT, offset INTEGER, carry BLOB) WITHOUT ROWID;
CREATE TABLE pod (key TEXT PRIMARY KEY, shard INTEGER, state BLOB, version INTEGER) WITHOUT ROWID;
CREATE TABLE journal (n INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT, entry BLOB);
CREATE INDEX journal_key ON journal (key);
CREATE TABLE outbox (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT, revision TEXT, json BLOB, sent INTEGER DEFAULT 0,
                     UNIQUE (id, revision));
CREATE TABLE delivered (sink TEXT, id TEXT, revision TEXT, PRIMARY KEY (sink, id, revision)) WITHOUT ROWID;
"""


_KEPT = "what was read since the last commit is kept in memory and written then"


class SourceRow(Struct, frozen=True):
    """How far an input was read: see `serve.follow`. `carry` is whatever else the follower wants back."""

    dev: int
    ino: int
    head_hash: str
    offset: int
    carry: bytes = b""


class OutboxRow(Struct, frozen=True):
    """One revision of one incident, as JSON; `sent` when every receiver has it, or nobody is to have it."""

    id: str
    revision: str
    json: bytes
    sent: bool = False


class Commit(Struct):
    """What changes together. `sources` are all inputs (None: as before); `snapshots` replace a pod's state and drop its
    journal; `forgotten` pods leave, and so do `ended` incidents as soon as they are sent."""

    sources: Mapping[str, SourceRow] | None
    journal: Sequence[tuple[str, bytes]] = ()
    snapshots: Mapping[str, bytes] = {}
    forgotten: Sequence[str] = ()
    outbox: Sequence[OutboxRow] = ()
    ended: Sequence[str] = ()

    def __bool__(self) -> bool:
        return bool(
            self.sources is not None
            or self.journal
            or self.snapshots
            or self.forgotten
            or self.outbox
            or self.ended
        )


class LiveStore:
    """An open state database; a context manager. Raises `StateError` for what cannot be used, and says what to do."""

    def __init__(self, path: Path, shard: int = 0) -> None:
        self.path = path
        self._shard = shard
        self._lock = _locked(path)
        try:
            self._connection = _opened(path)
        except BaseException:
            os.close(self._lock)
            raise

    def __enter__(self) -> LiveStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what is committed stays."""
        self._connection.close()
        os.close(self._lock)

    def sources(self) -> dict[str, SourceRow]:
        """How far each input was read."""
        rows = self._read("SELECT id, dev, ino, head_hash, offset, carry FROM source")
        return {str(name): SourceRow(*rest) for name, *rest in rows}

    def pods(self) -> list[tuple[str, bytes]]:
        """The snapshots of all pods by key."""
        return [
            (str(key), bytes(state)) for key, state in self._read("SELECT key, state FROM pod ORDER BY key")
        ]

    def journal(self) -> list[tuple[str, bytes]]:
        """What came after the snapshots, in the order of writing."""
        return [
            (str(key), bytes(entry)) for key, entry in self._read("SELECT key, entry FROM journal ORDER BY n")
        ]

    def told(self) -> list[OutboxRow]:
        """The latest revision of each incident."""
        rows = self._read(
            "SELECT id, revision, json, sent FROM outbox WHERE n IN (SELECT max(n) FROM outbox GROUP BY id)"
        )
        return [
            OutboxRow(str(name), str(revision), bytes(json), bool(sent))
            for name, revision, json, sent in rows
        ]

    def unsent(self) -> list[OutboxRow]:
        """What is still to be delivered, oldest first."""
        rows = self._read("SELECT id, revision, json FROM outbox WHERE NOT sent ORDER BY n")
        return [OutboxRow(str(name), str(revision), bytes(json)) for name, revision, json in rows]

    def commit(self, change: Commit) -> None:
        """Write all of `change` or nothing; durable when it returns (`synchronous=FULL`)."""
        shard = self._shard
        with _told(self.path), self._connection as db:
            db.execute("BEGIN IMMEDIATE")
            for key in change.forgotten:
                db.execute("DELETE FROM pod WHERE key = ?", (key,))
                db.execute("DELETE FROM journal WHERE key = ?", (key,))
            db.executemany("INSERT INTO journal (key, entry) VALUES (?, ?)", change.journal)
            for key, state in change.snapshots.items():
                db.execute("DELETE FROM journal WHERE key = ?", (key,))
                db.execute("INSERT OR REPLACE INTO pod VALUES (?, ?, ?, ?)", (key, shard, state, VERSION))
            if change.sources is not None:
                db.execute("DELETE FROM source")
                db.executemany(
                    "INSERT INTO source VALUES (?, ?, ?, ?, ?, ?)",
                    [
                        (name, s.dev, s.ino, s.head_hash, s.offset, s.carry)
                        for name, s in change.sources.items()
                    ],
                )
            db.executemany(
                "INSERT OR REPLACE INTO outbox (id, revision, json, sent) VALUES (?, ?, ?, ?)",
                [(row.id, row.revision, row.json, row.sent) for row in change.outbox],
            )
            db.executemany("DELETE FROM outbox WHERE id = ? AND sent", [(name,) for name in change.ended])

    def delivered(self) -> set[tuple[str, str, str]]:
        """(sink, id, revision) of what single receivers have."""
        return {
            (str(sink), str(name), str(revision))
            for sink, name, revision in self._read("SELECT * FROM delivered")
        }

    def mark(self, taken: Iterable[tuple[str, str, str]], sinks: Sequence[str]) -> None:
        """Note that these (sink, id, revision) are done with. What is done with at all `sinks` is sent; of that, only the
        latest revision of each incident is kept."""
        with _told(self.path), self._connection as db:
            db.execute("BEGIN IMMEDIATE")
            rows = list(taken)
            db.executemany("INSERT OR IGNORE INTO delivered VALUES (?, ?, ?)", rows)
            for name, revision in sorted({row[1:] for row in rows}):
                done = db.execute(
                    "SELECT sink FROM delivered WHERE id = ? AND revision = ?", (name, revision)
                )
                if {sink for (sink,) in done} >= set(sinks):
                    db.execute("UPDATE outbox SET sent = 1 WHERE id = ? AND revision = ?", (name, revision))
                    db.execute("DELETE FROM delivered WHERE id = ? AND revision = ?", (name, revision))
                    db.execute(
                        "DELETE FROM outbox WHERE id = ? AND sent AND n < (SELECT max(n) FROM outbox WHERE id = ?)",
                        (name, name),
                    )

    def _read(self, query: str) -> list[tuple[Any, ...]]:
        with _told(self.path):
            return self._connection.execute(query).fetchall()


def _told(path: Path) -> AbstractContextManager[None]:
    return told(str(path), REBUILT, _KEPT)


def _locked(path: Path) -> int:
    """The lock of a state file: two processes on the same state would each lose what the other knows."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateError(
            f"the state folder {path.parent} cannot be used: {error.strerror}",
            "name another one with --state",
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise StateError(
            f"the state in {path} is in use by another process", "end that one, or name another --state"
        ) from error
    return lock


def _opened(path: Path) -> sqlite3.Connection:
    with _told(path):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # nobody else may read it
        connection = sqlite3.connect(
            path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA trusted_schema = OFF")
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if damage != "ok":
                raise sqlite3.DatabaseError(damage)
            if not tables:
                connection.executescript(f"BEGIN;{_LAYOUT}PRAGMA user_version = {VERSION};COMMIT;")
            elif version != VERSION:
                raise StateError(
                    f"the state in {path} has version {version}, and this release reads {VERSION}",
                    f"move it away (mv {path} {path}.old) and start again: {REBUILT}",
                )
        except BaseException:
            connection.close()
            raise
    return connection
