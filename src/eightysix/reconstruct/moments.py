"""The moments of one pod's story: what its chains matched, and what surrounds them.

A moment is one observation, or several that are alike and follow each other. Those that a rule's signal matched carry
its stage and its words; in a pod that no rule raised, the stage is that of the action alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from eightysix.detect.actions import Action
from eightysix.detect.chain import Chain
from eightysix.detect.gate import SKEW_NS
from eightysix.detect.observe import Observation
from eightysix.detect.view import PodView
from eightysix.detect.wording import destination_of, process_of
from eightysix.model.story import Lane
from eightysix.model.words import Domain, Stage

__all__ = ["BEFORE_NS", "LANES", "MAX_MOMENTS", "Moment", "lane_of", "moments_of"]

MAX_MOMENTS = 10_000
"""Moments of one story. States keep fewer acts than that of one pod, unless it floods them."""

BEFORE_NS = 600_000_000_000
"""What the pod did up to 10 minutes before the story is told beside it (judged: a server is started by then)."""

LANES: Mapping[Action, Lane] = {
    Action.INSTALL: Lane.PACKAGE,
    Action.NEW_DIGEST: Lane.PACKAGE,
    Action.STARTUP_FILE: Lane.PACKAGE,
    Action.WRITE: Lane.PACKAGE,
    Action.LOAD_FILE: Lane.PACKAGE,
    Action.CREDENTIAL: Lane.IDENTITY,
    Action.ENVIRONMENT: Lane.IDENTITY,
    Action.API: Lane.CONTROL_PLANE,
    Action.API_CONNECT: Lane.CONTROL_PLANE,
    Action.CLOUD: Lane.CONTROL_PLANE,
}
"""Whose doing it is, by action; everything else is a process's."""

_WORDS: Mapping[Action, str] = {
    Action.INSTALL: "package installed",
    Action.STARTUP_FILE: "startup file written",
    Action.WRITE: "program or model file written",
    Action.CREDENTIAL: "credential taken",
    Action.ENVIRONMENT: "environment of a process read",
    Action.API: "request to the Kubernetes API",
    Action.API_CONNECT: "connection to the Kubernetes API",
    Action.CONNECT: "connection",
    Action.HOST_ENTRY: "the node's namespaces are entered",
    Action.CLOUD: "the identity is seen at a cloud service",
    Action.EXEC: "program started",
    Action.RUN: "code loaded",
    Action.LOAD_FILE: "file loaded",
    Action.RESOLVE: "name looked up",
    Action.NEW_DIGEST: "first start of this image digest",
    Action.OTHER: "other act",
}
"""What a moment that no signal matched is called."""


@dataclass
class Moment:
    """One observation of the story. `stage` is None for what surrounds it; `repeats` are observations that are alike, `also` the
    stages that further chains see in it."""

    observation: Observation
    stage: Stage | None
    title: str
    signal: str = ""
    repeats: list[Observation] = field(default_factory=list)
    also: set[Stage] = field(default_factory=set)

    @property
    def time_ns(self) -> int:
        """When it began."""
        return self.observation.time_ns

    @property
    def all(self) -> tuple[Observation, ...]:
        """Every observation that it stands for."""
        return (self.observation, *self.repeats)


def lane_of(observation: Observation) -> Lane:
    """Whose lane it is told in."""
    if observation.told_as == "made-credential":
        return Lane.IDENTITY
    return LANES.get(observation.action, Lane.PROCESS)


def moments_of(
    view: PodView, chains: Sequence[Chain], since_ns: int, until_ns: int
) -> tuple[list[Moment], int]:
    """The moments of a pod between two times, by time, and how many did not fit. Those of the chains are always told."""
    told: dict[int, Moment] = {}
    for chain in chains:
        _take_chain(chain, told, chains[0].t0_ns)
    if not chains:
        _take_story(view, told, since_ns, until_ns)
    made = {m.observation.event.event_id for m in told.values() if m.observation.told_as == "made-pod"}
    kept = sorted(
        {
            id(moment): moment
            for moment in told.values()
            if moment.observation.told_as or moment.observation.event.event_id not in made
        }.values(),
        key=_order,
    )
    start = kept[0].time_ns - BEFORE_NS if kept else 0
    around = [
        o
        for o in view.told()
        if id(o) not in told and max(start, since_ns) <= o.time_ns <= until_ns and not o.told_as
    ]
    folded = _folded(view, around)
    room = max(0, MAX_MOMENTS - len(kept))
    return sorted(kept + folded[:room], key=_order), max(0, len(folded) - room)


