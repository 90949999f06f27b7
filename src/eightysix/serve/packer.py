"""A process that makes batches of rows for the owner of a store: `python -m eightysix.serve.packer`.

It is told on standard input, first how (`Told`), then block after block (a line of JSON, and so many bytes), and at last
that there is no more. It writes batches into the store's folder of work, and a line on standard output for each (`Packed`),
and at the end one with the account (`Account`). It never opens the store itself: the owner commits, or removes.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from eightysix.model.incident import Problem
from eightysix.serve.ingest import Filling
from eightysix.sources.lines import Block
from eightysix.sources.tables import ENOUGH, Tabulator
from eightysix.store.events.packing import Batch
from eightysix.store.events.shapes import Shape
from eightysix.store.tables import load

__all__ = ["Account", "Head", "Told", "main"]


class Told(Struct):
    """How batches are made: `key` is the store's, in hex."""

    key: str
    work: str
    name: str
    """What files of this process begin with."""
    open_bytes: int
    """Bytes of rows that wait here for their batch to be full."""


class Head(Struct):
    """What goes before a block; `size` is its bytes. One without a file is the end."""

    file: str
    first_line: int
    size: int


class Account(Struct):
    """What did not become rows."""

    problems: tuple[Problem, ...]
    strangers: dict[str, int]
    misfits: int


def main() -> int:
    """Serve one owner until it has no more, or is gone."""
    given, said = sys.stdin.buffer, sys.stdout.buffer
    how = given.readline()
    if not how.endswith(b"\n"):
        return 1
    told = msgspec.json.decode(how, type=Told)
    os.umask(0o077)
    tables = load()
    shapes = {name: Shape(table, bytes.fromhex(told.key)) for name, table in tables.items()}
    filling = Filling(lambda table: Batch(shapes[table]) if table in shapes else None, told.open_bytes)
    reader = Tabulator(tables)
    number = 0

    def give(batch: Batch) -> None:
        nonlocal number
        number += 1
        packed = batch.write(Path(told.work) / f"{told.name}-{number}.ndjson")
        said.write(msgspec.json.encode(packed) + b"\n")
        said.flush()

    while True:
        block = _next(given)
        if block is None:
            return 1  # the owner is gone, and who comes next removes what it left
        if not block.file:
            break
        if reader.feed(block) < ENOUGH:
            continue
        for each in reader.packed():
            full = filling.add(each)
            if full is not None:
                give(full)
    for each in reader.packed(flush=True):
        full = filling.add(each)
        if full is not None:
            give(full)
    for batch in filling.rest():
        give(batch)
    account = Account(reader.problems, filling.strangers, sum(reader.misfits.values()))
    said.write(msgspec.json.encode(account) + b"\n")
    said.flush()
    return 0


def _next(given: BinaryIO) -> Block | None:
    line = given.readline()
    if not line.endswith(b"\n"):
        return None
    head = msgspec.json.decode(line, type=Head)
    data = given.read(head.size)
    return Block(head.file, head.first_line, data) if len(data) == head.size else None


if __name__ == "__main__":
    sys.exit(main())
