"""Vertices and edges in arrays, and one search that tells how every pod reaches a sink.

An edge costs a factor of its confidence; the best path to a sink is the one of the highest product, then of the fewest
edges, then the first by the ids along it: a total order, so the same edges give the same paths in whatever order they come. One
search from a sink against the edges' direction answers for all vertices at once: what settles at the same probability and
length is handled as one array. There are few such levels (dozens) where there are millions of edges, so numpy alone is fast
enough, and scipy, whose search knows no second criterion, is not needed.

Sinks of a family (`sink:ns-admin/NAME`) may be thousands: the family is searched as one, and each member on request.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

from eightysix.model.errors import UsageError
from eightysix.model.posture import Confidence, Edge
from eightysix.posture.arrays import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int32]

__all__ = ["FACTORS", "MAX_MEMBERS", "EdgeKey", "Graph", "Reach", "Target", "key_of", "targets_of"]

FACTORS: Mapping[Confidence, float] = {
    Confidence.PROVED: 1.0,
    Confidence.INFERRED: 0.8,
    Confidence.ASSUMED: 0.5,
}
"""What an edge of each confidence leaves of a path's probability (facts of posture, 7.3)."""

MAX_MEMBERS = 64
"""Sinks of one family that are searched one by one; of a larger family the best member is told for each pod."""

SINK = "sink:"
_CODES = {confidence: code for code, confidence in enumerate(FACTORS)}
_CONFIDENCES = tuple(FACTORS)
_CUT = len(_CODES)  # the code of an edge that is taken out
_PER_EDGE = len(_CODES) + 1


class EdgeKey(NamedTuple):
    """What names an edge; two of one key that differ in evidence are one edge."""

    type: str
    source: str
    target: str


def key_of(edge: Edge) -> EdgeKey:
    """The name of `edge`."""
    return EdgeKey(edge.type, edge.source, edge.target)


class Target(NamedTuple):
    """What is searched for: one sink, or (`sink:ns-admin/*`) the nearest of a family."""

    name: str
    members: tuple[str, ...]


def targets_of(sinks: Iterable[str], most: int = MAX_MEMBERS) -> list[Target]:
    """`sinks` by name: each one, and the members of a family of more than `most` together."""
    families: dict[str, list[str]] = {}
    for sink in sorted(set(sinks)):
        kind, slash, _ = sink.partition("/")
        families.setdefault(kind + slash, []).append(sink)
    found: list[Target] = []
    for family, members in families.items():
        if len(members) > most and family.endswith("/"):
            found.append(Target(f"{family}*", tuple(members)))
        else:
            found.extend(Target(sink, (sink,)) for sink in members)
    return sorted(found)


class _Rows(NamedTuple):
    """Edges by the vertex that a search comes from: `start` of each one's run, `other` ends, confidences, and positions in
    the graph (none where they are the same)."""

    start: Ints
    other: Ints
    confidence: NDArray[np.uint8]
    position: Ints | None


class Reach(NamedTuple):
    """An answer: for each vertex the level at which it settled (-1: never) and the edge that its best path begins with
    (-1: it is a target itself). `levels` are probability and length, `settled` the vertices of each."""

    target: Target
    level: Ints
    via: Ints
    levels: list[tuple[float, int]]
    settled: list[Ints]

    def probability(self, vertex: int) -> float:
        """Of the best path; 0 where there is none."""
        level = int(self.level[vertex])
        return self.levels[level][0] if level >= 0 else 0.0

    def probabilities(self) -> NDArray[np.float64]:
        """Of all vertices."""
        table = np.array([level[0] for level in self.levels] + [0.0])
        found: NDArray[np.float64] = table[self.level]  # -1 is the last
        return found

    def through(self, weights: NDArray[np.int64], graph: Graph) -> NDArray[np.int64]:
        """For each vertex the sum of `weights` of those whose best path leads through it, its own among them."""
        sums = np.where(self.level >= 0, weights, 0)
        for vertices in reversed(self.settled):
            edges = self.via[vertices]
            there = edges >= 0
            np.add.at(sums, graph.targets[edges[there]], sums[vertices[there]])
        return sums


