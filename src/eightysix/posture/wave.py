"""One search over edges in arrays: by probability and length, a level at a time."""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

from eightysix.model.posture import Confidence
from eightysix.posture.arrays import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int32]

__all__ = ["CODES", "CUT", "FACTORS", "LevelKey", "Rows", "Wave", "further", "slots_of"]

FACTORS: Mapping[Confidence, float] = {
    Confidence.PROVED: 1.0,
    Confidence.INFERRED: 0.8,
    Confidence.ASSUMED: 0.5,
}
"""What an edge of each confidence leaves of a path's probability (facts of posture, 7.3)."""

CODES = {confidence: code for code, confidence in enumerate(FACTORS)}
CUT = len(CODES)
"""The code of an edge that is taken out."""


class LevelKey(NamedTuple):
    """What a level of a search is: how many edges its paths have, and how many of these are inferred and assumed."""

    length: int
    inferred: int
    assumed: int

    @property
    def probability(self) -> float:
        """Of its paths."""
        return FACTORS[Confidence.INFERRED] ** self.inferred * FACTORS[Confidence.ASSUMED] ** self.assumed

    def rank(self) -> tuple[float, LevelKey]:
        """What is searched first: the most probable, of these the shortest."""
        return -self.probability, self


class Rows(NamedTuple):
    """Edges by the vertex that a search comes from: `start` of each one's run, `other` ends, confidences, and positions in
    the graph (none where they are the same)."""

    start: Ints
    other: Ints
    confidence: NDArray[np.uint8]
    position: Ints | None


def further(key: LevelKey, code: int) -> LevelKey:
    """A level with one edge of this confidence before it."""
    return LevelKey(key.length + 1, key.inferred + (code == 1), key.assumed + (code == 2))


class Wave:
    """A search under way, by probability and length, a level at a time: every edge is longer than none, so a level never grows
    after its turn came. `unsettled` are vertices that may still settle."""

    def __init__(self, rows: Rows, unsettled: NDArray[np.bool_], level: Ints, via: Ints) -> None:
        self.rows, self.unsettled, self.level, self.via = rows, unsettled, level, via
        self.keys: list[LevelKey] = []
        self.settled: list[Ints] = []
        self._heap: list[tuple[float, LevelKey]] = []
        self._waiting: dict[LevelKey, list[Ints]] = {}

    def wait(self, key: LevelKey, slots: Ints) -> None:
        """Edges that lead to what settled, of which the ends have this probability and length."""
        if key not in self._waiting:
            heappush(self._heap, key.rank())
        self._waiting.setdefault(key, []).append(slots)

    def settle(self, new: Ints, key: LevelKey) -> None:
        """Vertices that have their best path now."""
        rows = self.rows
        self.unsettled[new] = False
        self.level[new] = len(self.keys)
        self.keys.append(key)
        self.settled.append(new)
        slots = slots_of(rows.start, new)
        slots = slots[self.unsettled[rows.other[slots]]]
        codes = rows.confidence[slots]
        for code in range(len(CODES)):
            if len(part := slots[codes == code]):
                self.wait(further(key, code), part)

    def run(self) -> None:
        """All that waits."""
        while self._heap:
            _, key = heappop(self._heap)
            slots = np.concatenate(self._waiting.pop(key))
            slots = slots[self.unsettled[self.rows.other[slots]]]
            slots.sort()
            ends = self.rows.other[slots]
            self.via[ends[::-1]] = slots[
                ::-1
            ]  # of several edges the last assigned stays: the first by position
            taken = self.via[ends] == slots
            new = ends[taken]
            if self.rows.position is not None:
                self.via[new] = self.rows.position[slots[taken]]
            if len(new):
                self.settle(new, key)


def slots_of(start: Ints, vertices: Ints) -> Ints:
    """Places of all edges of `vertices`, in order of these."""
    starts = start[vertices]
    counts = start[vertices + 1] - starts
    before = np.cumsum(counts, dtype=np.int32) - counts
    slots: Ints = np.repeat(starts - before, counts)
    slots += np.arange(len(slots), dtype=np.int32)
    return slots
