"""The graph that KubeHound draws: its own expectations where they are at hand, its predicates on pods of ours."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from eightysix.model.posture import Edge
from eightysix.posture.compat.kubehound import TYPES, edges
from tests.posture.cluster import bind, pairs, role, rule, snapshot

RBAC = "rbac.authorization.k8s.io"


def name_of(vertex: str) -> str:
    """What KubeHound calls a vertex: the end of its id."""
    return vertex.partition(":")[2].rpartition("/")[2]


def drawn(folder: Path) -> list[Edge]:
    return list(edges(snapshot(*(path.read_text() for path in sorted(folder.glob("*.yaml"))))))


def in_default(test: str, found: Iterable[Edge]) -> Iterable[Edge]:
    """The part of the graph that a test of KubeHound looks at."""
    for edge in found:
        own = "/" in edge.source
        if test.endswith(("POD_EXEC", "POD_PATCH", "TOKEN_LIST", "TOKEN_BRUTEFORCE")) and not own:
            continue
        if test.endswith("PERMISSION_DISCOVER") and not edge.source.startswith("service-account:default/"):
            continue
        wide = not own and "/" not in edge.target
        if test.endswith(("CASE_1", "CASE_2")) and not wide:
            continue
        if "ROLE_BIND" in test and not name_of(edge.target).startswith("rolebind"):
            continue
        if test.endswith("CASE_3") and not (own and "/" in edge.target):
            continue
        yield edge


@pytest.mark.tier("shared-data")
def test_every_expectation_of_kubehound(shared_data: Path) -> None:
    folder = shared_data / "posture" / "kubehound"
    found = drawn(folder)
    cases = json.loads((folder / "expectations.json").read_text())["cases"]
    assert sum(len(case["pairs"]) for case in cases) > 200
    for case in cases:
        seen = {
            (name_of(edge.source), name_of(edge.target))
            for edge in in_default(case["test"], (edge for edge in found if edge.type == case["edge"]))
        }
        expected = {(source, target) for source, target in case["pairs"]}
        assert not expected - seen, case["test"]
        if case["exact"]:
            assert seen == expected, case["test"]


@pytest.mark.tier("shared-data")
def test_each_manifest_of_kubehound_alone(shared_data: Path) -> None:
    """Of each file with the nodes: the expected pairs that lie within it, and where a case is exact, no other."""
    folder = shared_data / "posture" / "kubehound"
    nodes = (folder / "nodes.yaml").read_text()
    cases = json.loads((folder / "expectations.json").read_text())["cases"]
    looked_at = 0
    for path in sorted(folder.glob("*.yaml")):
        text = path.read_text()
        if path.name == "nodes.yaml":
            continue
        found = list(edges(snapshot(text, nodes)))
        names = {name_of(one) for edge in found for one in (edge.source, edge.target)}
        for case in cases:
            seen = {
                (name_of(edge.source), name_of(edge.target))
                for edge in in_default(case["test"], (edge for edge in found if edge.type == case["edge"]))
            }
            expected = {(source, target) for source, target in case["pairs"] if {source, target} <= names}
            looked_at += len(expected)
            assert not expected - seen, (path.name, case["test"])
            if case["exact"]:
                assert seen == expected, (path.name, case["test"])
    assert looked_at > 60


@pytest.mark.tier("shared-data")
def test_escapes_of_kubehound_and_its_silent_pod(shared_data: Path) -> None:
    found = drawn(shared_data / "posture" / "kubehound")
    for kind, container in {
        "CE_MODULE_LOAD": "modload-pod",
        "CE_NSENTER": "nsenter-pod",
        "CE_PRIV_MOUNT": "priv-pod",
        "CE_SYS_PTRACE": "sys-ptrace-pod",
        "CE_UMH_CORE_PATTERN": "umh-core-container",
        "CE_VAR_LOG_SYMLINK": "varlog-container",
    }.items():
        assert container in {name_of(edge.source) for edge in found if edge.type == kind}, kind
    assert not [
        edge
        for edge in found
        if edge.source.startswith("container:") and name_of(edge.source) == "control-pod"
    ]
    assert {edge.type for edge in found} <= TYPES.keys()
    ports = {name_of(edge.source) for edge in found if edge.type == "ENDPOINT_EXPLOIT"}
    assert {"jmx", "host-port-svc"} <= ports


POD = """---
kind: Pod
metadata: {name: p, namespace: a}
spec:
  nodeName: n1
  serviceAccountName: s
  %s
  containers: [{name: c, %s}]
