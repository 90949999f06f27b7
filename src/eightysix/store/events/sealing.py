"""Hours that are over leave the hot file: each becomes one Parquet file a table, sorted by namespace, pod and time; an hour with
more than a million rows becomes several, each a part of its time.

The rows leave the hot table and the segment is entered in one transaction, after the file is whole and on the disk under its
name. Killed before, the rows are still hot and the file is removed at the next start; killed after, they are sealed.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from eightysix.model.errors import StateError
from eightysix.store.columns import quoted
from eightysix.store.events.books import Columns, add_segments, fingerprint, hot_columns, take_number
from eightysix.store.events.hot import Hot
from eightysix.store.events.layout import Layout, sync_folder
from eightysix.store.events.pieces import HOUR_US, PIECE_ROWS, PIECES_AT_ONCE, Piece, gathered, pieces
from eightysix.store.events.segments import Segment, digest_of, foot_of
from eightysix.store.events.shapes import ROW_ID, TIME
from eightysix.store.events.trouble import library, literal, short_of_memory, told

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["LATE_S", "Sealed", "forget", "hot_tables", "order_of", "planned", "seal", "write_segment"]

LATE_S = 900
"""How long after its end an hour is sealed; what comes later makes a segment of its own, which `compact` joins to it."""


class Sealed(Struct):
    """What was sealed."""

    segments: int = 0
    rows: int = 0
    bytes: int = 0


def seal(
    hot: Hot, now_ns: int, *, everything: bool = False, hours: int = 1 << 30, rows: int = PIECE_ROWS
) -> Sealed:
    """Seal the hours that ended `LATE_S` before `now_ns`, or all that there are; the first `hours` of each table. No more
    than some `rows` are sorted at once, and fewer where those need more memory than the store may take."""
    done = Sealed()
    before_us = (now_ns // 1000 - LATE_S * 1_000_000) // HOUR_US * HOUR_US
    for table in sorted(hot_tables(hot)):
        where = "" if everything else f"WHERE {quoted(TIME)} < make_timestamp({before_us:d})"
        with hot.reading() as cursor, told(f"the store {hot.layout.folder}"):
            found = cursor.execute(
                f"SELECT epoch_us({quoted(TIME)}) // {HOUR_US} FROM hot.{quoted(table)} {where}"
                " GROUP BY 1 ORDER BY 1"
            ).fetchall()
        for one in _in_pieces(hot, table, [int(hour) for (hour,) in found][:hours], rows):
            done.segments += 1
            done.rows += one.rows
            done.bytes += one.bytes
    return done


def _in_pieces(hot: Hot, table: str, hours: Sequence[int], limit: int) -> Iterator[Segment]:
    """Seal hours, no more than some `limit` rows at once, or half of what there was no memory for."""
    left = deque(hours)
    while left:
        # A few hours at a time: what is sealed is gone, so they may be counted again, for a smaller limit.
        some = [left.popleft() for _ in range(min(len(left), PIECES_AT_ONCE))]
        with hot.reading() as cursor, told(f"the store {hot.layout.folder}"):
            found = [one for hour in some for one in pieces(cursor, f"hot.{quoted(table)}", hour, limit)]
        for group in gathered(found, limit):
            try:
                made = _seal(hot, table, group)
            except StateError as error:
                limit = sum(one.rows for one in group) // 2
                if not limit or not short_of_memory(error):
                    raise
                left.extendleft(reversed([hour for hour in some if hour >= group[0].hour]))
                break
            yield from made


def hot_tables(hot: Hot) -> list[str]:
    """Names of the tables in the hot file."""
    with hot.reading() as cursor:
        return list(hot_columns(cursor))


def _seal(hot: Hot, table: str, group: Sequence[Piece]) -> list[Segment]:
    """Seal some pieces. Others append meanwhile: what is written is what a snapshot has, and only those rows leave."""
    name = f"hot.{quoted(table)}"
    with told(f"the store {hot.layout.folder}"):
        paths = planned(hot, [_folder(table, piece.hour) for piece in group])
        try:
            with hot.reading() as cursor:
                columns = hot_columns(cursor)[table]
                order = order_of(hot, table, columns)
                made = []
                for piece, path in zip(group, paths, strict=True):
                    rows = f"SELECT * FROM {name} {piece.where} ORDER BY {order}"
                    made.append(write_segment(cursor, hot.layout, table, rows, path, columns))
            with hot.transaction() as connection:
                for piece, one in zip(group, made, strict=True):
                    _leave(connection, hot.layout, name, piece, one)
                add_segments(connection, made, {fingerprint(columns): columns})
                forget(connection, paths)
                hot.changed()
        except library().OutOfMemoryException:
            _unmake(hot, paths)
            raise
    return made


def _leave(connection: DuckDBPyConnection, layout: Layout, name: str, piece: Piece, one: Segment) -> None:
    """Delete the hot rows that are in a segment."""
    written = f"read_parquet({literal(str(layout.folder / one.path))}, hive_partitioning = false)"
    (gone,) = connection.execute(
        f"DELETE FROM {name} {piece.where} AND {quoted(ROW_ID)} IN (SELECT {quoted(ROW_ID)} FROM {written})"
    ).fetchone() or (0,)
    if gone != one.rows:
        raise StateError(f"{one.rows - gone} rows of {one.table} left while they were sealed", "seal again")


def _unmake(hot: Hot, paths: Sequence[str]) -> None:
    """Make room: these became no segments. What a crash leaves of them is removed at the next start."""
    known = {one.path for one in hot.manifest.segments}
    for path in paths:
        if path not in known:
            (hot.layout.work / Path(path).name).unlink(missing_ok=True)
            if found := hot.layout.inside(path):
                found.unlink()


def forget(connection: DuckDBPyConnection, paths: Sequence[str]) -> None:
    """The files at these paths are segments now."""
    for path in paths:
        connection.execute("DELETE FROM hot.own.pending WHERE path = ?", [path])


def planned(hot: Hot, folders: Sequence[str]) -> list[str]:
    """Paths for new segments, written down before anything is at them: what is there after a crash is ours to remove."""
    with hot.transaction() as connection:
        paths = [f"{folder}/{take_number(connection)}.parquet" for folder in folders]
        for path in paths:
            connection.execute("INSERT INTO hot.own.pending VALUES (?)", [path])
    return paths


def _folder(table: str, hour: int) -> str:
    days, at = divmod(hour, 24)
    day = (date(1970, 1, 1) + timedelta(days=days)).isoformat()
    return f"segments/{table}/day={day}/hour={at:02}"


def order_of(hot: Hot, table: str, columns: Columns) -> str:
    """What rows of a table are sorted by."""
    has = {name for name, _ in columns}
    place = hot.shape(table).place if table in hot.tables else (TIME,)
    return ", ".join(quoted(name) for name in place if name in has)


def write_segment(
    connection: DuckDBPyConnection, layout: Layout, table: str, rows: str, path: str, columns: Columns
) -> Segment:
    """Write the result of `rows` as a segment at a relative path, on the disk when it returns."""
    target = layout.folder / path
    work = layout.work / f"{target.stem}.parquet"
    work.unlink(missing_ok=True)
    connection.execute(f"COPY ({rows}) TO {literal(str(work))} (FORMAT parquet, COMPRESSION zstd)")
    count, first, last = connection.execute(
        f"SELECT count(*), epoch_us(min({quoted(TIME)})), epoch_us(max({quoted(TIME)}))"
        f" FROM read_parquet({literal(str(work))}, hive_partitioning = false)"
    ).fetchone() or (0, 0, 0)
    _sync(work)
    segment = Segment(
        table=table, path=path, rows=count, bytes=work.stat().st_size, digest=digest_of(work),
        first_us=first or 0, last_us=last or 0, shape=fingerprint(columns), foot=foot_of(work),
    )  # fmt: skip
    _make_folders(layout, target.parent)
    work.replace(target)
    sync_folder(target.parent)
    return segment


def _make_folders(layout: Layout, folder: Path) -> None:
    """Folders down to `folder`, none of them a link."""
    way = layout.folder
    for part in folder.relative_to(layout.folder).parts:
        above, way = way, way / part
        try:
            way.mkdir(mode=0o700)
        except FileExistsError:
            if way.is_symlink() or not way.is_dir():
                raise NotADirectoryError(20, f"{way} is no folder of the store") from None
        else:
            sync_folder(above)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
