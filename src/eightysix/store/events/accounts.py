"""What a store has (`stats`), and whether all of it is as it was written (`verify`)."""

from __future__ import annotations

import os

from msgspec import Struct
from msgspec.structs import replace

from eightysix.model.errors import StateError
from eightysix.store.columns import quoted
from eightysix.store.events.books import hot_columns
from eightysix.store.events.compacting import mark
from eightysix.store.events.hot import Hot
from eightysix.store.events.layout import Layout, Settings
from eightysix.store.events.retention import Deleted, deletions
from eightysix.store.events.segments import Manifest, Segment, check_bytes, read_manifest
from eightysix.store.events.shapes import TIME
from eightysix.store.events.trouble import library, literal, told

__all__ = ["Checked", "Stats", "TableStats", "stats", "stats_of_sealed", "verify", "verify_sealed"]


class TableStats(Struct, kw_only=True):
    """One table. `bytes` are those of its segments; times are microseconds since 1970, 0 where it has no rows."""

    name: str
    hot_rows: int = 0
    sealed_rows: int = 0
    segments: int = 0
    bytes: int = 0
    first_us: int = 0
    last_us: int = 0
    faults: int = 0


class Stats(Struct, kw_only=True):
    """The whole store. `owner` is the process that owns it, where that is another one: hot rows are then not counted."""

    tables: tuple[TableStats, ...]
    retention_days: float
    budget_bytes: int
    hot_bytes: int
    deleted: tuple[Deleted, ...] = ()
    owner: int = 0


class Checked(Struct, kw_only=True):
    """What `verify` found. `faults` are segments and why they cannot be read, `strange` files that no list has."""

    segments: int = 0
    rows: int = 0
    bytes: int = 0
    hot_rows: int = 0
    faults: tuple[tuple[str, str], ...] = ()
    strange: tuple[str, ...] = ()
    owner: int = 0


def stats(hot: Hot) -> Stats:
    """Of a store that we own."""
    found = _sealed(hot.manifest)
    with told(f"the store {hot.layout.folder}"), hot.reading() as cursor:
        for table in hot_columns(cursor):
            rows, first, last = cursor.execute(
                f"SELECT count(*), epoch_us(min({quoted(TIME)})), epoch_us(max({quoted(TIME)})) FROM hot.{quoted(table)}"
            ).fetchone() or (0, 0, 0)
            if rows:
                one = found.setdefault(table, TableStats(name=table))
                one.hot_rows = rows
                _widen(one, first, last)
    return _stats(hot.layout, hot.settings, found, tuple(deletions(hot)))


def stats_of_sealed(folder: str, owner: int) -> Stats:
    """Of a store that process `owner` owns."""
    layout = Layout(folder)
    found = _stats(layout, layout.read_settings(), _sealed(read_manifest(layout)), ())
    found.owner = owner
    return found


def _stats(
    layout: Layout, settings: Settings, found: dict[str, TableStats], deleted: tuple[Deleted, ...]
) -> Stats:
    try:
        hot_bytes = layout.hot.stat().st_size
    except OSError:
        hot_bytes = 0
    return Stats(
        tables=tuple(found[name] for name in sorted(found)),
        retention_days=settings.retention_days,
        budget_bytes=settings.budget_bytes,
        hot_bytes=hot_bytes,
        deleted=deleted,
    )


def _sealed(manifest: Manifest) -> dict[str, TableStats]:
    found: dict[str, TableStats] = {}
    for segment in manifest.segments:
        one = found.setdefault(segment.table, TableStats(name=segment.table))
        one.segments += 1
        one.sealed_rows += segment.rows
        one.bytes += segment.bytes
        one.faults += bool(segment.fault)
        _widen(one, segment.first_us, segment.last_us)
    return found


def _widen(one: TableStats, first: int, last: int) -> None:
    one.first_us = min(one.first_us or first, first)
    one.last_us = max(one.last_us, last)


def verify(hot: Hot) -> Checked:
    """Read everything; segments that are not as they were written are left out of views from then on."""
    before = {one.path: one.fault for one in hot.manifest.segments}
    # A segment that was put back is whole again: what was said of it before does not count.
    plain = tuple(replace(one, fault="") for one in hot.manifest.segments)
    checked = _verify(hot.layout, replace(hot.manifest, segments=plain))
    with hot.reading() as cursor:
        between = {str(path) for (path,) in cursor.execute("SELECT path FROM hot.own.doomed").fetchall()}
    known = between | {one.path for one in plain}
    checked.strange = tuple(path for path in _files(hot.layout) if path not in known)
    found = dict(checked.faults)
    mark(
        hot, [(one, found.get(one.path, "")) for one in plain if found.get(one.path, "") != before[one.path]]
    )
    try:
        with told(f"the hot file {hot.layout.hot}"), hot.reading() as cursor:
            for table in hot_columns(cursor):
                # Every column is read: DuckDB checks the sum of each block that it reads.
                row = cursor.execute(
                    f"SELECT count(*), count(COLUMNS(*)) FROM hot.{quoted(table)}"
                ).fetchone()
                checked.hot_rows += row[0] if row else 0
    except StateError as error:
        checked.faults = (*checked.faults, ("hot.duckdb", error.what))
    return checked


def verify_sealed(folder: str, owner: int) -> Checked:
    """As `verify`, of a store that process `owner` owns: what is sealed, and nothing is changed."""
    layout = Layout(folder)
    layout.read_settings()
    checked = _verify(layout, read_manifest(layout))
    checked.owner = owner
    return checked


def _verify(layout: Layout, manifest: Manifest) -> Checked:
    checked = Checked()
    faults = []
    connection = library().connect(":memory:")
    try:
        for one in manifest.segments:
            fault = check_bytes(layout, one)
            if not fault:
                fault = _count(connection, layout, one)
            if fault:
                faults.append((one, fault))
            else:
                checked.segments += 1
                checked.rows += one.rows
                checked.bytes += one.bytes
    finally:
        connection.close()
    checked.faults = tuple((one.path, fault) for one, fault in faults)
    return checked


def _count(connection: object, layout: Layout, segment: Segment) -> str:
    """Whether the footer has the rows that were written."""
    duckdb = library()
    try:
        row = connection.execute(  # type: ignore[attr-defined]
            f"SELECT sum(num_rows) FROM parquet_file_metadata({literal(str(layout.folder / segment.path))})"
        ).fetchone()
    except duckdb.Error as error:
        return str(error).partition("\n")[0][:200]
    return (
        "" if row and row[0] == segment.rows else f"it has {row[0] if row else 0} rows and not {segment.rows}"
    )


def _files(layout: Layout) -> list[str]:
    """Everything below `segments` that is no folder, as paths relative to the store."""
    found = []
    for folder, folders, files in os.walk(layout.segments, followlinks=False):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        found += [os.path.relpath(os.path.join(folder, name), layout.folder) for name in (*files, *links)]
    return sorted(found)
