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
from eightysix.posture.graph import EdgeKey, Graph, Reach, Target
from eightysix.posture.remedies import Known, Remedy, groups, remedy
from eightysix.posture.risk import impact
from eightysix.posture.sentences import say

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int32]
    Floats = NDArray[np.float64]

__all__ = ["MOST_FIXES", "Change", "Chokes", "Kept", "Simulation", "choke_points", "simulate"]

MOST_FIXES = 5
_TRIES = 8
"""Candidates that are cut and searched each time: bounds the work where a thousand of them promise the same and gain nothing."""
_TOGETHER = 4
"""Actions that one fix may be made of."""
_POOR = 0.1
"""Where no single action gains this share of what the most promising one promised, there is a second way behind it."""


class Kept(Struct, frozen=True):
    """What no fix removes, as the hardware needs it: `pods` have their best path to one of `sinks` over these edges."""

    what: str
    edges: tuple[tuple[str, str, str], ...]
    pods: int
    sinks: tuple[str, ...]


class Chokes(Struct, frozen=True):
    """Fixes in the order in which to make them, each counted after those before it; and what stays."""

    fixes: tuple[Fix, ...]
    kept: tuple[Kept, ...]


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
    reaches: tuple[Reach, ...]
    cut: tuple[int, ...] = ()


class _Search:
    """Pods, targets and groups, and what cutting gains."""

    def __init__(
        self, graph: Graph, pods: Mapping[str, int], targets: Sequence[Target], known: Known
    ) -> None:
        self.known = known
        self.graph = graph
        self.groups, self.architectural = groups(graph, known)
        self.weights = np.zeros(len(graph.ids), dtype=np.int64)
        for pod, count in pods.items():
            if pod in graph.index:
                self.weights[graph.index[pod]] = count
        self.impacts = [impact(target.name) for target in targets]
        self.start = _State(graph, tuple(map(graph.search, targets)))

    def edges_of(self, group: int) -> Ints:
        found: Ints = np.flatnonzero(self.groups == group).astype(np.int32)
        return found

    def promises(self, state: _State) -> tuple[Floats, list[Floats]]:
        """For each group the most that cutting it can gain, in all and by target."""
        size = int(self.groups.max(initial=-1)) + 1
        by: list[Floats] = []
        for reach, weight in zip(state.reaches, self.impacts, strict=True):
            promised: Floats = np.zeros(size)
            through = reach.through(self.weights, state.graph)
            crossed = np.flatnonzero((reach.via >= 0) & (through > 0))
            numbers = self.groups[reach.via[crossed]]
            np.add.at(promised, numbers[numbers >= 0], through[crossed[numbers >= 0]] * weight)
            by.append(promised)
        total: Floats = sum(by, np.zeros(size))
        return total, by

    def without(self, state: _State, group: int, by: Sequence[Floats]) -> _State:
        """`state` without a group; only targets that a best path over it leads to are searched again."""
        graph = state.graph.cut(self.edges_of(group))
        reaches = (
            graph.search(reach.target) if promised[group] else reach
            for reach, promised in zip(state.reaches, by, strict=True)
        )
        return _State(graph, tuple(reaches), (*state.cut, group))

    def again(self, state: _State, cut: Sequence[int]) -> _State:
        """`state` without these groups, every target searched."""
        graph = state.graph.cut(np.flatnonzero(np.isin(self.groups, cut)))
        return _State(graph, tuple(graph.search(reach.target) for reach in state.reaches), tuple(cut))

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
        now, found, highest = _State(state.graph, state.reaches), None, 0.0
        for together in range(1, _TOGETHER + 1):
            alone, step = self._step(now)
            if step is None:
                break
            for tried in (step, alone):
                if tried is not None and (each := self.gain(state, tried) / together) > highest:
                    found, highest = tried, each
            now = step
            left = sum(
                weight * int(self.weights[reach.level >= 0].sum())
                for weight, reach in zip(self.impacts, state.reaches, strict=True)
            )
            if highest * (together + 1) >= left:  # no more actions gain more each
                break
        return self._needed(state, found) if found is not None else None

    def _step(self, now: _State) -> tuple[_State | None, _State | None]:
        """One action more: the one that gains the most, and the one to go on with, which is the most promising where there is a
        second way behind it."""
        total, by = self.promises(now)
        # NOTE: of equal promises the lower number, which is by kind of action and id: the same on every run
        candidates = [int(group) for group in np.argsort(-total, kind="stable")[:_TRIES] if total[group] > 0]
        if not candidates:
            return None, None
        best, highest = -1, 0.0
        for group in candidates:
            if highest >= total[group]:
                break
            gained = self._gained(now, group, by)
            if gained > highest:
                best, highest = group, gained
        found = self.without(now, best, by) if best >= 0 else None
        if found is None or highest < _POOR * total[candidates[0]]:
            return found, self.without(now, candidates[0], by)
        return found, found

    def _gained(self, now: _State, group: int, by: Sequence[Floats]) -> float:
        """What cutting one group more gains."""
        edges = self.edges_of(group)
        return sum(
            weight * int(self.weights[now.graph.losing(reach, edges)].sum())
            for weight, reach, promised in zip(self.impacts, now.reaches, by, strict=True)
            if promised[group]
        )

    def _needed(self, state: _State, found: _State) -> _State:
        """`found` without actions that add nothing."""
        for group in found.cut[:-1]:
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
                reasons.append(f"{count} of {had} pods lose {say(old.target.name)}")
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

    def kept(self) -> Iterable[Kept]:
        """Architectural edges by what they lead to, with the pods whose best paths cross them."""
        by: dict[str, list[int]] = {}
        for at in self.architectural:
            by.setdefault(self.graph.key(int(at)).target, []).append(int(at))
        for target, edges in sorted(by.items()):
            crossed = np.zeros(len(self.weights), dtype=np.int64)
            sinks = []
            for reach in self.start.reaches:
                sources = np.unique(self.graph.sources[edges])
                through = np.isin(reach.via[sources], edges)
                if through.any():
                    sums = reach.through(self.weights, self.graph)[sources[through]]
                    if sums.sum():
                        sinks.append(reach.target.name)
                        crossed[sources[through]] = np.maximum(crossed[sources[through]], sums)
            what = f"{say(target)}: a compromise of what is privileged there for its GPUs is root on it"
            keys = tuple(self.graph.key(at) for at in edges)
            yield Kept(what, keys, int(crossed.sum()), tuple(sinks))


def choke_points(
    graph: Graph,
    pods: Mapping[str, int],
    targets: Sequence[Target],
    known: Known | None = None,
    most: int = MOST_FIXES,
) -> Chokes:
    """At most `most` fixes for `pods` (how many each stands for), verified by cutting; each is counted after the ones before."""
    search = _Search(graph, pods, targets, known or Known())
    fixes: list[Fix] = []
    state = search.start
    while len(fixes) < most:
        after = search.best(state)
        if after is None:
            break
        fixes.append(search.fix(len(fixes) + 1, state, after))
        state = after
    return Chokes(tuple(fixes), tuple(search.kept()))


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