"""
HOST = "volumes: [{name: v, hostPath: {path: %s}}]"


def one(spec: str = "", container: str = "", *more: str, server: str = "") -> set[str]:
    return {edge.type for edge in edges(snapshot(POD % (spec, container), *more, server=server))} - {
        "POD_ATTACH",
        "CONTAINER_ATTACH",
        "VOLUME_DISCOVER",
        "VOLUME_ACCESS",
    }


@pytest.mark.parametrize(
    ("spec", "container", "types"),
    [
        ("", "", set()),
        ("", "securityContext: {privileged: true}", {"CE_MODULE_LOAD", "CE_PRIV_MOUNT"}),
        (
            "hostPID: true",
            "securityContext: {privileged: true}",
            {"CE_MODULE_LOAD", "CE_PRIV_MOUNT", "CE_NSENTER"},
        ),
        ("", "securityContext: {capabilities: {add: [SYS_MODULE]}}", {"CE_MODULE_LOAD"}),
        ("", "securityContext: {capabilities: {add: [CAP_SYS_MODULE]}}", set()),
        ("hostPID: true", "securityContext: {capabilities: {add: [SYS_PTRACE, SYS_ADMIN]}}", set()),
        (
            "hostPID: true",
            "securityContext: {capabilities: {add: [SYS_PTRACE, SYS_ADMIN]}, appArmorProfile: {type: Unconfined}}",
            {"CE_SYS_PTRACE"},
        ),
    ],
)
def test_escapes(spec: str, container: str, types: set[str]) -> None:
    assert one(spec, container) == types


def test_ptrace_of_a_server_before_app_armor() -> None:
    capable = "securityContext: {capabilities: {add: [SYS_PTRACE, SYS_ADMIN]}}"
    assert one("hostPID: true", capable, server="1.30") == {"CE_SYS_PTRACE"}
    assert one("hostPID: true", capable, server="1.31") == set()


@pytest.mark.parametrize(
    ("path", "read_only", "types"),
    [
        ("/etc", False, {"EXPLOIT_HOST_WRITE"}),
        ("/etc", True, {"EXPLOIT_HOST_READ"}),
        ("/home/ann/.ssh", True, {"EXPLOIT_HOST_READ"}),
        ("/home/an-n/.ssh", True, set()),
        ("/opt", True, set()),
        ("/tmp/x", False, set()),
        ("/mnt", False, {"EXPLOIT_HOST_WRITE"}),
        ("/mnt/disks", False, set()),
        ("/run/xtables.lock", False, {"EXPLOIT_HOST_WRITE"}),
        ("/data/a-b/shared", False, set()),
        ("/var/lib/kubelet", True, set()),
    ],
)
def test_folders_of_the_host(path: str, read_only: bool, types: set[str]) -> None:
    assert (
        one(HOST % path, f"volumeMounts: [{{name: v, mountPath: /h, readOnly: {str(read_only).lower()}}}]")
        == types
    )


def test_tokens_on_the_node_and_logs() -> None:
    rbac = role("r", rule("get", "pods/log"), namespace="a") + bind("b", "r", "a:s", namespace="a")
    found = one(HOST % "/var", "volumeMounts: [{name: v, mountPath: /h}]", rbac)
    assert found == {
        "CE_VAR_LOG_SYMLINK",
        "EXPLOIT_HOST_TRAVERSE",
        "EXPLOIT_HOST_WRITE",
        "IDENTITY_ASSUME",
        "PERMISSION_DISCOVER",
        "TOKEN_STEAL",
    }


def test_init_containers_finished_pods_and_unknown_accounts_are_not_seen() -> None:
    init = "initContainers: [{name: i, securityContext: {privileged: true}}]"
    assert one(init) == set()
    done = (POD % ("", "securityContext: {privileged: true}")).replace(
        "kind: Pod", "kind: Pod\nstatus: {phase: Succeeded}"
    )
    assert list(edges(snapshot(done))) == []


def test_its_errors_are_kept() -> None:
    cross = role("r", rule("create", "deployments", "apps"), rule("get", "secrets", names="t"), namespace="a")
    found = list(edges(snapshot(POD % ("", ""), cross, bind("b", "r", "other:s", namespace="a"))))
    assert not {edge.type for edge in found} & {"POD_CREATE", "TOKEN_BRUTEFORCE", "PERMISSION_DISCOVER"}
    wide = role("w", rule("list", "secrets")) + bind("b", "w", "a:s", "group=devs")
    found = list(edges(snapshot(POD % ("", ""), wide)))
    assert pairs(found, "TOKEN_LIST") == {
        ("permission-set:w::b", "service-account:a/s"),
        ("permission-set:w::b", "subject:group/devs"),
    }


def test_roles_of_kubernetes_itself_reach_nothing_cluster_wide() -> None:
    text = role("cluster-admin", rule("*", "*", "*")) + bind("b", "cluster-admin", "group=ops")
    assert {edge.type for edge in edges(snapshot(POD % ("", ""), text))} == {
        "POD_ATTACH",
        "CONTAINER_ATTACH",
        "PERMISSION_DISCOVER",
    }


def test_a_namespaced_bind_reaches_its_own_namespace() -> None:
    binder = rule("create", "rolebindings", RBAC), rule("bind", "roles", RBAC)
    text = role("binder", *binder, namespace="a") + bind("b", "binder", "a:s", namespace="a")
    for namespace in ("a", "c"):
        text += role("other", rule("get", "pods"), namespace=namespace)
        text += bind("o", "other", f"{namespace}:s", namespace=namespace)
    assert pairs(edges(snapshot(POD % ("", ""), text)), "ROLE_BIND") == {
        ("permission-set:a/binder::b", "permission-set:a/other::o")
    }
