"""Telemetry on its way into a store, judged beside: its incidents, and the raw records that they rest on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eightysix.model.incident import SCHEMA, Evidence, Incident
from eightysix.model.stored import as_json
from eightysix.model.table import Columns, Row
from eightysix.serve.evidence import MAX_BYTES, Kept, Shelf, moved_lines, raw_rows
from eightysix.serve.replay import Replay
from eightysix.sources.lines import Block
from eightysix.sources.raw import Redactor, raw_lines
from eightysix.sources.tables import Tabulator

__all__ = ["Judging"]


class Judging:
    """Feeds blocks to a run of detection; at the end, `rows` has what it found."""

    def __init__(self, replay: Replay, redactor: Redactor, shelf: Shelf | None = None) -> None:
        self.incidents: Sequence[Incident] = ()
        self.missing = 0
        """Pieces of evidence whose raw records are not at hand any more."""
        self._replay = replay
        self._redactor = redactor
        self._shelf = shelf if shelf is not None else Shelf()
        self._moved: dict[str, set[str]] = {}
        replay.tetragon.moved_contacts = self._moved

    def begin(self) -> None:
        """Take what scans know, before anything is read."""
        for events in self._replay.scanned():
            self._replay.engine.feed(events)

    def take(self, block: Block) -> bool:
        """Read a block as detection does; False, as its rows are still to be made."""
        replay = self._replay
        events = replay.recogniser.read(block)
        self._shelf.note(block, events, moved_lines(block, self._moved, replay.engine.contacts))
        self._moved.clear()
        replay.engine.feed(events)
        replay.engine.trim()
        return False

    def rows(self, paths: Sequence[str], tabulator: Tabulator) -> Iterator[Columns | tuple[str, Row]]:
        """Judge what was read: a row for each incident and each raw record it rests on. What found no room in memory is
        looked for in `paths` again."""
        self._replay.tetragon.flush()
        self.incidents = [one for one in self._replay.report().incidents if not one.suppressed_by]
        document = as_json({"schema": SCHEMA, "incidents": self.incidents})
        tabulator.feed(Block("incidents", 1, document + b"\n"))
        yield from tabulator.packed()
        kept = Kept()
        left: list[Evidence] = []
        for each in raw_rows(self.incidents, self._shelf, self._redactor, kept):
            if isinstance(each, Evidence):
                left.append(each)
            else:
                yield each
        files = [path for path in paths if path != "-"]
        if left and files:
            again = Shelf(4 * MAX_BYTES)
            for evidence, text in raw_lines(files, left):
                again.put(evidence.file, evidence.line, text)
            for each in raw_rows(self.incidents, again, self._redactor, kept):
                if isinstance(each, Evidence):
                    self.missing += 1
                else:
                    yield each
        else:
            self.missing += len(left)
