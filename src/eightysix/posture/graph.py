"""Vertices and edges in arrays, and one search that tells how every pod reaches a sink.

An edge costs a factor of its confidence; the best path to a sink is the one of the highest product, then of the fewest
edges, then the first by the ids along it: a total order, so the same edges give the same paths in whatever order they come. One
search from a sink against the edges' direction answers for all vertices at once: what settles at the same probability and
length is handled as one array. There are few such levels (dozens) where there are millions of edges, so numpy alone is fast
enough, and scipy, whose search knows no second criterion, is not needed.

Sinks of a family (`sink:ns-admin/NAME`) may be thousands: the family is searched as one, and each member on request.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from eightysix.model.errors import UsageError
from eightysix.model.posture import Edge
from eightysix.posture.arrays import np
from eightysix.posture.wave import CODES, CUT, FACTORS, LevelKey, Rows, Wave

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int32]

__all__ = ["FACTORS", "MAX_MEMBERS", "EdgeKey", "Graph", "Reach", "Target", "key_of", "targets_of"]

MAX_MEMBERS = 64
"""Sinks of one family that are searched one by one; of a larger family the best member is told for each pod."""

SINK = "sink:"
_CONFIDENCES = tuple(FACTORS)
_PER_EDGE = len(CODES) + 1


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


class Reach(NamedTuple):
    """An answer: for each vertex the level at which it settled (-1: never) and the edge that its best path begins with
    (-1: it is a target itself). `keys` are the levels, the best first, `settled` the vertices of each."""

    target: Target
    level: Ints
    via: Ints
    keys: list[LevelKey]
    settled: list[Ints]

    @property
    def levels(self) -> list[tuple[float, int]]:
        """Probability and length of each level."""
        return [(key.probability, key.length) for key in self.keys]

    def probability(self, vertex: int) -> float:
        """Of the best path; 0 where there is none."""
        level = int(self.level[vertex])
        return self.keys[level].probability if level >= 0 else 0.0

    def probabilities(self) -> NDArray[np.float64]:
        """Of all vertices."""
        table = np.array([*(key.probability for key in self.keys), 0.0])
        found: NDArray[np.float64] = table[self.level]  # -1 is the last
        return found


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
        self.into = _starts(self.targets, size)
        self._out: tuple[Ints, Ints] | None = None
        self._gone: NDArray[np.bool_] | None = None

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
                np.fromiter((CODES[edge.confidence] for edge in kept), np.uint8, count),
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

    @property
    def has_evidence(self) -> bool:
        """Whether edges were given with theirs."""
        return self._order is not None

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
        start, end = int(self.into[target]), int(self.into[target + 1])
        run = self.sources[start:end]
        low, high = np.searchsorted(run, [source, source + 1])
        return [
            at
            for at in range(start + int(low), start + int(high))
            if self.types[int(self.kinds[at])] == key.type
        ]

    def leaving(self, vertex: int) -> Ints:
        """Positions of the edges out of a vertex, cut ones left out."""
        start, position = self.outward()
        there: Ints = position[int(start[vertex]) : int(start[vertex + 1])]
        left: Ints = there[self.confidence[there] != CUT]
        return left

    def cut(self, positions: Collection[int] | Ints) -> Graph:
        """The same graph without the edges at `positions`, which stay where they are."""
        other = object.__new__(Graph)
        other.__dict__.update(self.__dict__)
        other.confidence = self.confidence.copy()
        other._gone = None
        other.confidence[np.fromiter(positions, np.int64, len(positions))] = CUT
        return other

    @property
    def gone(self) -> NDArray[np.bool_]:
        """Which edges are cut."""
        if self._gone is None:
            self._gone = self.confidence == CUT
        return self._gone

    def search(self, target: Target) -> Reach:
        """How every vertex reaches a member of `target`."""
        rows = Rows(self.into, self.sources, self.confidence, None)
        return _search(rows, target, self.numbers(target.members))

    def search_all(self, targets: Iterable[Target]) -> Iterator[Reach]:
        """One answer after the other: what is not kept takes no memory."""
        return map(self.search, targets)

    def onward(self, vertex: str) -> Reach:
        """What one vertex reaches: `via` is the last edge of the best path to each."""
        start, position = self.outward()
        rows = Rows(start, self.targets[position], self.confidence[position], position)
        return _search(rows, Target(vertex, (vertex,)), self.numbers([vertex]))

    def way(self, reach: Reach, vertex: int) -> list[int]:
        """Positions of the edges from `vertex` to the target."""
        edges: list[int] = []
        while (edge := int(reach.via[vertex])) >= 0:
            edges.append(edge)
            vertex = int(self.targets[edge])
        return edges

    def outward(self) -> tuple[Ints, Ints]:
        """Edges by their sources: the start of each one's run, and positions."""
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


def _search(rows: Rows, target: Target, seeds: Ints) -> Reach:
    size = len(rows.start) - 1
    level, via = np.full(size, -1, dtype=np.int32), np.full(size, -1, dtype=np.int32)
    wave = Wave(rows, np.ones(size, dtype=bool), level, via)
    if len(first := np.unique(seeds)):
        wave.settle(first, LevelKey(0, 0, 0))
        wave.run()
    return Reach(target, level, via, wave.keys, wave.settled)
