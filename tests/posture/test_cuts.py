"""What cuts each step of a path does cut it: checked by the same grouping that fixes are found by, and by simulation."""

from __future__ import annotations

from pathlib import Path

import pytest

from eightysix.posture import cuts as cutting
from eightysix.posture.cuts import cuts_of
from eightysix.posture.graph import EdgeKey
from eightysix.posture.judge import World, judge
from eightysix.posture.reading import SnapshotBuilder

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "posture"


@pytest.fixture(scope="module")
def example() -> World:
    builder = SnapshotBuilder("aks", "2026-11-23T12:00:00Z", "1.34")
    builder.take_yaml((EXAMPLE / "cluster.yaml").read_bytes(), "cluster.yaml")
    builder.take((EXAMPLE / "cloud.json").read_bytes().replace(b"\n", b" "), "cloud.json")
    return World(builder.snapshot())


def test_each_step_that_can_be_cut_has_one_action(example: World) -> None:
    told = judge(example.snapshot, world=example, cuts=True)
    by_edge: dict[tuple[str, str, str], str] = {}
    for cut in told.cuts:
        assert cut.what
        for key in cut.edges:
            assert key not in by_edge
            by_edge[key] = cut.what
    crossed = {(step.type, step.source, step.target) for path in told.paths for step in path.steps}
    assert set(by_edge) < crossed
    mounted = ("SA_TOKEN_MOUNTED", "pod:ml/CronJob/retrain", "service-account:ml/trainer")
    assert by_edge[mounted].startswith("Mount no token of service account ml/trainer")
    # how Kubernetes works is nobody's to change, and what the hardware needs no fix
    assert {key[0] for key in crossed - set(by_edge)} >= {"CONTAINS", "NODE_ROOT"}
    assert example.architectural
    assert not {key[1] for key in by_edge} & example.architectural


def test_every_fix_on_a_path_is_among_the_cuts(example: World) -> None:
    told = judge(example.snapshot, world=example, cuts=True)
    commands = {cut.command for cut in told.cuts}
    assert all(fix.command in commands for fix in told.fixes if len(fix.command.split("\n")) == 1)


def test_a_cut_takes_its_edges_off_the_graph(example: World) -> None:
    told = judge(example.snapshot, world=example, cuts=True)
    for cut in told.cuts:
        keys = [EdgeKey(*key) for key in cut.edges]
        done = example.simulate(keys)
        assert done.unknown == ()
        left = example.graph.cut([at for key in keys for at in example.graph.find(key)])
        assert all(left.search(target).level.size for target in example.targets)


def test_nothing_is_told_where_nobody_asks(example: World) -> None:
    assert judge(example.snapshot, world=example).cuts == ()
    assert list(cuts_of(example.graph, example.known, ())) == []


def test_cuts_are_bounded(example: World, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = judge(example.snapshot, world=example).paths
    every = list(cuts_of(example.graph, example.known, paths))
    monkeypatch.setattr(cutting, "MAX_CUTS", 3)
    assert list(cuts_of(example.graph, example.known, paths))[:3] == every[:3]
    assert len(list(cuts_of(example.graph, example.known, paths))) == 3


def test_places_are_where_objects_were_read() -> None:
    builder = SnapshotBuilder(manifests=True)
    builder.take_yaml((EXAMPLE / "cluster.yaml").read_bytes(), "some/cluster.yaml")
    lines = (EXAMPLE / "cluster.yaml").read_text().split("\n")
    for thing in ("Deployment/ml/vllm", "StatefulSet/ci/runner", "ClusterRoleBinding/trainer-was-in-a-hurry"):
        file, line = builder.places[thing]
        kind, name = thing.split("/")[0], thing.split("/")[-1]
        document = "\n".join(lines[line - 1 :]).split("\n---")[0]
        assert document.startswith("apiVersion: ")
        assert file == "some/cluster.yaml"
        assert f"kind: {kind}" in document
        assert f"name: {name}" in document
    told = judge(builder.snapshot(), places=builder.places)
    assert {place.object for place in told.places} <= set(builder.places)
    assert told.places


def test_what_a_cluster_lists_has_no_place() -> None:
    builder = SnapshotBuilder()
    builder.take_items("Pod", "", [b'{"metadata": {"name": "a", "namespace": "b"}, "spec": {}}'], "pods")
    assert builder.places == {}
