"""What files hold as rows of tables, for the store: rows that name their table, files named after one, and telemetry.

Files are told apart by their first line: `{"table": NAME, "row": {...}}`; a row in a file that is called like a table
(`AKSAudit.jsonl`); anything else is telemetry, for the reader that is given.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import BinaryIO

import msgspec

from eightysix.model.incident import Problem
from eightysix.model.table import Row
from eightysix.sources.decompress import Limits
from eightysix.sources.lines import Block
from eightysix.sources.reading import read_inputs

__all__ = ["ReadBlock", "rows_of"]

ReadBlock = Callable[[Block], Sequence[tuple[str, Row]]]
"""Rows of a block of telemetry."""

_decode = msgspec.json.Decoder().decode
_LINE: Mapping[str, type] = {"table": str, "row": dict}


def rows_of(
    paths: Sequence[str],
    stdin: BinaryIO | None,
    tables: Container[str],
    telemetry: ReadBlock,
    on_problem: Callable[[Problem], None],
) -> Iterator[tuple[str, Row]]:
    """The rows of `paths` (files, folders, `-`), each with the name of its table. Raises `NothingToReadError`."""
    file, table = "", None
    for block in read_inputs(paths, stdin, Limits(), on_problem):
        if block.file != file:
            file, table = block.file, _table_of(block, tables)
        if table is None:
            yield from telemetry(block)
        else:
            yield from _rows(block, table, on_problem)


def _table_of(block: Block, tables: Container[str]) -> str | None:
    """The table whose rows a file holds, "" where each row names its own, None for telemetry."""
    try:
        first = _decode(block.data.partition(b"\n")[0])
    except (ValueError, RecursionError):
        return None
    if not isinstance(first, dict):
        return None
    if _names_its_table(first):
        return ""
    stem = os.path.basename(block.file).partition(".")[0]
    return stem if stem in tables and first.keys() & {"TimeGenerated", "Timestamp"} else None


def _names_its_table(found: dict[str, object]) -> bool:
    return found.keys() == _LINE.keys() and all(isinstance(found[name], kind) for name, kind in _LINE.items())


def _rows(block: Block, table: str, on_problem: Callable[[Problem], None]) -> Iterator[tuple[str, Row]]:
    for number, line in enumerate(block.data.split(b"\n"), block.first_line):
        if not line.strip():
            continue
        try:
            found = _decode(line)
        except (ValueError, RecursionError):
            on_problem(Problem(block.file, number, "malformed", "no JSON"))
            continue
        if isinstance(found, dict) and _names_its_table(found):
            yield found["table"], found["row"]
        elif isinstance(found, dict) and table:
            yield table, found
        else:
            on_problem(Problem(block.file, number, "malformed", "neither a row nor a table and a row"))
