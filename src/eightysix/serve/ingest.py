"""Rows into a store, as fast as two threads go: one makes lines of rows, the other commits and seals."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from msgspec import Struct, field

from eightysix.model.table import Columns, Row
from eightysix.store.events.hot import Hot
from eightysix.store.events.packing import Batch
from eightysix.store.events.sealing import Sealed, seal

__all__ = ["SEAL_ROWS", "Ingested", "ingest"]

SEAL_ROWS = 2_000_000
"""New rows after which hours that are over are sealed: the hot file stays small, and DuckDB within its memory."""

MAX_OPEN_BYTES = 128 << 20
"""Lines of all tables together that wait for their batch to be full."""


class Ingested(Struct):
    """What became of rows. `strangers` counts those of tables that nobody described."""

    rows: int = 0
    sealed: Sealed = field(default_factory=Sealed)
    strangers: dict[str, int] = {}


def ingest(
    hot: Hot,
    rows: Iterable[Columns | tuple[str, Row]],
    *,
    on_committed: Callable[[int], None] = lambda rows: None,
    seal_rows: int = SEAL_ROWS,
) -> Ingested:
    """Append rows, each with the name of its table or many by columns, and seal the hours that are over; `on_committed`
    hears of every batch that is on the disk. Raises what `Hot.append` raises; what was told is kept."""
    done = Ingested()
    batches: dict[str, Batch] = {}
    waiting = 0
    sealed_at = 0
    writer = ThreadPoolExecutor(1, "store-writer")
    running: Future[int] | None = None

    def write(batch: Batch) -> int:
        nonlocal sealed_at
        count = hot.commit(batch)
        on_committed(count)
        if hot.total.kept - sealed_at >= seal_rows:
            sealed_at = hot.total.kept
            _add(done.sealed, seal(hot, time.time_ns()))
        return count

    def give(batch: Batch) -> None:
        nonlocal running
        if running is not None:
            done.rows += running.result()
        running = writer.submit(write, batch)

    try:
        for each in rows:
            table = each[0] if isinstance(each, tuple) else each.table
            batch = batches.get(table)
            if batch is None:
                if table not in hot.tables:
                    done.strangers[table] = done.strangers.get(table, 0) + 1
                    continue
                batch = batches[table] = hot.batch(table)
            before = batch.bytes
            if isinstance(each, tuple):
                batch.add(each[1])
            else:
                batch.add_columns(each)
            waiting += batch.bytes - before
            if batch.full or waiting >= MAX_OPEN_BYTES:
                largest = max(batches.values(), key=lambda one: one.bytes) if not batch.full else batch
                waiting -= largest.bytes
                del batches[largest.shape.name]
                give(largest)
        for batch in batches.values():
            give(batch)
        if running is not None:
            done.rows += running.result()
    finally:
        writer.shutdown(wait=True, cancel_futures=True)
    _add(done.sealed, seal(hot, time.time_ns()))
    return done


def _add(total: Sealed, more: Sealed) -> None:
    total.segments += more.segments
    total.rows += more.rows
    total.bytes += more.bytes
