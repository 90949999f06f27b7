"""Every vertex's best path to every sink is the one that trying everything finds, whatever the order of edges."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.model.errors import UsageError
from eightysix.model.posture import Confidence, Edge
from eightysix.posture.cutting import Tree, spares
from eightysix.posture.graph import FACTORS, EdgeKey, Graph, Reach, Target, key_of, targets_of
from tests.posture.brute import VERTICES, best, edges_of

FAMILY = Target("sink:fam/*", ("sink:fam/a", "sink:fam/b"))


def told(graph: Graph, reach: Reach) -> dict[str, tuple[float, int]]:
    levels = {one: int(reach.level[at]) for at, one in enumerate(graph.ids)}
    return {one: reach.levels[level] for one, level in levels.items() if level >= 0}


def same(one: Reach, other: Reach) -> None:
    """Two answers agree in everything, down to which of two equal paths is told."""
    assert one.keys == other.keys
    assert one.level.tolist() == other.level.tolist()
    assert one.via.tolist() == other.via.tolist()
    assert [sorted(level) for level in one.settled] == [sorted(level) for level in other.settled]


def rounded(found: dict[str, tuple[float, int]]) -> dict[str, tuple[float, int]]:
    return {one: (round(probability, 9), steps) for one, (probability, steps) in found.items()}


@given(edges_of, st.sampled_from([Target("sink:one", ("sink:one",)), FAMILY]))
def test_paths_are_the_best_that_there_are(edges: list[Edge], target: Target) -> None:
    graph = Graph.of(edges, VERTICES)
    reach = graph.search(target)
    found = told(graph, reach)
    expected = best(edges, target.members)
    assert rounded(found) == rounded(expected)
    for one in found:
        way = [graph.edge(at) for at in graph.way(reach, graph.index[one])]
        assert all(edge in edges for edge in way)
        assert [edge.source for edge in way] == [one, *(edge.target for edge in way)][: len(way)]
        assert (way[-1].target if way else one) in target.members
        product = 1.0
        for edge in way:
            product *= FACTORS[edge.confidence]
        assert (round(product, 9), len(way)) == rounded(found)[one]


@given(edges_of, st.randoms(use_true_random=False))
def test_the_order_of_edges_does_not_matter(edges: list[Edge], chance: random.Random) -> None:
    other = [*edges, *chance.sample(edges, len(edges) // 2)]
    chance.shuffle(other)
    first, second = Graph.of(edges), Graph.of(iter(other))
    assert first.ids == second.ids
    assert [first.edge(at) for at in range(len(first))] == [second.edge(at) for at in range(len(second))]
    for target in targets_of(first.sinks()):
        one, two = first.search(target), second.search(target)
        assert one.via.tolist() == two.via.tolist()
        assert one.level.tolist() == two.level.tolist()


@given(edges_of, st.sampled_from(VERTICES))
def test_onward_and_back_agree(edges: list[Edge], start: str) -> None:
    graph = Graph.of(edges, VERTICES)
    onward = graph.onward(start)
    for target in targets_of(graph.sinks()):
        back = graph.search(target)
        assert onward.probability(graph.index[target.name]) == pytest.approx(
            back.probability(graph.index[start])
        )


@given(edges_of, st.sets(st.integers(0, 23)))
def test_a_cut_graph_is_the_graph_of_what_is_left(edges: list[Edge], numbers: set[int]) -> None:
    gone = {key_of(edges[number]) for number in numbers if number < len(edges)}
    graph = Graph.of(edges, VERTICES)
    positions = [at for key in gone for at in graph.find(key)]
    left = Graph.of([edge for edge in edges if key_of(edge) not in gone], VERTICES)
    cut = graph.cut(positions)
    for target in [*targets_of(graph.sinks()), FAMILY]:
        assert told(cut, cut.search(target)) == told(left, left.search(target))
        assert told(graph, graph.search(target)) == told(graph.cut([]), graph.cut([]).search(target))
        for start in (graph, graph.cut(positions[::2])):
            before = start.search(target)
            lost = (before.level >= 0) & (cut.search(target).level < 0)
            tree, cuts = Tree(start, before), np.array(positions, np.int32)
            groups = np.zeros(len(graph), np.int32)
            groups[positions] = 1
            spare = spares(graph, graph.search(target))
            for follow in (True, False):
                found = tree.losing(1, groups, cuts, spare, follow=follow)
                assert sorted(found.tolist()) == np.flatnonzero(lost).tolist()
            same(tree.cut(cut, cuts).reach, cut.search(target))
    for one in VERTICES:
        assert {cut.key(at) for at in cut.leaving(cut.index[one])} == {
            key_of(e) for e in edges if e.source == one
        } - gone


@given(edges_of, st.lists(st.integers(0, 9), min_size=len(VERTICES), max_size=len(VERTICES)))
def test_what_leads_through_a_vertex_is_counted(edges: list[Edge], weights: list[int]) -> None:
    graph = Graph.of(edges, VERTICES)
    reach = graph.search(FAMILY)
    expected = [0] * len(VERTICES)
    for at, weight in enumerate(weights):
        if reach.level[at] >= 0:
            for vertex in [at, *(int(graph.targets[edge]) for edge in graph.way(reach, at))]:
                expected[vertex] += weight
    assert Tree(graph, reach).through(np.array(weights)).tolist() == expected


def test_arrays_give_what_edges_give() -> None:
    edges = [
        Edge("B", "a", "b"),
        Edge("A", "b", "sink:x", confidence=Confidence.ASSUMED),
        Edge("A", "a", "b"),
    ]
    ids = ["a", "b", "sink:x"]
    codes = (np.array([1, 0, 0], np.uint16), np.array([0, 2, 0], np.uint8))
    graph = Graph(ids, np.array([0, 1, 0], np.int32), np.array([1, 2, 1], np.int32), codes, ["A", "B"])
    assert [graph.edge(at) for at in range(3)] == [Graph.of(edges).edge(at) for at in range(3)]
    assert graph.find(EdgeKey("B", "a", "b")) == [1]
    assert graph.find(EdgeKey("C", "a", "b")) == graph.find(EdgeKey("A", "a", "nothing")) == []


def test_a_probability_counts_before_length_and_length_before_names() -> None:
    sure = [Edge("A", "pod:a", "x:z"), Edge("A", "x:z", "x:y"), Edge("A", "x:y", "sink:s")]
    edges = [
        *sure,
        Edge("A", "pod:a", "sink:s", confidence=Confidence.INFERRED),
        Edge("A", "pod:b", "x:z"),
        Edge("A", "pod:b", "x:y"),
    ]
    graph = Graph.of(edges)
    reach = graph.search(Target("sink:s", ("sink:s",)))
    assert [graph.key(at).target for at in graph.way(reach, graph.index["pod:a"])] == ["x:z", "x:y", "sink:s"]
    assert [graph.key(at).target for at in graph.way(reach, graph.index["pod:b"])] == ["x:y", "sink:s"]


def test_a_family_that_is_large_is_one_target() -> None:
    sinks = [f"sink:ns-admin/{number}" for number in range(5)] + [
        "sink:node",
        "sink:node/a",
        "sink:cluster-admin",
    ]
    assert [target.name for target in targets_of(sinks, most=4)] == [
        "sink:cluster-admin",
        "sink:node",
        "sink:node/a",
        "sink:ns-admin/*",
    ]
    assert len(targets_of(sinks, most=5)) == len(sinks)


def test_a_long_chain_and_an_empty_graph() -> None:
    chain = [Edge("A", f"x:{at:05d}", f"x:{at + 1:05d}", confidence=Confidence.ASSUMED) for at in range(3000)]
    graph = Graph.of(chain)
    reach = graph.search(Target("end", ("x:03000",)))
    assert len(graph.way(reach, 0)) == 3000  # where the product has long become 0, a path is still one
    empty = Graph.of([], ["pod:a"])
    assert empty.search(Target("sink:x", ("sink:x",))).level.tolist() == [-1]
    assert Graph.of([]).sinks() == []


def test_too_many_vertices_are_refused() -> None:
    class Many(list[str]):
        def __len__(self) -> int:
            return 2**31

    none = np.array([], np.int32)
    with pytest.raises(UsageError, match="more than the graph has numbers for"):
        Graph(Many(), none, none, (none.astype(np.uint16), none.astype(np.uint8)), ["A"])


def test_names_are_data() -> None:
    names = ["pod:\u202e\x1b[2J\n", "pod:'; drop", "sink:\ud800", "pod:", ":", ""]
    edges = [Edge("A", name, "sink:\ud800") for name in names]
    graph = Graph.of(edges)
    assert {graph.edge(at).source for at in range(len(graph))} == set(names)
    assert graph.search(Target("", ("sink:\ud800",))).level.tolist().count(1) == len(names) - 1
