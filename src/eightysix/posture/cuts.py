"""What takes each edge of told paths away: not the few that gain the most (`fixes`), but whatever there is for each.

A reader who looks at one pod's path asks which step of it can be cut, also where cutting it protects no other pod.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eightysix.model.posture import Cut, Path
from eightysix.posture.arrays import np
from eightysix.posture.graph import EdgeKey, Graph
from eightysix.posture.remedies import Known, groups, remedy

__all__ = ["MAX_CUTS", "MAX_EDGES", "cuts_of"]

MAX_CUTS = 10_000
"""Actions that are told; each is one line or two."""
MAX_EDGES = 200
"""Edges of a group that its action is worked out from: a binding of everybody has one for each account."""


def cuts_of(graph: Graph, known: Known, paths: Iterable[Path]) -> Iterator[Cut]:
    """An action for each group of edges that a path crosses, in the order of paths; none for what nothing removes."""
    numbers = groups(graph, known)
    crossed: dict[int, dict[EdgeKey, None]] = {}
    done: set[EdgeKey] = set()
    for path in paths:
        for step in path.steps:
            key = EdgeKey(step.type, step.source, step.target)
            if key in done:
                continue
            done.add(key)
            for group in dict.fromkeys(int(numbers[at]) for at in graph.find(key)):
                if group >= 0 and (group in crossed or len(crossed) < MAX_CUTS):
                    crossed.setdefault(group, {})[key] = None
    if not crossed:
        return
    order = np.argsort(numbers, kind="stable")
    sorted_numbers = numbers[order]
    for group, keys in crossed.items():
        first, last = np.searchsorted(sorted_numbers, [group, group + 1])
        positions = order[int(first) : min(int(last), int(first) + MAX_EDGES)]
        told = remedy([graph.edge(int(at)) for at in positions], known)
        yield Cut(
            told.what, tuple((key.type, key.source, key.target) for key in keys), told.patch, told.command
        )
