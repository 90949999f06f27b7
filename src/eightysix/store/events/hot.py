"""The owner of a store: takes rows, and is the one process that writes.

`append` returns when the rows are on the disk (DuckDB's write-ahead log is synced by the commit). A row's id is made of what
the row says, so a batch that is appended again after a crash adds only what the crash took.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from eightysix.model.errors import StateError, UsageError
from eightysix.model.incident import Problem
from eightysix.model.table import Row, Table
from eightysix.store.columns import DUCKDB_TYPES, quoted
from eightysix.store.events.books import Columns, adopt, hot_columns, manifest_of, prepare, sweep
from eightysix.store.events.layout import VERSION, Layout, is_plain
from eightysix.store.events.ownership import Ownership
from eightysix.store.events.packing import MAX_LINE, Batch, Packed
from eightysix.store.events.segments import Manifest, fault_of, read_manifest, write_manifest
from eightysix.store.events.shapes import ROW_ID, TIME, Shape, Taken
from eightysix.store.events.trouble import library, literal, told
from eightysix.store.events.view import MEMORY, converted, make_views, seal_connection, whole_segments
from eightysix.store.tables import load

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["Hot"]

WAIT_S = 10.0
"""How long a new owner waits for readers of the hot file to be done."""


class Hot:
    """An open store. Every method may raise `StateError`; those that append, seal and delete may be called by one thread
    at a time or by several. Close it, or use it in `with`."""

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        create: bool = False,
        name: str = "eightysix",
        tables: Mapping[str, Table] | None = None,
        memory: str = MEMORY,
        on_problem: Callable[[Problem], None] = lambda problem: None,
        wait_s: float = 0.0,
    ) -> None:
        """Own the store in `folder`. Raises `StoreOwnedError` where another process does (after `wait_s`)."""
        self.layout = Layout(folder)
        if create:
            self.layout.make()
        self.settings = self.layout.read_settings()
        self.tables = load() if tables is None else tables
        self.lock = threading.RLock()
        self.on_problem = on_problem
        self.total = Taken()
        self._memory = memory
        self._numbers = 0
        self._shapes: dict[str, Shape] = {}
        self._columns: dict[str, Columns] = {}
        self._stale = self._broken = False
        self.manifest = self._written = Manifest(version=0, shapes={}, segments=())
        self.layout.make()
        self._umask = os.umask(0o077)  # DuckDB makes its files itself
        try:
            self._ownership = Ownership(self.layout, name, wait_s)
            try:
                self._connection = self._opened()
            except BaseException:
                self._ownership.release()
                raise
        except BaseException:
            os.umask(self._umask)
            raise

    def __enter__(self) -> Hot:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Let another process own it; what was acknowledged is on the disk."""
        with self.lock:
            with suppress(library().Error):
                self._connection.execute("CHECKPOINT hot")
            self._connection.close()
            del (
                self._connection
            )  # one that is alive when Python ends makes DuckDB's binding complain of leaks
            self._ownership.release()
            os.umask(self._umask)

    # --- appending -------------------------------------------------------------------------------------------------

    def append(self, table: str, rows: Iterable[Row]) -> int:
        """Keep rows of a table; gives how many were offered, when all that can be kept are on the disk.

        Rows that are there already are not kept twice; what cannot be kept is counted in `total`. Raises `UsageError`
        for a table that nobody described, `StoreUnavailableError` where writing fails: then offer the same rows again.
        """
        batch = self.batch(table)
        acknowledged = 0
        for row in rows:
            batch.add(row)
            if batch.full:
                acknowledged += self.commit(batch)
                batch = self.batch(table)
        return acknowledged + self.commit(batch)

    def batch(self, table: str) -> Batch:
        """An empty batch, to be filled by any one thread and given to `commit`."""
        return Batch(self.shape(table))

    def shape(self, table: str) -> Shape:
        """How a table is stored."""
        shape = self._shapes.get(table)
        if shape is None:
            if table not in self.tables:
                raise UsageError(f"no table is called {table!r}", "eightysix hunt tables lists them")
            shape = self._shapes[table] = Shape(self.tables[table], bytes.fromhex(self.settings.key))
        return shape

    def commit(self, *batches: Batch) -> int:
        """Keep batches, all of them whole or none: one write to the disk."""
        paths = []
        try:
            packed = []
            with told(f"the store {self.layout.folder}"):
                for batch in batches:
                    if not batch.rows:
                        continue
                    self._numbers += 1
                    paths.append(self.layout.work / f"rows-{self._numbers}.ndjson")
                    packed.append(batch.write(paths[-1]))
            self._keep(packed)
        finally:
            for path in paths:
                path.unlink(missing_ok=True)
        for batch in batches:
            if not batch.rows:
                self._count(batch.taken, 0, 0)
        return sum(batch.offered for batch in batches)

    def commit_packed(self, packed: Packed) -> int:
        """Keep a batch that is in a file of the folder `work`, whole or not at all. The file is the caller's to remove."""
        self._keep([packed])
        return packed.offered

    def _keep(self, packed: Sequence[Packed]) -> None:
        if not packed:
            return
        with self.lock, told(f"the store {self.layout.folder}"):
            with self.transaction() as connection:
                new = [self._insert(connection, one) for one in packed]
            for one, kept in zip(packed, new, strict=True):
                self._count(one.taken, kept, one.rows - kept)

    def _count(self, taken: Taken, kept: int, again: int) -> None:
        total = self.total
        total.kept += kept
        total.again += taken.again + again
        total.refused += taken.refused
        total.misfits += taken.misfits

    def _insert(self, connection: DuckDBPyConnection, packed: Packed) -> int:
        shape = self.shape(packed.table)
        path = self.layout.work / packed.name
        read = (
            f"read_json({literal(str(path))}, format = 'newline_delimited',"
            f" maximum_object_size = {MAX_LINE}, columns = {shape.json_columns(packed.names)})"
        )
        self._have_table(shape)
        known = " UNION ALL ".join(self._known(shape.name, packed.first_ns // 1000, packed.last_ns // 1000))
        (new,) = connection.execute(
            f"INSERT INTO hot.{quoted(shape.name)} BY NAME SELECT * FROM"
            f" ({shape.unpacked(read, packed.names)}) ANTI JOIN ({known}) USING ({quoted(ROW_ID)})"
        ).fetchone() or (0,)
        return int(new)

    def _known(self, table: str, first_us: int, last_us: int) -> list[str]:
        """Where ids of rows between two times are."""
        ids = f"SELECT {quoted(ROW_ID)} FROM"
        where = f"WHERE {quoted(TIME)} BETWEEN make_timestamp({first_us:d}) AND make_timestamp({last_us:d})"
        known = [f"{ids} hot.{quoted(table)} {where}"]
        paths = [
            literal(str(self.layout.folder / one.path))
            for one in self.manifest.segments
            if one.table == table and one.first_us <= last_us and one.last_us >= first_us
            and not fault_of(self.layout, one)
        ]  # fmt: skip
        if paths:
            known.append(f"{ids} read_parquet([{', '.join(paths)}], hive_partitioning = false) {where}")
        return known

    def _have_table(self, shape: Shape) -> None:
        """Make the table, or add the columns that it did not have when it was made."""
        table = f"hot.{quoted(shape.name)}"
        before = self._columns.get(shape.name)
        if before is None:
            self._connection.execute(f"CREATE TABLE {table} ({shape.definition})")
        else:
            has = dict(before)
            wanted = [(column.name, DUCKDB_TYPES[column.type]) for column in shape.columns]
            for name, kind in wanted:
                if name not in has:
                    self._connection.execute(f"ALTER TABLE {table} ADD COLUMN {quoted(name)} {kind}")
                elif has[name] != kind:
                    self._connection.execute(
                        f"ALTER TABLE {table} ALTER {quoted(name)} SET DATA TYPE {kind}"
                        f" USING {converted(name, kind)}"
                    )
            if all(has.get(name) == kind for name, kind in wanted):
                return
        self._columns = hot_columns(self._connection)
        self._stale = True

    # --- the connection --------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[DuckDBPyConnection]:
        """One write, whole or not at all, with the lock held; the views are right when it is over."""
        with self.lock:
            if self._broken:
                self._reopen()
            if self._stale:
                self.refresh()
            connection = self._connection
            connection.execute("BEGIN")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException as error:
                with suppress(library().Error):
                    connection.execute("ROLLBACK")
                # After such an error DuckDB refuses everything until the file is opened anew.
                self._broken = isinstance(error, library().FatalException | library().InternalException)
                self._columns = {} if self._broken else hot_columns(connection)
                raise
            if self._stale:
                self.refresh()

    @contextmanager
    def reading(self) -> Iterator[DuckDBPyConnection]:
        """A cursor for questions, which sees all rows as they are now, and can write nothing."""
        with self.lock:
            if self._broken:
                self._reopen()
            cursor = self._connection.cursor()
            try:
                cursor.execute("BEGIN TRANSACTION READ ONLY")
                # Both databases are looked at before the lock goes: from then on neither views nor rows change for it.
                cursor.execute("SELECT count(*) FROM duckdb_views(), hot.own.number").fetchall()
            except BaseException:
                cursor.close()
                raise
        try:
            yield cursor
        finally:
            with suppress(library().Error):
                cursor.execute("ROLLBACK")
            cursor.close()

    def refresh(self) -> None:
        """Make the views and the manifest what the hot file says. The lock is held."""
        connection, layout = self._connection, self.layout
        manifest = manifest_of(connection, VERSION)
        # What we know and the views come first: where the list for others cannot be written, nothing is taken twice, who
        # asks us misses nothing, and it is written next time.
        self.manifest = manifest
        segments = whole_segments(layout, manifest, self.on_problem)
        make_views(connection, layout, self.tables.values(), manifest, segments, self._columns)
        if manifest != self._written or not layout.manifest.exists():
            write_manifest(layout, manifest)
        self._written = manifest
        self._stale = False

    def changed(self) -> None:
        """Have views and manifest made anew when the running transaction is over. The lock is held."""
        self._stale = True

    def _reopen(self) -> None:
        self._connection.close()
        self._connection = self._opened()

    def _opened(self) -> DuckDBPyConnection:
        layout = self.layout
        duckdb = library()
        fresh = not os.path.lexists(layout.hot)
        if not fresh and not is_plain(layout.hot):
            raise StateError(f"{layout.hot} is a link and no file", "a store follows no links")
        connection: DuckDBPyConnection = duckdb.connect(":memory:")
        try:
            with told(f"the hot file {layout.hot}"):
                self._attach(connection)
                seal_connection(connection, layout, str(layout.folder), self._memory)
                prepare(connection)
                if fresh:
                    adopt(connection, read_manifest(layout))
                sweep(connection, layout)
                self._connection, self._broken = connection, False
                self._columns = hot_columns(connection)
                self._written = Manifest(version=0, shapes={}, segments=())
                self.refresh()
        except BaseException:
            connection.close()
            raise
        return connection

    def _attach(self, connection: DuckDBPyConnection) -> None:
        """Open the hot file; whoever reads it now has it for a moment."""
        until = time.monotonic() + WAIT_S
        while True:
            try:
                connection.execute(f"ATTACH {literal(str(self.layout.hot))} AS hot")
                return
            except library().IOException as error:
                if "Could not set lock" not in str(error) or time.monotonic() > until:
                    raise
                time.sleep(0.05)
