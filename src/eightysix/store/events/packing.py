"""Rows of one table that are committed together, packed by columns: one line of JSON for some thousand rows.

DuckDB reads such lists in half the time that it needs for a line a row, and as fast as Arrow's columns (bench/store.py),
without a library of 170 MB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from eightysix.model.table import Columns, Row
from eightysix.store.events.shapes import LAST_NS, MAX_ROW, ROW_ID, TIME, Prepared, Shape, Taken

__all__ = ["BATCH_BYTES", "BATCH_ROWS", "MAX_LINE", "Batch", "Packed"]

BATCH_ROWS = 125_000
BATCH_BYTES = 128 << 20
"""What is committed at once: more than a row group of DuckDB (122,880 rows), which it then writes into the file at once
and not into its log first. A batch that was not acknowledged is done again."""

PACK_ROWS = 2_048
"""Rows of one line: as many as DuckDB works on at once."""

PACK_BYTES = 4 << 20
"""Bytes of rows, as JSON, after which a line is written."""

MAX_LINE = 2 * (PACK_BYTES + MAX_ROW)
"""No line is longer: to the rows come the nulls of what they leave out, 2 MB where a table has 190 columns."""

_encode = msgspec.json.Encoder().encode


class Packed(Struct, frozen=True, kw_only=True):
    """A batch in a file: what `Batch` says of itself, and the file's name in the store's folder of work."""

    table: str
    name: str
    rows: int
    bytes: int
    offered: int
    first_ns: int
    last_ns: int
    names: tuple[str, ...]
    taken: Taken


class Batch:
    """Rows of one table on their way, made beside those that are being committed."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.taken = Taken()
        self.bytes = 0
        self.rows = 0
        """Those that are to be committed."""
        self.offered = 0
        self.first_ns = LAST_NS
        self.last_ns = 0
        self.names: set[str] = set()
        """Columns that have a value in any row."""
        self._lines: list[bytes] = []
        self._ids: set[int] = set()
        self._open: list[Prepared] = []
        self._open_bytes = 0

    def add(self, row: Row) -> None:
        """Take one row."""
        self.offered += 1
        made = self.shape.take(row, self.taken)
        if made is None:
            return
        number, time_ns, _, size = made
        if number in self._ids:
            self.taken.again += 1
            return
        self._ids.add(number)
        self.rows += 1
        self.first_ns = min(self.first_ns, time_ns)
        self.last_ns = max(self.last_ns, time_ns)
        self._open.append(made)
        self._open_bytes += size
        self.bytes += size
        if len(self._open) >= PACK_ROWS or self._open_bytes >= PACK_BYTES:
            self._pack()

    def add_columns(self, columns: Columns) -> None:
        """Take some rows."""
        made = self.shape.take_columns(columns)
        numbers = set(made[0]) if made is not None else set()
        if made is None or len(numbers) < columns.count or not self._ids.isdisjoint(numbers):
            self._add_each(columns)
            return
        ids, values = made
        try:
            line = _encode({ROW_ID: ids, **values})
        except (UnicodeEncodeError, TypeError, RecursionError):
            line = b""
        if not 0 < len(line) <= MAX_ROW:
            self._add_each(columns)
            return
        times: Sequence[int] = values[TIME]  # type: ignore[assignment]
        self.offered += columns.count
        self.rows += columns.count
        self.first_ns = min(self.first_ns, *times)
        self.last_ns = max(self.last_ns, *times)
        self._ids |= numbers
        self.names.update(values)
        self._lines.append(line)
        self.bytes += len(line)

    @property
    def full(self) -> bool:
        """Whether it should be committed now."""
        return self.rows >= BATCH_ROWS or self.bytes >= BATCH_BYTES

    def write(self, path: Path) -> Packed:
        """Write all rows into a file, as `Shape.json_columns` of `names` says. May be done again."""
        self._pack()
        with path.open("wb") as file:
            file.writelines(line + b"\n" for line in self._lines)
        return Packed(
            table=self.shape.name, name=path.name, rows=self.rows, bytes=self.bytes, offered=self.offered,
            first_ns=self.first_ns, last_ns=self.last_ns, names=tuple(sorted(self.names)), taken=self.taken,
        )  # fmt: skip

    def _add_each(self, columns: Columns) -> None:
        for row in columns.rows():
            self.add(row)

    def _pack(self) -> None:
        if self._open:
            columns = self._turned()
            self.names.update(columns)
            self._lines.append(_encode({ROW_ID: [one[0] for one in self._open], **columns}))
            self._open = []
            self._open_bytes = 0

    def _turned(self) -> Mapping[str, Sequence[object]]:
        """The open rows as columns."""
        rows = [one[2] for one in self._open]
        names = set[str]().union(*rows)
        columns = {name: [row.get(name) for row in rows] for name in self.shape.names if name in names}
        return {name: told for name, told in columns.items() if told.count(None) < len(told)}