class Graph:
    """Edges by target, source, confidence and type, in arrays. Vertices are numbered by the order of their ids."""

    def __init__(
        self,
        ids: Sequence[str],
        sources: Ints,
        targets: Ints,
        codes: tuple[NDArray[np.uint16], NDArray[np.uint8]],
        types: Sequence[str],
        edges: Sequence[Edge] = (),
    ) -> None:
        """Of arrays: `ids` sorted; `codes` are indexes into `types` (sorted) and codes of confidence (0 proved, 1 inferred,
        2 assumed). `edges`, if given, are the same with their evidence."""
        self.ids = ids
        self.types = tuple(types)
        size, kinds = len(ids), max(len(types), 1)
        if size * size * kinds * _PER_EDGE >= 2**63:
            raise UsageError(
                f"{size} vertices are more than the graph has numbers for", "Look at fewer namespaces."
            )
        key = targets.astype(np.int64) * size
        key += sources
        key *= kinds * _PER_EDGE
        key += codes[1].astype(np.int64) * kinds + codes[0]
        order = np.argsort(key)
        key = key[order]
        first = np.ones(len(key), dtype=bool)
        np.not_equal(key[1:], key[:-1], out=first[1:])
        if edges and not first.all():
            order = _least_first(order, first, edges)
        order = order[first].astype(np.int32)
        self.sources: Ints = sources[order]
        self.targets: Ints = targets[order]
        self.kinds = codes[0][order]
        self.confidence = codes[1][order]
        self._edges = edges
        self._order = order if edges else None
        self._index: dict[str, int] | None = None
        self._into = _starts(self.targets, size)
        self._out: tuple[Ints, Ints] | None = None

    @classmethod
    def of(cls, edges: Iterable[Edge], vertices: Iterable[str] = ()) -> Graph:
        """Of edges as generators give them, and of `vertices` that may have none."""
        kept = edges if isinstance(edges, tuple | list) else tuple(edges)
        sources, targets = [edge.source for edge in kept], [edge.target for edge in kept]
        ids = sorted({*sources, *targets, *vertices})
        index = dict(zip(ids, range(len(ids)), strict=True))
        named = [edge.type for edge in kept]
        types = sorted(set(named))
        numbers = dict(zip(types, range(len(types)), strict=True))
        count = len(kept)
        graph = cls(
            ids,
            np.fromiter(map(index.__getitem__, sources), np.int32, count),
            np.fromiter(map(index.__getitem__, targets), np.int32, count),
            (
                np.fromiter(map(numbers.__getitem__, named), np.uint16, count),
                np.fromiter((_CODES[edge.confidence] for edge in kept), np.uint8, count),
            ),
            types,
            kept,
        )
        graph._index = index
        return graph

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def index(self) -> dict[str, int]:
        """Numbers of vertices by id."""
        if self._index is None:
            self._index = dict(zip(self.ids, range(len(self.ids)), strict=True))
        return self._index

    def numbers(self, ids: Iterable[str]) -> Ints:
        """Numbers of those of `ids` that are in the graph."""
        index = self.index
        return np.array([index[one] for one in ids if one in index], dtype=np.int32)

    def sinks(self) -> list[str]:
        """Ids of all vertices that are sinks."""
        return [one for one in self.ids if one.startswith(SINK)]

    def edge(self, position: int) -> Edge:
        """The edge at a position, with its evidence where the graph was made of edges."""
        if self._order is not None:
            return self._edges[int(self._order[position])]
        return Edge(*self.key(position), confidence=_CONFIDENCES[int(self.confidence[position])])

    def key(self, position: int) -> EdgeKey:
        """The name of the edge at a position."""
        source, target = self.ids[int(self.sources[position])], self.ids[int(self.targets[position])]
        return EdgeKey(self.types[int(self.kinds[position])], source, target)

    def find(self, key: EdgeKey) -> list[int]:
        """Positions of the edges of that name: one for each confidence that the same claim was made with."""
        index = self.index
        if key.source not in index or key.target not in index:
            return []
        target, source = index[key.target], index[key.source]
        start, end = int(self._into[target]), int(self._into[target + 1])
        run = self.sources[start:end]
        low, high = np.searchsorted(run, [source, source + 1])
        return [
            at
            for at in range(start + int(low), start + int(high))
            if self.types[int(self.kinds[at])] == key.type
        ]

    def leaving(self, vertex: int) -> Ints:
        """Positions of the edges out of a vertex, cut ones left out."""
        start, position = self._outward()
        there: Ints = position[int(start[vertex]) : int(start[vertex + 1])]
        left: Ints = there[self.confidence[there] != _CUT]
        return left

    def cut(self, positions: Collection[int] | Ints) -> Graph:
        """The same graph without the edges at `positions`, which stay where they are."""
        other = object.__new__(Graph)
        other.__dict__.update(self.__dict__)
        other.confidence = self.confidence.copy()
        other.confidence[np.fromiter(positions, np.int64, len(positions))] = _CUT
        return other

    def search(self, target: Target) -> Reach:
        """How every vertex reaches a member of `target`."""
        rows = _Rows(self._into, self.sources, self.confidence, None)
        return _search(rows, target, self.numbers(target.members))

    def losing(self, reach: Reach, positions: Ints) -> NDArray[np.bool_]:
        """Vertices that an answer of this graph tells a path of, and that have none once the edges at `positions` are cut.
        Only those whose best path is cut are looked at again."""
        gone = self.confidence == _CUT
        gone[positions] = True
        without = np.zeros(len(self.ids), dtype=bool)
        for vertices in reach.settled[1:]:
            edges = reach.via[vertices]
            without[vertices] = gone[edges] | without[self.targets[edges]]
        lost = np.flatnonzero(without).astype(np.int32)
        start, position = self._outward()
        edges = position[_slots(start, lost)]
        ends = self.targets[edges]
        new = np.unique(self.sources[edges[~gone[edges] & (reach.level[ends] >= 0) & ~without[ends]]])
        while len(new):
            without[new] = False
            edges = _slots(self._into, new)
            new = np.unique(self.sources[edges[~gone[edges] & without[self.sources[edges]]]])
        return without

    def search_all(self, targets: Iterable[Target]) -> Iterator[Reach]:
        """One answer after the other: what is not kept takes no memory."""
        return map(self.search, targets)

    def onward(self, vertex: str) -> Reach:
        """What one vertex reaches: `via` is the last edge of the best path to each."""
        start, position = self._outward()
        rows = _Rows(start, self.targets[position], self.confidence[position], position)
        return _search(rows, Target(vertex, (vertex,)), self.numbers([vertex]))

    def way(self, reach: Reach, vertex: int) -> list[int]:
        """Positions of the edges from `vertex` to the target."""
        edges: list[int] = []
        while (edge := int(reach.via[vertex])) >= 0:
            edges.append(edge)
            vertex = int(self.targets[edge])
        return edges

    def _outward(self) -> tuple[Ints, Ints]:
        if self._out is None:
            count = len(self)
            order = np.argsort(self.sources.astype(np.int64) * max(count, 1) + np.arange(count))
            self._out = _starts(self.sources, len(self.ids)), order.astype(np.int32)
        return self._out


