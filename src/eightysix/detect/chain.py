"""Whether the observations of a pod make the chain of a rule: pure, and independent of the order of arrival.

For every landing that could be the start (or every match of the first step, where a rule starts with no landing) and
every process that could be the taker, the steps are looked for in event time. The chain with the highest verdict wins;
among equals the one that was complete first, and of those the one that starts latest: so T0 is the latest landing that
still explains the whole chain.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from typing import TypeVar

from eightysix.detect.facts import UNANCHORED
from eightysix.detect.gate import SKEW_NS, Gate, contain_gate
from eightysix.detect.gated import is_same_start
from eightysix.detect.observe import Observation
from eightysix.detect.plan import Plan, Structure
from eightysix.detect.rule import Join, Rule, Step, StepMode
from eightysix.detect.search import Search, Trial, clock_of
from eightysix.detect.taint import install_behind, tainting_landing
from eightysix.detect.view import PodView
from eightysix.model.words import Origin, Stage, Verdict

__all__ = ["MAX_ANCHORS", "Chain", "Tried", "find_chain"]

MAX_ANCHORS = 64
"""Starts that are tried for one taker: the work on one pod stays bounded whatever the pod does."""

_AT_START = {**UNANCHORED, "domain.order": 1}
"""A credential that a chain starts from is the first by definition."""

T = TypeVar("T")
_Matches = dict[str, list[Observation]]


@dataclass
class Chain:
    """A rule's chain in one pod. `matches` are the observations by signal, earliest first; `benign` are places in the
    rule's list of benign context."""

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
    def preference(self) -> tuple[int, bool, int, int, int, str]:
        """Greater is better: see the module. What the pod alone says of a landing moves no start that others saw: it may
        explain, never hide. Of takers that make the same chain, the one that explains most."""
        witnessed = not self.anchor.told_by_pod_only
        return (
            self.verdict.rank, witnessed, -self.complete_ns, self.anchor.time_ns, len(self.matches), self.taker,
        )  # fmt: skip


Tried = dict[Structure, list[Chain]]
"""Chains of one pod by the structure of the rules that they were looked for with."""


def find_chain(plan: Plan, search: Search, tried: Tried) -> Chain | None:
    """The best chain of the plan's rule; None where its steps are not there, or have less than half of what makes a
    suspect: below that there is nothing that a person could look at. Rules that differ in points and texts alone share
    `tried`."""
    chains = tried.get(plan.structure)
    if chains is None:
        chains = tried[plan.structure] = _all_chains(plan, search)
    scored = [_scored(plan.rule, chain) for chain in chains]
    best = max(scored, key=lambda chain: chain.preference, default=None)
    return best if best is not None and 2 * best.score >= plan.rule.suspect_at else None


def _all_chains(plan: Plan, search: Search) -> list[Chain]:
    """Every chain that the rule's steps make, whatever its points."""
    for step in plan.steps:
        there = [bool(search.candidates(plan, name)) for name in step.names]
        if not (all(there) if step.mode is StepMode.ALL else any(there)):
            return []
    starts = _starts(plan, search)
    found = [
        _try(plan, search, search.trial(anchor, taker))
        for taker, acts in search.takers(plan)
        if _could_be(plan, search, starts, taker, acts)
        for anchor in _anchors(plan, search, starts, taker, acts)
    ]
    return [chain for chain in found if chain is not None]


def _could_be(
    plan: Plan, search: Search, starts: list[Observation], taker: str, acts: list[Observation]
) -> bool:
    """Whether a chain could be of this taker, wherever it starts: it took credentials of enough domains, and something
    that each step asks of the taker is its own (or a start, which counts whoever made it)."""
    if not plan.could_be_of(search.traits, max(1, len({o.domain for o in acts if o.domain is not None}))):
        return False
    if not taker:
        return True
    anybody = {id(o) for o in starts}
    descends = search.view.lineage.descends

    def is_there(name: str) -> bool:
        return any(
            not t.observation.actor or descends(t.observation.actor, taker) or id(t.observation) in anybody
            for t in search.candidates(plan, name)
        )

    return all(
        (all if step.mode is StepMode.ALL else any)(map(is_there, step.names)) for step in plan.takers_own
    )


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


def _starts(plan: Plan, search: Search) -> list[Observation]:
    """What matches the first step, by time: all that a chain could start from."""
    found = {
        id(t.observation): t.observation
        for name in plan.rule.chain[0].names
        for t in search.candidates(plan, name)
        if name not in plan.anchored or plan.rule.signals[name].detection.matches(t.facts.counted(_AT_START))
    }
    return sorted(found.values(), key=lambda o: (o.time_ns, o.event.event_id))


def _anchors(
    plan: Plan, search: Search, starts: list[Observation], taker: str, acts: list[Observation]
) -> list[Observation]:
    """The starts worth trying for one taker: of landings the earliest, and the latest before each of its acts (T0 is one
    of them), apart for those that others saw and those that the pod alone tells of; of other starts the taker's own
    first of each domain, apart likewise."""
    if plan.windowed:
        return _latest_before(starts, plan, search)
    if not acts:
        return _spread(starts, MAX_ANCHORS)
    if plan.starts_with_landing:
        witnessed = [o for o in starts if not o.told_by_pod_only]
        told = [o for o in starts if o.told_by_pod_only]
        return _landings_before(witnessed, acts) + _landings_before(told, acts)
    own = {id(o) for o in acts}
    firsts: dict[tuple[str, bool], Observation] = {}
    for start in starts:
        if id(start) in own or start.domain is None or not taker:
            key = (str(start.domain or start.event.event_id), start.told_by_pod_only)
            firsts.setdefault(key, start)
    return _spread(list(firsts.values()), MAX_ANCHORS)


