"""Raw files as tables: an in-memory DuckDB with every known table, filled and then closed to the world.

Rows go in as newline-delimited JSON that DuckDB reads itself: some 85,000 rows of 53 columns a second, where Python's
`executemany` takes minutes. What does not fit in memory is spilled to a private folder that goes with the process.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, BinaryIO

import msgspec
from msgspec import Struct, field

from eightysix.hunt.engine import sealed
from eightysix.hunt.extra import duckdb_module
from eightysix.hunt.rows import rows_of
from eightysix.model.incident import Problem
from eightysix.model.table import Column, Row, ScalarType, Table
from eightysix.model.timestamps import to_ns
from eightysix.store import tables
from eightysix.store.columns import DUCKDB_TYPES, TIMES, create_table, local_columns, quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["MEMORY_MB", "Tally", "source_of", "source_of_rows"]

MEMORY_MB = 1024
"""What tables and queries may take together; the rest is spilled."""

SPILL_MB = 20 << 10
"""What may be spilled: ten times that of telemetry."""

_BATCH_BYTES = 32 << 20
"""JSON of one table that is written before DuckDB takes it."""

_MICRO = 1_000
_MIN_MICRO = -62_135_596_800_000_000  # 0001-01-01, the first moment of Kusto's datetime
_MAX_MICRO = 253_402_300_799_999_999  # 9999-12-31

_encode = msgspec.json.Encoder(enc_hook=str).encode


class Tally(Struct):
    """What was read: rows by table, and what was left out."""

    rows: dict[str, int] = field(default_factory=dict)
    strangers: dict[str, int] = field(default_factory=dict)
    """Rows of tables that nobody describes here."""
    problems: list[Problem] = field(default_factory=list)
    more_problems: int = 0
    oldest: int = 0
    newest: int = 0
    """The first and the last moment of any row, in nanoseconds since 1970; 0 where no row has one."""

    @property
    def now(self) -> int:
        """What a query over these rows counts from: just after the last, so that recordings can be hunted like today."""
        return self.newest + _MICRO

    def note(self, problem: Problem) -> None:
        """Remember a problem; the first thousand in full."""
        if len(self.problems) < 1_000:
            self.problems.append(problem)
        else:
            self.more_problems += 1


def source_of(
    paths: Sequence[str],
    *,
    stdin: BinaryIO | None = None,
    tally: Tally | None = None,
    memory_mb: int = MEMORY_MB,
    as_written: bool = False,
) -> DuckDBPyConnection:
    """A closed connection with every known table, filled from `paths`: files and folders of any format that detection
    reads, and of rows (see docs/hunt.md). What was read is told in `tally`; `as_written` as in `rows_of`. Close it when
    done."""
    told = tally if tally is not None else Tally()
    rows = rows_of(paths, stdin, told.note, as_written=as_written)
    return source_of_rows(rows, tally=told, memory_mb=memory_mb)


def source_of_rows(
    rows: Iterable[tuple[str, Row]], *, tally: Tally | None = None, memory_mb: int = MEMORY_MB
) -> DuckDBPyConnection:
    """The same from rows at hand, each with the name of its table."""
    told = tally if tally is not None else Tally()
    known = tables.load()
    duckdb = duckdb_module()
    folder = tempfile.mkdtemp(prefix="eightysix-hunt-")
    source: DuckDBPyConnection = duckdb.connect(":memory:")
    weakref.finalize(source, shutil.rmtree, folder, ignore_errors=True)  # also when the process ends
    try:
        source.execute(f"SET memory_limit = '{memory_mb:d}MB'")
        source.execute(f"SET max_temp_directory_size = '{SPILL_MB:d}MB'")
        source.execute("SET temp_directory = ?", [os.path.join(folder, "spill")])
        source.execute("SET TimeZone = 'UTC'")
        for table in known.values():
            source.execute(create_table(table))
        _fill(source, folder, rows, known, told)
        source.execute("SET threads = 1")  # lists and ties come out in one order
        sealed(source)
    except BaseException:
        source.close()
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return source


def _fill(
    source: DuckDBPyConnection,
    folder: str,
    rows: Iterable[tuple[str, Row]],
    known: Mapping[str, Table],
    tally: Tally,
) -> None:
    loaders: dict[str, _Loader] = {}
    for name, row in rows:
        loader = loaders.get(name)
        if loader is None:
            table = known.get(name)
            if table is None:
                if name in tally.strangers or len(tally.strangers) < 100:
                    tally.strangers[name] = tally.strangers.get(name, 0) + 1
                continue
            loader = loaders[name] = _Loader(source, table, os.path.join(folder, "rows.jsonl"))
        moment = loader.take(row)
        if moment:
            tally.newest = max(tally.newest, moment)
            tally.oldest = min(tally.oldest or moment, moment)
    for name, loader in loaders.items():
        loader.flush()
        tally.rows[name] = loader.rows


class _Loader:
    """Rows of one table on their way in."""

    def __init__(self, source: DuckDBPyConnection, table: Table, path: str) -> None:
        self.rows = 0
        self._source = source
        self._table = table
        self._path = path
        self._columns = {one.name: one for one in local_columns(table)}
        self._named = {one.casefold(): one for one in self._columns}
        self._held: list[bytes] = []
        self._bytes = 0

    def take(self, row: Row) -> int:
        """Take a row; returns its time in nanoseconds, 0 where it has none."""
        clean: dict[str, object] = {}
        columns = self._columns
        for name, value in row.items():
            column = columns.get(name) or columns.get(self._named.get(name.casefold(), ""))
            if column is not None and value is not None:
                clean[column.name] = _fitted(value, column.type)
        moment = next((clean[name] for name in TIMES.values() if clean.get(name) is not None), None)
        for name in TIMES.values():
            if name in columns:
                clean.setdefault(name, moment)
        line = _encode(clean)
        self._held.append(line)
        self._bytes += len(line) + 1
        self.rows += 1
        if self._bytes > _BATCH_BYTES:
            self.flush()
        return moment * _MICRO if isinstance(moment, int) else 0

    def flush(self) -> None:
        """Hand what is held to DuckDB."""
        if not self._held:
            return
        with open(self._path, "wb") as file:
            file.write(b"\n".join(self._held))
        self._held, self._bytes = [], 0
        columns = self._columns.values()
        kinds = ", ".join(f"{quoted(one.name)}: '{_read_as(one)}'" for one in columns)
        values = ", ".join(_value(one) for one in columns)
        self._source.execute(
            f"INSERT INTO {quoted(self._table.name)} SELECT {values}"  # noqa: S608 - names of our own tables
            f" FROM read_json(?, format = 'newline_delimited', columns = {{{kinds}}}, maximum_object_size = 67108864)",
            [self._path],
        )
        os.unlink(self._path)


def _read_as(column: Column) -> str:
    moments = column.type in (ScalarType.DATETIME, ScalarType.TIMESPAN)
    return "BIGINT" if moments else DUCKDB_TYPES[column.type]


def _value(column: Column) -> str:
    name = quoted(column.name)
    if column.type is ScalarType.DATETIME:
        return f"make_timestamp({name})"
    return f"to_microseconds({name})" if column.type is ScalarType.TIMESPAN else name


def _fitted(value: object, kind: ScalarType) -> object:
    """`value` as a column of this type takes it; None where it cannot be one."""
    if kind is ScalarType.DYNAMIC:
        return value
    if kind is ScalarType.DATETIME:
        return _micro(value)
    if kind in (ScalarType.STRING, ScalarType.GUID):
        if isinstance(value, str):
            return value
        return _encode(value).decode() if isinstance(value, dict | list | bool) else str(value)
    if kind is ScalarType.BOOL:
        return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value).lower())
    return _number(value, kind)


def _number(value: object, kind: ScalarType) -> object:
    if isinstance(value, bool):
        value = int(value)
    try:
        if kind is ScalarType.REAL:
            return float(value)  # type: ignore[arg-type]
        whole = int(value)  # type: ignore[call-overload]
    except (ValueError, TypeError, OverflowError):
        return None
    bits = 31 if kind is ScalarType.INT else 63
    return whole if -(1 << bits) <= whole < 1 << bits else None


def _micro(value: object) -> int | None:
    """A moment in microseconds since 1970: of nanoseconds, or of text as RFC 3339 writes it."""
    if isinstance(value, str):
        try:
            value = to_ns(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    micro = value // _MICRO
    return micro if _MIN_MICRO <= micro <= _MAX_MICRO else None
