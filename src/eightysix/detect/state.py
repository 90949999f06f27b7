"""The state of one pod: what of its events is kept, in bounded space, so that order, repetition and splits do not matter.

Events are kept in buckets: same action, same process, same thing acted on. A bucket keeps the earliest and the latest
of its events; a state keeps the earliest and the latest of its buckets, action by action. Both are unions followed by a
cut in a fixed order, so that any order of arrival and any merge of parts ends in the same state, while no bound is hit.
When one is, `flooded` says which, and what landed stays in a taint summary.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from hashlib import blake2b

import msgspec
from msgspec import Struct, field

from eightysix.context.names import MAX_NAMES, Validity, bound_names, merge_names, note_name
from eightysix.detect.actions import Action, action_of, subject_of
from eightysix.model.event import Contact, Event, EventId
from eightysix.model.stored import read_versioned
from eightysix.model.words import Grade, Kind, Origin, Outcome, Source

__all__ = [
    "KEEP_AFTER_LANDING",
    "KEEP_FIRST",
    "KEEP_LAST",
    "MAX_BUCKETS",
    "MAX_CONTACTS",
    "MAX_TAINTS",
    "STATE_VERSION",
    "Bucket",
    "PodState",
    "Taint",
    "bound_contacts",
    "contact_events",
    "decode_state",
    "encode_state",
    "expire",
    "merge",
    "step",
]

STATE_VERSION = 1

KEEP_FIRST = 8
KEEP_LAST = 24
"""Events kept of one bucket: enough of the beginning to know that something is old, enough of the end to know what
happened last. A metadata poll every 30 s fills a bucket in 16 minutes and then costs nothing more."""

KEEP_AFTER_LANDING = 32
"""Events kept beside those, each the first after a landing."""

MAX_LANDED = 256
"""Times of landings that are remembered for that, the earliest and the latest."""

MAX_BUCKETS: dict[Action, int] = {
    Action.INSTALL: 256,
    Action.CREDENTIAL: 256,
    Action.CONNECT: 512,
    Action.API: 256,
    Action.API_CONNECT: 64,
    Action.STARTUP_FILE: 64,
    Action.WRITE: 256,
    Action.EXEC: 128,
    Action.RUN: 128,
    Action.LOAD_FILE: 256,
    Action.RESOLVE: 256,
    Action.OTHER: 64,
    Action.ENVIRONMENT: 64,
    Action.HOST_ENTRY: 64,
    Action.CLOUD: 256,
}
"""Buckets kept by action, half from the beginning, half from the end. Sized by the largest of the benign runs times ten."""

MAX_CONTACTS = 512
"""Plain connections kept of one pod, half from the beginning, half from the end."""

MAX_TAINTS = 2048
"""Entries of the taint summary for one action: by lineage root and artifact (or domain); as many again by root alone."""

MAX_ROOT_DEPTH = 64
"""Ancestors followed to find a lineage root."""

Fact = tuple[str, int, str, str, str, bool | None]
"""Parent exec id, pid, start (RFC 3339), binary, container prefix, in init tree: see `sources.tetragon.Fact`."""


class Bucket(Struct):
    """Events of one action by one process on one subject, sorted by time. `thinned` when some were let go."""

    events: list[Event] = field(default_factory=list)
    thinned: bool = False

    def add(self, event: Event, landed: Sequence[int] = ()) -> bool:
        """Keep `event` if it is among the first or last, or the first after something landed (`landed`: times, sorted);
        False when this very event is kept already."""
        events = self.events
        key = (event.time_ns, event.event_id)
        place = len(events)
        while place and (events[place - 1].time_ns, events[place - 1].event_id) > key:
            place -= 1
        if place and events[place - 1].event_id == event.event_id:
            kept = events[place - 1]
            if (event.file, event.line) < (kept.file, kept.line):
                events[place - 1] = event
            return False
        events.insert(place, event)
        if len(events) > KEEP_FIRST + KEEP_LAST:
            self._thin(landed)
        return True

    def _thin(self, landed: Sequence[int]) -> None:
        """Let one event of the middle go: the earliest that is not the first of its kind after a landing. The first
        ones after landings are what a chain is made of, and a poll that goes on for days must not push them out."""
        events = self.events
        most = KEEP_FIRST + KEEP_LAST + KEEP_AFTER_LANDING
        for place in range(KEEP_FIRST, len(events) - KEEP_LAST + 1):
            before, here = events[place - 1].time_ns, events[place].time_ns
            if bisect_left(landed, here + 1) == bisect_right(landed, before):
                del events[place]
                self.thinned = True
                return
        if len(events) > most:
            del events[KEEP_FIRST]
            self.thinned = True


class Taint(Struct, array_like=True):
    """What is left of landings that no longer fit: when the first and the last of them was, and the process that did them."""

    first: Event
    last: Event


class PodState(Struct):
    """All that is kept of one pod. `buckets` by `action|process|subject`; `processes` by exec id; `names` by
    `address|name`."""

    key: str
    version: int = STATE_VERSION
    buckets: dict[str, Bucket] = field(default_factory=dict)
    taints: dict[str, dict[str, Taint]] = field(default_factory=dict)
    processes: dict[str, Fact] = field(default_factory=dict)
    contacts: dict[str, Contact] = field(default_factory=dict)
    names: dict[str, Validity] = field(default_factory=dict)
    flooded: set[str] = field(default_factory=set)
    landed: list[int] = field(default_factory=list)
    duplicates: int = 0

    def events(self) -> list[Event]:
        """All kept events by time; of a landing that only the summary knows, the first and the last."""
        kept = {event.event_id: event for bucket in self.buckets.values() for event in bucket.events}
        for taints in self.taints.values():
            for taint in taints.values():
                kept.setdefault(taint.first.event_id, taint.first)
                kept.setdefault(taint.last.event_id, taint.last)
        return sorted([*kept.values(), *contact_events(self)], key=_order)


def contact_events(state: PodState) -> list[Event]:
    """The plain connections of a pod as events."""
    told: list[Event] = []
    for name, contact in state.contacts.items():
        exec_id, ip, port = name.rsplit("|", 2)
        fact = state.processes.get(exec_id, _UNKNOWN)
        once = {
            seen[0]: seen for seen in sorted(contact, reverse=True)
        }  # the same record may be read from two places
        for time_ns, outcome, file, line in sorted(once.values()):
            told.append(
                Event(
                    event_id=EventId(
                        blake2b(f"contact\0{name}\0{time_ns}".encode(), digest_size=16).hexdigest()
                    ),
                    time_ns=time_ns,
                    source=Source.TETRAGON,
                    origin=Origin.KERNEL,
                    grade=Grade.B,
                    kind=Kind.CONNECT,
                    file=file,
                    line=line,
                    pod_uid=state.key,
                    container_id=fact[4],
                    exec_id=exec_id,
                    parent_exec_id=fact[0],
                    pid=fact[1],
                    binary=fact[3],
                    entrypoint=fact[5],
                    dst_ip=ip,
                    dst_port=int(port),
                    outcome=Outcome(outcome),
                )
            )
    return told


_UNKNOWN: Fact = ("", 0, "", "", "", None)


def bound_contacts(contacts: dict[str, Contact]) -> bool:
    """Keep the earliest and the latest `MAX_CONTACTS` halves; True when some had to go."""
    if len(contacts) <= MAX_CONTACTS:
        return False
    names = sorted(contacts, key=lambda name: (contacts[name][0][0], name))
    for name in names[MAX_CONTACTS // 2 : -MAX_CONTACTS // 2]:
        del contacts[name]
    return True


def _order(event: Event) -> tuple[int, str]:
    return (event.time_ns, event.event_id)


def step(state: PodState, event: Event) -> PodState:
    """Take one event into `state` (in place, for speed) and return it. Never looks at a clock."""
    if event.source is Source.DNS:
        hint = event.grade is Grade.F and bool(event.dst_ip)
        if note_name(state.names, event.dst_ip, event.dst_name, event.time_ns, event.ttl_s, hint=hint):
            state.flooded.add(f"more than {MAX_NAMES} names of destinations")
        return state
    action = action_of(event)
    if action in _LANDINGS:
        if event.origin is not Origin.SUSPECT or len(state.landed) < MAX_LANDED // 2:
            _note_landing(state, event.time_ns)
    name = f"{action}|{event.exec_id}|{subject_of(event)}"
    bucket = state.buckets.get(name)
    if bucket is None:
        bucket = state.buckets[name] = Bucket()
        bucket.add(event)
        if len(state.buckets) > _SMALLEST_BOUND:
            _bound(state, action)
    elif not bucket.add(event, state.landed):
        state.duplicates += 1
    return state


_LANDINGS = frozenset({Action.INSTALL, Action.STARTUP_FILE, Action.WRITE})


def _note_landing(state: PodState, time_ns: int) -> None:
    landed = state.landed
    place = bisect_left(landed, time_ns)
    if place == len(landed) or landed[place] != time_ns:
        landed.insert(place, time_ns)
        if len(landed) > MAX_LANDED:
            del landed[MAX_LANDED // 2]


_SMALLEST_BOUND = min(MAX_BUCKETS.values())


def _bound(state: PodState, action: Action) -> None:
    """Cut the buckets of `action` to their bound: keep the earliest and the latest, summarise landings. What the pod itself
    tells has a bound of its own: it can write as much as it likes, and pushes out nothing that others saw."""
    prefix = f"{action}|"
    all_names = [name for name in state.buckets if name.startswith(prefix)]
    bound = MAX_BUCKETS[action]
    if len(all_names) <= bound:
        return
    told = {name for name in all_names if _is_told(state, name)}
    for names in ([name for name in all_names if name not in told], sorted(told)):
        if len(names) > bound:
            _cut(state, action, names, bound)


def _is_told(state: PodState, name: str) -> bool:
    """Whether the pod's own word alone is in a bucket. Processes have other ids there, so none has both."""
    return state.buckets[name].events[0].origin is Origin.SUSPECT


