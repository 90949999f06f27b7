"""Pods that a tainted pod made, and what they did: the chain follows them.

A pod in which something landed, and whose identity creates a pod (or a workload that makes some), is the cause of what
those pods do. What they did is told to the rules as `made-...` beside the maker's own signals, one grade lower for each
step of the way, because a name and a time link them and no kernel record does. Rules decide what that is worth.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from eightysix.context.workloads import MAKERS, is_made_by
from eightysix.detect.actions import Action
from eightysix.detect.gate import SKEW_NS
from eightysix.detect.observe import Observation
from eightysix.detect.state import PodState
from eightysix.detect.view import Knowledge, PodView
from eightysix.detect.volumes import brought
from eightysix.model.event import Event
from eightysix.model.words import Grade, Outcome

__all__ = ["MADE_ACTIONS", "MAX_ACTS", "MAX_DEPTH", "MAX_MADE", "follow"]

MAX_DEPTH = 3
"""Pods that made pods make pods: litellm's second stage needs one step, and each costs a grade."""

MAX_MADE = 32
"""Requests of one origin that are followed, and pods: the earliest."""

MAX_ACTS = 8
"""Of one made pod: acts of one kind that are told, each a different one."""

_TOLD_AS: Mapping[Action, str] = {
    Action.CREDENTIAL: "made-credential",
    Action.HOST_ENTRY: "made-host-entry",
    Action.CONNECT: "made-contact",
    Action.API: "made-api",
}

MADE_ACTIONS = frozenset({"made-pod", *_TOLD_AS.values()})

_CREATES = f"{Action.API}||create/"
_GRADES = tuple(Grade)


@dataclass(frozen=True)
class _Seen:
    """A pod as it could be somebody's work: by name, and since when it is seen."""

    key: str
    name: str
    workload: str
    first_ns: int


def follow(states: Sequence[PodState], knowledge: Knowledge) -> dict[str, tuple[Observation, ...]]:
    """By key of the origin, what was made and what that did, by time; and what landed in other pods on a volume that this
    one has now. Pure, and the same for any order of `states`."""
    found = _made_by(states, knowledge)
    for key, landings in brought(states, knowledge).items():
        found[key] = landings + found.get(key, ())
    return found


def _made_by(states: Sequence[PodState], knowledge: Knowledge) -> dict[str, tuple[Observation, ...]]:
    makers = {state.key: makings for state in states if (makings := _makings(state))}
    if not makers:
        return {}
    by_key = {state.key: state for state in states}
    pods = _pods(states)
    found: dict[str, tuple[Observation, ...]] = {}
    for key in sorted(makers):
        landed = _landed_ns(by_key[key], knowledge)
        if landed is None:
            continue
        told = list(_follow(key, landed, makers, pods, by_key, knowledge))
        if told:
            told.sort(key=lambda o: (o.time_ns, o.event.event_id, o.by))
            found[key] = tuple(told)
    return found


def _makings(state: PodState) -> list[Event]:
    """Requests by which this pod made pods or workloads, by time."""
    events = [
        event
        for name, bucket in state.buckets.items()
        if name.startswith(_CREATES)
        for event in bucket.events[:1]
        if event.resource in MAKERS and not event.subresource and event.outcome is not Outcome.DENIED
    ]
    return sorted(events, key=lambda e: (e.time_ns, e.event_id))[:MAX_MADE]


def _landed_ns(state: PodState, knowledge: Knowledge) -> int | None:
    """When the first thing landed in this pod; None where nothing did, and nothing is tainted."""
    view = PodView.of(state, knowledge)
    if view is None:
        return None
    times = (
        [o.time_ns for o in view.landings]
        + [written for _, written in view.hooks]
        + list(view.written.values())
    )
    release = view.new_digest()
    if release is not None:
        times.append(release.time_ns)
    return min(times, default=None)


def _pods(states: Iterable[PodState]) -> dict[str, list[_Seen]]:
    """All pods by namespace."""
    pods: dict[str, list[_Seen]] = {}
    for state in states:
        named = first = None
        for bucket in state.buckets.values():
            event = bucket.events[0]
            if event.pod and (
                named is None
                or (bool(event.workload), -event.time_ns) > (bool(named.workload), -named.time_ns)
            ):
                named = event
            began = event.container_started_ns or event.time_ns
            first = began if first is None else min(first, began)
        if named is not None and first is not None:
            pods.setdefault(named.namespace, []).append(_Seen(state.key, named.pod, named.workload, first))
    for same in pods.values():
        same.sort(key=lambda pod: (pod.first_ns, pod.key))
    return pods


def _follow(
    origin: str,
    landed_ns: int,
    makers: Mapping[str, list[Event]],
    pods: Mapping[str, list[_Seen]],
    states: Mapping[str, PodState],
    knowledge: Knowledge,
) -> Iterable[Observation]:
    seen = {origin}
    level = [(origin, landed_ns)]
    for depth in range(MAX_DEPTH):
        following: list[tuple[str, int]] = []
        for maker, since_ns in level:
            for event in makers.get(maker, ()):
                if event.time_ns < since_ns - SKEW_NS:
                    continue
                made = [
                    pod
                    for pod in pods.get(event.object_namespace, ())
                    if pod.key not in seen
                    and pod.first_ns >= event.time_ns - SKEW_NS
                    and is_made_by(event.resource, event.object_name, pod.name, pod.workload)
                ][: max(0, MAX_MADE + 1 - len(seen))]
                yield _made(event, f"{event.object_namespace}/{event.object_name}", "made-pod", depth)
                for pod in made:
                    seen.add(pod.key)
                    following.append((pod.key, event.time_ns))
                    view = PodView.of(states[pod.key], knowledge)
                    if view is not None:
                        yield from _acts(view, f"{event.object_namespace}/{pod.name}", depth + 1)
        level = following


def _acts(view: PodView, name: str, depth: int) -> Iterable[Observation]:
    """What a made pod did that could be a signal, each thing once."""
    told: dict[str, set[str]] = {}
    for observation in view.told():
        told_as = _TOLD_AS.get(observation.action)
        if told_as is None or observation.denied:
            continue
        if told_as == "made-contact" and view.destination_class(observation) != "public":
            continue
        event = observation.event
        thing = (
            event.file_path
            or f"{event.dst_ip}:{event.dst_port}/{event.verb}/{event.resource}/{event.object_name}"
        )
        things = told.setdefault(told_as, set())
        if thing not in things and len(things) < MAX_ACTS:
            things.add(thing)
            yield _made(event, name, told_as, depth, observation)


def _made(event: Event, name: str, told_as: str, depth: int, of: Observation | None = None) -> Observation:
    grade = _GRADES[min(_GRADES.index(event.grade) + depth, _GRADES.index(Grade.E))]
    return Observation(
        replace(event, grade=grade),
        Action.MADE,
        "",
        event.time_ns,
        of.domain if of is not None else None,
        name=of.name if of is not None else "",
        told_as=told_as,
        by=name,
    )
