"""Results as people and programs read them.

For people: an aligned table where it fits, one block a row where it does not (as psql's `\\x auto`); every value is made
inert first. For programs: JSON (`eightysix/hunt/v1`), JSON Lines, CSV that no spreadsheet executes, and Parquet.
"""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Iterator, Sequence

import msgspec

from eightysix.hunt.extra import duckdb_module
from eightysix.hunt.interface import Result
from eightysix.model.table import ScalarType
from eightysix.report.inert import columns, inert, wrap
from eightysix.store.columns import DUCKDB_TYPES, quoted

__all__ = ["FORMATS", "SCHEMA", "rendered", "table_lines"]

SCHEMA = "eightysix/hunt/v1"

FORMATS = ("table", "json", "jsonl", "csv", "parquet")

_CELL = 40
"""Columns of a cell of the table: a longer one sends the row to a block of its own lines."""

_VALUE = 2_000
"""Columns of a value in a block."""

_FORMULA = frozenset("=+-@\t\r\n")
"""First characters by which spreadsheets take a text for a formula (owasp.org/www-community/attacks/CSV_Injection)."""

_NUMBERS = (ScalarType.LONG, ScalarType.INT, ScalarType.REAL)

_encode = msgspec.json.encode


def rendered(result: Result, form: str, width: int = 80) -> bytes:
    """`result` in one of `FORMATS`, to be written as it is."""
    if form == "json":
        return _json(result)
    if form == "jsonl":
        return b"".join(_encode(one) + b"\n" for one in _objects(result))
    if form == "csv":
        return _csv(result)
    if form == "parquet":
        return _parquet(result)
    return "".join(f"{line}\n" for line in table_lines(result, width)).encode("utf-8", "backslashreplace")


def _json(result: Result) -> bytes:
    document = {
        "schema": SCHEMA,
        "columns": [{"name": one.name, "type": str(one.type)} for one in result.columns],
        "rows": list(_objects(result)),
        "truncated": result.truncated,
    }
    return msgspec.json.format(_encode(document), indent=2) + b"\n"


def _objects(result: Result) -> Iterator[dict[str, object]]:
    names = [one.name for one in result.columns]
    for row in result.rows:
        yield dict(zip(names, row, strict=True))


def _csv(result: Result) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")  # RFC 4180
    writer.writerow([_cell(one.name, number=False) for one in result.columns])
    numbers = [one.type in _NUMBERS for one in result.columns]
    for row in result.rows:
        writer.writerow([_cell(_plain(value), number) for value, number in zip(row, numbers, strict=True)])
    return text.getvalue().replace("\0", "").encode("utf-8", "backslashreplace")


def _cell(text: str, number: bool) -> str:
    return f"'{text}" if not number and text[:1] in _FORMULA and text else text


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else _encode(value).decode()


def _parquet(result: Result) -> bytes:
    """By a DuckDB of its own, because that of the query may not write."""
    with tempfile.TemporaryDirectory(prefix="eightysix-hunt-") as folder:
        rows, file = os.path.join(folder, "rows.jsonl"), os.path.join(folder, "out.parquet")
        with open(rows, "wb") as out:
            out.writelines(
                _encode({str(place): value for place, value in enumerate(row)}) + b"\n" for row in result.rows
            )
        read = ", ".join(f"'{place}': '{_stored(one.type)}'" for place, one in enumerate(result.columns))
        chosen = ", ".join(f'"{place}" AS {quoted(one.name)}' for place, one in enumerate(result.columns))
        own = duckdb_module().connect(":memory:")
        try:
            own.execute("SET TimeZone = 'UTC'")
            own.execute(
                f"COPY (SELECT {chosen} FROM read_json(?, format = 'newline_delimited', columns = {{{read}}}))"  # noqa: S608
                f" TO '{file.replace(chr(39), chr(39) * 2)}' (FORMAT parquet)",
                [rows],
            )
        finally:
            own.close()
        with open(file, "rb") as made:
            return made.read()


def _stored(kind: ScalarType) -> str:
    return "VARCHAR" if kind is ScalarType.TIMESPAN else DUCKDB_TYPES[kind]


def table_lines(result: Result, width: int) -> Iterator[str]:
    """The rows for people, in lines of at most `width` columns."""
    if not result.rows:
        return
    names = [inert(one.name, _CELL) for one in result.columns]
    texts = [[_plain(value) for value in row] for row in result.rows]
    cells = [[inert(text, _CELL + 1) for text in row] for row in texts]
    widths = [max(columns(name), *(columns(row[place]) for row in cells)) for place, name in enumerate(names)]
    if max(widths) <= _CELL and sum(widths) + 2 * (len(widths) - 1) <= width:
        right = [one.type in _NUMBERS for one in result.columns]
        yield _line(names, widths, right)
        yield "  ".join("-" * size for size in widths)
        for row in cells:
            yield _line(row, widths, right)
        return
    yield from _blocks(names, texts, width)


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = []
    for text, size, number in zip(cells, widths, right, strict=True):
        blank = " " * (size - columns(text))
        padded.append(blank + text if number else text + blank)
    return "  ".join(padded).rstrip(" ")


def _blocks(names: Sequence[str], texts: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    """One block a row; a column that says nothing in a row is left out of its block."""
    margin = min(max(map(columns, names)), _CELL)
    for number, row in enumerate(texts, 1):
        head = f"-- row {number} "
        yield head + "-" * (width - len(head))
        for name, text in zip(names, row, strict=True):
            if not text:
                continue
            first = name + " " * (margin - columns(name)) + "  "
            for line in wrap(inert(text, _VALUE), max(width - margin - 2, 20)):
                yield first + line
                first = " " * (margin + 2)
