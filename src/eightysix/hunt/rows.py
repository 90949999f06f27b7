"""What files hold as rows of tables.

Four things are told apart by what the first record is, never by what it claims elsewhere in the file:
`{"table": NAME, "row": {...}}` (the rows of the pack's tests); rows as exported from Log Analytics or Defender, which name
their table in `Type` or by the file (`AKSAudit.jsonl`), as JSON Lines or as CSV with a column of times (`hunt.csvrows`); and
telemetry, which the readers of detection turn into rows. Whichever it is, a row is read column by column as those readers do:
what may be secret is withheld.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import BinaryIO

import msgspec

from eightysix.hunt.csvrows import CsvRows, header_of
from eightysix.model.incident import Problem
from eightysix.model.table import Columns, Row
from eightysix.sources.decompress import Limits
from eightysix.sources.json_text import why
from eightysix.sources.lines import Block
from eightysix.sources.reading import read_inputs
from eightysix.sources.tables import ENOUGH, Tabulator
from eightysix.store import tables

__all__ = ["OnProblem", "packed_of", "rows_of"]

OnProblem = Callable[[Problem], None]
_decode = msgspec.json.Decoder().decode


def rows_of(
    paths: Sequence[str],
    stdin: BinaryIO | None,
    on_problem: OnProblem,
    *,
    tabulator: Tabulator | None = None,
    as_written: bool = False,
) -> Iterator[tuple[str, Row]]:
    """The rows of `paths` (files, folders, `-`), each with the name of its table.

    `as_written` repeats rows that are rows already as they are: for recordings that tests of queries bring, which show
    what a cloud's table holds."""
    for each in packed_of(paths, stdin, on_problem, tabulator=tabulator, as_written=as_written):
        if isinstance(each, tuple):
            yield each
        else:
            yield from ((each.table, row) for row in each.rows())


def packed_of(
    paths: Sequence[str],
    stdin: BinaryIO | None,
    on_problem: OnProblem,
    *,
    tabulator: Tabulator | None = None,
    as_written: bool = False,
    taken: Callable[[Block], bool] = lambda block: False,
) -> Iterator[Columns | tuple[str, Row]]:
    """The same, many by columns where a reader makes them so. A row of a table that nobody described is empty.

    `tabulator` keeps the account of what did not fit; its problems are told at the end, to `on_problem`. `taken` is asked
    of every block of telemetry whether somebody else reads it."""
    reader = tabulator if tabulator is not None else Tabulator(tables.load())
    file, table = "", None
    sheet: CsvRows | None = None
    for block in read_inputs(paths, stdin, Limits(), on_problem):
        if block.file != file or block.first_line == 1:
            if sheet:
                sheet.end(file)
            file, table = block.file, _table_of(block)
            header = header_of(block.data.partition(b"\n")[0]) if table is None else ()
            sheet = CsvRows(header, _stem(block), tables.load(), on_problem) if header else None
        if sheet is None and table is None:
            if not taken(block) and reader.feed(block) >= ENOUGH:
                yield from reader.packed()
            continue
        for name, row in sheet.read(block) if sheet else _rows(block, table or "", on_problem):
            yield name, row if as_written else reader.shaped(name, row)
    if sheet:
        sheet.end(file)
    yield from reader.packed(flush=True)
    for problem in reader.problems:
        on_problem(problem)


def _table_of(block: Block) -> str | None:
    """The table whose rows a file holds, "" where each row names its own, None for telemetry."""
    try:
        first = _decode(block.data.partition(b"\n")[0])
    except (ValueError, RecursionError):
        return None
    if not isinstance(first, dict):
        return None
    if first.keys() == {"table", "row"}:
        return ""
    known = tables.load()
    if isinstance(first.get("Type"), str) and first["Type"] in known:
        return ""
    stem = _stem(block)
    return stem if stem and first.keys() & {"TimeGenerated", "Timestamp"} else None


def _stem(block: Block) -> str:
    """The table that a file is called after; empty where it is called otherwise."""
    stem = os.path.basename(block.file).partition(".")[0]
    return stem if stem in tables.load() else ""


def _rows(block: Block, table: str, on_problem: OnProblem) -> Iterator[tuple[str, Row]]:
    for number, line in enumerate(block.data.split(b"\n"), block.first_line):
        if not line.strip():
            continue
        try:
            found = _decode(line)
        except (ValueError, RecursionError) as error:
            on_problem(Problem(block.file, number, "malformed", why(error)))
            continue
        named = _named(found, table)
        if named is None:
            on_problem(Problem(block.file, number, "malformed", "neither a row nor a table and a row"))
        else:
            yield named


def _named(found: object, table: str) -> tuple[str, Row] | None:
    if not isinstance(found, dict):
        return None
    if table:
        return table, found
    if found.keys() == {"table", "row"}:
        name, row = found["table"], found["row"]
        return (name, row) if isinstance(name, str) and isinstance(row, Mapping) else None
    name = found.get("Type")
    return (name, found) if isinstance(name, str) else None
