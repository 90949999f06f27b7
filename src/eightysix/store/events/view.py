"""One view a table, over the hot rows and all sealed segments, in a connection that can reach nothing else.

The owner has such views in its own connection; any other process makes them by `open_view`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from eightysix.model.incident import Problem
from eightysix.model.table import Table
from eightysix.store.columns import DUCKDB_TYPES, local_columns, quoted
from eightysix.store.events.books import Columns, hot_columns, manifest_of
from eightysix.store.events.layout import VERSION, Layout, is_plain
from eightysix.store.events.ownership import owner_of
from eightysix.store.events.segments import Manifest, Segment, fault_of, read_manifest
from eightysix.store.events.shapes import TIME
from eightysix.store.events.trouble import library, literal, told
from eightysix.store.tables import load

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["MEMORY", "converted", "make_views", "open_view", "seal_connection", "view_of", "whole_segments"]

MEMORY = "1GB"
"""What DuckDB may take; beyond, it spills into the store's own folder. The process stays below 1.5 GB."""


def view_of(table: Table, hot: Columns, groups: Iterable[tuple[Columns, list[str]]]) -> str:
    """The query of a table's view: columns of `hot` (empty where there is no such table), and files by their columns.
    A column that a part does not have is null there; one that has another type there is converted."""
    parts = [_part(table, hot, f"hot.{quoted(table.name)}")] if hot else []
    for columns, paths in groups:
        files = ", ".join(map(literal, paths))
        parts.append(
            _part(
                table, columns, f"read_parquet([{files}], hive_partitioning = false, union_by_name = false)"
            )
        )
    if not parts:
        parts = [_part(table, (), "(SELECT 1) WHERE false")]
    return f"CREATE OR REPLACE VIEW {quoted(table.name)} AS {' UNION ALL '.join(parts)}"


def _part(table: Table, columns: Columns, source: str) -> str:
    has = dict(columns)
    chosen = []
    for column in local_columns(table):
        kind = DUCKDB_TYPES[column.type]
        kept = TIME if column.name == "Timestamp" else column.name
        if kept not in has:
            value = f"CAST(NULL AS {kind})"
        elif has[kept] == kind:
            value = quoted(kept)
        else:
            value = converted(kept, kind)
        chosen.append(f"{value} AS {quoted(column.name)}")
    return f"SELECT {', '.join(chosen)} FROM {source}"


def converted(name: str, kind: str) -> str:
    """A column as another type, null where a value is none of it."""
    return f"to_json({quoted(name)})" if kind == "JSON" else f"TRY_CAST({quoted(name)} AS {kind})"


def grouped(
    layout: Layout, manifest: Manifest, segments: Iterable[Segment]
) -> list[tuple[Columns, list[str]]]:
    """Paths of segments by what columns they have."""
    found: dict[str, list[str]] = {}
    for segment in segments:
        found.setdefault(segment.shape, []).append(str(layout.folder / segment.path))
    return [(manifest.shapes.get(shape, ()), sorted(paths)) for shape, paths in sorted(found.items())]


def seal_connection(connection: DuckDBPyConnection, layout: Layout, folder: str, memory: str) -> None:
    """Let a connection reach `folder` and nothing else, for good."""
    for statement in (
        "SET TimeZone = 'UTC'",
        f"SET memory_limit = {literal(memory)}",
        f"SET temp_directory = {literal(str(layout.work))}",
        "SET max_temp_directory_size = '8GB'",
        # Of the 16 MB that DuckDB allows its log, every batch made a checkpoint: a third of what taking rows cost.
        "SET wal_autocheckpoint = '256MB'",
        "SET preserve_insertion_order = false",
        "SET python_enable_replacements = false",
        "SET autoinstall_known_extensions = false",
        "SET autoload_known_extensions = false",
        f"SET allowed_directories = [{literal(folder)}]",
        "SET enable_external_access = false",
        "SET lock_configuration = true",
    ):
        connection.execute(statement)


def open_view(
    folder: str | os.PathLike[str],
    *,
    since_ns: int | None = None,
    until_ns: int | None = None,
    tables: Mapping[str, Table] | None = None,
    memory: str = MEMORY,
    on_problem: Callable[[Problem], None] = lambda problem: None,
) -> DuckDBPyConnection:
    """A connection with one view for every table, that can read the store and nothing else, and write nothing.

    Where no process owns the store, the views have all rows; else those that are sealed, and `on_problem` is told (the
    owner has the rest: `asking.ask`). `since_ns` and `until_ns` leave out segments that lie outside. Segments that are
    missing or cut are left out, and told. Raises `UsageError`, `StateError`. Close the connection when done.
    """
    layout = Layout(folder)
    layout.read_settings()
    duckdb = library()
    connection: DuckDBPyConnection = duckdb.connect(":memory:")
    try:
        with told(f"the store {layout.folder}"):
            manifest, hot = _hot(connection, layout, on_problem)
            segments = whole_segments(layout, manifest, on_problem, since_ns, until_ns)
            make_views(
                connection, layout, (load() if tables is None else tables).values(), manifest, segments, hot
            )
            seal_connection(connection, layout, str(layout.segments), memory)
    except BaseException:
        connection.close()
        raise
    return connection


def _hot(
    connection: DuckDBPyConnection, layout: Layout, on_problem: Callable[[Problem], None]
) -> tuple[Manifest, dict[str, Columns]]:
    """The segments, and the hot tables where they can be read."""
    if is_plain(layout.hot):
        try:
            connection.execute(f"ATTACH {literal(str(layout.hot))} AS hot (READ_ONLY)")
            return manifest_of(connection, VERSION), hot_columns(connection)
        except library().Error as error:
            pid, name = owner_of(layout)
            owned = "Could not set lock" in str(error)
            why = f"it belongs to process {pid} ({name})" if owned else str(error).partition("\n")[0][:200]
            on_problem(
                Problem("hot.duckdb", 0, "unreadable", f"rows that are not sealed yet are left out: {why}")
            )
    return read_manifest(layout), {}


def make_views(
    connection: DuckDBPyConnection,
    layout: Layout,
    tables: Iterable[Table],
    manifest: Manifest,
    segments: Mapping[str, list[Segment]],
    hot: Mapping[str, Columns],
) -> None:
    """One view for each table."""
    for table in tables:
        groups = grouped(layout, manifest, segments.get(table.name, ()))
        connection.execute(view_of(table, hot.get(table.name, ()), groups))


def whole_segments(
    layout: Layout, manifest: Manifest, on_problem: Callable[[Problem], None], since_ns: int | None = None,
    until_ns: int | None = None,
) -> dict[str, list[Segment]]:  # fmt: skip
    """Segments by table, without those outside of the time asked for, and without those that cannot be read."""
    wanted: dict[str, list[Segment]] = {}
    for segment in manifest.segments:
        if (until_ns is not None and segment.first_us * 1000 > until_ns) or (
            since_ns is not None and segment.last_us * 1000 + 999 < since_ns
        ):
            continue
        if fault := fault_of(layout, segment):
            on_problem(Problem(segment.path, 0, "unreadable", fault))
        elif segment.shape not in manifest.shapes:
            on_problem(Problem(segment.path, 0, "unreadable", "nobody wrote down which columns it has"))
        else:
            wanted.setdefault(segment.table, []).append(segment)
    return wanted
