"""Observations: what happened, told once, however many records told it.

The kernel says what was done and the sensor which code did it: a connection or a read that both saw within
`TWIN_NS` is one observation with the kernel's certainty and the sensor's provenance.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter

from msgspec import Struct

from eightysix.context.credentials import credential_at, normalise_path
from eightysix.context.destinations import classify
from eightysix.detect.actions import Action, action_of
from eightysix.detect.lineage import Lineage
from eightysix.model.event import Artifact, Event
from eightysix.model.words import Domain, Kind, Origin, Outcome, Source

__all__ = ["TWIN_NS", "Observation", "observe", "unify"]

TWIN_NS = 50_000_000
"""Kernel and sensor records of one act are at most 20 ms apart (median 0.1 ms over eight real runs); a busy node gets
two and a half times that."""

START_TWIN_NS = 2_000_000_000
"""A Python interpreter reports itself some hundred milliseconds after its exec."""

HOP_NS = 1_000_000_000
"""A request, its look-up and its connection follow each other within this time on one thread."""


_SUSPECT = Origin.SUSPECT


class Observation(Struct):
    """One thing that happened. `event` is the strongest record of it, `twin` the sensor's record of the same act. `name` is
    what the destination is called by whoever told, `known_as` by the cluster's resolver: only that is judged. Where a pod
    that this one made did it, `by` names that pod and `told_as` is what rules see (`detect.follow`)."""

    event: Event
    action: Action
    actor: str
    time_ns: int
    domain: Domain | None
    others: tuple[Event, ...] = ()
    twin: Event | None = None
    artifacts: tuple[Artifact, ...] = ()
    name: str = ""
    known_as: tuple[str, ...] = ()
    told_as: str = ""
    by: str = ""

    @property
    def evidence(self) -> tuple[Event, ...]:
        """All records that tell of it."""
        return (self.event, *self.others)

    @property
    def told_by_pod_only(self) -> bool:
        """Whether only evidence that the pod itself could have written tells of it."""
        if self.event.origin is not _SUSPECT:
            return False
        for event in self.others:  # noqa: SIM110 - all() would build a generator at each call
            if event.origin is not _SUSPECT:
                return False
        return True

    @property
    def provenance(self) -> Event:
        """The record that knows which code did it: the sensor's where there is one."""
        return self.twin if self.twin is not None else self.event

    @property
    def denied(self) -> bool:
        """Whether the attempt was refused."""
        return self.event.outcome is Outcome.DENIED


def observe(events: list[Event]) -> list[Observation]:
    """Join the records of one pod, sorted by time, to observations, sorted by time."""
    hops = _join_hops([event for event in events if event.source is Source.SENSOR])
    found = [_observation(event) for event in events if event.source is not Source.SENSOR]
    _pair(found, hops)
    actors = _actors(found)
    for hop in hops:
        if hop.twin is None:
            hop.actor = actors.get(hop.actor, hop.actor)
            hop.twin = hop.event
            found.append(hop)
    found.sort(key=lambda observation: (observation.time_ns, observation.event.event_id))
    return found


def _observation(event: Event) -> Observation:
    # What a program starts is done by the child, whose own records tell more; without them it has no known process.
    actor = "" if event.kind is Kind.SPAWN else event.exec_id
    return Observation(
        event,
        action_of(event),
        actor,
        event.time_ns,
        event.domain,
        artifacts=event.artifacts,
        name=event.dst_name,
    )


def _join_hops(events: list[Event]) -> list[Observation]:
    """Join the sensor's request, look-up and connection of one thread to one observation."""
    hops: list[Observation] = []
    pending: dict[tuple[str, int], Observation] = {}
    for event in events:
        thread = (event.exec_id, event.tid)
        before = pending.get(thread)
        if before is not None and event.time_ns - before.time_ns > HOP_NS:
            before = None
        if event.kind is Kind.HTTP:
            pending[thread] = _observation(event)
            hops.append(pending[thread])
        elif event.kind is Kind.RESOLVE:
            if before is not None and before.event.kind is Kind.HTTP:
                before.others += (event,)
            else:
                pending[thread] = _observation(event)
                hops.append(pending[thread])
        elif event.kind is Kind.CONNECT and before is not None:
            _connect_hop(before, event)
            del pending[thread]
        else:
            hops.append(_observation(event))
    return hops


