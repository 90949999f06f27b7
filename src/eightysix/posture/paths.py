"""Paths in words: the best one from a pod to each sink, step by step.

`why` answers for one pod and one sink; of a family that is searched as one (`sink:ns-admin/*`) the sink told is the member
that the best path ends in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eightysix.model.posture import Path, Step
from eightysix.posture.graph import Graph, Reach, Target
from eightysix.posture.sentences import sentence

__all__ = ["best_paths", "path_of", "why"]

_SINK = "sink:"


def path_of(graph: Graph, reach: Reach, pod: str) -> Path | None:
    """The best path of `pod` in an answer, or none where there is no way."""
    vertex = graph.index.get(pod)
    if vertex is None or reach.level[vertex] < 0:
        return None
    steps: list[Step] = []
    for position in graph.way(reach, vertex):
        edge = graph.edge(position)
        steps.append(
            Step(edge.type, edge.source, edge.target, sentence(edge), edge.evidence, edge.confidence)
        )
    end = steps[-1].target if steps else pod
    return Path(pod, end, tuple(steps), reach.probability(vertex))


def best_paths(graph: Graph, reaches: Iterable[Reach], pods: Iterable[str]) -> Iterator[Path]:
    """The best path for each pod and each target that it reaches, by target and then in the order of `pods`."""
    asked = list(pods)
    for reach in reaches:
        for pod in asked:
            found = path_of(graph, reach, pod)
            if found is not None:
                yield found


def why(graph: Graph, pod: str, sink: str) -> Path | None:
    """How `pod` reaches `sink` (`cluster-admin` or `sink:cluster-admin`; `ns-admin/*` for the nearest of a family), or none
    where it does not."""
    name = sink if sink in graph.index or sink.startswith(_SINK) else f"{_SINK}{sink}"
    members: tuple[str, ...] = (name,)
    if name not in graph.index and name.endswith("/*"):
        members = tuple(one for one in graph.sinks() if one.startswith(name.removesuffix("*")))
    return path_of(graph, graph.search(Target(name, members)), pod)
