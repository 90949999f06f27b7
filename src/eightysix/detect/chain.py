"""Whether the observations of a pod make the chain of a rule: pure, and independent of the order of arrival.

For every landing that could be the start (or every match of the first step, where a rule starts with no landing) and
every process that could be the taker, the steps are looked for in event time. The chain with the highest verdict wins;
among equals the one that was complete first, and of those the one that starts latest: so T0 is the latest landing that
still explains the whole chain.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from eightysix.detect.actions import Action
from eightysix.detect.facts import (
    UNANCHORED,
    ObservationFacts,
    anchored_facts,
    grade_of,
    is_landed_program,
    rule_action,
    runs_hook,
)
from eightysix.detect.gate import SKEW_NS, Gate, contain_gate
from eightysix.detect.observe import Observation
from eightysix.detect.plan import Plan, Structure
from eightysix.detect.rule import Join, Rule, Signal, Step, StepMode
from eightysix.detect.view import PodView
from eightysix.model.words import Origin, Source, Stage, Verdict

__all__ = ["MAX_ANCHORS", "MAX_TAKERS", "Chain", "Told", "Tried", "find_chain", "taint_root", "tell"]

MAX_ANCHORS = 64
MAX_TAKERS = 32
"""Starts and takers that are tried: the work on one pod stays bounded whatever the pod does."""


T = TypeVar("T")
_Matches = dict[str, list[Observation]]
_Matching = Callable[[Signal, Join], list[Observation]]


class Told:
    """An observation with the fields that do not depend on the chain, worked out when somebody asks."""

    __slots__ = ("action", "facts", "grade", "observation")

    def __init__(self, view: PodView, observation: Observation, action: str) -> None:
        self.observation = observation
        self.action = action
        self.grade = grade_of(observation)
        self.facts = ObservationFacts(view, observation, action)


_AT_START = {**UNANCHORED, "domain.order": 1}
"""A credential that a chain starts from is the first by definition."""


@dataclass
class Chain:
    """A rule's chain in one pod. `matches` are the observations by signal, earliest first."""

    rule: Rule
    view: PodView
    anchor: Observation
    taker: str
    matches: dict[str, list[Observation]]
    complete_ns: int
    score: int = 0
    verdict: Verdict = Verdict.WATCH
    benign: list[int] = field(default_factory=list)
    gate: Gate | None = None
    landing: Observation | None = None

    @property
    def t0_ns(self) -> int:
        """T0: the landing that the chain starts from or that tainted its taker, else the first signal."""
        return self.landing.time_ns if self.landing is not None else self.anchor.time_ns

    @property
    def preference(self) -> tuple[int, int, int, str]:
        """Greater is better: see the module."""
        return (self.verdict.rank, -self.complete_ns, self.anchor.time_ns, self.taker)


def tell(view: PodView) -> list[Told]:
    """All that rules are asked about."""
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
    credential, or of its nearest tainted ancestor."""
    root = taint_root(view, observation.actor)
    started = view.lineage.started_ns(root) if root else 0
    if not started:
        return None
    return Observation(observation.event, Action.STARTED, root, started, None)


def taint_root(view: PodView, actor: str) -> str:
    """The oldest process of `actor`'s ancestry (itself included) that taint explains: started by an installer, from a
    file that landed, or as an interpreter after a startup hook was written; empty where there is none."""
    path = view.lineage.ancestors(actor)
    found = ""
    for place, ancestor in enumerate(path):
        below_installer = place + 1 < len(path) and path[place + 1] in view.installers
        if ancestor in view.installers:
            break
        if below_installer or is_landed_program(view, ancestor):
            found = ancestor
    if not found and runs_hook(view, actor):
        found = actor
    return found


Tried = dict[Structure, list[Chain]]
"""Chains of one pod by the structure of the rules that they were looked for with."""


def find_chain(plan: Plan, view: PodView, told: Sequence[Told], tried: Tried) -> Chain | None:
    """The best chain of the plan's rule; None where its steps are not there, or have less than half of what makes a suspect:
    below that there is nothing that a person could look at. Rules that differ in points and texts alone share `tried`."""
    chains = tried.get(plan.structure)
    if chains is None:
        chains = tried[plan.structure] = _all_chains(plan, view, told)
    scored = [_scored(plan.rule, chain) for chain in chains]
    best = max(scored, key=lambda chain: chain.preference, default=None)
    return best if best is not None and 2 * best.score >= plan.rule.suspect_at else None


def _all_chains(plan: Plan, view: PodView, told: Sequence[Told]) -> list[Chain]:
    """Every chain that the rule's steps make, whatever its points."""
    wanted = _candidates(plan, told)
    if wanted is None:
        return []
    starts = _starts(plan, wanted)
    found = [
        _try(plan, view, told, wanted, anchor, taker)
        for taker, takes in _takers(plan, view, told, wanted)
        for anchor in _anchors(plan, starts, taker, takes)
    ]
    return [chain for chain in found if chain is not None]


