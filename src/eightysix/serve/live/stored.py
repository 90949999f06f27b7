"""What `watch` reads and tells, kept for hunting: rows of what is read, and a row for each revision of an incident.

Rows are on the disk before the watch commits how far it read: killed in between, it reads the same again, and rows that are
there already are not kept twice. A store that cannot be written stops no detection: rows wait for it, and what finds no room
is counted and told.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from eightysix.model.errors import StateError
from eightysix.model.event import Event
from eightysix.model.incident import SCHEMA, Evidence, Incident
from eightysix.model.stored import as_json
from eightysix.model.table import Columns, Row
from eightysix.model.words import Source
from eightysix.serve.evidence import RAW, Kept, Shelf, raw_rows
from eightysix.serve.live.service import Following
from eightysix.sources.lines import Block
from eightysix.sources.raw import Redactor
from eightysix.sources.tables import ENOUGH, Tabulator
from eightysix.store.events.compacting import compact
from eightysix.store.events.hot import Hot
from eightysix.store.events.packing import BATCH_BYTES, Batch
from eightysix.store.events.retention import trim
from eightysix.store.events.sealing import seal
from eightysix.store.live import SourceRow

__all__ = ["MAX_WAITING_BYTES", "KeptInputs", "Storing"]

MAX_WAITING_BYTES = 256 << 20
"""Lines that wait for a store that cannot be written; of more, the oldest are given up."""

TIDY_S = 60.0
"""Seconds between two looks at whether an hour is over."""

COMPACT_S = 3600.0

_OWN = frozenset({"EightySixEvents_CL", "EightySixFindings_CL", "EightySixIncidents_CL", RAW})
"""Tables that say what we found: nobody may write rows of them over HTTP. Events come by columns, from records that say so."""


class Storing:
    """Makes rows and keeps them. `received` and `sensors` are folders with what others sent: pods, maybe."""

    def __init__(
        self, hot: Hot, warn: Callable[[str], None], received: Sequence[str] = (), sensors: Sequence[str] = ()
    ) -> None:
        self._hot = hot
        self._warn = warn
        self._received = tuple(f"{folder}/" for folder in received)
        self._sensors = tuple(f"{folder}/" for folder in sensors)
        self._any = Tabulator(hot.tables)
        self._told = Tabulator(hot.tables)
        self._of_sensors = Tabulator(hot.tables, forced=Source.SENSOR)
        self._open: dict[str, Batch] = {}
        self._waiting: deque[Batch] = deque()
        self._trouble = ""
        self._said: deque[str] = deque(maxlen=100)
        self._ended = threading.Event()
        self._tidying = threading.Thread(target=self._tidy, name="store-tidy", daemon=True)
        self._shelf, self._kept = Shelf(), Kept()
        self._redactor = Redactor(bytes.fromhex(hot.settings.key))
        self.missing = 0
        """Pieces of evidence whose raw records were no longer at hand when their incident was told."""
        self.lost = 0
        """Rows that found no room."""

    def start(self) -> None:
        """Seal, join and delete beside the watch from now on."""
        self._tidying.start()

    def take(self, block: Block, events: Sequence[Event] = (), lines: Sequence[int] = ()) -> None:
        """Keep what is read. `events` are what detection made of it, and `lines` those of first connections."""
        self._shelf.note(block, events, lines)
        if block.file.startswith(self._received):
            self._add(self._any.packed())
            self._any.feed(block)
            made = self._any.packed()
            self._add(each for each in made if not isinstance(each, tuple) or each[0] not in _OWN)
            return
        reader = self._of_sensors if block.file.startswith(self._sensors) else self._any
        if reader.feed(block) >= ENOUGH:
            self._add(reader.packed())

    def tell(self, incidents: Sequence[Incident]) -> None:
        """Keep a row of each, and the raw records that they rest on."""
        if incidents:
            for each in raw_rows(incidents, self._shelf, self._redactor, self._kept):
                if isinstance(each, Evidence):
                    self.missing += 1
                else:
                    self._add([each])
            document = as_json({"schema": SCHEMA, "incidents": incidents})
            self._told.feed(Block("watch", 1, document + b"\n"))
            self._add(self._told.packed())
            self.flush()

    def flush(self) -> None:
        """Have all that was taken on the disk, if the store can be written."""
        for reader in (self._any, self._of_sensors):
            self._add(reader.packed())
        self._commit()

    def _commit(self) -> None:
        self._waiting.extend(self._open.values())
        self._open.clear()
        while self._waiting:
            batches = self._first()
            try:
                self._hot.commit(*batches)
            except StateError as error:
                self._note_trouble(f"{error.what}; {error.advice}")
                break
            for _ in batches:
                self._waiting.popleft()
            self._note_trouble("")
        while sum(batch.bytes for batch in self._waiting) > MAX_WAITING_BYTES:
            self.lost += self._waiting.popleft().rows

    def _first(self) -> list[Batch]:
        """What waits, as much as is committed at once."""
        found: list[Batch] = []
        for batch in self._waiting:
            if found and sum(one.bytes for one in found) + batch.bytes > BATCH_BYTES:
                break
            found.append(batch)
        return found

    def turn(self) -> None:
        """Tell what happened beside."""
        while self._said:
            self._warn(self._said.popleft())

    def close(self) -> None:
        """Keep what is left, and tell what is lost."""
        self._ended.set()
        if self._tidying.is_alive():
            self._tidying.join()
        self._add(self._any.packed(flush=True))
        self.flush()
        self.turn()
        left = sum(batch.rows for batch in self._waiting)
        if left or self.lost:
            self._warn(f"not kept in the store: {left + self.lost:,} rows")
        if self.missing:
            self._warn(
                f"no longer at hand for the store: {self.missing:,} raw records that incidents rest on"
            )

    def _add(self, rows: Iterable[Columns | tuple[str, Row]]) -> None:
        for each in rows:
            table = each[0] if isinstance(each, tuple) else each.table
            batch = self._open.get(table)
            if batch is None:
                batch = self._open[table] = self._hot.batch(table)
            if isinstance(each, tuple):
                batch.add(each[1])
            else:
                batch.add_columns(each)
            if batch.full:
                self._commit()

    def _note_trouble(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self._warn(trouble or "the store is written again")

    def _tidy(self) -> None:
        compacted = time.monotonic()
        while not self._ended.wait(TIDY_S):
            try:
                seal(self._hot, time.time_ns())
                if time.monotonic() - compacted >= COMPACT_S:
                    compacted = time.monotonic()
                    compact(self._hot, time.time_ns())
                for one in trim(self._hot, time.time_ns()):
                    self._said.append(f"deleted from the store: {one.rows:,} rows of {one.table}, {one.why}")
            except StateError as error:
                self._said.append(f"{error.what}; {error.advice}")


class KeptInputs:
    """Inputs of which is kept what was read, before anybody can write down that it was."""

    def __init__(self, inputs: Following, storing: Storing) -> None:
        self._inputs = inputs
        self._storing = storing

    @property
    def ended(self) -> bool:
        """See `Following`."""
        return self._inputs.ended

    def poll(self, budget_bytes: int) -> list[Block]:
        """See `Followed`."""
        return self._inputs.poll(budget_bytes)

    def sources(self) -> dict[str, SourceRow]:
        """See `Followed`: what this tells as read is on the disk."""
        self._storing.flush()
        return self._inputs.sources()

    def wait(self, timeout_s: float) -> None:
        """See `Following`."""
        self._inputs.wait(timeout_s)
