"""The oracle: best paths by trying every one, on graphs that are small enough."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import strategies as st

from eightysix.model.posture import Confidence, Edge
from eightysix.posture.graph import FACTORS

VERTICES = [
    *(f"pod:{name}" for name in "abc"),
    *(f"x:{name}" for name in "defg"),
    "sink:one",
    "sink:fam/a",
    "sink:fam/b",
]
TYPES = ["TOKEN", "EXEC", "OTHER"]

edges_of = st.lists(
    st.builds(
        Edge,
        type=st.sampled_from(TYPES),
        source=st.sampled_from(VERTICES),
        target=st.sampled_from(VERTICES),
        evidence=st.sampled_from([(), (("Pod a", "$.spec"),), (("Pod b", "$"),)]),
        confidence=st.sampled_from(list(Confidence)),
    ),
    max_size=24,
)

Best = dict[str, tuple[float, int]]


def best(edges: Iterable[Edge], sinks: Iterable[str]) -> Best:
    """For each vertex the highest probability and, of these, the fewest steps: relaxed until nothing changes."""
    known = dict.fromkeys(sinks, (1.0, 0))
    edges = list(edges)
    changed = True
    while changed:
        changed = False
        for edge in edges:
            if edge.target in known:
                probability, steps = known[edge.target]
                mine = (probability * FACTORS[edge.confidence], steps + 1)
                old = known.get(edge.source, (0.0, 0))
                if (round(mine[0], 12), -mine[1]) > (round(old[0], 12), -old[1]):
                    known[edge.source] = mine
                    changed = True
    return known
