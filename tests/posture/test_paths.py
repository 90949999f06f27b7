"""Paths in words."""

from __future__ import annotations

from string import Formatter

import pytest
from hypothesis import given

from eightysix.model.posture import Confidence, Edge
from eightysix.posture.graph import Graph, targets_of
from eightysix.posture.paths import best_paths, why
from eightysix.posture.sentences import SENTENCES, say, sentence
from eightysix.report.inert import is_harmless
from tests.posture.brute import VERTICES, best, edges_of

EDGES = [
    Edge(
        "IDENTITY_ASSUME",
        "pod:ml/Deployment/llm",
        "service-account:ml/runner",
        (("Pod ml/llm", "$.spec.serviceAccountName"),),
    ),
    Edge("WI_FEDERATED", "service-account:ml/runner", "cloud-identity:ml-id", confidence=Confidence.INFERRED),
    Edge("HOLDS_ROLE", "cloud-identity:ml-id", "cloud-role:Contributor"),
    Edge(
        "LIST_CLUSTER_ADMIN",
        "cloud-role:Contributor",
        "sink:cluster-admin",
        confidence=Confidence.ASSUMED,
        needs="it has some",
    ),
    Edge("MOVES", "pod:ml/Deployment/llm", "sink:ns-admin/ml"),
]


def test_a_path_as_sentences() -> None:
    path = why(Graph.of(EDGES), "pod:ml/Deployment/llm", "cluster-admin")
    assert path is not None
    assert (path.pod, path.sink, path.probability) == ("pod:ml/Deployment/llm", "sink:cluster-admin", 0.4)
    assert [step.text for step in path.steps] == [
        "Pod ml/Deployment/llm runs as service account ml/runner.",
        "The cloud takes tokens of service account ml/runner for the cloud identity ml-id (inferred).",
        "The cloud identity ml-id is assigned the cloud role Contributor.",
        "The cloud role Contributor allows fetching the cluster's admin credentials: cluster-admin, if it has some (assumed).",
    ]
    assert path.steps[0].evidence == (("Pod ml/llm", "$.spec.serviceAccountName"),)


def test_a_family_is_asked_by_a_star_and_answers_with_its_member() -> None:
    graph = Graph.of(EDGES)
    for asked in ("ns-admin/*", "sink:ns-admin/*", "sink:ns-admin/ml"):
        path = why(graph, "pod:ml/Deployment/llm", asked)
        assert path is not None
        assert (path.sink, path.steps[0].text) == (
            "sink:ns-admin/ml",
            "Pod ml/Deployment/llm leads to everything in namespace ml by MOVES.",
        )
    assert why(graph, "pod:absent", "cluster-admin") is None
    assert why(graph, "pod:ml/Deployment/llm", "nothing") is None
    assert why(graph, "cloud-role:Contributor", "ns-admin/*") is None


@given(edges_of)
def test_every_pod_has_a_path_to_each_sink_that_it_reaches(edges: list[Edge]) -> None:
    graph = Graph.of(edges, VERTICES)
    pods = [one for one in VERTICES if one.startswith("pod:")]
    found = {
        (path.pod, path.sink): path
        for path in best_paths(graph, graph.search_all(targets_of(graph.sinks())), pods)
    }
    expected = {
        (pod, sink): best(edges, [sink])[pod]
        for sink in graph.sinks()
        for pod in pods
        if pod in best(edges, [sink])
    }
    assert {pair: (round(path.probability, 9), len(path.steps)) for pair, path in found.items()} == {
        pair: (round(probability, 9), steps) for pair, (probability, steps) in expected.items()
    }
    for (pod, sink), path in found.items():
        assert why(graph, pod, sink) == path


def test_sentences_name_both_ends_once() -> None:
    for kind, text in SENTENCES.items():
        assert sorted(name for _, name, _, _ in Formatter().parse(text) if name) == ["source", "target"], kind


@pytest.mark.parametrize(
    "name",
    ["\x1b]8;;http://x\x07", "a\u202eb", "{target}{0}%s", "x" * 100_000, "\ud800", "a\nb", "", "%2F%25"],
)
def test_hostile_names_are_harmless(name: str) -> None:
    for kind in ("pod", "sink", "namespace", "cluster", "subject", "", "\x1b"):
        for edge in (
            Edge("POD_EXEC", f"{kind}:{name}", f"{kind}:{name}/{name}"),
            Edge(name, "pod:a", name, needs=name),
        ):
            text = sentence(edge)
            assert all(map(is_harmless, text))
            assert len(text) < 700


@pytest.mark.parametrize(
    ("vertex", "words"),
    [
        ("sink:node", "root on node"),
        ("sink:node/n1", "root on node n1"),
        ("sink:unheard-of", "unheard-of"),
        ("namespace:ml", "namespace ml"),
        ("namespace:ml/pods", "all pods in namespace ml"),
        ("endpoint:metadata/*", "the metadata service"),
        ("endpoint:metadata/gpu", "the metadata service of gpu"),
        ("endpoint:a/b", "endpoint a/b"),
        ("cluster:", "the whole cluster"),
        ("cluster:secrets", "all secrets of the cluster"),
        ("subject:group/system:masters", "group system:masters"),
        ("pod:a%2Fb/c%252F", "pod a/b/c%2F"),
    ],
)
def test_vertices_in_words(vertex: str, words: str) -> None:
    assert say(vertex) == words