def _least_first(
    order: NDArray[np.int64], first: NDArray[np.bool_], edges: Sequence[Edge]
) -> NDArray[np.int64]:
    """Where several edges have one key, the one with the least evidence stands first, whatever order they came in."""
    order = order.copy()
    begins = np.flatnonzero(first)
    ends = np.append(begins[1:], len(first))
    for begin, end in zip(begins[ends - begins > 1], ends[ends - begins > 1], strict=True):
        order[begin] = min(order[begin:end], key=lambda at: _evidence(edges[at]))
    return order


def _evidence(edge: Edge) -> tuple[object, ...]:
    return (edge.evidence, edge.techniques, edge.needs)


def _starts(ends: Ints, size: int) -> Ints:
    starts = np.zeros(size + 1, dtype=np.int32)
    np.cumsum(np.bincount(ends, minlength=size), out=starts[1:])
    return starts


def _probability(inferred: int, assumed: int) -> float:
    return FACTORS[Confidence.INFERRED] ** inferred * FACTORS[Confidence.ASSUMED] ** assumed


def _search(rows: _Rows, target: Target, seeds: Ints) -> Reach:
    """Dijkstra by probability and length, a level at a time. Every edge is longer than none, so a level never grows after
    it was taken from the heap."""
    size = len(rows.start) - 1
    level, via = np.full(size, -1, dtype=np.int32), np.full(size, -1, dtype=np.int32)
    unsettled = np.ones(size, dtype=bool)
    levels: list[tuple[float, int]] = []
    settled: list[Ints] = []
    heap: list[tuple[float, int, int, int]] = []
    waiting: dict[tuple[int, int, int], list[Ints]] = {}
    new, length, inferred, assumed = np.unique(seeds), 0, 0, 0
    while True:
        if len(new):
            unsettled[new] = False
            level[new] = len(levels)
            levels.append((_probability(inferred, assumed), length))
            settled.append(new)
            slots = _slots(rows.start, new)
            slots = slots[unsettled[rows.other[slots]]]
            codes = rows.confidence[slots]
            for code, more in enumerate(((0, 0), (1, 0), (0, 1))):
                if len(part := slots[codes == code]):
                    key = (length + 1, inferred + more[0], assumed + more[1])
                    if key not in waiting:
                        heappush(heap, (-_probability(*key[1:]), *key))
                    waiting.setdefault(key, []).append(part)
        if not heap:
            return Reach(target, level, via, levels, settled)
        _, length, inferred, assumed = heappop(heap)
        slots = np.concatenate(waiting.pop((length, inferred, assumed)))
        slots = slots[unsettled[rows.other[slots]]]
        slots.sort()
        ends = rows.other[slots]
        via[ends[::-1]] = slots[::-1]  # of several edges the last assigned stays: the first by position
        taken = via[ends] == slots
        new = ends[taken]
        if rows.position is not None:
            via[new] = rows.position[slots[taken]]


def _slots(start: Ints, vertices: Ints) -> Ints:
    """Places of all edges of `vertices`, in order of these."""
    starts = start[vertices]
    counts = start[vertices + 1] - starts
    before = np.cumsum(counts, dtype=np.int32) - counts
    slots: Ints = np.repeat(starts - before, counts)
    slots += np.arange(len(slots), dtype=np.int32)
    return slots
