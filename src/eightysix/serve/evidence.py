"""Raw records that events were made of, at hand for a while: when an incident is told, those it rests on are kept.

They wait in memory as they were read, and leave it without secrets alone (`sources.raw`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct

from eightysix.model.event import Contact, Event
from eightysix.model.incident import Evidence, Incident
from eightysix.model.table import Row
from eightysix.model.timestamps import to_ns
from eightysix.sources.lines import Block
from eightysix.sources.raw import Redactor

__all__ = ["MAX_BYTES", "RAW", "Kept", "Shelf", "moved_lines", "raw_rows"]

RAW = "EightySixRaw_CL"

MAX_BYTES = 64 << 20
"""Records that wait, some 30,000 of Tetragon's: of what detection reads, one in thirty becomes an event."""

_EACH = 400
"""What one costs beside its text (measured: sys.getsizeof of its parts)."""

_MOST_KEPT = 100_000
"""Pieces of evidence that are known to be kept already."""

_decode = msgspec.json.Decoder().decode


class _Held(Struct, frozen=True, gc=False):
    text: bytes
    event: Event | None


class Shelf:
    """Holds raw records by the place of their evidence; of more than `most` bytes the oldest go."""

    def __init__(self, most: int = MAX_BYTES) -> None:
        self._most = most
        self._bytes = 0
        self._held: dict[tuple[str, int], _Held] = {}

    def note(self, block: Block, events: Iterable[Event], lines: Iterable[int] = ()) -> None:
        """Hold what `events` of a block were made of, and its `lines` (of connections, which are no events)."""
        wanted: dict[int, Event | None] = dict.fromkeys(lines)
        for event in events:
            if event.file == block.file and event.line:
                wanted.setdefault(event.line, event)
        if not wanted:
            return
        texts = block.data.split(b"\n")
        for line, made in wanted.items():
            at = line - block.first_line
            if 0 <= at < len(texts):
                self.put(block.file, line, texts[at], made)

    def put(self, file: str, line: int, text: bytes, event: Event | None = None) -> None:
        """Hold one. A file that began anew has other lines under the same numbers: the latest counts."""
        before = self._held.pop((file, line), None)
        self._bytes += len(text) + _EACH - (len(before.text) + _EACH if before is not None else 0)
        self._held[file, line] = _Held(text, event)
        while self._bytes > self._most and self._held:
            gone = self._held.pop(next(iter(self._held)))
            self._bytes -= len(gone.text) + _EACH

    def find(self, evidence: Evidence, pod_uid: str) -> tuple[bytes, Event | None] | None:
        """What evidence of that pod points to; None where it is not at hand, or another pod's."""
        held = self._held.get((evidence.file, evidence.line))
        if held is None:
            return None
        event = held.event
        if event is not None and event.pod_uid and pod_uid and event.pod_uid != pod_uid:
            return None
        return held.text, event


class Kept:
    """Which evidence of which incident was kept: what comes again under the same place is never taken for it."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, Evidence], None] = {}

    def is_new(self, incident: Incident, evidence: Evidence) -> bool:
        """Whether this was not kept yet."""
        return (incident.id, evidence) not in self._known

    def add(self, incident: Incident, evidence: Evidence) -> None:
        """It is kept from now on."""
        if len(self._known) >= _MOST_KEPT:
            del self._known[next(iter(self._known))]
        self._known[incident.id, evidence] = None


def raw_rows(
    incidents: Iterable[Incident], shelf: Shelf, redactor: Redactor, kept: Kept
) -> Iterator[tuple[str, Row] | Evidence]:
    """A row for each piece of evidence that was not kept before, or the evidence alone where its record is not at hand."""
    for incident in incidents:
        pod = incident.pod
        for stage in incident.stages:
            for evidence in stage.evidence:
                if not evidence.line or not kept.is_new(incident, evidence):
                    continue
                held = shelf.find(evidence, pod.uid if pod is not None else "")
                if held is None:
                    yield evidence
                    continue
                kept.add(incident, evidence)
                text, event = held
                yield RAW, _row(incident, stage.at, evidence, redactor.record(text), event)


def _row(incident: Incident, at: str, evidence: Evidence, record: str, event: Event | None) -> Row:
    pod = incident.pod
    told: dict[str, object] = {
        "TimeGenerated": event.time_ns if event is not None else to_ns(at),
        "IncidentId": incident.id,
        "EventSource": evidence.source,
        "EvidenceFile": evidence.file,
        "EvidenceLine": evidence.line,
        "EventId": event.event_id if event is not None else "",
        "PodUid": (event.pod_uid if event is not None else "") or (pod.uid if pod is not None else ""),
        "Namespace": (event.namespace if event is not None else "")
        or (pod.namespace if pod is not None else ""),
        "PodName": (event.pod if event is not None else "") or (pod.name if pod is not None else ""),
        "Record": _decode(record),
    }
    return {name: value for name, value in told.items() if value != ""}


def moved_lines(
    block: Block,
    moved: Mapping[str, Iterable[str]],
    contacts: Mapping[str, Mapping[str, Contact]],
) -> Sequence[int]:
    """Lines of a block in which a pod first connected somewhere: evidence that is no event."""
    return [
        first[3]
        for pod, names in moved.items()
        for name in names
        if (contact := contacts.get(pod, {}).get(name)) is not None
        for first in contact[:1]
        if first[2] == block.file and first[3] >= block.first_line
    ]
