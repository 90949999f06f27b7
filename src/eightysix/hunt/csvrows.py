"""Rows of a table in CSV, as portals export them: RFC 4180, the first record names the columns.

A value is read by the type of its column: an empty cell is null, `dynamic` is JSON where the text is JSON and else the text.
Log Analytics heads a column of times `TimeGenerated [UTC]`, and writes them as the browser's language does: RFC 3339 is read,
and `11/24/2026, 9:00:00.123 AM`, as American English writes it. Of a column in another zone nobody here knows the zone: the
file is told and left out.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping

import msgspec

from eightysix.model.incident import Problem
from eightysix.model.table import Column, Row, ScalarType, Table
from eightysix.sources.lines import Block
from eightysix.store.columns import TIMES, local_columns

__all__ = ["CsvRows", "header_of"]

MAX_RECORD = 1 << 20
"""Bytes of a record, which may go over lines: an audit row with both bodies has some 100 KB."""
MAX_COLUMNS = 1_000
_UTC = " [UTC]"
_BOM = b"\xef\xbb\xbf"
_LONGEST_TIME = 40
_WORDS = {"true": True, "1": True, "false": False, "0": False}

_decode_json = msgspec.json.Decoder().decode


def header_of(line: bytes) -> tuple[str, ...]:
    """The columns that a first line names; empty where it is no head of a table: two names at least, one of them a time."""
    try:
        text = line.removeprefix(_BOM).rstrip(b"\r\n").decode()
        (names,) = csv.reader([text], strict=True)
    except (ValueError, csv.Error):
        return ()
    plain = [name.removesuffix(_UTC).partition(" [")[0].strip() for name in names]
    if not 2 <= len(names) <= MAX_COLUMNS or not set(TIMES.values()) & set(plain):
        return ()
    return tuple(name.strip() for name in names)


class CsvRows:
    """One file being read, block by block: a record in quotes may go on in the next."""

    def __init__(
        self,
        header: tuple[str, ...],
        table: str,
        known: Mapping[str, Table],
        on_problem: Callable[[Problem], None],
    ) -> None:
        self._names = tuple(name.removesuffix(_UTC) for name in header)
        self._table = table
        self._known = known
        self._note = on_problem
        self._columns: dict[str, list[Column | None]] = {}
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._quotes = 0
        self._from = 0
        self._is_header = True
        zoned = [name for name in self._names if name.partition(" [")[0] in TIMES.values() and "[" in name]
        self._refused = (
            f"the times of {zoned[0]} are in a zone of their own: export them in UTC" if zoned else ""
        )

    def read(self, block: Block) -> Iterator[tuple[str, Row]]:
        """The rows that end in this block, each with the name of its table."""
        if self._refused:
            if self._is_header:
                self._note(Problem(block.file, block.first_line, "malformed", self._refused))
                self._is_header = False
            return
        for number, line in enumerate(block.data.removesuffix(b"\n").split(b"\n"), block.first_line):
            if self._is_header:
                self._is_header = False
                continue
            if not self._held and not line.strip():
                continue
            if not self._held:
                self._from = number
            self._held.append(line)
            self._held_bytes += len(line) + 1
            self._quotes += line.count(b'"')
            if self._held_bytes > MAX_RECORD:
                self._note(Problem(block.file, self._from, "oversized", f"longer than {MAX_RECORD} bytes"))
                self._forget()
            elif self._quotes % 2 == 0:
                record = b"\n".join(self._held)
                self._forget()
                yield from self._row(record, block.file)

    def end(self, file: str) -> None:
        """Tell of a record that the file ends in."""
        if self._held:
            self._note(Problem(file, self._from, "malformed", "the file ends within quotes"))
            self._forget()

    def _forget(self) -> None:
        self._held, self._held_bytes, self._quotes = [], 0, 0

    def _row(self, record: bytes, file: str) -> Iterator[tuple[str, Row]]:
        try:
            found = list(csv.reader([record.decode("utf-8", "replace")], strict=True))
        except csv.Error as error:
            self._note(Problem(file, self._from, "malformed", str(error)))
            return
        cells = found[0] if found else []
        if len(cells) != len(self._names):
            reason = f"{len(cells)} cells instead of {len(self._names)}"
            self._note(Problem(file, self._from, "malformed", reason))
            return
        table = self._table or (cells[self._names.index("Type")] if "Type" in self._names else "")
        if not table:
            reason = "no table: name the file after it, as AKSAudit.csv, or export the column Type"
            self._note(Problem(file, self._from, "malformed", reason))
            return
        row: dict[str, object] = {}
        for name, column, cell in zip(self._names, self._columns_of(table), cells, strict=True):
            if cell:
                value = _value(cell, column)
                if value is None:
                    self._note(Problem(file, self._from, "malformed", f"{name} is no {_kind(column)}"))
                row[name] = value
        yield table, row

    def _columns_of(self, table: str) -> list[Column | None]:
        found = self._columns.get(table)
        if found is None:
            if table not in self._known:
                return [None] * len(self._names)
            typed = {one.name.casefold(): one for one in local_columns(self._known[table])}
            found = self._columns[table] = [typed.get(name.casefold()) for name in self._names]
        return found


def _kind(column: Column | None) -> str:
    return column.type.value if column else "text"


def _value(cell: str, column: Column | None) -> object:
    """A cell as its column has it; None where it is none."""
    kind = column.type if column else ScalarType.STRING
    if kind is ScalarType.DYNAMIC:
        try:
            return _decode_json(cell)
        except (ValueError, RecursionError):
            return cell
    if kind is ScalarType.DATETIME:
        return _moment(cell)
    if kind is ScalarType.BOOL:
        return _WORDS.get(cell.strip().lower())
    if kind in (ScalarType.LONG, ScalarType.INT, ScalarType.REAL):
        try:
            return float(cell) if kind is ScalarType.REAL else int(cell)
        except ValueError:
            return None
    return cell


def _moment(cell: str) -> object:
    text = cell.strip()
    if text[4:5] == "-":
        return text
    return _american(text) if len(text) <= _LONGEST_TIME and text[-2:] in ("AM", "PM") else None


def _american(text: str) -> str | None:
    """`11/24/2026, 9:00:00.123 AM` as RFC 3339; None for what is no such moment."""
    date, comma, clock = text[:-2].partition(", ")
    time, _, fraction = clock.strip().partition(".")
    numbers = [*date.split("/"), *time.split(":")]
    if not comma or len(numbers) != 6 or not all(one.isascii() and one.isdigit() for one in numbers):
        return None
    month, day, year, hour, minute, second = map(int, numbers)
    if not 1 <= hour <= 12 or not (fraction or "0").isdigit():
        return None
    hour = hour % 12 + (12 if text.endswith("PM") else 0)
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction or '0'}Z"
