"""In which namespace objects are that do not say it: where bindings say that their accounts are, and that is told."""

from __future__ import annotations

import pytest

from eightysix.posture.judge import World
from eightysix.posture.reading import SnapshotBuilder

ACCOUNT = "kind: ServiceAccount\nmetadata: {name: hub}\n"
WORK = """
kind: Deployment
apiVersion: apps/v1
metadata: {name: hub}
spec: {template: {spec: {serviceAccountName: hub, containers: [{name: c, image: i}]}}}
"""
BIND = """
kind: ClusterRoleBinding
metadata: {name: hub}
roleRef: {kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: %s, namespace: %s}]
"""
CHART = "---\n".join((ACCOUNT, WORK, BIND % ("hub", "ml")))


def taken(files: dict[str, str], namespace: str = "") -> SnapshotBuilder:
    builder = SnapshotBuilder(manifests=True, namespace=namespace)
    for name, text in files.items():
        builder.take_yaml(text.encode(), name)
    assert builder.problems == []
    return builder


def admins(builder: SnapshotBuilder) -> set[str]:
    world = World(builder.snapshot())
    return {f"{one.namespace}/{one.name}" for one in world.reached() if "sink:cluster-admin" in one.sinks}


def told(builder: SnapshotBuilder) -> list[str]:
    return [f"{row.what}: {row.why}" for row in builder.snapshot().not_seen]


@pytest.mark.parametrize(
    "files",
    [
        {"chart.yaml": CHART},
        {
            "out/hub/templates/a.yaml": ACCOUNT + "---" + WORK,
            "out/hub/templates/b.yaml": BIND % ("hub", "ml"),
        },
        {"out/hub/rbac/b.yaml": BIND % ("hub", "ml"), "out/hub/a.yaml": WORK},
        {"a.yaml": WORK, "b.yaml": BIND % ("hub", "ml")},
    ],
)
def test_objects_are_where_bindings_say_that_their_accounts_are(files: dict[str, str]) -> None:
    builder = taken(files)
    assert admins(builder) == {"ml/hub"}
    assert any("taken as ml" in row for row in told(builder))
    assert not any("\0" in key for key in builder.places)


def test_what_somebody_says_counts_and_needs_no_word() -> None:
    builder = taken({"chart.yaml": CHART}, "other")
    assert set(builder.snapshot().workloads) == {"Deployment/other/hub"}
    assert told(builder) == []
    assert admins(builder) == set()


def test_each_file_of_a_folder_has_its_own_release() -> None:
    other = CHART.replace("namespace: ml", "namespace: ci").replace(
        "{name: hub}\nroleRef", "{name: ci}\nroleRef"
    )
    files = {"a.yaml": CHART, "b.yaml": other}
    assert admins(taken(files)) == {"ml/hub", "ci/hub"}


def test_of_several_namespaces_each_object_goes_where_its_account_is_named() -> None:
    more = (WORK + "---" + BIND % ("page", "web")).replace("hub", "page")
    rest = WORK.replace("hub", "rest")
    builder = taken({"chart.yaml": CHART + "---" + more + "---" + rest})
    assert set(builder.snapshot().workloads) == {
        "Deployment/ml/hub",
        "Deployment/web/page",
        "Deployment/default/rest",
    }
    assert any("several (ml, web)" in row for row in told(builder))


def test_an_account_of_others_is_no_home_and_is_told() -> None:
    builder = taken({"chart.yaml": WORK + "---" + BIND % ("manager", "systems")})
    assert set(builder.snapshot().workloads) == {"Deployment/default/hub"}
    assert any("systems that are not given" in row for row in told(builder))


def test_plain_manifests_are_in_default_without_a_word() -> None:
    builder = taken({"a.yaml": WORK, "b.yaml": ACCOUNT})
    assert set(builder.snapshot().workloads) == {"Deployment/default/hub"}
    assert told(builder) == []


def test_objects_of_a_server_are_left_alone() -> None:
    live = WORK.replace("metadata: {name: hub}", "metadata: {name: hub, uid: u}")
    assert set(taken({"a.yaml": live + "---" + BIND % ("hub", "ml")}).snapshot().workloads) == {
        "Deployment/default/hub"
    }
