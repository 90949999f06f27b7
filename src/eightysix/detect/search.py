"""One pod under search by many rules: what they have in common is worked out once.

Rules ask the same things of the same observations: whether a detection matches, who could be the taker, what is new
since a landing. Answers are kept by what they depend on (a detection's text, a start, a taker), never by rule.
"""

from __future__ import annotations

from collections.abc import Sequence

from eightysix.context.commands import program_kind
from eightysix.detect.actions import Action
from eightysix.detect.facts import ObservationFacts, anchored_facts, grade_of, rule_action
from eightysix.detect.gate import SKEW_NS
from eightysix.detect.observe import Observation
from eightysix.detect.plan import Plan, Traits
from eightysix.detect.rule import Detection, Join, Signal
from eightysix.detect.taint import taint_root
from eightysix.detect.view import PodView
from eightysix.model.words import Source

__all__ = ["MAX_TAKERS", "Search", "Told", "Trial"]

MAX_TAKERS = 32
"""Takers that are tried, and as many again of those that only the pod tells of: the work on one pod stays bounded whatever
the pod does."""

_NODE_CLOCK = frozenset({Source.TETRAGON, Source.SENSOR, Source.FALCO})


class Told:
    """An observation with the fields that do not depend on the chain. `clock` names whose time it has."""

    __slots__ = ("action", "clock", "facts", "grade", "observation")

    def __init__(self, view: PodView, observation: Observation, action: str) -> None:
        self.observation = observation
        self.action = action
        self.grade = grade_of(observation)
        self.clock = clock_of(observation)
        self.facts = ObservationFacts(view, observation, action)


def clock_of(observation: Observation) -> str:
    """Whose clock the observation's time is of: the node's, or another source's own."""
    source = observation.event.source
    return "node" if source in _NODE_CLOCK else str(source)


class Search:
    """All that rules are asked about in one pod, and the answers so far."""

    def __init__(self, view: PodView, traits: Traits) -> None:
        self.view = view
        self.traits = traits
        self.told = _tell(view)
        self.takes = [t for t in self.told if t.observation.domain is not None and t.observation.actor]
        self._candidates: dict[tuple[str, str, bool], list[Told]] = {}
        self._trials: dict[tuple[int, str], Trial] = {}
        self._takers: dict[frozenset[int], list[tuple[str, list[Observation]]]] = {}

    def candidates(self, plan: Plan, name: str) -> list[Told]:
        """What could match a signal: of one that asks for nothing that is counted from T0, what does; of any other, what
        has the right action and grade."""
        signal = plan.rule.signals[name]
        anchored = name in plan.anchored
        key = (signal.detection.source, signal.grade_min, anchored)
        found = self._candidates.get(key)
        if found is None:
            actions, worst = plan.possible_actions(self.traits, name), signal.grade_min
            found = [t for t in self.told if t.action in actions and t.grade <= worst]
            if found and not anchored:
                matches = signal.detection.matches
                found = [t for t in found if matches(t.facts)]
            self._candidates[key] = found
        return found

    def takers(self, plan: Plan) -> list[tuple[str, list[Observation]]]:
        """Processes that a chain could be of, each with what it and its descendants did: those that took a credential or
        match a step that is joined by process, and the tainted ancestors of those. Those with most domains first, so that
        no flood of single takes hides them. Empty text is the whole pod."""
        if not plan.by_process:
            return [("", [t.observation for t in self.takes])]
        acts = {id(t.observation): t.observation for t in self.takes}
        for name in plan.process_names:
            acts |= {
                id(t.observation): t.observation for t in self.candidates(plan, name) if t.observation.actor
            }
        key = frozenset(acts)
        found = self._takers.get(key)
        if found is None:
            ordered = sorted(acts.values(), key=lambda o: (o.time_ns, o.event.event_id))
            found = self._takers[key] = _ranked(self.view, ordered)
        return found

    def trial(self, anchor: Observation, taker: str) -> Trial:
        """The trial of a start and a taker."""
        key = (id(anchor), taker)
        trial = self._trials.get(key)
        if trial is None:
            trial = self._trials[key] = Trial(self, anchor, taker)
        return trial