def _scored(rule: Rule, chain: Chain) -> Chain:
    """`chain` with the points and the verdict of `rule`."""
    score = sum(rule.signals[name].points for name in chain.matches)
    score += sum(rule.benign[place].points for place in chain.benign)
    verdict = Verdict.WATCH
    if (
        rule.contain_at is not None
        and score >= rule.contain_at
        and chain.gate is not None
        and chain.gate.open
    ):
        verdict = Verdict.CONTAIN
    elif score >= rule.suspect_at:
        verdict = Verdict.SUSPECT
    return replace(chain, rule=rule, score=score, verdict=verdict)


def _candidates(plan: Plan, told: Sequence[Told]) -> dict[str, list[Told]] | None:
    """By signal, what could match it; None as soon as a step has nothing. Signals that ask for nothing that is counted
    from T0 are decided here, once; of the others, only action and grade are."""
    found: dict[str, list[Told]] = {}
    for step in plan.steps:
        there = [bool(_could(plan, name, told, found)) for name in step.names]
        if not (all(there) if step.mode is StepMode.ALL else any(there)):
            return None
    for name in plan.other_names:
        _could(plan, name, told, found)
    return found


def _could(plan: Plan, name: str, told: Sequence[Told], found: dict[str, list[Told]]) -> list[Told]:
    known = found.get(name)
    if known is None:
        signal = plan.rule.signals[name]
        actions = signal.detection.actions
        known = [t for t in told if (not actions or t.action in actions) and t.grade <= signal.grade_min]
        if known and name not in plan.anchored:
            known = [t for t in known if signal.detection.matches(t.facts)]
        found[name] = known
    return known


def _starts(plan: Plan, wanted: dict[str, list[Told]]) -> list[Observation]:
    """What matches the first step, by time: all that a chain could start from."""
    found = {
        id(t.observation): t.observation
        for name in plan.rule.chain[0].names
        for t in wanted[name]
        if name not in plan.anchored or plan.rule.signals[name].detection.matches(t.facts.counted(_AT_START))
    }
    return sorted(found.values(), key=lambda o: (o.time_ns, o.event.event_id))


def _anchors(
    plan: Plan, starts: list[Observation], taker: str, takes: list[Observation]
) -> list[Observation]:
    """The starts worth trying for one taker: of landings the earliest, and the latest before each of its takes (T0 is
    one of them); of other starts the taker's own first of each domain."""
    if not takes:
        return _spread(starts, MAX_ANCHORS)
    chosen: dict[int, Observation] = {}
    if plan.starts_with_landing:
        if starts:
            chosen[id(starts[0])] = starts[0]
        for take in takes:
            place = bisect_right(starts, take.time_ns, key=lambda o: o.time_ns)
            if place:
                chosen[id(starts[place - 1])] = starts[place - 1]
        return _spread(list(chosen.values()), MAX_ANCHORS)
    own = {id(o) for o in takes}
    firsts: dict[str, Observation] = {}
    for start in starts:
        if id(start) in own or start.domain is None or not taker:
            firsts.setdefault(str(start.domain or start.event.event_id), start)
    return _spread(list(firsts.values()), MAX_ANCHORS)


def _takers(
    plan: Plan, view: PodView, told: Sequence[Told], wanted: dict[str, list[Told]]
) -> list[tuple[str, list[Observation]]]:
    """Processes that a chain could be of, each with what it and its descendants did: those that took a credential or
    match a step that is joined by process, and the tainted ancestors of those. Those with most domains first, so that no
    flood of single takes hides them. Empty text is the whole pod."""
    if not plan.by_process:
        return [
            ("", [t.observation for t in told if t.observation.domain is not None and t.observation.actor])
        ]
    acts = [t for name in plan.process_names for t in wanted.get(name, ())]
    acts += [t for t in told if t.observation.domain is not None]
    by_identity = {id(t.observation): t.observation for t in acts if t.observation.actor}
    takes = sorted(by_identity.values(), key=lambda o: (o.time_ns, o.event.event_id))
    roots = {o.actor for o in takes}
    roots |= {root for root in (taint_root(view, actor) for actor in roots) if root}
    by_root: dict[str, list[Observation]] = {}
    for o in takes:
        for ancestor in view.lineage.ancestors(o.actor):
            if ancestor in roots:
                by_root.setdefault(ancestor, []).append(o)
    ranked = sorted(
        by_root.items(),
        key=lambda item: (-len({o.domain for o in item[1] if o.domain}), item[1][0].time_ns, item[0]),
    )
    return ranked[:MAX_TAKERS]


