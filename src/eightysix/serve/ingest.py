"""Rows into a store: some make batches of rows, one thread commits and seals."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager

from msgspec import Struct, field

from eightysix.model.table import Columns, Row
from eightysix.store.events.hot import Hot
from eightysix.store.events.packing import Batch, Packed
from eightysix.store.events.sealing import Sealed, seal

__all__ = ["MAX_OPEN_BYTES", "SEAL_ROWS", "Filling", "Ingested", "Writer", "fill_from", "ingest"]

SEAL_ROWS = 2_000_000
"""New rows after which hours that are over are sealed: the hot file stays small, and DuckDB within its memory."""

MAX_OPEN_BYTES = 128 << 20
"""Rows of all tables together that wait for their batch to be full."""


class Ingested(Struct):
    """What became of rows. `strangers` counts those of tables that nobody described."""

    rows: int = 0
    sealed: Sealed = field(default_factory=Sealed)
    strangers: dict[str, int] = field(default_factory=dict)


class Filling:
    """Sorts rows into batches by their table. `batch_of` makes an empty one, None for a table that nobody described."""

    def __init__(self, batch_of: Callable[[str], Batch | None], most: int = MAX_OPEN_BYTES) -> None:
        self.strangers: dict[str, int] = {}
        self._batch_of = batch_of
        self._most = most
        self._open: dict[str, Batch] = {}
        self._waiting = 0

    def add(self, each: Columns | tuple[str, Row]) -> Batch | None:
        """Take a row with the name of its table, or many by columns; gives a batch that is to be committed."""
        table, count = (each[0], 1) if isinstance(each, tuple) else (each.table, each.count)
        batch = self._open.get(table)
        if batch is None:
            batch = self._batch_of(table)
            if batch is None:
                self.strangers[table] = self.strangers.get(table, 0) + count
                return None
            self._open[table] = batch
        before = batch.bytes
        if isinstance(each, tuple):
            batch.add(each[1])
        else:
            batch.add_columns(each)
        self._waiting += batch.bytes - before
        if not batch.full and self._waiting < self._most:
            return None
        largest = batch if batch.full else max(self._open.values(), key=lambda one: one.bytes)
        self._waiting -= largest.bytes
        del self._open[largest.shape.name]
        return largest

    def rest(self) -> Iterator[Batch]:
        """What was not full."""
        yield from self._open.values()
        self._open.clear()
        self._waiting = 0


class Writer(AbstractContextManager["Writer"]):
    """Commits batches one after the other beside those who make them, and seals after every `seal_rows`.

    `on_committed` hears of every batch that is on the disk. A failure is raised by the next `give`, or at the end."""

    def __init__(
        self, hot: Hot, on_committed: Callable[[int], None] = lambda rows: None, seal_rows: int = SEAL_ROWS
    ) -> None:
        self.done = Ingested()
        self._hot = hot
        self._on_committed = on_committed
        self._seal_rows = seal_rows
        self._sealed_at = 0
        self._pool = ThreadPoolExecutor(1, "store-writer")
        self._running: Future[None] | None = None

    def __exit__(self, *_: object) -> None:
        """Let what is being written be written."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def give(self, batch: Batch | Packed) -> None:
        """Have a batch committed, when the one before is."""
        self.wait()
        self._running = self._pool.submit(self._write, batch)

    @property
    def idle(self) -> bool:
        """Whether a batch would be committed at once."""
        return self._running is None or self._running.done()

    def wait(self) -> None:
        """Return when all that was given is on the disk."""
        if self._running is not None:
            running, self._running = self._running, None
            running.result()

    def finish(self) -> Ingested:
        """Wait, and seal the hours that are over."""
        self.wait()
        self._seal()
        return self.done

    def _write(self, batch: Batch | Packed) -> None:
        hot = self._hot
        if isinstance(batch, Batch):
            count = hot.commit(batch)
        else:
            try:
                count = hot.commit_packed(batch)
            finally:
                (hot.layout.work / batch.name).unlink(missing_ok=True)
        self.done.rows += count
        self._on_committed(count)
        if hot.total.kept - self._sealed_at >= self._seal_rows:
            self._sealed_at = hot.total.kept
            self._seal()

    def _seal(self) -> None:
        more, total = seal(self._hot, time.time_ns()), self.done.sealed
        total.segments += more.segments
        total.rows += more.rows
        total.bytes += more.bytes


def ingest(
    hot: Hot,
    rows: Iterable[Columns | tuple[str, Row]],
    *,
    on_committed: Callable[[int], None] = lambda rows: None,
    seal_rows: int = SEAL_ROWS,
) -> Ingested:
    """Append rows, each with the name of its table or many by columns, and seal the hours that are over. Raises what
    `Hot.append` raises; what was told is kept."""
    with Writer(hot, on_committed, seal_rows) as writer:
        fill_from(hot, rows, writer)
        return writer.finish()


def fill_from(
    hot: Hot, rows: Iterable[Columns | tuple[str, Row]], writer: Writer, open_bytes: int = MAX_OPEN_BYTES
) -> None:
    """Have all `rows` committed; `open_bytes` of them wait for their batch to be full."""
    filling = Filling(lambda table: hot.batch(table) if table in hot.tables else None, open_bytes)
    for each in rows:
        full = filling.add(each)
        if full is not None:
            writer.give(full)
    for batch in filling.rest():
        writer.give(batch)
    strangers = writer.done.strangers
    for name, count in filling.strangers.items():
        strangers[name] = strangers.get(name, 0) + count
