"""Sources of which every record that says anything is an event: their rows are the events' rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eightysix.model.event import Event
from eightysix.model.words import Kind
from eightysix.sources.falco import FalcoDecoder
from eightysix.sources.interface import Batch, Decoder
from eightysix.sources.tables.events import (
    EVENTS,
    POD_INVENTORY,
    PROCESSES,
    event_row,
    pod_row,
    process_row,
)
from eightysix.sources.tables.interface import Rows, Seen
from eightysix.sources.tetragon import Tree

__all__ = ["EventTables", "FalcoTables"]


class EventTables:
    """Decodes blocks by a decoder of detection, and makes a row of each event."""

    def __init__(self, rows: Rows, decoder: Decoder) -> None:
        self.source = decoder.source
        self._rows = rows
        self._decoder = decoder

    def recognises(self, record: Mapping[str, object]) -> bool:
        """As detection's decoder."""
        return self._decoder.recognises(record)

    def decode(self, block: bytes, file: str, first_line: int, newlines: Sequence[int] = ()) -> Batch:
        """See `Decoder.decode`. The events are in the rows."""
        batch = self._decoder.decode(block, file, first_line, newlines)
        self._rows += [(EVENTS, event_row(event)) for event in batch.events]
        batch.events = []
        return batch


class _EveryStart(FalcoDecoder):
    """Detection tells few starts of programs; a hunter asks about all."""

    def _is_worth_telling(self, event: Event) -> bool:
        return True


class FalcoTables:
    """Decodes blocks of Falco's alerts into `rows`."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._trees: dict[str, Tree] = {}
        self._decoder = _EveryStart(self._trees)
        self._pods = Seen()
        self.source = self._decoder.source

    def recognises(self, record: Mapping[str, object]) -> bool:
        """See `FalcoDecoder.recognises`."""
        return self._decoder.recognises(record)

    def decode(self, block: bytes, file: str, first_line: int, newlines: Sequence[int] = ()) -> Batch:
        """See `Decoder.decode`. The events are in the rows."""
        batch = self._decoder.decode(block, file, first_line, newlines)
        for event in batch.events:
            self._rows.append((EVENTS, event_row(event)))
            if event.kind is Kind.EXEC:
                self._rows.append((PROCESSES, _with_parent(event)))
            key = (event.pod_uid or event.pod, event.container_id, event.node)
            if event.pod and self._pods.is_new(key):
                pod = pod_row(event)
                if pod is not None:
                    self._rows.append((POD_INVENTORY, pod))
        batch.events = []
        self._trees.clear()  # nobody asks for lineage here
        self._decoder.grown.clear()
        self._decoder.changed.clear()
        return batch


def _with_parent(event: Event) -> Mapping[str, object]:
    """The row of a start; Falco's key of a process ends with its pid and its start (`falco_events.process_key`)."""
    row = process_row(event)
    parent = event.parent_exec_id.rsplit(":", 2)
    if len(parent) == 3 and parent[1].isdigit():
        return {**row, "ParentProcessId": parent[1], "InitiatingProcessId": parent[1]}
    return row
