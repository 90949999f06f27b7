"""Choke points: the few actions after which the most pods lose the most, and what a cut leaves.

How many best paths cross an edge is only the most that its removal can gain: where there is another way, it gains nothing.
So each candidate is cut and the graph searched again, the most promising first, until what was found beats all that is left.
Where every way has a second one, actions are tried together, and those that turn out not to be needed are put back.
Gains are summed as impact of the sink times pods that lose it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from eightysix.model.posture import Fix
from eightysix.posture.arrays import np
from eightysix.posture.cutting import Tree, spares
from eightysix.posture.graph import EdgeKey, Graph, Reach, Target
from eightysix.posture.remedies import Known, Remedy, groups, remedy
from eightysix.posture.risk import impact
from eightysix.posture.sentences import say

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int32]
    Floats = NDArray[np.float64]

__all__ = ["MOST_FIXES", "Change", "Chokes", "Simulation", "choke_points", "simulate"]

MOST_FIXES = 5
_TRIES = 64
"""Candidates that are tried each time: bounds the work where a thousand of them promise the same and gain nothing."""
_TOGETHER = 4
"""Actions that one fix may be made of."""
_POOR = 0.1
"""Where no single action gains this share of what the most promising one promised, there is a second way behind it."""


class Chokes(Struct, frozen=True):
    """Fixes in the order in which to make them, each counted after those before it."""

    fixes: tuple[Fix, ...]


class Change(Struct, frozen=True):
    """A workload's pods, the sinks that they lose and those that they keep."""

    pod: str
    pods: int
    lost: tuple[str, ...]
    kept: tuple[str, ...]


class Simulation(Struct, frozen=True):
    """What a cut does to all that reached something before. `unknown` are edges that are not in the graph."""

    changes: tuple[Change, ...]
    unknown: tuple[EdgeKey, ...]


class _State(Struct, frozen=True):
    """A graph with some groups cut, and its answers."""

    graph: Graph
    trees: tuple[Tree, ...]
    cut: tuple[int, ...] = ()

    @property
    def reaches(self) -> tuple[Reach, ...]:
        """The answers."""
        return tuple(tree.reach for tree in self.trees)


