"""Risk rises with every credential and edge, and says what it is made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.model.posture import Confidence, Credential, Edge
from eightysix.model.words import Domain
from eightysix.posture.graph import Graph, targets_of
from eightysix.posture.risk import VERIFIED, Risk, Scores, density, impact

SINKS = ["sink:cluster-admin", "sink:sub-owner", "sink:ns-admin/a", "sink:llm-spend", "sink:unheard-of"]
VERTICES = [
    "pod:a/p", "pod:a/q", "container:a/p/c", "service-account:a/s", "secret:a/x", "cloud-identity:i", "external:hub", "node:n",
    "permission-set:a/r::b", *SINKS,
]  # fmt: skip
TYPES = ["IDENTITY_ASSUME", "IMDS_NODE_ID", "HAS_LLM_KEY", "HAS_CRED_CICD", "PERMISSION_DISCOVER"]

edge_of = st.builds(
    Edge,
    type=st.sampled_from(TYPES),
    source=st.sampled_from(VERTICES),
    target=st.sampled_from(VERTICES),
    confidence=st.sampled_from(list(Confidence)),
)
credential_of = st.builds(
    Credential,
    domain=st.sampled_from([str(domain) for domain in Domain]),
    name=st.sampled_from(["one", "\x1b[2Jtwo"]),
    signal=st.just("a variable"),
    object=st.just("Pod a/p"),
    path=st.just("$.spec"),
    confidence=st.sampled_from(list(Confidence)),
    target=st.sampled_from(["", "nowhere", *VERTICES]),
)


def scored(
    edges: list[Edge], credentials: list[Credential], exposure: float = 1.0, pod: str = "pod:a/p"
) -> Risk:
    graph = Graph.of(edges, VERTICES)
    return Scores(graph, graph.search_all(targets_of(graph.sinks()))).of(pod, credentials, exposure)


@given(st.lists(edge_of, max_size=16), st.lists(credential_of, max_size=4), edge_of, credential_of)
def test_more_never_lowers_it(
    edges: list[Edge], credentials: list[Credential], edge: Edge, credential: Credential
) -> None:
    before = scored(edges, credentials)
    assert 0 <= before.risk <= scored([*edges, edge], credentials).risk <= 10
    assert before.risk <= scored(edges, [*credentials, credential]).risk <= 10
    assert scored(edges, credentials, VERIFIED).risk == pytest.approx(before.risk * VERIFIED, abs=0.011)
    assert before == scored(edges[::-1], credentials[::-1])
    assert all("\x1b" not in text for text in before.why)


@given(st.lists(edge_of, max_size=16))
def test_the_worst_sink_by_any_domain_is_the_worst_sink(edges: list[Edge]) -> None:
    graph = Graph.of(edges, VERTICES)
    answers = list(graph.search_all(targets_of(graph.sinks())))
    pod = graph.index["pod:a/p"]
    worst = max(impact(answer.target.name) * answer.probability(pod) for answer in answers)
    reaches = Scores(graph, answers).of("pod:a/p").reaches
    assert max((one.reach for one in reaches), default=0.0) == pytest.approx(worst)
    assert all(one.sink in SINKS for one in reaches)


def credential(domain: str, target: str = "", confidence: Confidence = Confidence.PROVED) -> Credential:
    return Credential(domain, "TOKEN", "variable", "Pod a/p", "$.spec", confidence, target)


TRUST = "The cloud takes tokens of service account a/s for the cloud identity i (inferred)."


def test_what_it_is_made_of() -> None:
    edges = [
        Edge("IDENTITY_ASSUME", "pod:a/p", "service-account:a/s"),
        Edge("PERMISSION_DISCOVER", "service-account:a/s", "permission-set:a/r::b"),
        Edge("WILDCARD_PERMISSION", "permission-set:a/r::b", "sink:ns-admin/a"),
        Edge("WI_FEDERATED", "service-account:a/s", "cloud-identity:i", confidence=Confidence.INFERRED),
        Edge("HOLDS_ROLE", "cloud-identity:i", "sink:sub-owner"),
    ]
    held = [
        credential("cluster", "service-account:a/s"),
        credential("delivery"),
        credential("llm", "", Confidence.INFERRED),
    ]
    risk = scored(edges, held)
    assert (risk.density, risk.domains) == (3, ("cluster", "delivery", "llm"))
    assert [(one.domain, one.reach, one.sink) for one in risk.reaches] == [
        ("cloud", 8.0, "sink:sub-owner"),
        ("cluster", 7.0, "sink:ns-admin/a"),
        ("llm", 3.2, ""),
        ("delivery", 0.5, ""),
    ]
    assert risk.why == (
        f"cloud 8.0: reaches ownership of the subscription (impact 10, probability 0.80): {TRUST}",
        "cluster 7.0: reaches everything in namespace a (impact 7, probability 1.00): it holds TOKEN (variable)",
        "llm 3.2: it holds TOKEN (variable), which opens spending on a model provider",
        "delivery 0.5: it holds TOKEN (variable), which opens nothing known",
        "risk 9.61 = 10 × (1 − 0.20 × 0.30 × 0.68 × 0.95)",  # noqa: RUF001 - a minus
    )
    assert risk.risk == 9.61
    assert scored(edges, held, VERIFIED).why[-1].endswith("× 0.6, as what it loads was verified")


def test_nothing_held_and_an_unknown_pod() -> None:
    nothing = scored([], [], pod="pod:a/absent")
    assert (nothing.risk, nothing.density, nothing.why) == (
        0,
        0,
        ("risk 0: it reaches nothing and holds nothing",),
    )
    assert scored([], [credential("cloud")], pod="pod:a/absent").risk == 0.5


def test_density_is_raw() -> None:
    assert density([credential("llm"), credential("cluster"), credential("llm")]) == ("cluster", "llm")
    assert density([]) == ()