def _order(moment: Moment) -> tuple[int, str, str]:
    return (moment.time_ns, moment.observation.event.event_id, moment.signal)


def _take_chain(chain: Chain, told: dict[int, Moment], t0_ns: int) -> None:
    """What a chain matched: each observation under the first of its signals, those of the steps first. Alike ones of one
    signal are one moment. What another chain than the leading one counts from before T0 (that a server took its token
    when it started) surrounds the story, and is no stage of it."""
    rule = chain.rule
    steps = [name for step in rule.chain for name in step.names if name in chain.matches]
    others = [name for name in rule.signals if name in chain.matches and name not in steps]
    for name in steps + sorted(others, key=lambda name: -rule.signals[name].points):
        signal = rule.signals[name]
        alike: dict[tuple[str, ...], Moment] = {}
        for observation in chain.matches[name]:
            known = told.get(id(observation))
            if known is not None:
                if known.stage is not None and known.stage is not signal.stage:
                    known.also.add(signal.stage)
                continue
            key = _likeness(chain.view, observation)
            moment = alike.get(key)
            if moment is not None:
                moment.repeats.append(observation)
                told[id(observation)] = moment
                continue
            early = observation.time_ns < t0_ns - SKEW_NS and signal.stage not in (Stage.LAND, Stage.RUN)
            moment = Moment(observation, None if early else signal.stage, signal.title, name)
            alike[key] = told[id(observation)] = moment


def _take_story(view: PodView, told: dict[int, Moment], since_ns: int, until_ns: int) -> None:
    """What would be told of a pod that no rule raised: what landed, credentials by the order of their domains after it,
    and requests that were made with them."""
    landings = [o for o in view.landings if o.action is Action.INSTALL]
    domains: list[Domain] = []
    for o in view.told():
        stage: Stage | None = None
        if o.action in (Action.INSTALL, Action.NEW_DIGEST):
            stage = Stage.LAND
        elif landings and o.time_ns < landings[0].time_ns:
            continue
        elif o.action is Action.CREDENTIAL and o.domain is not None and not o.denied:
            if o.domain not in domains:
                domains.append(o.domain)
            stage = Stage.REACH if domains[0] is o.domain else Stage.PIVOT
        elif o.action is Action.API and domains and not o.denied:
            stage = Stage.PIVOT
        if stage is not None and since_ns <= o.time_ns <= until_ns:
            told[id(o)] = Moment(o, stage, _WORDS[o.action])


_NOT_TOLD = frozenset({Action.OTHER, Action.RESOLVE})
"""What says nothing by itself: files of no interest, and look-ups, whose connections are told."""

_BY_ACTOR = frozenset({Action.RUN, Action.WRITE})
"""What a process does by the dozen: told once, with how many."""


def _likeness(view: PodView, observation: Observation) -> tuple[str, ...]:
    """What two observations share that are told as one."""
    event = observation.event
    return (
        observation.action,
        observation.actor,
        observation.by,
        str(observation.domain or ""),
        "" if observation.action in _BY_ACTOR else destination_of(view, observation),
        observation.provenance.root,
        event.outcome,
        event.origin,
        event.verb,
        process_of(view, observation) if observation.action in (Action.EXEC, Action.INSTALL) else "",
    )


def _folded(view: PodView, observations: Sequence[Observation]) -> list[Moment]:
    """What surrounds the story, alike ones together, by time."""
    found: dict[tuple[str, ...], Moment] = {}
    for observation in observations:
        key = _likeness(view, observation)
        moment = found.get(key)
        if moment is None:
            found[key] = Moment(observation, None, _WORDS.get(observation.action, str(observation.action)))
        else:
            moment.repeats.append(observation)
    return sorted(found.values(), key=_order)