def _cut(state: PodState, action: Action, names: list[str], bound: int) -> None:
    names.sort(key=lambda name: (_order(state.buckets[name].events[0]), name))
    if action is Action.CREDENTIAL:
        single = _single_takers(state, names, bound)
        bound -= len(names) - len(single)
        names = single
    elif action in _LANDINGS:
        kept = _before_takes(state, names, bound // 2)
        names = [name for name in names if name not in kept]
        bound -= len(kept)
    half = bound // 2
    for name in names[half : len(names) - (bound - half)]:
        bucket = state.buckets.pop(name)
        if action in _SUMMARISED:
            for event in bucket.events:
                _summarise(state, action, event)
    state.flooded.add(f"too many different: {action}")


def _before_takes(state: PodState, names: list[str], most: int) -> set[str]:
    """Of landings (`names` by time) the latest before each credential that is kept, `most` at most: T0 is one of them,
    however many landings there are before and after."""
    times = [state.buckets[name].events[0].time_ns for name in names]
    prefix = f"{Action.CREDENTIAL}|"
    takes = sorted(
        {
            event.time_ns
            for name, bucket in state.buckets.items()
            if name.startswith(prefix)
            for event in (bucket.events[0], bucket.events[-1])
        }
    )
    places = {bisect_right(times, take) - 1 for take in takes}
    return {names[place] for place in sorted(places) if place >= 0} if len(places) <= most else set()


def _single_takers(state: PodState, names: list[str], bound: int) -> list[str]:
    """Of credential buckets those that may go: not those of processes that took several domains (the first of them, as
    many as half the bound), because a chain is made of such, and no number of decoys that take one should hide it."""
    domains: dict[str, set[str]] = {}
    for name in names:
        event = state.buckets[name].events[0]
        domains.setdefault(event.exec_id, set()).add(str(event.domain))
    several = [name for name in names if len(domains[state.buckets[name].events[0].exec_id]) > 1][
        : bound // 2
    ]
    kept = set(several)
    return [name for name in names if name not in kept]


_SUMMARISED = frozenset(
    {Action.INSTALL, Action.STARTUP_FILE, Action.WRITE, Action.CREDENTIAL, Action.API_CONNECT, Action.API}
)


def _summarise(state: PodState, action: Action, event: Event) -> None:
    """Keep the first and the last of what no longer fits, by stage of the story, lineage root and artifact (or domain, or
    kind of request); when there are too many of those, by root; then all in one."""
    taints = state.taints.setdefault(action, {})
    root = _root(state, event.exec_id)
    detail = (
        event.artifacts[0].name if event.artifacts else str(event.domain or f"{event.verb} {event.resource}")
    )
    for name, limit in ((f"{root}|{detail}", MAX_TAINTS), (root, 2 * MAX_TAINTS), ("", 2 * MAX_TAINTS + 1)):
        taint = taints.get(name)
        if taint is not None:
            if _order(event) < _order(taint.first):
                taint.first = event
            if _order(event) > _order(taint.last):
                taint.last = event
            return
        if len(taints) < limit:
            taints[name] = Taint(event, event)
            return


def _root(state: PodState, exec_id: str) -> str:
    """The oldest known ancestor: all processes of one server share it."""
    for _ in range(MAX_ROOT_DEPTH):
        fact = state.processes.get(exec_id)
        if fact is None or not fact[0]:
            break
        exec_id = fact[0]
    return exec_id


def expire(state: PodState, now_ns: int, ttl_ns: int) -> PodState:
    """Let go of what is older than `ttl_ns` before `now_ns`, unless something younger still builds on it.

    Taint lasts as long as the container: what landed is kept while the pod has any younger event, and so are the
    credentials taken after it; only connections, runs and requests older than the limit go.
    """
    limit = now_ns - ttl_ns
    alive = any(bucket.events[-1].time_ns >= limit for bucket in state.buckets.values())
    for name in list(state.buckets):
        bucket = state.buckets[name]
        lasting = name.startswith(_LASTING)
        if bucket.events[-1].time_ns < limit and not (alive and lasting):
            del state.buckets[name]
    for name in [name for name, contact in state.contacts.items() if contact[1][0] < limit and not alive]:
        del state.contacts[name]
    if not alive:
        for name in [name for name, validity in state.names.items() if validity[1] < limit]:
            del state.names[name]
        state.taints.clear()
        state.landed.clear()
        state.processes.clear()
    return state


_LASTING = tuple(
    f"{action}|" for action in (Action.INSTALL, Action.STARTUP_FILE, Action.WRITE, Action.CREDENTIAL)
)


def merge(left: PodState, right: PodState) -> PodState:
    """A new state that knows what both know: associative, commutative and idempotent while no bound is hit."""
    merged = PodState(key=min(left.key, right.key))
    merged.processes = {**right.processes, **left.processes}
    for contacts in (left.contacts, right.contacts):
        for name, contact in contacts.items():
            known = merged.contacts.get(name, contact)
            merged.contacts[name] = (min(contact[0], known[0]), max(contact[1], known[1]))
    merged.names = merge_names(left.names, right.names)
    merged.flooded = left.flooded | right.flooded
    if bound_names(merged.names):
        merged.flooded.add(f"more than {MAX_NAMES} names of destinations")
    if bound_contacts(merged.contacts):
        merged.flooded.add(f"too many different: {Action.CONNECT}")
    for time_ns in (*left.landed, *right.landed):
        _note_landing(merged, time_ns)
    for event in _all_events((left, right)):
        step(merged, event)
    merged.duplicates = max(left.duplicates, right.duplicates)
    for state in (left, right):
        for action, taints in state.taints.items():
            for taint in taints.values():
                _summarise(merged, Action(action), taint.first)
                _summarise(merged, Action(action), taint.last)
        for name, bucket in state.buckets.items():
            if bucket.thinned and name in merged.buckets:
                merged.buckets[name].thinned = True
    return merged


def _all_events(states: Iterable[PodState]) -> list[Event]:
    events = [event for state in states for bucket in state.buckets.values() for event in bucket.events]
    return sorted(events, key=_order)


_encoder = msgspec.msgpack.Encoder(order="sorted")
_decoder = msgspec.msgpack.Decoder(PodState)


def encode_state(state: PodState) -> bytes:
    """The state as msgpack, with its version: same state, same bytes."""
    return _encoder.encode(state)


def decode_state(data: bytes) -> PodState:
    """Read what `encode_state` wrote; raises `StateError` for another version or damage."""
    return read_versioned(_decoder.decode, data, "a stored pod state", STATE_VERSION)
