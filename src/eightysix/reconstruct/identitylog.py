"""What identities did at control planes, whoever they were of: collected while everything else is read.

A pod's own state keeps what is known to be the pod's. Where a taken identity was used afterwards, by whom, is told by
rows that name no pod; they are kept here, alike ones together. Any order and any repetition of the same records ends in
the same log, while no bound is hit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct, field

from eightysix.model.event import Event
from eightysix.model.incident import Evidence
from eightysix.model.words import Kind

__all__ = ["MAX_GROUPS", "MAX_SEEN", "SPAN_NS", "IdentityLog", "UseGroup"]

MAX_GROUPS = 262_144
"""Different uses that are kept. A cluster of 500 nodes makes some ten thousand in an hour, nearly all of them by its own
controllers (measured on the generated hour of `bench/reconstruct.py`)."""

MAX_SEEN = 4_194_304
"""Records that are told apart: beyond, repetitions of the same record are counted again."""

SPAN_NS = 600_000_000_000
"""Cloud logs name no pod: whose a use is depends on its time, so alike ones are together for ten minutes at most."""

MAX_PLACES = 4
"""Places where one use is written that are kept."""

_USES = frozenset({Kind.API, Kind.CLOUD})


class UseGroup(Struct):
    """Uses that are alike: same cluster, identity, operation, target, caller, outcome and credential, and in the cloud about
    the same time. `event` is the earliest."""

    event: Event
    last_ns: int
    count: int = 1
    written: list[tuple[int, str, Evidence]] = field(default_factory=list)

    @property
    def places(self) -> tuple[Evidence, ...]:
        """Where the first of them are written."""
        return tuple(place for *_, place in self.written)

    def take(self, event: Event) -> None:
        """Count one more."""
        self.count += 1
        self.last_ns = max(self.last_ns, event.time_ns)
        if (event.time_ns, event.event_id) < (self.event.time_ns, self.event.event_id):
            self.event = event
        self.placed(event)

    def placed(self, event: Event) -> None:
        """Remember where it is written. Which records are kept depends on what they say, not on where they stand."""
        mine = (event.time_ns, event.event_id, Evidence(str(event.source), event.file, event.line))
        written = self.written
        if len(written) == MAX_PLACES and mine[:2] > written[-1][:2]:
            return
        for number, known in enumerate(written):
            if known[1] == mine[1]:
                written[number] = min(known, mine)
                return
        written.append(mine)
        written.sort()
        del written[MAX_PLACES:]

    @classmethod
    def of(cls, event: Event) -> UseGroup:
        """A group of one."""
        group = cls(event, event.time_ns)
        group.placed(event)
        return group


_Key = tuple[str, ...]


class IdentityLog:
    """All uses of identities, by what is alike. `full` when a bound was hit."""

    def __init__(self) -> None:
        self._groups: dict[_Key, UseGroup] = {}
        self._seen: set[int] = set()
        self.full = False

    def feed(self, events: Iterable[Event]) -> None:
        """Take those of `events` that are uses of identities."""
        for event in events:
            if event.kind in _USES:
                self.note(event)

    def note(self, event: Event) -> None:
        """Take one use; the same record twice counts once."""
        mark = int(event.event_id[:16], 16)
        if mark in self._seen:
            self._again(event)
            return
        if len(self._seen) < MAX_SEEN:
            self._seen.add(mark)
        else:
            self.full = True
        key = _key(event)
        group = self._groups.get(key)
        if group is not None:
            group.take(event)
        elif len(self._groups) < MAX_GROUPS:
            self._groups[key] = UseGroup.of(event)
        else:
            self.full = True

    def _again(self, event: Event) -> None:
        """The same record in another file: of several places the first is told, whichever was read first."""
        group = self._groups.get(_key(event))
        if group is not None:
            group.placed(event)
            if event.event_id == group.event.event_id and _place(event) < _place(group.event):
                group.event = event

    def __iter__(self) -> Iterator[UseGroup]:
        """All groups by time."""
        return iter(sorted(self._groups.values(), key=lambda g: (g.event.time_ns, g.event.event_id)))

    def __len__(self) -> int:
        return len(self._groups)


def _place(event: Event) -> tuple[str, int]:
    return (event.file, event.line)


def _key(event: Event) -> _Key:
    return (
        str(event.kind),
        event.cluster,
        event.identity,
        event.impersonated,
        "\0".join(event.principals),
        event.verb,
        event.resource,
        event.subresource,
        event.object_namespace,
        event.object_name,
        event.source_ip,
        event.user_agent,
        event.outcome,
        event.credential_id,
        event.issued_credential_id,
        event.pod_uid or event.pod,
        str(event.time_ns // SPAN_NS) if event.kind is Kind.CLOUD else "",
    )