def _latest_before(starts: list[Observation], plan: Plan, search: Search) -> list[Observation]:
    """Where time alone joins a step, the latest start before each match of it: a poll makes a start every minute, and the
    first of them may be days ago."""
    acts = [t.observation for name in plan.windowed for t in search.candidates(plan, name)]
    chosen: dict[int, Observation] = {}
    for act in acts:
        place = bisect_right(starts, act.time_ns + SKEW_NS, key=lambda o: o.time_ns)
        if place:
            chosen[id(starts[place - 1])] = starts[place - 1]
    return _spread(sorted(chosen.values(), key=lambda o: (o.time_ns, o.event.event_id)), MAX_ANCHORS)


def _landings_before(starts: list[Observation], acts: list[Observation]) -> list[Observation]:
    chosen = {id(start): start for start in starts[:1]}
    for act in acts:
        place = bisect_right(starts, act.time_ns, key=lambda o: o.time_ns)
        if place:
            chosen[id(starts[place - 1])] = starts[place - 1]
    return _spread(list(chosen.values()), MAX_ANCHORS)


def _spread(items: list[T], most: int) -> list[T]:
    """The first and the last of `items`: a flood in the middle hides neither."""
    return items if len(items) <= most else items[: most // 2] + items[-(most - most // 2) :]


def _try(plan: Plan, search: Search, trial: Trial) -> Chain | None:
    """The chain of the rule from the trial's start by its taker, or None."""
    anchor, view = trial.anchor, search.view
    if not plan.could_be_of(search.traits, max(1, trial.domains)):
        return None
    matches: _Matches = {}
    reached = anchor.time_ns
    for index, step in enumerate(plan.rule.chain):
        if step.mode is StepMode.ABSENT:
            if any(_matching(plan, search, trial, name, step.join, anchor.time_ns) for name in step.names):
                return None
            continue
        time_ns = _step(plan, search, trial, index, step, reached, matches)
        if time_ns is None:
            return None
        reached = max(reached, time_ns)
    first = plan.rule.chain[0].names
    landed = any(plan.rule.signals[name].stage is Stage.LAND for name in first if name in matches)
    written = anchor if landed else tainting_landing(view, trial.taker, anchor.time_ns)
    landing = install_behind(view, written)
    since = min(anchor.time_ns, landing.time_ns) if landing is not None else anchor.time_ns
    _support(plan, search, trial, since, matches)
    _tell_landing(plan, search, {id(landing), id(written)}, matches)
    chain = Chain(plan.rule, view, anchor, trial.taker, matches, reached, landing=landing)
    _weigh(chain, search, trial)
    return chain


def _matching(
    plan: Plan, search: Search, trial: Trial, name: str, join: Join, since_ns: int
) -> list[Observation]:
    signal = plan.rule.signals[name]
    return trial.matching(
        signal, search.candidates(plan, name), join, since_ns, anchored=name in plan.anchored
    )


def _step(
    plan: Plan, search: Search, trial: Trial, index: int, step: Step, reached: int, matches: _Matches
) -> int | None:
    """Match one step; the time at which it was there, or None."""
    times: list[int] = []
    start = trial.anchor
    for name in step.names:
        if index == 0:
            own = _matching(plan, search, trial, name, Join.POD, start.time_ns)
            found = [o for o in own if is_same_start(o, start)]
        else:
            found = _matching(plan, search, trial, name, step.join, start.time_ns)
            found = [o for o in found if o.time_ns >= reached - trial.skew_ns(clock_of(o))]
            if step.join is Join.TOKEN:
                found = [o for o in found if o.event.credential_id in _token_ids(matches)]
            if step.join is Join.WINDOW:
                found = [o for o in found if o.time_ns - start.time_ns <= plan.rule.within_s * 1e9]
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


def _support(plan: Plan, search: Search, trial: Trial, since_ns: int, matches: _Matches) -> None:
    """Signals outside the chain add points where they are there, joined to the taker."""
    for name in plan.other_names:
        if plan.rule.signals[name].stage is not Stage.LAND:
            found = _matching(plan, search, trial, name, Join.PROCESS, since_ns)
            if found:
                matches[name] = found


def _tell_landing(plan: Plan, search: Search, landings: set[int], matches: _Matches) -> None:
    """Signals of stage land that are in no step tell of the landing that tainted the taker, and of no other."""
    for t in search.told:
        if id(t.observation) not in landings:
            continue
        for name in plan.other_names:
            signal = plan.rule.signals[name]
            if signal.stage is Stage.LAND and signal.detection.matches(t.facts):
                matches[name] = [t.observation]


def _weigh(chain: Chain, search: Search, trial: Trial) -> None:
    """Find the benign context that is there, and whether containment may be spoken."""
    matched = {id(o) for found in chain.matches.values() for o in found}
    witnessed = [
        t
        for t in search.told
        if id(t.observation) in matched and t.observation.event.origin is not Origin.SUSPECT
    ]
    for place, benign in enumerate(chain.rule.benign):
        if any(trial.matches(benign.detection, t) for t in witnessed):
            chain.benign.append(place)
    takes = [t for t in trial.takes if t.action == "credential"]
    chain.gate = contain_gate(chain.view, chain.landing, chain.taker, takes, search.told)
