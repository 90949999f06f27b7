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
        (
            "The cloud role Contributor allows fetching the cluster's admin credentials: cluster-admin; this needs:"
            " it has some (assumed)."
        ),
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
        told = sorted(name for _, name, _, _ in Formatter().parse(text) if name)
        words = {"allows", "leads", "may", "gets"}
        assert [name for name in told if name not in words] == ["source", "target"], kind


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
        ("sink:node", "root on a node"),
        ("sink:node/n1", "root on node n1"),
        ("sink:unheard-of", "unheard-of"),
        ("namespace:ml", "namespace ml"),
        ("sink:ns-admin/*", "everything in a namespace"),
        ("sink:ns-admin/ml", "everything in namespace ml"),
        ("node:?", "a node"),
        ("node:n1/pods", "what the pods of node n1 hold"),
        ("namespace:ml/pods", "any pod in namespace ml"),
        ("namespace:ml/workloads", "namespace ml"),
        ("cluster:workloads", "any namespace of the cluster"),
        ("cluster:unheard-of", "any of unheard-of of the cluster"),
        (
            "cloud-role:AcrPush@/subscriptions/0/resourceGroups/ml/providers/a/registries/acme",
            "the cloud role AcrPush on acme of resource group ml",
        ),
        ("cloud-role:Owner@/subscriptions/0", "the cloud role Owner on subscription 0"),
        (
            "cloud-role:Reader@/subscriptions/0/resourceGroups/ml",
            "the cloud role Reader on resource group ml",
        ),
        ("cloud-identity:/subscriptions/0/resourcegroups/ml/x", "the cloud identity x of resource group ml"),
        (
            "cloud-identity:11111111-1111-4111-8111-111111111111",
            "the cloud identity 11111111-1111-4111-8111-111111111111",
        ),
        ("credential:ml/tokens of a", "tokens of service account ml/a"),
        ("cloud-resource:push/acme.io", "pushing to registry acme.io"),
        ("endpoint:metadata/*", "the metadata service"),
        ("endpoint:metadata/gpu", "the metadata service of gpu"),
        ("endpoint:a/b", "endpoint a/b"),
        ("cluster:", "the whole cluster"),
        ("cluster:secrets", "any Secret of the cluster"),
        ("subject:group/system:masters", "group system:masters"),
        ("pod:a%2Fb/c%252F", "pod a/b/c%2F"),
    ],
)
def test_vertices_in_words(vertex: str, words: str) -> None:
    assert say(vertex) == words


@pytest.mark.parametrize(
    ("kind", "source", "target", "text"),
    [
        (
            "CREATE_WORKLOAD",
            "permission-set:ml/r::b",
            "namespace:ml/workloads",
            "The permissions ml/r::b allow making pods in namespace ml.",
        ),
        (
            "CREATE_WORKLOAD",
            "permission-set:r::b",
            "cluster:workloads",
            "The permissions r::b allow making pods in any namespace of the cluster.",
        ),
        (
            "CREATE_POD_WITH_ACCOUNT",
            "namespace:ml/workloads",
            "namespace:ml/service-accounts",
            "Whoever makes pods in namespace ml runs them as any service account in namespace ml.",
        ),
        (
            "CONTAINS",
            "namespace:ml/service-accounts",
            "service-account:ml/a",
            "Service account ml/a is one of the service accounts in namespace ml.",
        ),
        (
            "CONTAINS",
            "cluster:workloads",
            "namespace:ml/workloads",
            "Whoever makes pods in any namespace of the cluster makes pods in namespace ml.",
        ),
        (
            "CONTAINS",
            "cluster:",
            "cluster:nodes",
            "Whoever controls the whole cluster controls any node of the cluster.",
        ),
        (
            "CONTAINS",
            "cluster:namespaces",
            "namespace:ml",
            "The namespaces of the cluster include namespace ml.",
        ),
        ("CONTAINS", "node:n1", "node:n1/pods", "Root on node n1 has what the pods of node n1 hold."),
        (
            "CLUSTER_ADMIN",
            "permission-set:r::b",
            "cluster:",
            "The permissions r::b allow everything in the whole cluster.",
        ),
        (
            "CLUSTER_ADMIN",
            "cluster:",
            "sink:cluster-admin",
            "Whoever controls the whole cluster has cluster-admin.",
        ),
        (
            "NS_ADMIN",
            "namespace:ml",
            "sink:ns-admin/ml",
            "Whoever controls namespace ml has everything in namespace ml.",
        ),
        (
            "NODE_ROOT",
            "cluster:nodes",
            "sink:node",
            "Whoever controls any node of the cluster has root on a node.",
        ),
        (
            "ESCALATE",
            "service-account:ml/a",
            "namespace:ml",
            "Service account ml/a may write rights into a role of its own, and so gets namespace ml.",
        ),
        (
            "DOCKER_SOCK",
            "pod:ml/a",
            "sink:node",
            "Pod ml/a holds the runtime's socket and so becomes root on a node.",
        ),
        (
            "WI_FEDERATED",
            "pod:ml/a",
            "credential:ml/tokens of b",
            "Pod ml/a gets tokens of service account ml/b.",
        ),
        (
            "WI_FEDERATED",
            "credential:ml/tokens of b",
            "cloud-identity:c",
            "The cloud takes tokens of service account ml/b for the cloud identity c.",
        ),
        (
            "POD_TOKENS_READ",
            "pod:ml/a",
            "node:?/pods",
            "Pod ml/a reads the tokens of the pods of a node from the kubelet's folder.",
        ),
    ],
)
def test_sentences_are_english(kind: str, source: str, target: str, text: str) -> None:
    assert sentence(Edge(kind, source, target)) == text
