"""What a cut does to an answer, without searching anew: only what lies behind the cut is looked at again.

An answer is a tree: every vertex goes on by one edge. A cut changes nothing for those whose way does not cross it, as taking
edges away makes no other path better. Of the others most have a second edge to somewhere that is not behind the cut, which is
kept for each (`spare`); the few that are left are asked for all their edges. That makes trying a cut cost what lies behind
it, not the graph.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eightysix.posture.arrays import np
from eightysix.posture.graph import Graph, Reach
from eightysix.posture.wave import CODES, CUT, LevelKey, Rows, Wave, further, slots_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int32]
    Flags = NDArray[np.bool_]

__all__ = ["Tree", "spares"]

_DEEP = 256
"""Levels of an answer up to which second ways are followed to their ends; real ones have two dozen, and a chain that somebody
laid out would cost its length squared."""

_LARGE = 20_000
"""Vertices from which on following second ways is cheaper than looking at everything behind a cut: measured between 16,000 of
a drawn cluster (a tenth dearer) and 23,000 of a random graph (three times cheaper)."""


def spares(graph: Graph, reach: Reach) -> Ints:
    """For each vertex the end of an edge, not that of its best path, from which the target is reached, -1 where it has none.
    It stays of use in a graph from which more was cut: whoever uses it asks whether the edge is still there."""
    found = np.full(len(graph.ids), -1, dtype=np.int32)
    useful = np.flatnonzero((reach.level[graph.targets] >= 0) & (graph.confidence != CUT)).astype(np.int32)
    useful = useful[reach.via[graph.sources[useful]] != useful]
    found[graph.sources[useful]] = (
        useful  # the last by position stays: far from the best one, which is among the first
    )
    return found


class Tree:
    """An answer, with what each vertex goes on to."""

    def __init__(
        self, graph: Graph, reach: Reach, ends: Ints | None = None, late: Ints | None = None
    ) -> None:
        """`ends` are the next vertices where they are known already, `late` edges of which the cut is not worked out."""
        self.graph, self.reach, self._late = graph, reach, late
        if ends is None:
            ends = np.full(len(graph.ids), -1, dtype=np.int32)
            there = np.flatnonzero(reach.via >= 0)
            ends[there] = graph.targets[reach.via[there]]
        self.ends = ends
        self.above: list[Ints] = [ends[vertices] for vertices in reach.settled]

    def through(self, weights: NDArray[np.int64]) -> NDArray[np.int64]:
        """For each vertex the sum of `weights` of those whose best path leads through it, its own among them."""
        sums = np.where(self.reach.level >= 0, weights, 0)
        for vertices, above in zip(self.reach.settled[:0:-1], self.above[:0:-1], strict=True):
            np.add.at(sums, above, sums[vertices])
        return sums

    def behind(self, positions: Ints) -> Flags:
        """Vertices whose best path crosses one of the edges at `positions`."""
        found = np.zeros(len(self.ends), dtype=bool)
        sources = self.graph.sources[positions]
        roots = sources[self.reach.via[sources] == positions]
        if len(roots):
            found[roots] = True
            first = int(self.reach.level[roots].min()) + 1
            for vertices, above in zip(self.reach.settled[first:], self.above[first:], strict=True):
                found[vertices] |= found[above]
        return found

    def _unsaved(self, group: int, groups: Ints, positions: Ints, spare: Ints) -> Ints:
        """Vertices behind the edges of a group that may have no way past it: from the cut on, as far as nobody has a second way
        whose every edge is of another group. Whoever goes on by one who has is saved as well."""
        graph, via = self.graph, self.reach.via
        sources = graph.sources[positions]
        new = sources[via[sources] == positions]
        found = [new[:0]]
        while len(new):
            edges = spare[new]
            there = np.flatnonzero((edges >= 0) & ~graph.gone[edges] & (groups[edges] != group))
            ends = graph.targets[edges[there]]
            left = np.ones(len(new), dtype=bool)
            on = self.reach.level[ends] >= 0
            there, ends = there[on], ends[on]
            while len(there):
                edges = via[ends]
                arrived = edges < 0
                left[there[arrived]] = False
                on = ~arrived & (groups[edges] != group)
                there, ends = there[on], self.ends[ends[on]]
            new = new[left]
            found.append(new)
            slots = slots_of(graph.into, new)
            new = graph.sources[slots[(via[graph.sources[slots]] == slots) & (groups[slots] != group)]]
        return np.concatenate(found)

    def _alone(self, group: int, groups: Ints, positions: Ints, spare: Ints) -> Ints:
        """Vertices behind the edges of a group that have no second edge to what is not behind them."""
        behind = self.behind(positions)
        vertices = np.flatnonzero(behind).astype(np.int32)
        edges = spare[vertices]
        ends = self.graph.targets[edges]
        saved = (edges >= 0) & (groups[edges] != group) & ~self.graph.gone[edges]
        saved &= (self.reach.level[ends] >= 0) & ~behind[ends]
        alone: Ints = vertices[~saved]
        return alone

    def later(self, graph: Graph, positions: Ints) -> Tree:
        """As `cut`, where nobody who is counted lies behind the edges: worked out when it is asked for."""
        late = positions if self._late is None else np.concatenate([self._late, positions])
        return Tree(graph, self.reach, self.ends, late)

    def _now(self) -> None:
        """Work out what was put off."""
        late, self._late = self._late, None
        if late is not None:
            self.__dict__.update(self._after(self.graph, late).__dict__)

    def losing(
        self, group: int, groups: Ints, positions: Ints, spare: Ints, *, follow: bool | None = None
    ) -> Ints:
        """Vertices that have no path any more once the edges at `positions` are cut as well: all of that group, `groups` being
        the number of each edge's. `follow` says whether second ways are followed from the cut on, which pays in large graphs,
        or everything behind it is looked at."""
        self._now()
        graph, level = self.graph, self.reach.level
        if follow is None:
            follow = len(level) > _LARGE and len(self.reach.keys) <= _DEEP
        look = self._unsaved if follow else self._alone
        vertices = look(group, groups, positions, spare)
        if not len(vertices):
            return vertices
        without = np.zeros(len(level), dtype=bool)
        without[vertices] = True
        gone = graph.gone
        start, position = graph.outward()
        edges = position[slots_of(start, vertices)]
        edges = edges[~gone[edges] & (groups[edges] != group)]
        ends = graph.targets[edges]
        new = np.unique(graph.sources[edges[(level[ends] >= 0) & ~without[ends]]])
        while len(new):
            without[new] = False
            edges = slots_of(graph.into, new)
            edges = edges[without[graph.sources[edges]]]
            new = np.unique(graph.sources[edges[~gone[edges] & (groups[edges] != group)]])
        lost: Ints = vertices[without[vertices]]
        return lost

    def cut(self, graph: Graph, positions: Ints) -> Tree:
        """The answer in `graph`, which is this one's without the edges at `positions`: as a search there would find it."""
        self._now()
        return self._after(graph, positions)

    def _after(self, graph: Graph, positions: Ints) -> Tree:
        behind = self.behind(positions)
        vertices = np.flatnonzero(behind).astype(np.int32)
        reach = self.reach
        if not len(vertices):
            return Tree(graph, reach, self.ends)
        level, via, ends = reach.level.copy(), reach.via.copy(), self.ends.copy()
        level[vertices], via[vertices], ends[vertices] = -1, -1, -1
        wave = Wave(Rows(graph.into, graph.sources, graph.confidence, None), behind.copy(), level, via)
        start, position = graph.outward()
        edges = position[slots_of(start, vertices)]
        kind = level[graph.targets[edges]] * len(CODES)
        codes = graph.confidence[edges]
        useful = np.flatnonzero((kind >= 0) & (codes != CUT))
        edges, kind = edges[useful], kind[useful] + codes[useful]
        for one in np.flatnonzero(np.bincount(kind)):
            at, code = divmod(int(one), len(CODES))
            wave.wait(further(reach.keys[at], code), edges[kind == one])
        wave.run()
        again = np.flatnonzero(behind & (via >= 0))
        ends[again] = graph.targets[via[again]]
        return Tree(graph, _joined(reach, wave, behind), ends)


def _joined(reach: Reach, wave: Wave, behind: Flags) -> Reach:
    """What stayed and what settled again, by level."""
    by: dict[LevelKey, list[Ints]] = {}
    for key, vertices in zip(reach.keys, reach.settled, strict=True):
        stayed = vertices[~behind[vertices]]
        if len(stayed):
            by.setdefault(key, []).append(stayed)
    for key, vertices in zip(wave.keys, wave.settled, strict=True):
        by.setdefault(key, []).append(vertices)
    keys = sorted(by, key=LevelKey.rank)
    settled = [by[key][0] if len(by[key]) == 1 else np.concatenate(by[key]) for key in keys]
    level = wave.level
    for number, vertices in enumerate(settled):
        level[vertices] = number
    return Reach(reach.target, level, wave.via, keys, settled)
