"""Sources of which every record that says anything is an event: their rows are the events' rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eightysix.model.event import Event
from eightysix.model.words import Kind
from eightysix.sources.falco import FalcoDecoder
from eightysix.sources.interface import Batch, Decoder
from eightysix.sources.tables.events import POD_INVENTORY, pod_row
from eightysix.sources.tables.interface import Made, Seen
from eightysix.sources.tetragon import Tree

__all__ = ["EventTables", "FalcoTables"]


class EventTables:
    """Decodes blocks by a decoder of detection, and makes a row of each event."""

    def __init__(self, made: Made, decoder: Decoder) -> None:
        self.source = decoder.source
        self._made = made
        self._decoder = decoder

    def recognises(self, record: Mapping[str, object]) -> bool:
        """As detection's decoder."""
        return self._decoder.recognises(record)

    def decode(self, block: bytes, file: str, first_line: int, newlines: Sequence[int] = ()) -> Batch:
        """See `Decoder.decode`. The events are in the rows."""
        batch = self._decoder.decode(block, file, first_line, newlines)
        self._made.events += batch.events
        batch.events = []
        return batch


class _EveryStart(FalcoDecoder):
    """Detection tells few starts of programs; a hunter asks about all."""

    def _is_worth_telling(self, event: Event) -> bool:
        return True


class FalcoTables:
    """Decodes blocks of Falco's alerts into rows."""

    def __init__(self, made: Made) -> None:
        self._made = made
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
            self._made.events.append(event)
            if event.kind is Kind.EXEC:
                self._made.starts.append((event, _parent(event)))
            key = (event.pod_uid or event.pod, event.container_id, event.node)
            if event.pod and self._pods.is_new(key):
                pod = pod_row(event)
                if pod is not None:
                    self._made.rows.append((POD_INVENTORY, pod))
        batch.events = []
        self._trees.clear()  # nobody asks for lineage here
        self._decoder.grown.clear()
        self._decoder.changed.clear()
        return batch


def _parent(event: Event) -> str:
    """Who started it: Falco's key of a process ends with its pid and its start (`falco_events.process_key`)."""
    parent = event.parent_exec_id.rsplit(":", 2)
    return parent[1] if len(parent) == 3 and parent[1].isdigit() else ""