class _Search:
    """Pods, targets and groups, and what cutting gains."""

    def __init__(
        self,
        graph: Graph,
        pods: Mapping[str, int],
        targets: Sequence[Target],
        known: Known,
        reaches: Sequence[Reach],
    ) -> None:
        self.known = known
        self.graph = graph
        self.groups = groups(graph, known)
        self.weights = np.zeros(len(graph.ids), dtype=np.int64)
        for pod, count in pods.items():
            if pod in graph.index:
                self.weights[graph.index[pod]] = count
        self.impacts = [impact(target.name) for target in targets]
        reaches = reaches or [graph.search(target) for target in targets]
        self.start = _State(graph, tuple(Tree(graph, reach) for reach in reaches))
        self._spares: list[Ints | None] = [None] * len(self.impacts)
        order = np.argsort(self.groups, kind="stable")
        self._order = order.astype(np.int32)
        self._first = np.searchsorted(self.groups[order], np.arange(int(self.groups.max(initial=-1)) + 2))

    def edges_of(self, group: int) -> Ints:
        found: Ints = self._order[int(self._first[group]) : int(self._first[group + 1])]
        return found

    def spare(self, number: int) -> Ints:
        """Second edges of the vertices to one target."""
        found = self._spares[number]
        if found is None:
            found = self._spares[number] = spares(self.graph, self.start.trees[number].reach)
        return found

    def promises(self, state: _State) -> tuple[Floats, list[Floats]]:
        """For each group the most that cutting it can gain, in all and by target."""
        size = int(self.groups.max(initial=-1)) + 1
        by: list[Floats] = []
        for tree, weight in zip(state.trees, self.impacts, strict=True):
            promised: Floats = np.zeros(size)
            through, reach = tree.through(self.weights), tree.reach
            crossed = np.flatnonzero((reach.via >= 0) & (through > 0))
            numbers = self.groups[reach.via[crossed]]
            np.add.at(promised, numbers[numbers >= 0], through[crossed[numbers >= 0]] * weight)
            by.append(promised)
        total: Floats = sum(by, np.zeros(size))
        return total, by

    def without(self, state: _State, group: int, by: Sequence[Floats]) -> _State:
        """`state` without a group; `by` tells behind which answers' edges of it there are pods."""
        edges = self.edges_of(group)
        graph = state.graph.cut(edges)
        trees = (
            tree.cut(graph, edges) if promised[group] else tree.later(graph, edges)
            for tree, promised in zip(state.trees, by, strict=True)
        )
        return _State(graph, tuple(trees), (*state.cut, group))

    def again(self, state: _State, cut: Sequence[int]) -> _State:
        """`state` without these groups."""
        edges = np.concatenate([self.edges_of(group) for group in cut])
        graph = state.graph.cut(edges)
        return _State(graph, tuple(tree.cut(graph, edges) for tree in state.trees), tuple(cut))

    def lost(self, before: _State, after: _State) -> list[NDArray[np.bool_]]:
        """For each target the vertices of pods that reach it no more."""
        return [
            (old.level >= 0) & (new.level < 0) & (self.weights > 0)
            for old, new in zip(before.reaches, after.reaches, strict=True)
        ]

    def gain(self, before: _State, after: _State) -> float:
        sums = (int(self.weights[lost].sum()) for lost in self.lost(before, after))
        return float(sum(weight * count for weight, count in zip(self.impacts, sums, strict=True)))

    def best(self, state: _State) -> _State | None:
        """The best fix from here: the actions that gain the most each."""
        now, gained = _State(state.graph, state.trees), 0.0
        found: tuple[int, ...] = ()
        highest = 0.0
        left = sum(
            weight * int(self.weights[reach.level >= 0].sum())
            for weight, reach in zip(self.impacts, state.reaches, strict=True)
        )
        for together in range(1, _TOGETHER + 1):
            total, by = self.promises(now)
            tried = self._tried(now, total, by)
            if not tried:
                break
            first, best = next(iter(tried)), max(tried, key=lambda group: tried[group])
            # where there is a second way behind all of them, what promises the most is to go on with
            step = first if tried[best] < _POOR * total[first] else best
            for group in (step, best):
                if (each := (gained + tried[group]) / together) > highest:
                    found, highest = (*now.cut, group), each
            if highest * (together + 1) >= left or together == _TOGETHER:  # no more actions gain more each
                break
            now, gained = self.without(now, step, by), gained + tried[step]
        return self._needed(state, found) if found else None

    def _tried(self, now: _State, total: Floats, by: Sequence[Floats]) -> dict[int, float]:
        """What the most promising groups gain, the most promising first, until nobody can gain more than the best of them."""
        found: dict[int, float] = {}
        highest = 0.0
        # NOTE: of equal promises the lower number, which is by kind of action and id: the same on every run
        for group in map(int, np.argsort(-total, kind="stable")[:_TRIES]):
            if highest >= total[group]:
                break
            found[group] = self._gained(now, group, by)
            highest = max(highest, found[group])
        return found

    def _gained(self, now: _State, group: int, by: Sequence[Floats]) -> float:
        """What cutting one group more gains."""
        edges = self.edges_of(group)
        return sum(
            weight
            * int(self.weights[now.trees[number].losing(group, self.groups, edges, self.spare(number))].sum())
            for number, (weight, promised) in enumerate(zip(self.impacts, by, strict=True))
            if promised[group]
        )

    def _needed(self, state: _State, cut: tuple[int, ...]) -> _State:
        """`state` after these actions without those that add nothing."""
        found = self.again(state, cut)
        for group in cut[:-1]:
            fewer = self.again(state, [one for one in found.cut if one != group])
            if self.gain(state, fewer) >= self.gain(state, found):
                found = fewer
        return found

    def fix(self, order: int, before: _State, after: _State) -> Fix:
        """A cut in words."""
        told: list[Remedy] = []
        keys: list[tuple[str, str, str]] = []
        for group in after.cut:
            edges = [before.graph.edge(int(at)) for at in self.edges_of(group)]
            told.append(remedy(edges, self.known))
            keys.extend((edge.type, edge.source, edge.target) for edge in edges)
        sinks: list[str] = []
        reasons: list[str] = []
        pods = np.zeros(len(self.weights), dtype=bool)
        for lost, old in zip(self.lost(before, after), before.reaches, strict=True):
            count = int(self.weights[lost].sum())
            if count:
                had = int(self.weights[old.level >= 0].sum())
                sinks.append(old.target.name)
                reasons.append(f"{_losing(count, had)} {say(old.target.name)}")
                pods |= lost
        exact = all(one.command for one in told)
        return Fix(
            order=order,
            what="; ".join(one.what for one in told),
            why="; ".join(reasons),
            edges=tuple(keys),
            pods=int(self.weights[pods].sum()),
            sinks=tuple(sinks),
            patch="\n".join(one.patch for one in told if one.patch),
            command="\n".join(one.command for one in told) if exact else "",
        )


def _losing(count: int, had: int) -> str:
    if had == 1:
        return "1 pod loses"
    if count == had:
        return f"all {had} pods lose"
    return f"{count} of {had} pods {'loses' if count == 1 else 'lose'}"


def choke_points(
    graph: Graph,
    pods: Mapping[str, int],
    targets: Sequence[Target],
    known: Known | None = None,
    most: int = MOST_FIXES,
    reaches: Sequence[Reach] = (),
) -> Chokes:
    """At most `most` fixes for `pods` (how many each stands for), verified by cutting; each is counted after the ones before.
    `reaches` are the graph's answers for `targets`, where they are known already."""
    search = _Search(graph, pods, targets, known or Known(), reaches)
    fixes: list[Fix] = []
    state = search.start
    while len(fixes) < most:
        after = search.best(state)
        if after is None:
            break
        fixes.append(search.fix(len(fixes) + 1, state, after))
        state = after
    return Chokes(tuple(fixes))


def simulate(
    graph: Graph, pods: Mapping[str, int], targets: Sequence[Target], without: Iterable[EdgeKey]
) -> Simulation:
    """What pods lose and keep when edges are cut: the workloads that reached something, in the order of `pods`."""
    positions: list[int] = []
    unknown: list[EdgeKey] = []
    for key in dict.fromkeys(without):
        there = graph.find(key)
        positions.extend(there)
        if not there:
            unknown.append(key)
    cut = graph.cut(positions)
    lost: dict[str, list[str]] = {}
    kept: dict[str, list[str]] = {}
    index = graph.index
    there_are = [pod for pod in pods if pod in index]
    for target in targets:
        before, after = graph.search(target), cut.search(target)
        for pod in there_are:
            if before.level[index[pod]] >= 0:
                (kept if after.level[index[pod]] >= 0 else lost).setdefault(pod, []).append(target.name)
    changes = (
        Change(pod, pods[pod], tuple(lost.get(pod, ())), tuple(kept.get(pod, ())))
        for pod in there_are
        if pod in lost or pod in kept
    )
    return Simulation(tuple(changes), tuple(unknown))
