"""Small segments of an hour become one, and the hours of a day that is over become one where they are small; what would be
more than a piece (`pieces.PIECE_ROWS`) stays in several.

The old files stay for `GRACE_S` after they left the list: who opened a view before may still read them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

from msgspec import Struct
from msgspec.structs import replace

from eightysix.model.errors import StateError
from eightysix.model.incident import Problem
from eightysix.store.columns import DUCKDB_TYPES, quoted
from eightysix.store.events.books import Columns, add_segments, fingerprint, manifest_of
from eightysix.store.events.hot import Hot
from eightysix.store.events.layout import VERSION
from eightysix.store.events.pieces import PIECE_ROWS
from eightysix.store.events.sealing import forget, order_of, planned, write_segment
from eightysix.store.events.segments import Segment, check_bytes, fault_of
from eightysix.store.events.trouble import literal, short_of_memory, told
from eightysix.store.events.view import converted

__all__ = ["DAY_BYTES", "GRACE_S", "Compacted", "compact", "remove_doomed"]

DAY_BYTES = 64 << 20
"""A day whose segments are not larger than this together becomes one, or as few as have a million rows each at most."""

GRACE_S = 120
"""Twice as long as a query may take."""

FILES_AT_ONCE = 256
"""Segments that are joined at once."""

_DAY_US = 86_400_000_000


class Compacted(Struct):
    """What was joined: `before` segments became `after`; `left` stayed as they were: they could
    not be read, or there was not the memory."""

    before: int = 0
    after: int = 0
    rows: int = 0
    left: int = 0


def compact(hot: Hot, now_ns: int) -> Compacted:
    """Join what can be joined. `now_ns` tells which days are over."""
    done = Compacted()
    remove_doomed(hot)
    for path, group in _groups(hot, now_ns):
        try:
            made = _join(hot, path, group)
        except StateError as error:
            if short_of_memory(error):
                done.left += len(group)  # they are as they were, and right
                continue
            if _find_faults(hot, group) == 0:
                raise
            hot.on_problem(Problem(path, 0, "unreadable", error.what))
            done.left += len(group)
            continue
        done.before += len(group)
        done.after += 1
        done.rows += made.rows
    return done


def _groups(hot: Hot, now_ns: int) -> list[tuple[str, list[Segment]]]:
    """Segments that are to become one, with the folder of the result."""
    hours: dict[str, list[Segment]] = {}
    days: dict[str, list[Segment]] = {}
    for one in hot.manifest.segments:
        if fault_of(hot.layout, one):
            continue
        hour = one.path.rpartition("/")[0]
        day = hour.partition("/hour=")[0]
        hours.setdefault(hour, []).append(one)
        days.setdefault(day, []).append(one)
    found = []
    today = now_ns // 1000 // _DAY_US
    for day, group in sorted(days.items()):
        over = max(one.last_us for one in group) // _DAY_US + 1 < today
        if over and sum(one.bytes for one in group) <= DAY_BYTES:
            if len(group) > 1:
                found.append((day, group))
            continue
        found += [(hour, each) for hour, each in sorted(hours.items()) if len(each) > 1 and each[0] in group]
    return [(path, some) for path, group in found for some in _bounded(group)]


def _bounded(group: Sequence[Segment]) -> Iterator[list[Segment]]:
    """Those that lie beside each other in time and are no more than a piece together: more would not fit into memory."""
    some: list[Segment] = []
    for one in sorted(group, key=lambda one: (one.first_us, one.path)):
        if len(some) == FILES_AT_ONCE or sum(each.rows for each in some) + one.rows > PIECE_ROWS:
            if len(some) > 1:
                yield some
            some = []
        some.append(one)
    if len(some) > 1:
        yield some


def _join(hot: Hot, folder: str, group: Sequence[Segment]) -> Segment:
    table = group[0].table
    with told(f"the segments in {folder}"):
        (path,) = planned(hot, [folder])
        with hot.reading() as cursor:
            files = ", ".join(literal(str(hot.layout.folder / one.path)) for one in group)
            rows = f"SELECT * FROM read_parquet([{files}], hive_partitioning = false, union_by_name = true)"
            has = cursor.execute(f"DESCRIBE {rows}").fetchall()
            columns, chosen = _columns(hot, table, [(str(name), str(kind)) for name, kind, *_ in has])
            ordered = f"SELECT {chosen} FROM ({rows}) ORDER BY {order_of(hot, table, columns)}"
            made = write_segment(cursor, hot.layout, table, ordered, path, columns)
        if made.rows != sum(one.rows for one in group):
            raise StateError(f"the segments in {folder} have {made.rows} rows and not what was written down")
        with hot.transaction() as connection:
            add_segments(connection, [made], {fingerprint(columns): columns})
            now_us = time.time_ns() // 1000
            for one in group:
                (gone,) = connection.execute(
                    "DELETE FROM hot.own.segment WHERE path = ?", [one.path]
                ).fetchone() or (0,)
                if not gone:
                    raise StateError(f"{one.path} was deleted while it was joined", "compact again")
                connection.execute("INSERT INTO hot.own.doomed VALUES (?, ?)", [one.path, now_us])
            forget(connection, [path])
            hot.changed()
    return made


def _columns(hot: Hot, table: str, has: list[tuple[str, str]]) -> tuple[Columns, str]:
    """Columns of the result: as the table has them now, and those that it had once as they are."""
    now: dict[str, str] = {}
    if table in hot.tables:
        now = {column.name: DUCKDB_TYPES[column.type] for column in hot.shape(table).columns}
    columns = tuple((name, now.get(name, kind)) for name, kind in has)
    chosen = [
        quoted(name) if now.get(name, kind) == kind else f"{converted(name, now[name])} AS {quoted(name)}"
        for name, kind in has
    ]
    return columns, ", ".join(chosen)


def _find_faults(hot: Hot, group: Sequence[Segment]) -> int:
    """Mark the segments whose bytes have changed; how many they are."""
    found = [(one, fault) for one in group if (fault := check_bytes(hot.layout, one))]
    mark(hot, found)
    return len(found)


def mark(hot: Hot, faults: Sequence[tuple[Segment, str]]) -> None:
    """Leave segments out of views from now on, and say why."""
    if faults:
        with hot.transaction() as connection:
            for one, fault in faults:
                connection.execute("DELETE FROM hot.own.segment WHERE path = ?", [one.path])
                add_segments(connection, [replace(one, fault=fault)], {})
            hot.changed()


def remove_doomed(hot: Hot, *, at_once: bool = False) -> int:
    """Delete the files that are no segment any more and that nobody can be reading; how many."""
    limit = time.time_ns() // 1000 - (0 if at_once else GRACE_S * 1_000_000)
    with hot.lock, told(f"the store {hot.layout.folder}"):
        with hot.reading() as cursor:
            old = cursor.execute("SELECT path FROM hot.own.doomed WHERE at_us <= ?", [limit]).fetchall()
            kept = {one.path for one in manifest_of(cursor, VERSION).segments}
        if not old:
            return 0
        for (path,) in old:
            if path not in kept and (found := hot.layout.inside(path)):
                found.unlink()
                for folder in list(found.parents)[:2]:
                    with suppress(OSError):  # it has other files
                        folder.rmdir()
        with hot.transaction() as connection:
            connection.execute("DELETE FROM hot.own.doomed WHERE at_us <= ?", [limit])
    return len(old)
