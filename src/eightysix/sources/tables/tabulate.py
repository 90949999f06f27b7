"""Raw telemetry in any format that detection reads, as rows of documented tables.

Recognition, reading and the account are detection's own (`sources.recognise`, `sources.reading`): a file that one reads,
the other reads, and what could not be used is told in the same words. Only what is made of a record differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO

from eightysix.model.incident import Counts, Problem
from eightysix.model.table import Columns, Row, Table
from eightysix.model.words import Source
from eightysix.sources.decompress import Limits
from eightysix.sources.gate import GateDecoder
from eightysix.sources.interface import Decoder
from eightysix.sources.lines import Block
from eightysix.sources.reading import read_inputs
from eightysix.sources.recognise import Recogniser, SourceAccount
from eightysix.sources.sensor import SensorDecoder
from eightysix.sources.tables.audit import AuditTables
from eightysix.sources.tables.cloud import CloudTables
from eightysix.sources.tables.dns import DnsTables
from eightysix.sources.tables.event_columns import event_columns, process_columns
from eightysix.sources.tables.events import EVENTS, PROCESSES, event_row, process_row
from eightysix.sources.tables.interface import Made
from eightysix.sources.tables.others import EventTables, FalcoTables
from eightysix.sources.tables.own import LedgerTables, ReportTables
from eightysix.sources.tables.shape import Shaper
from eightysix.sources.tables.tetragon import TetragonTables

__all__ = ["ENOUGH", "Tabulator", "tabulate", "tabulate_blocks"]

ENOUGH = 512
"""How much is made before columns are made of it: of fewer, each of 60 columns costs more than what is in it; of more, the
first are no longer near the processor (measured: 12.3 µs a row with 512, 13.7 with 50, 17.5 with 8,192)."""


class Tabulator:
    """Makes rows of blocks, and keeps the account.

    `tables` are those that rows are made for, by name: rows of another table are not made. `forced` names the one source
    that all input is of. `undated_ns` is the time of records that have none (findings of a scan); 0: their rows have
    none either. At the end of the input, `flush` gives the rows that waited for more of it.
    """

    def __init__(
        self, tables: Mapping[str, Table], *, forced: Source | None = None, undated_ns: int = 0
    ) -> None:
        self._made = Made()
        self._tables = tables
        self._shaper = Shaper(tables)
        self._ledger = LedgerTables(self._made, self._shaper)
        decoders: list[Decoder] = [
            TetragonTables(self._made),
            AuditTables(self._made, self._shaper),
            EventTables(self._made, SensorDecoder()),
            FalcoTables(self._made),
            DnsTables(self._made),
            CloudTables(self._made, self._shaper),
            self._ledger,
            EventTables(self._made, GateDecoder()),
            ReportTables(self._made, self._shaper, undated_ns),
        ]  # in detection's order
        self._recogniser = Recogniser(decoders, forced=forced)

    @property
    def counts(self) -> Counts:
        """Records, and what became of them, as detection counts them."""
        return self._recogniser.counts

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What could not be used, in the order of reading, bounded; see `Recogniser.problems`."""
        return self._recogniser.problems

    @property
    def sources(self) -> Mapping[Source, SourceAccount]:
        """What each source brought."""
        return self._recogniser.sources

    @property
    def misfits(self) -> Mapping[str, int]:
        """How many values did not fit their column, by `Table.Column`; they are null in their rows."""
        return self._shaper.misfits

    def shaped(self, table: str, values: Row) -> Row:
        """The row of `table` with what of `values` its columns hold, without what may be secret; empty where nobody
        described the table."""
        return self._shaper.row(table, values) if table in self._shaper else {}

    def note(self, problem: Problem) -> None:
        """Take a problem from the reader."""
        self._recogniser.note(problem)

    def read(self, block: Block) -> list[tuple[str, Row]]:
        """The rows of `block`. Blocks of one file must come one after the other."""
        self.feed(block)
        return self._taken()

    def flush(self) -> list[tuple[str, Row]]:
        """The rows that waited for more input: call it when there is no more."""
        self._ledger.flush()
        return self._taken()

    def feed(self, block: Block) -> int:
        """Make what `read` gives, and keep it: how much now waits for `packed`."""
        self._recogniser.read(block)
        return len(self._made)

    def packed(self, *, flush: bool = False) -> Iterator[Columns | tuple[str, Row]]:
        """What `feed` made, events by columns: the same rows as those of `read`. `flush` as the method."""
        if flush:
            self._ledger.flush()
        made, tables = self._made, self._tables
        events, starts, rows = made.events[:], made.starts[:], made.rows[:]
        made.clear()
        if events and EVENTS in tables:
            yield event_columns(events)
        if starts and PROCESSES in tables:
            yield process_columns(starts)
        yield from (row for row in rows if row[0] in tables)

    def _taken(self) -> list[tuple[str, Row]]:
        made, tables = self._made, self._tables
        rows = [(EVENTS, event_row(event)) for event in made.events] if EVENTS in tables else []
        if PROCESSES in tables:
            rows += [(PROCESSES, process_row(event, parent)) for event, parent in made.starts]
        rows += [row for row in made.rows if row[0] in tables]
        made.clear()
        return rows


def tabulate(
    paths: Sequence[str],
    tables: Mapping[str, Table],
    *,
    stdin: BinaryIO | None = None,
    limits: Limits | None = None,
    tabulator: Tabulator | None = None,
) -> Iterator[tuple[str, Row]]:
    """The rows of `paths` (files, folders, `-`), each with the name of its table. The account is in `tabulator`.

    Raises `NothingToReadError`, when the rest is done, if not one input could be opened.
    """
    reader = tabulator if tabulator is not None else Tabulator(tables)
    for block in read_inputs(paths, stdin, limits if limits is not None else Limits(), reader.note):
        yield from reader.read(block)
    yield from reader.flush()


def tabulate_blocks(
    blocks: Iterable[Block],
    tables: Mapping[str, Table],
    *,
    on_problem: Callable[[Problem], None] | None = None,
    tabulator: Tabulator | None = None,
) -> Iterator[tuple[str, Row]]:
    """The same of blocks that somebody else reads. Problems are told at the end, to `on_problem`."""
    reader = tabulator if tabulator is not None else Tabulator(tables)
    for block in blocks:
        yield from reader.read(block)
    yield from reader.flush()
    if on_problem is not None:
        for problem in reader.problems:
            on_problem(problem)