def _spread(items: list[T], most: int) -> list[T]:
    """The first and the last of `items`: a flood in the middle hides neither."""
    return items if len(items) <= most else items[: most // 2] + items[-(most - most // 2) :]


def _try(
    plan: Plan,
    view: PodView,
    told: Sequence[Told],
    wanted: dict[str, list[Told]],
    anchor: Observation,
    taker: str,
) -> Chain | None:
    """The chain of `rule` from `anchor` by `taker`, or None."""
    rule = plan.rule
    domains = _first_taken(view, told, anchor, taker)
    cache: dict[int, ObservationFacts] = {}
    matches: dict[str, list[Observation]] = {}

    written = anchor if plan.starts_with_landing else tainting_landing(view, taker, anchor.time_ns)
    landing = install_behind(view, written)
    since = anchor.time_ns

    def matching(signal: Signal, join: Join) -> list[Observation]:
        found: list[Observation] = []
        for t in wanted[signal.name]:
            observation = t.observation
            if observation is not anchor and not _may_follow(view, observation, anchor, since, taker, join):
                continue
            if signal.name not in plan.anchored:
                found.append(observation)
                continue
            facts = cache.get(id(t))
            if facts is None:
                facts = cache[id(t)] = t.facts.counted(_counted(view, observation, anchor, taker, domains))
            if signal.detection.matches(facts):
                found.append(observation)
        return found

    reached = anchor.time_ns
    for index, step in enumerate(rule.chain):
        if step.mode is StepMode.ABSENT:
            if any(matching(rule.signals[name], step.join) for name in step.names):
                return None
            continue
        times = _step(rule, step, index, anchor, reached, matching, matches)
        if times is None:
            return None
        reached = max(reached, times)
    since = min(since, landing.time_ns) if landing is not None else since
    _supporting(plan, matching, matches)
    _landed(plan, told, {id(landing), id(written)}, matches)
    chain = Chain(rule, view, anchor, taker, matches, reached, landing=landing)
    _weigh(chain, cache, told)
    return chain


def _step(
    rule: Rule,
    step: Step,
    index: int,
    anchor: Observation,
    reached: int,
    matching: _Matching,
    matches: _Matches,
) -> int | None:
    """Match one step; the time at which it was there, or None."""
    times: list[int] = []
    for name in step.names:
        found = (
            [anchor]
            if index == 0 and any(o is anchor for o in matching(rule.signals[name], Join.POD))
            else []
        )
        if index:
            found = [
                o for o in matching(rule.signals[name], step.join) if o.time_ns >= reached - _skew(o, anchor)
            ]
            if step.join is Join.TOKEN:
                found = [o for o in found if o.event.credential_id in _token_ids(matches)]
            if step.join is Join.WINDOW:
                found = [o for o in found if o.time_ns - anchor.time_ns <= rule.within_s * 1e9]
        if found:
            matches[name] = found
            times.append(found[0].time_ns)
        elif step.mode is StepMode.ALL:
            return None
    if not times:
        return None
    return max(times) if step.mode is StepMode.ALL else min(times)


def _token_ids(matches: _Matches) -> set[str]:
    """The ids of the tokens that were minted or used in the steps so far."""
    events = [o.event for found in matches.values() for o in found]
    return {id_ for event in events for id_ in (event.credential_id, event.issued_credential_id) if id_}


def _supporting(plan: Plan, matching: _Matching, matches: _Matches) -> None:
    """Signals outside the chain add points where they are there, joined to the taker."""
    for name in plan.other_names:
        signal = plan.rule.signals[name]
        if signal.stage is not Stage.LAND:
            found = matching(signal, Join.PROCESS)
            if found:
                matches[name] = found


def _landed(plan: Plan, told: Sequence[Told], landings: set[int], matches: _Matches) -> None:
    """Signals of stage land that are in no step tell of the landing that tainted the taker, and of no other."""
    for t in told:
        if id(t.observation) not in landings:
            continue
        for name in plan.other_names:
            signal = plan.rule.signals[name]
            if signal.stage is Stage.LAND and signal.detection.matches(t.facts):
                matches[name] = [t.observation]


def install_behind(view: PodView, landing: Observation | None) -> Observation | None:
    """The install that wrote what landed, if one did: the story begins when it started. Else `landing` itself."""
    if landing is None or landing.action not in (Action.STARTUP_FILE, Action.WRITE) or not landing.actor:
        return landing
    above = set(view.lineage.ancestors(landing.actor))
    installs = [o for o in view.landings if o.actor in above and o.time_ns <= landing.time_ns]
    return installs[-1] if installs else landing


def tainting_landing(view: PodView, taker: str, before_ns: int) -> Observation | None:
    """What landed and made the taker: the file that it or an ancestor runs, the install that started it, or the hook
    that its interpreter ran; the latest of them before `before_ns`."""
    path = view.lineage.ancestors(taker) if taker else ()
    programs = {program for ancestor in path for program in view.lineage.programs(ancestor)}
    hooked = bool(taker) and bool(runs_hook(view, taker))
    found = [
        o
        for o in view.told()
        if o.time_ns <= before_ns
        and (
            (o.action is Action.WRITE and o.event.file_path in programs)
            or (o.action is Action.INSTALL and o.actor in path and o.actor in view.installers)
            or (o.action is Action.STARTUP_FILE and hooked)
        )
    ]
    return found[-1] if found else None


def _may_follow(
    view: PodView, observation: Observation, anchor: Observation, since_ns: int, taker: str, join: Join
) -> bool:
    if observation.time_ns < since_ns - _skew(observation, anchor):
        return False
    if join is Join.LINEAGE and observation.actor:
        return bool(taint_root(view, observation.actor))
    if join in (Join.POD, Join.WINDOW, Join.TOKEN) or not taker:
        return True
    return not observation.actor or _in_tree(view, observation, taker)


def _skew(observation: Observation, other: Observation) -> int:
    """Only records of different clocks may be out of order."""
    return 0 if _clock(observation) == _clock(other) else SKEW_NS


def _clock(observation: Observation) -> str:
    return (
        "node"
        if observation.event.source in (Source.TETRAGON, Source.SENSOR)
        else str(observation.event.source)
    )


def _in_tree(view: PodView, observation: Observation, taker: str) -> bool:
    return bool(observation.actor) and (not taker or view.lineage.descends(observation.actor, taker))


def _counted(
    view: PodView, observation: Observation, anchor: Observation, taker: str, domains: dict[str, int]
) -> dict[str, object]:
    """The fields that are counted from the chain's start, for the chain's taker."""
    order = 0
    if observation.domain is not None and _in_tree(view, observation, taker):
        earlier = [time for time in domains.values() if time < domains.get(str(observation.domain), 0)]
        order = len(earlier) + 1
    taken = sum(1 for time in domains.values() if time <= observation.time_ns)
    who = taker or observation.actor
    new = sum(1 for domain in domains if not view.done_before(who, f"domain:{domain}", anchor.time_ns))
    return anchored_facts(view, observation, anchor.time_ns, order, taken, new)


def _first_taken(view: PodView, told: Sequence[Told], anchor: Observation, taker: str) -> dict[str, int]:
    """When the taker (or a descendant) first took each domain after the start."""
    first: dict[str, int] = {}
    for t in told:
        o = t.observation
        if o.domain is not None and o.time_ns >= anchor.time_ns and _in_tree(view, o, taker):
            first.setdefault(str(o.domain), o.time_ns)
    return first


def _weigh(chain: Chain, cache: dict[int, ObservationFacts], told: Sequence[Told]) -> None:
    """Find the benign context that is there, and whether containment may be spoken."""
    matched = {id(o) for found in chain.matches.values() for o in found}
    witnessed = [
        t for t in told if id(t.observation) in matched and t.observation.event.origin is not Origin.SUSPECT
    ]
    for place, benign in enumerate(chain.rule.benign):
        if any(benign.detection.matches(cache.get(id(t), t.facts)) for t in witnessed):
            chain.benign.append(place)
    chain.gate = contain_gate(chain.view, chain.landing, chain.taker, _credentials(chain, told), told)


def _credentials(chain: Chain, told: Sequence[Told]) -> list[Told]:
    """The takes of the chain's taker after T0, earliest first, whatever signals they matched."""
    return [
        t
        for t in told
        if t.observation.action is Action.CREDENTIAL
        and t.observation.time_ns >= chain.anchor.time_ns
        and _in_tree(chain.view, t.observation, chain.taker)
    ]
