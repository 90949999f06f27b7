"""Tables of the gate's history, and the steps from an older layout to this one.

What happened is only ever added: triggers refuse to change or delete it, and to put a row anywhere but at the end. They keep a
mistake of ours or a stray `sqlite3` from rewriting the past; they do not bind whoever may write the file, who can drop them.
"""

from __future__ import annotations

import sqlite3

__all__ = ["APPLICATION", "VERSION", "is_ours", "upgrade"]

APPLICATION = 0x38365F67
"""`PRAGMA application_id`: "86_g" tells our file from anybody's."""

_MOVES = """
CREATE TABLE move (
    sequence INTEGER PRIMARY KEY, registry TEXT NOT NULL, repository TEXT NOT NULL, tag TEXT NOT NULL, digest TEXT NOT NULL,
    previous TEXT NOT NULL, seen_ns INTEGER NOT NULL, told_ns INTEGER NOT NULL, channel TEXT NOT NULL, event_id TEXT NOT NULL,
    actor TEXT NOT NULL, address TEXT NOT NULL, agent TEXT NOT NULL, confirmed INTEGER NOT NULL
) STRICT;
CREATE INDEX move_of ON move (repository, registry, tag, sequence);
CREATE INDEX move_digest ON move (digest, sequence);
CREATE INDEX move_at ON move (seen_ns);
CREATE TABLE confirmation (sequence INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL) STRICT;
CREATE TABLE seen (
    channel TEXT NOT NULL, id TEXT NOT NULL, content BLOB NOT NULL, PRIMARY KEY (channel, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE stray (
    n INTEGER PRIMARY KEY, registry TEXT NOT NULL, repository TEXT NOT NULL, tag TEXT NOT NULL, outcome TEXT NOT NULL,
    current TEXT NOT NULL, seen_ns INTEGER NOT NULL, json BLOB NOT NULL
) STRICT;
CREATE INDEX stray_of ON stray (repository, registry, tag, n);
CREATE TABLE tag (
    registry TEXT NOT NULL, repository TEXT NOT NULL, tag TEXT NOT NULL, sequence INTEGER NOT NULL, digest TEXT NOT NULL,
    order_ns INTEGER NOT NULL, truth_ns INTEGER NOT NULL, PRIMARY KEY (repository, registry, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX tag_digest ON tag (repository, registry, digest);
CREATE TABLE watch (
    registry TEXT NOT NULL, repository TEXT NOT NULL, tag TEXT NOT NULL, asked_ns INTEGER NOT NULL, answered_ns INTEGER NOT NULL,
    problem TEXT NOT NULL, PRIMARY KEY (repository, registry, tag)
) STRICT, WITHOUT ROWID;
CREATE TABLE artifact (
    digest TEXT PRIMARY KEY, media_type TEXT NOT NULL, size INTEGER NOT NULL, kinds BLOB NOT NULL, claims BLOB NOT NULL,
    first_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""
"""`tag` is the end of each tag's history, `watch` how asking for it goes: both are kept up to date and say nothing that the
other tables or the next round of asking would not say again."""

_JUDGEMENTS = """
CREATE TABLE signature (
    n INTEGER PRIMARY KEY, scope TEXT NOT NULL, subject TEXT NOT NULL, run TEXT NOT NULL, mark TEXT NOT NULL,
    seen_ns INTEGER NOT NULL, json BLOB NOT NULL, UNIQUE (scope, subject, mark)
) STRICT;
CREATE INDEX signature_of ON signature (subject);
CREATE INDEX signature_run ON signature (scope, run, n);
CREATE TABLE entry (id TEXT PRIMARY KEY, scope TEXT NOT NULL, state TEXT NOT NULL, json BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX entry_of ON entry (scope);
CREATE TABLE change (
    sequence INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, scope TEXT NOT NULL, action TEXT NOT NULL, by TEXT NOT NULL,
    why TEXT NOT NULL, detail BLOB NOT NULL, before TEXT NOT NULL, digest TEXT NOT NULL
) STRICT;
CREATE INDEX change_of ON change (scope, sequence);
CREATE TABLE decision (
    n INTEGER PRIMARY KEY, id TEXT NOT NULL, at_ns INTEGER NOT NULL, registry TEXT NOT NULL, repository TEXT NOT NULL,
    tag TEXT NOT NULL, digest TEXT NOT NULL, ruling TEXT NOT NULL, json BLOB NOT NULL
) STRICT;
CREATE INDEX decision_of ON decision (repository, registry, tag, n);
CREATE INDEX decision_id ON decision (id);
CREATE INDEX decision_digest ON decision (digest, n);
"""

_STEPS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    (_MOVES, ("move", "confirmation", "seen", "stray"), ("move.sequence", "stray.n")),
    (_JUDGEMENTS, ("signature", "change", "decision"), ("signature.n", "change.sequence", "decision.n")),
)
"""What each version adds to the one before: tables, those of them that are only added to, and the columns that count their
rows."""

VERSION = len(_STEPS)
"""`PRAGMA user_version` of the layout that all steps together make."""


def is_ours(database: sqlite3.Connection) -> bool:
    """Whether a file is empty or a history of ours, of whatever version."""
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return not tables or application == APPLICATION


def upgrade(database: sqlite3.Connection, until: int = VERSION) -> None:
    """Make the layout, or what is missing of it, within the transaction that is open: wholly or not at all."""
    (version,) = database.execute("PRAGMA user_version").fetchone()
    for tables, appended, counted in _STEPS[version:until]:
        for statement in tables.split(";"):
            database.execute(statement)
        for table in appended:
            for deed in ("UPDATE", "DELETE"):
                database.execute(
                    f"CREATE TRIGGER {table}_no_{deed.lower()} BEFORE {deed} ON {table}"
                    f" BEGIN SELECT raise(ABORT, 'rows of {table} are only added'); END"
                )
        for column in counted:
            table, _, name = column.partition(".")
            # INSERT OR REPLACE would delete without asking the trigger above.
            last = f"SELECT max({name}) FROM {table}"  # noqa: S608  our own names
            database.execute(
                f"CREATE TRIGGER {table}_at_end BEFORE INSERT ON {table} WHEN NEW.{name} <> coalesce(({last}), 0) + 1"
                f" BEGIN SELECT raise(ABORT, 'rows of {table} are added at the end'); END"
            )
    database.execute(f"PRAGMA application_id = {APPLICATION}")
    database.execute(f"PRAGMA user_version = {until}")
