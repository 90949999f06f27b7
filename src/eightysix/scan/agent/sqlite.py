"""Reads SQLite databases: LangGraph's checkpoints, and any other value that could be loaded.

The library reads pages that an attacker wrote. It gets no file to write, no function to call and no schema to trust:
statements are ours, one table at a time, columns by number; triggers, views and virtual tables are never touched. Its
work is counted and stopped.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from urllib.parse import quote

from eightysix.scan.agent import msgpack
from eightysix.scan.artifact import Artifact
from eightysix.scan.budget import OverBudgetError
from eightysix.scan.interface import Scan
from eightysix.scan.recognise import recognise
from eightysix.scan.texts import parse
from eightysix.scan.texts.tree import shown

__all__ = ["read", "read_wal"]

COPIED = 48 << 20
"""Bytes of a database that is read from memory. A larger one is read in place, where it is a file of its own."""

TICK = 10_000
"""Virtual machine instructions of SQLite between two looks at the budget."""

COLUMNS = 500
TABLES = 2_000

LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 64 << 20,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 1 << 20,
    sqlite3.SQLITE_LIMIT_COLUMN: 2_000,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 50,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 2,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
"""https://www.sqlite.org/security.html: what it advises for databases that others wrote."""

_ALLOWED = frozenset((sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ))


def read_wal(artifact: Artifact, scan: Scan) -> None:
    """A write-ahead log is not merged here."""
    scan.report("database-unmerged", artifact, "a write-ahead log of SQLite")


def read(artifact: Artifact, scan: Scan) -> None:
    """Hand every value that could be loaded to its reader."""
    try:
        database = _open(artifact, scan)
    except (sqlite3.Error, sqlite3.Warning, UnicodeError, OverflowError) as error:
        scan.report("database-broken", artifact, f"{type(error).__name__} when it was opened")
        return
    if database is None:
        scan.report(
            "too-much", artifact, f"a database of more than {COPIED:,} bytes inside of something else"
        )
        return
    try:
        _Values(database, artifact, scan).judge()
    except (sqlite3.Error, sqlite3.Warning, UnicodeError, OverflowError) as error:
        if scan.budget.steps_left == 0:
            raise OverBudgetError("steps", scan.budget.limits.steps) from error
        scan.report("database-broken", artifact, f"{type(error).__name__} while it was read")
    finally:
        database.close()


def _open(artifact: Artifact, scan: Scan) -> sqlite3.Connection | None:
    if len(artifact) <= COPIED:
        data = bytearray(artifact.head(len(artifact)))
        if len(data) > 19:
            # NOTE: a copy in memory cannot have a write-ahead log, and is refused while its header says so.
            data[18:20] = b"\x01\x01"
        scan.budget.unpack(len(data))
        database = sqlite3.connect(":memory:", isolation_level=None)
        database.deserialize(bytes(data))
    elif artifact.depth == 0 and not artifact.member and artifact.start == 0:
        # The file itself, never written and never locked: the same bytes that are mapped here, unless others write.
        uri = f"file:{quote(artifact.path)}?mode=ro&immutable=1"
        database = sqlite3.connect(uri, uri=True, isolation_level=None)
    else:
        return None
    database.text_factory = bytes
    for limit, value in LIMITS.items():
        database.setlimit(limit, value)
    for pragma in (
        "trusted_schema=OFF",
        "cell_size_check=ON",
        "query_only=ON",
        "mmap_size=0",
        "cache_size=-8192",
    ):
        database.execute(f"PRAGMA {pragma}")
    database.set_progress_handler(lambda: _tick(scan), TICK)
    return database


def _tick(scan: Scan) -> int:
    """Count SQLite's work; anything but 0 ends the statement. An error may not pass through the library."""
    try:
        scan.budget.step(TICK)
    except OverBudgetError:
        return 1
    return 0


def _allow(action: int, _one: str | None, _two: str | None, _base: str | None, _inner: str | None) -> int:
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


def _quoted(name: bytes) -> str:
    return '"' + name.decode("utf-8", "surrogateescape").replace('"', '""') + '"'


class _Values:
    """The values of one database."""

    def __init__(self, database: sqlite3.Connection, artifact: Artifact, scan: Scan) -> None:
        self._database = database
        self._artifact = artifact
        self._scan = scan

    def judge(self) -> None:
        """Go through all tables; one that cannot be read does not hide the others."""
        tables = self._database.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 ORDER BY rootpage"
        ).fetchmany(TABLES + 1)
        if len(tables) > TABLES:
            self._scan.report("too-much", self._artifact, f"more than {TABLES:,} tables")
        for (name,) in tables[:TABLES]:
            try:
                columns = self._columns(name)
                for row in self._rows(name, columns):
                    self._row(name, columns, row)
            except (sqlite3.Error, sqlite3.Warning, UnicodeError, OverflowError) as error:
                if self._scan.budget.steps_left < TICK:
                    raise OverBudgetError("steps", self._scan.budget.limits.steps) from error
                why = f"{type(error).__name__} in the table {shown(name.decode('utf-8', 'replace'))}"
                self._scan.report("database-broken", self._artifact, why)

    def _columns(self, table: bytes) -> list[bytes]:
        """Columns that are stored. Generated ones would be computed by expressions of the file."""
        self._database.set_authorizer(None)
        told = self._database.execute(f"PRAGMA table_xinfo({_quoted(table)})").fetchmany(COLUMNS)
        return [row[1] for row in told if row[6] in (0, 1)]

    def _rows(self, table: bytes, columns: list[bytes]) -> Iterator[tuple[object, ...]]:
        if not columns:
            return
        self._database.set_authorizer(_allow)
        wanted = ", ".join(_quoted(column) for column in columns)
        # The names come from the file and are quoted; nothing else of it is in the statement.
        yield from self._database.execute(f"SELECT {wanted} FROM main.{_quoted(table)} NOT INDEXED")  # noqa: S608

    def _row(self, table: bytes, columns: list[bytes], row: tuple[object, ...]) -> None:
        said = row[columns.index(b"type")] if b"type" in columns else None
        for column, value in zip(columns, row, strict=True):
            if isinstance(value, bytes) and len(value) > 3:
                self._value(b".".join((table, column)).decode("utf-8", "replace"), value, said)

    def _value(self, name: str, value: bytes, said: object) -> None:
        """Judge one value. LangGraph writes beside each what it is; for all others the content says it."""
        if value[:1] in b"{[" and not parse.is_worth(value):
            return
        part = self._artifact.unpacked(shown(name, 60), value)
        if said == b"msgpack" and msgpack.could_be(value):
            self._scan.budget.member()
            msgpack.read(part, self._scan)
        elif any(kind.name not in ("text", "yaml", "script") for kind in recognise(part)):
            self._scan.descend(part)
