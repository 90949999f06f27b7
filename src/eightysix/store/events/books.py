"""What a hot file knows about itself: its tables and their columns, the sealed segments, and files that are in between.

The schema `own` inside the hot file is the truth about which row is where: a row leaves the hot table and its segment is
entered in one transaction. `manifest.json` is a copy of it for other processes, written after.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from eightysix.store.events.layout import Layout, is_plain
from eightysix.store.events.segments import Manifest, Segment

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = [
    "Columns",
    "add_segments",
    "adopt",
    "fingerprint",
    "hot_columns",
    "manifest_of",
    "prepare",
    "sweep",
    "take_number",
]

Columns = tuple[tuple[str, str], ...]
"""Names and types of DuckDB."""

_SEGMENT = "path, tbl, rows, bytes, digest, first_us, last_us, shape, foot, fault"
_TABLES = (
    "CREATE SCHEMA IF NOT EXISTS hot.own",
    (
        "CREATE TABLE IF NOT EXISTS hot.own.segment (path VARCHAR, tbl VARCHAR, rows BIGINT, bytes BIGINT, digest VARCHAR,"
        " first_us BIGINT, last_us BIGINT, shape VARCHAR, foot VARCHAR, fault VARCHAR)"
    ),
    "CREATE TABLE IF NOT EXISTS hot.own.shape (shape VARCHAR, columns VARCHAR)",
    # Files that are being written: one of these that is no segment was left by a crash.
    "CREATE TABLE IF NOT EXISTS hot.own.pending (path VARCHAR)",
    # Files that are no segment any more, and may still be read by who opened them.
    "CREATE TABLE IF NOT EXISTS hot.own.doomed (path VARCHAR, at_us BIGINT)",
    (
        "CREATE TABLE IF NOT EXISTS hot.own.deleted (at_us BIGINT, tbl VARCHAR, rows BIGINT, bytes BIGINT, first_us BIGINT,"
        " last_us BIGINT, why VARCHAR)"
    ),
    "CREATE TABLE IF NOT EXISTS hot.own.number (next BIGINT)",
)


def prepare(connection: DuckDBPyConnection) -> None:
    """Make the tables that are not there."""
    for statement in _TABLES:
        connection.execute(statement)
    if not connection.execute("SELECT 1 FROM hot.own.number").fetchone():
        connection.execute("INSERT INTO hot.own.number VALUES (1)")


def hot_columns(connection: DuckDBPyConnection) -> dict[str, Columns]:
    """The columns of every hot table."""
    found: dict[str, list[tuple[str, str]]] = {}
    for table, column, kind in connection.execute(
        "SELECT table_name, column_name, data_type FROM duckdb_columns()"
        " WHERE database_name = 'hot' AND schema_name = 'main' ORDER BY table_name, column_index"
    ).fetchall():
        found.setdefault(str(table), []).append((str(column), str(kind)))
    return {table: tuple(columns) for table, columns in found.items()}


def fingerprint(columns: Columns) -> str:
    """A name for these columns: files of one name are read together."""
    return hashlib.blake2b(msgspec.json.encode(columns), digest_size=8).hexdigest()


def manifest_of(connection: DuckDBPyConnection, version: int) -> Manifest:
    """What `manifest.json` says when it is up to date."""
    rows = connection.execute(f"SELECT {_SEGMENT} FROM hot.own.segment ORDER BY path").fetchall()
    shapes = connection.execute("SELECT shape, columns FROM hot.own.shape ORDER BY shape").fetchall()
    return Manifest(
        version=version,
        shapes={str(name): msgspec.json.decode(text, type=Columns) for name, text in shapes},
        segments=tuple(_segment(row) for row in rows),
    )


def _segment(row: Sequence[object]) -> Segment:
    names = ("path", "table", "rows", "bytes", "digest", "first_us", "last_us", "shape", "foot", "fault")
    return msgspec.convert(dict(zip(names, row, strict=True)), Segment)


def add_segments(
    connection: DuckDBPyConnection, segments: Sequence[Segment], shapes: dict[str, Columns]
) -> None:
    """Enter segments, and the shapes that they have."""
    for shape, columns in shapes.items():
        if not connection.execute("SELECT 1 FROM hot.own.shape WHERE shape = ?", [shape]).fetchone():
            text = msgspec.json.encode(columns).decode()
            connection.execute("INSERT INTO hot.own.shape VALUES (?, ?)", [shape, text])
    for one in segments:
        connection.execute(
            f"INSERT INTO hot.own.segment ({_SEGMENT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [one.path, one.table, one.rows, one.bytes, one.digest, one.first_us, one.last_us, one.shape, one.foot, one.fault],
        )  # fmt: skip


def adopt(connection: DuckDBPyConnection, manifest: Manifest) -> None:
    """Take the segments of a store whose hot file is gone."""
    if manifest.segments:
        add_segments(connection, manifest.segments, dict(manifest.shapes))
        numbers = [int(stem) for one in manifest.segments if (stem := Path(one.path).stem).isdecimal()]
        connection.execute("UPDATE hot.own.number SET next = ?", [max(numbers, default=0) + 1])


def sweep(connection: DuckDBPyConnection, layout: Layout) -> None:
    """Remove what a crash left: files that became no segment, and rows on their way."""
    pending = {str(path) for (path,) in connection.execute("SELECT path FROM hot.own.pending").fetchall()}
    known = {str(path) for (path,) in connection.execute("SELECT path FROM hot.own.segment").fetchall()}
    for path in pending - known:
        if found := layout.inside(path):
            found.unlink()
    if pending:
        connection.execute("DELETE FROM hot.own.pending")
    for left in layout.work.iterdir():
        if left.suffix in {".ndjson", ".parquet", ".tmp"} and is_plain(left):
            left.unlink()


def take_number(connection: DuckDBPyConnection) -> int:
    """A number that no file of this store has had."""
    (number,) = connection.execute("UPDATE hot.own.number SET next = next + 1 RETURNING next").fetchone() or (
        0,
    )
    return int(number)
