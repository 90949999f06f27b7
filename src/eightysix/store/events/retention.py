"""What goes when it is too old or there is too much: the oldest segments first, and every deletion is written down.

A table with a share of the budget gives way first once it has more than its share, so that one noisy table does not push the
history of the others out.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from eightysix.store.columns import quoted
from eightysix.store.events.compacting import remove_doomed
from eightysix.store.events.hot import Hot
from eightysix.store.events.sealing import hot_tables
from eightysix.store.events.segments import Segment, oldest_first
from eightysix.store.events.shapes import TIME
from eightysix.store.events.trouble import told

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["AGE", "BUDGET", "Deleted", "deletions", "trim"]

AGE = "older than the retention"
BUDGET = "the disk budget was used"


class Deleted(Struct, frozen=True):
    """What was deleted of one table at one time, for one reason. Times are microseconds since 1970."""

    at_us: int
    table: str
    rows: int
    bytes: int
    first_us: int
    last_us: int
    why: str


def trim(hot: Hot, now_ns: int) -> list[Deleted]:
    """Delete what the settings say; gives what was deleted."""
    settings = hot.settings
    old: list[Segment] = []
    kept = list(hot.manifest.segments)
    limit_us = 0
    if settings.retention_days:
        limit_us = now_ns // 1000 - int(settings.retention_days * 86_400_000_000)
        old = [one for one in kept if one.last_us < limit_us]
        kept = [one for one in kept if one.last_us >= limit_us]
    over = _over(kept, settings.budget_bytes, {**settings.shares})
    done = _delete(hot, old, AGE) + _delete(hot, over, BUDGET)
    if limit_us:
        done += _delete_hot(hot, limit_us)
    remove_doomed(hot, at_once=bool(over))
    return done


def _over(segments: Sequence[Segment], budget: int, shares: dict[str, float]) -> list[Segment]:
    """The segments that must go so that the others fit."""
    have: dict[str, int] = {}
    for one in segments:
        have[one.table] = have.get(one.table, 0) + one.bytes
    total = sum(have.values())
    gone = []
    left = oldest_first(segments)
    for greedy in (True, False):
        stay = []
        for one in left:
            allowed = shares.get(one.table, 1.0) * budget
            if total > budget and (not greedy or have[one.table] > allowed):
                gone.append(one)
                total -= one.bytes
                have[one.table] -= one.bytes
            else:
                stay.append(one)
        left = stay
    return gone


def _delete(hot: Hot, segments: Sequence[Segment], why: str) -> list[Deleted]:
    if not segments:
        return []
    now_us = time.time_ns() // 1000
    by_table: dict[str, list[Segment]] = {}
    for one in segments:
        by_table.setdefault(one.table, []).append(one)
    done = [
        Deleted(
            now_us, table, sum(one.rows for one in each), sum(one.bytes for one in each),
            min(one.first_us for one in each), max(one.last_us for one in each), why,
        )
        for table, each in sorted(by_table.items())
    ]  # fmt: skip
    with told(f"the store {hot.layout.folder}"), hot.transaction() as connection:
        for one in segments:
            connection.execute("DELETE FROM hot.own.segment WHERE path = ?", [one.path])
            connection.execute("INSERT INTO hot.own.doomed VALUES (?, ?)", [one.path, now_us])
        _write(connection, done)
        hot.changed()
    return done


def _delete_hot(hot: Hot, limit_us: int) -> list[Deleted]:
    """Rows that are too old already when they come, or that were never sealed."""
    done = []
    now_us = time.time_ns() // 1000
    with told(f"the store {hot.layout.folder}"):
        for table in sorted(hot_tables(hot)):
            with hot.transaction() as connection:
                where = f"WHERE {quoted(TIME)} < make_timestamp({limit_us:d})"
                rows, first, last = connection.execute(
                    f"SELECT count(*), epoch_us(min({quoted(TIME)})), epoch_us(max({quoted(TIME)}))"
                    f" FROM hot.{quoted(table)} {where}"
                ).fetchone() or (0, 0, 0)
                if rows:
                    connection.execute(f"DELETE FROM hot.{quoted(table)} {where}")
                    one = Deleted(now_us, table, rows, 0, first, last, AGE)
                    done.append(one)
                    _write(connection, [one])
    return done


def _write(connection: DuckDBPyConnection, done: Sequence[Deleted]) -> None:
    for one in done:
        connection.execute(
            "INSERT INTO hot.own.deleted VALUES (?, ?, ?, ?, ?, ?, ?)",
            [one.at_us, one.table, one.rows, one.bytes, one.first_us, one.last_us, one.why],
        )


def deletions(hot: Hot) -> list[Deleted]:
    """Everything that was ever deleted, summed by table and reason."""
    with hot.reading() as cursor:
        rows = cursor.execute(
            "SELECT max(at_us), tbl, sum(rows)::BIGINT, sum(bytes)::BIGINT, min(first_us), max(last_us), why"
            " FROM hot.own.deleted GROUP BY tbl, why ORDER BY tbl, why"
        ).fetchall()
    return [Deleted(*row) for row in rows]
