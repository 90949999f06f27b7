"""Formats of a posture for machines: each against its own schema or the importer's rules, with every field hostile."""

from __future__ import annotations

import json
from itertools import cycle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from msgspec import structs
from sarif_pydantic import Sarif  # type: ignore[import-untyped]

from eightysix.context.threats import NAMES
from eightysix.model.posture import Posture
from eightysix.posture.edges.kinds import KINDS
from eightysix.posture.edges.make import _TECHNIQUES
from eightysix.posture.judge import judge
from eightysix.posture.reading import SnapshotBuilder
from eightysix.report.posture import sarif as sarif_format
from eightysix.report.posture.opengraph import SOURCE_KIND, edge_kind, node_kind
from tests.report.checks import check_quiet, check_sarif, sarif
from tests.report.hostile import HARMS, hostile_text, plant, poison
from tests.report.posture.opengraph_schema import OPENGRAPH, check_opengraph
from tests.report.posture.sample import example, rendered

_EXAMPLE = example()
_SMALL = structs.replace(
    _EXAMPLE,
    pods=_EXAMPLE.pods[:2],
    paths=_EXAMPLE.paths[:2],
    edges=_EXAMPLE.edges[:12],
    vertices=_EXAMPLE.vertices[:12],
    identities=_EXAMPLE.identities[:2],
)
"""One of each: validating is what costs."""


def results(posture: Posture) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = check_sarif(rendered(posture, name="sarif"))["runs"][0]["results"]
    return found


def test_sarif_tells_what_a_team_acts_on() -> None:
    document = check_sarif(rendered(_EXAMPLE, name="sarif"))
    assert Sarif.model_validate_json(rendered(_EXAMPLE, name="sarif"))
    (run,) = document["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == [
        "posture-choke-point",
        "posture-reaches-cluster-admin",
        "posture-reaches-acr-write",
        "posture-reaches-node",
        "posture-reaches-ns-admin",
        "posture-gpu-operand",
        "posture-unused-identity",
    ]
    for rule in run["tool"]["driver"]["rules"]:
        assert rule["help"]["markdown"]
        assert len(rule["properties"]["tags"]) <= 10
    assert all(
        run["results"][at]["ruleIndex"] == rules.index(run["results"][at]["ruleId"]) for at in range(4)
    )
    by_rule: dict[str, list[dict[str, Any]]] = {}
    for one in run["results"]:
        by_rule.setdefault(one["ruleId"], []).append(one)
    ways = by_rule["posture-reaches-cluster-admin"]
    assert {one["properties"]["workload"] for one in ways} == {
        "ml/Deployment/vllm",
        "ci/StatefulSet/runner",
        "ml/CronJob/retrain",
    }
    assert {one["level"] for one in ways} == {"error"}
    assert "What cuts it: " in ways[0]["message"]["text"]
    assert len(by_rule["posture-gpu-operand"]) == 1
    assert all("kube-system" not in one["properties"].get("workload", "") for one in run["results"])
    assert len(by_rule["posture-choke-point"]) == len(_EXAMPLE.fixes)
    unused = {one["properties"]["identity"] for one in by_rule["posture-unused-identity"]}
    assert unused == {one.id for one in _EXAMPLE.identities if one.unused and one.pods}


def test_a_code_flow_is_the_path() -> None:
    path = next(one for one in _EXAMPLE.paths if one.sink == "sink:cluster-admin")
    way = next(
        one
        for one in results(_EXAMPLE)
        if one["ruleId"] == "posture-reaches-cluster-admin"
        and path.pod.endswith(one["properties"]["workload"].partition("/")[2])
    )
    (flow,) = way["codeFlows"]
    steps = flow["threadFlows"][0]["locations"]
    assert [one["properties"]["type"] for one in steps] == [step.type for step in path.steps]
    assert [one["executionOrder"] for one in steps] == list(range(1, len(steps) + 1))
    assert all(one["taxa"] for one in steps if one["properties"]["type"] != "CONTAINS")


def test_places_are_the_manifests_files() -> None:
    example_places = {place.object: (place.file, place.line) for place in _EXAMPLE.places}
    assert example_places["CronJob/ml/retrain"][0] == "cluster.yaml"
    for one in results(_EXAMPLE):
        if one["ruleId"] == "posture-reaches-cluster-admin":
            place = one["locations"][0]["physicalLocation"]
            thing = one["locations"][0]["logicalLocations"][0]["fullyQualifiedName"]
            assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == example_places[thing]


def test_without_files_the_objects_name_stands_for_a_place() -> None:
    bare = structs.replace(_EXAMPLE, places=())
    places = {one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in results(bare)}
    assert "cluster/CronJob/ml/retrain" in places


def test_a_fingerprint_stays_while_its_subject_does() -> None:
    """Other paths, other counts, other order: the same findings. Another cluster: others."""

    def prints(posture: Posture) -> set[str]:
        return {one["fingerprints"]["posture/v1"] for one in results(posture)}

    mine = prints(_EXAMPLE)
    shorter = tuple(structs.replace(path, steps=path.steps[-2:]) for path in reversed(_EXAMPLE.paths))
    assert prints(structs.replace(_EXAMPLE, paths=shorter, pods=_EXAMPLE.pods[::-1])) == mine
    assert len(mine) == len(results(_EXAMPLE))
    assert not prints(structs.replace(_EXAMPLE, cluster="other")) & mine