class Trial:
    """One start and one taker: the fields that are counted from there, and which detections match them."""

    def __init__(self, search: Search, anchor: Observation, taker: str) -> None:
        self.view = search.view
        self.anchor = anchor
        self.taker = taker
        self._clock = clock_of(anchor)
        self.takes = [
            t
            for t in search.takes
            if t.observation.time_ns >= anchor.time_ns and self.is_takers(t.observation)
        ]
        self._domains: dict[str, int] = {}
        for t in self.takes:
            self._domains.setdefault(str(t.observation.domain), t.observation.time_ns)
        self._facts: dict[int, ObservationFacts] = {}
        self._answers: dict[tuple[str, int], bool] = {}

    @property
    def domains(self) -> int:
        """Of how many domains the taker took credentials from the start on."""
        return len(self._domains)

    def is_takers(self, observation: Observation) -> bool:
        """Whether the taker or a descendant of it acted (anybody known, where the taker is the whole pod)."""
        if not observation.actor:
            return False
        return not self.taker or self.view.lineage.descends(observation.actor, self.taker)

    def facts(self, t: Told) -> ObservationFacts:
        """The fields of `t`, with those that are counted from the start."""
        facts = self._facts.get(id(t))
        if facts is None:
            facts = self._facts[id(t)] = t.facts.counted(self._counted(t.observation))
        return facts

    def matches(self, detection: Detection, t: Told) -> bool:
        """Whether `detection` matches the fields of `t` as counted from the start."""
        key = (detection.source, id(t))
        answer = self._answers.get(key)
        if answer is None:
            answer = self._answers[key] = detection.matches(self.facts(t))
        return answer

    def matching(
        self, signal: Signal, candidates: Sequence[Told], join: Join, since_ns: int, *, anchored: bool
    ) -> list[Observation]:
        """The candidates that match `signal` and are joined to this start and taker, earliest first."""
        return [
            t.observation
            for t in candidates
            if (t.observation is self.anchor or self._may_follow(t, since_ns, join))
            and (not anchored or self.matches(signal.detection, t))
        ]

    def skew_ns(self, t_clock: str) -> int:
        """How far a record of that clock may be out of order with the start."""
        return 0 if t_clock == self._clock else SKEW_NS

    def _may_follow(self, t: Told, since_ns: int, join: Join) -> bool:
        observation = t.observation
        if observation.time_ns < since_ns - self.skew_ns(t.clock):
            return False
        if join is Join.LINEAGE and observation.actor:
            return bool(taint_root(self.view, observation.actor))
        if join in (Join.POD, Join.WINDOW, Join.TOKEN) or not self.taker:
            return True
        return not observation.actor or self.is_takers(observation)

    def _counted(self, observation: Observation) -> dict[str, object]:
        domains, start = self._domains, self.anchor.time_ns
        order = 0
        if observation.domain is not None and self.is_takers(observation):
            mine = domains.get(str(observation.domain), 0)
            order = 1 + sum(1 for time in domains.values() if time < mine)
        taken = sum(1 for time in domains.values() if time <= observation.time_ns)
        who = self.taker or observation.actor
        new = sum(1 for domain in domains if not self.view.done_before(who, f"domain:{domain}", start))
        return anchored_facts(self.view, observation, start, order, taken, new)


def _tell(view: PodView) -> list[Told]:
    """All that rules are asked about, with the starts of tainted processes, by time."""
    told: list[Told] = []
    starts: dict[str, Told] = {}
    for observation in view.told():
        action = rule_action(view, observation)
        if not action:
            continue
        told.append(Told(view, observation, action))
        if observation.action is Action.CREDENTIAL and observation.actor not in starts:
            start = _start_of(view, observation)
            if start is not None:
                starts[observation.actor] = Told(view, start, rule_action(view, start))
    told += starts.values()
    told.sort(key=lambda t: (t.observation.time_ns, t.observation.event.event_id, t.action))
    return told


def _start_of(view: PodView, observation: Observation) -> Observation | None:
    """When the code that landed began to run, where the kernel can tell: the start of the tainted process that took a
    credential, or of its oldest tainted ancestor."""
    root = taint_root(view, observation.actor)
    started = view.lineage.started_ns(root) if root else 0
    return Observation(observation.event, Action.STARTED, root, started, None) if started else None


def _common_roots(view: PodView, acts: list[Observation]) -> set[str]:
    """For each act, its nearest ancestor below which credentials of several domains were taken: two children of a server
    share what it is guilty of, whether it took anything itself or not. A shell is none: what a person or a script starts
    in it one after the other is not one thing, and where a server started the shell, the server is the ancestor."""
    domains: dict[str, set[str]] = {}
    for o in acts:
        if o.domain is not None:
            for ancestor in view.lineage.ancestors(o.actor):
                domains.setdefault(ancestor, set()).add(str(o.domain))
    several = {
        ancestor for ancestor, taken in domains.items() if len(taken) > 1 and _may_be_guilty(view, ancestor)
    }
    found = (
        next((ancestor for ancestor in view.lineage.ancestors(o.actor) if ancestor in several), "")
        for o in acts
        if o.domain is not None
    )
    return {root for root in found if root}


def _may_be_guilty(view: PodView, exec_id: str) -> bool:
    """A process of the container (the runtime above it is in no record of its own) that is no shell."""
    binary = view.lineage.binary(exec_id)
    return bool(binary) and program_kind(binary) != "shell"


def _ranked(view: PodView, acts: list[Observation]) -> list[tuple[str, list[Observation]]]:
    roots = {o.actor for o in acts}
    roots |= {root for root in (taint_root(view, actor) for actor in roots) if root}
    roots |= _common_roots(view, acts)
    by_root: dict[str, list[Observation]] = {}
    for o in acts:
        for ancestor in view.lineage.ancestors(o.actor):
            if ancestor in roots:
                by_root.setdefault(ancestor, []).append(o)
    told = sorted(by_root.items(), key=lambda item: _rank(item, item[1]))
    if len(told) <= MAX_TAKERS:
        return told
    # The pod can tell of any number of processes that never were: by what others saw, the true ones stand before them.
    seen = sorted(
        by_root.items(), key=lambda item: _rank(item, [o for o in item[1] if not o.told_by_pod_only])
    )
    return list(dict([*seen[:MAX_TAKERS], *told[:MAX_TAKERS]]).items())


def _rank(item: tuple[str, list[Observation]], acts: list[Observation]) -> tuple[int, int, str]:
    return (-len({o.domain for o in acts if o.domain}), item[1][0].time_ns, item[0])