def _connect_hop(hop: Observation, connection: Event) -> None:
    """Turn `hop`, a request or look-up, into the connection that it led to, keeping what the request knew."""
    request = hop.event
    hop.others += (request,)
    hop.event = connection
    hop.name = request.dst_name
    hop.time_ns = connection.time_ns
    hop.action = action_of(connection)
    hop.domain = connection.domain
    if request.kind is not Kind.HTTP:
        return
    if request.url_path and request.domain is None and connection.domain is not None:
        hop.domain = None  # the path is known and gives no credential
        hop.action = Action.OTHER
    elif classify("", connection.dst_port, request.dst_name) == "api-server":
        hop.action = Action.API_CONNECT


def _pair(found: list[Observation], hops: list[Observation]) -> None:
    """Give each kernel observation the sensor's record of the same act, nearest in time first."""
    index: dict[tuple[str, ...], list[Observation]] = {}
    for hop in hops:
        key = _twin_key(hop)
        if key:
            index.setdefault(key, []).append(hop)
    for group in index.values():
        group.sort(key=lambda hop: hop.time_ns)
    for observation in found:
        if observation.event.origin is not Origin.KERNEL:
            continue
        key = _twin_key(observation)
        limit = START_TWIN_NS if observation.event.kind is Kind.EXEC else TWIN_NS
        twin = _nearest(index.get(key, []), observation.time_ns, limit) if key else None
        if twin is not None:
            twin.twin = twin.event
            observation.twin = twin.event
            observation.others += (twin.event, *twin.others)
            observation.name = observation.name or twin.name
            if twin.action is Action.API_CONNECT and observation.action is Action.CONNECT:
                observation.action = Action.API_CONNECT
            if twin.action is Action.LOAD_FILE and observation.action is Action.OTHER:
                observation.action = Action.LOAD_FILE


def unify(observations: list[Observation], lineage: Lineage) -> list[Observation]:
    """Tell what two sensors of the kernel saw (Tetragon and Falco on one node) once, as done by one process: Falco's
    processes are called as Tetragon calls them, and an act that both told within `TWIN_NS` is Tetragon's with Falco's record
    beside it."""
    if not any(o.event.source is Source.FALCO for o in observations):
        return observations
    index: dict[tuple[str, ...], list[Observation]] = {}
    for o in observations:
        key = _twin_key(o)
        if key and o.event.source is Source.TETRAGON:
            index.setdefault((o.actor, *key), []).append(o)
    kept: list[Observation] = []
    for o in observations:
        event = o.event
        if event.source is Source.FALCO and o.actor and event.pid:
            o.actor = lineage.elsewhere(event.container_id, event.pid, event.time_ns) or o.actor
            same = index.get((o.actor, *_twin_key(o)), ())
            twin = next((t for t in same if abs(t.time_ns - o.time_ns) <= TWIN_NS), None)
            if twin is not None:
                twin.others += (event,)
                twin.name = twin.name or o.name
                continue
        kept.append(o)
    return kept


def _twin_key(observation: Observation) -> tuple[str, ...]:
    event = observation.event
    if event.kind is Kind.CONNECT:
        return ("connect", event.dst_ip, str(event.dst_port))
    if event.kind is Kind.FILE:
        # The kernel names the file behind the links of a projected volume, the program the link that it opened.
        credential = credential_at(event.file_path)
        return (
            ("credential", credential.kind)
            if credential is not None
            else ("file", normalise_path(event.file_path))
        )
    if event.kind in (Kind.EXEC, Kind.START) and event.activity == "install":
        return ("install", event.command.partition(" ")[0] and " ".join(map(str, event.artifacts)))
    return ()


def _nearest(candidates: list[Observation], time_ns: int, limit: int) -> Observation | None:
    """The unpaired candidate nearest to `time_ns`, no further than `limit`."""
    place = bisect_left(candidates, time_ns, key=lambda hop: hop.time_ns)
    best: Observation | None = None
    distance = limit + 1
    for step in (-1, 1):
        at = place - 1 if step < 0 else place
        while 0 <= at < len(candidates):
            apart = abs(candidates[at].time_ns - time_ns)
            if apart >= distance:
                break
            if candidates[at].twin is None:
                best, distance = candidates[at], apart
                break
            at += step
    return best


def _actors(found: list[Observation]) -> dict[str, str]:
    """Which kernel process each sensor process is, by the most twins that they share."""
    votes: dict[str, Counter[str]] = {}
    for observation in found:
        if observation.twin is not None and observation.actor:
            votes.setdefault(observation.twin.exec_id, Counter())[observation.actor] += 1
    return {
        sensor: min(counter.items(), key=lambda item: (-item[1], item[0]))[0]
        for sensor, counter in votes.items()
    }