def test_many_results_are_cut_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif_format, "MAX_RESULTS", 20)
    pod, path = _EXAMPLE.pods[0], _EXAMPLE.paths[0]
    pods = tuple(structs.replace(pod, id=f"pod:ml/{number}") for number in range(30))
    paths = tuple(structs.replace(path, pod=one.id) for one in pods)
    document = check_sarif(
        rendered(structs.replace(_EXAMPLE, pods=pods, paths=paths, identities=()), name="sarif")
    )
    (run,) = document["runs"]
    assert len(run["results"]) == 20
    assert run["properties"]["leftOut"] == 10 + len(_EXAMPLE.fixes) + len(_EXAMPLE.architectural)


def test_opengraph_has_all_of_the_graph() -> None:
    document = check_opengraph(rendered(_EXAMPLE, name="opengraph"))
    assert document["metadata"] == {"source_kind": SOURCE_KIND}
    nodes, edges = document["graph"]["nodes"], document["graph"]["edges"]
    assert {one["properties"]["vertex"] for one in nodes} == {one.id for one in _EXAMPLE.vertices}
    assert len(edges) == len(_EXAMPLE.edges)
    vllm = next(one for one in nodes if one["properties"]["vertex"] == "pod:ml/Deployment/vllm")
    assert vllm["kinds"] == ["E86_Pod"]
    assert (vllm["properties"]["density"], vllm["properties"]["pods"]) == (3, 6)
    assert {one["kind"] for one in edges} >= {"E86_SaTokenMounted", "E86_Contains", "E86_GpuPrivOperand"}


def test_every_edge_has_its_techniques() -> None:
    """Also those that only say what lies in a hub: by the same act."""
    for cloud in (True, False):
        for edge in check_opengraph(rendered(example(cloud), name="opengraph"))["graph"]["edges"]:
            told = edge["properties"]
            assert told["attack"], edge
            assert told["threat_matrix"] or told["type"] in _ATTACK_ALONE, edge
            assert all(name != id_ for id_, name in zip(told["attack"], told["attack_names"], strict=True))


_ATTACK_ALONE = {kind for kind, told in KINDS.items() if not told.matrix and told.attack}
"""Edges that the threat matrix has no word for."""


def test_every_technique_of_every_edge_has_a_name() -> None:
    told = {id_ for kind in KINDS.values() for id_ in (*kind.attack, *kind.matrix)}
    told |= {id_ for ids in _TECHNIQUES.values() for id_ in ids}
    assert told - set(NAMES) == set()


def test_ids_of_two_clusters_do_not_meet() -> None:
    def ids(cluster: str) -> set[str]:
        text = rendered(structs.replace(_EXAMPLE, cluster=cluster), name="opengraph")
        return {one["id"] for one in json.loads(text)["graph"]["nodes"]}

    both = ids("one") & ids("two")
    assert both
    assert all(
        id_.startswith(("e86/cloud", "e86/external:", "e86/artifact:", "e86/sink:sub-owner")) for id_ in both
    )


@given(st.text(max_size=30))
def test_every_kind_is_one_that_bloodhound_takes(text: str) -> None:
    validator = Draft202012Validator(OPENGRAPH["properties"]["graph"]["properties"]["edges"]["items"])
    ends = {"match_by": "id", "value": "x"}
    edge = {"kind": edge_kind(text), "start": ends, "end": ends, "properties": {}}
    assert validator.is_valid(edge)
    assert node_kind("service-account") == "E86_ServiceAccount"


@pytest.mark.parametrize("rules", ["default", "kubehound"])
def test_the_rules_that_were_asked_for(rules: str) -> None:
    builder = SnapshotBuilder("aks")
    builder.take_yaml(b"{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: c}]}}")
    told = judge(builder.snapshot(), rules=rules)
    check_opengraph(rendered(told, name="opengraph"))
    assert results(told) == []


def test_the_schemas_are_strict() -> None:
    document = json.loads(rendered(_EXAMPLE, name="opengraph"))
    validator = Draft202012Validator(OPENGRAPH)
    node = document["graph"]["nodes"][0]
    for broken in (
        {**node, "properties": {"a": {"b": 1}}},
        {**node, "properties": {"a": [1, "b"]}},
        {**node, "properties": {"Name": "x"}},
        {**node, "kinds": ["Pod"]},
        {**node, "kinds": []},
    ):
        assert not validator.is_valid({"graph": {"nodes": [broken], "edges": []}})
    wrong = json.loads(rendered(_EXAMPLE, name="sarif"))
    wrong["runs"][0]["results"][0]["level"] = "much"
    assert not sarif().is_valid(wrong)


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS)
def test_harm_in_every_field_stays_data(harm: str) -> None:
    told, _ = plant(_SMALL, harm)
    check_sarif(rendered(told, name="sarif"))
    check_quiet(rendered(told, name="sarif"))
    check_quiet(rendered(told, name="opengraph"))
    validator = Draft202012Validator(OPENGRAPH)
    assert [
        error.message for error in validator.iter_errors(json.loads(rendered(told, name="opengraph")))
    ] == []


@given(st.lists(hostile_text, min_size=1, max_size=9))
@settings(max_examples=6, deadline=None)
def test_any_text_in_any_field_is_valid(texts: list[str]) -> None:
    pool = cycle(text[:300] for text in texts)
    told = poison(_SMALL, lambda: next(pool))
    check_sarif(rendered(told, name="sarif"))
    check_quiet(rendered(told, name="sarif"))
    json.loads(rendered(told, name="opengraph"))
