"""Ways from a pod to its node."""

from __future__ import annotations

from pathlib import Path

import pytest

from eightysix.model.posture import Confidence, Edge
from eightysix.posture import hostpaths
from eightysix.posture.edges.host import ANY_NODE, edges, told
from eightysix.posture.rbac import Authorizer
from tests.posture.cluster import bind, pairs, role, rule, snapshot, templates

POD = "---\nkind: Pod\nmetadata: {name: p, namespace: a}\nspec:\n  nodeName: n1\n  %s\n  containers: [{name: c, %s}]\n"
HERE = "pod:a/p"


def drawn(*texts: str) -> list[Edge]:
    taken = snapshot(*texts)
    return list(edges(taken, templates(taken), Authorizer(taken)))


def ways(spec: str = "", container: str = "") -> dict[str, Edge]:
    return {edge.type: edge for edge in drawn(POD % (spec, container)) if edge.source == HERE}


def capable(*names: str) -> str:
    return f"securityContext: {{capabilities: {{add: [{', '.join(names)}]}}}}"


@pytest.mark.parametrize(
    ("spec", "container", "types"),
    [
        ("", "", set()),
        ("", "securityContext: {privileged: true}", {"PRIVILEGED"}),
        ("hostPID: true", "securityContext: {privileged: true}", {"HOST_PROCESS", "HOST_PROCESSES_SEEN"}),
        ("hostPID: true", "", {"HOST_PROCESSES_SEEN"}),
        ("hostNetwork: true", "", {"HOST_NETWORK"}),
        ("hostIPC: true", "", set()),
        ("", capable("SYS_ADMIN"), {"SYS_ADMIN"}),
        ("", capable("CAP_SYS_MODULE"), {"KERNEL_MODULE"}),
        ("", capable("SYS_PTRACE"), set()),
        ("hostPID: true", capable("SYS_PTRACE"), {"PTRACE_HOST", "HOST_PROCESSES_SEEN"}),
        ("", capable("DAC_READ_SEARCH"), {"OPEN_BY_HANDLE"}),
        ("", capable("DAC_OVERRIDE"), set()),
        ("", capable("SYS_RAWIO"), {"RAW_DEVICES"}),
        ("", capable("BPF"), set()),
        ("", capable("BPF", "PERFMON"), {"BPF_PROGRAMS"}),
        ("", capable("NET_ADMIN"), set()),
        ("", capable("ALL"), {"SYS_ADMIN", "KERNEL_MODULE", "OPEN_BY_HANDLE", "RAW_DEVICES", "BPF_PROGRAMS"}),
        ("securityContext: {runAsUser: 1000}", capable("SYS_ADMIN"), set()),
        ("securityContext: {runAsNonRoot: true}", capable("SYS_MODULE"), set()),
        (
            "securityContext: {runAsUser: 1000}",
            "securityContext: {runAsUser: 0, capabilities: {add: [SYS_MODULE]}}",
            {"KERNEL_MODULE"},
        ),
        ("initContainers: [{name: i, securityContext: {privileged: true}}]", "", {"PRIVILEGED"}),
        ("ephemeralContainers: [{name: e, securityContext: {privileged: true}}]", "", {"PRIVILEGED"}),
        ("nodeSelector: {kubernetes.io/os: windows}", "securityContext: {privileged: true}", set()),
    ],
)
def test_ways_out(spec: str, container: str, types: set[str]) -> None:
    assert ways(spec, container).keys() == types


def test_how_sure() -> None:
    assert ways("", capable("SYS_ADMIN"))["SYS_ADMIN"].confidence is Confidence.INFERRED
    unconfined = "securityContext: {appArmorProfile: {type: Unconfined}}"
    assert ways(unconfined, capable("SYS_ADMIN"))["SYS_ADMIN"].confidence is Confidence.PROVED
    privileged = "name: i, securityContext: {privileged: true}"
    assert ways(f"initContainers: [{{{privileged}}}]")["PRIVILEGED"].confidence is Confidence.INFERRED
    sidecar = ways(f"initContainers: [{{{privileged}, restartPolicy: Always}}]")["PRIVILEGED"]
    assert sidecar.confidence is Confidence.PROVED
    assert sidecar.evidence == (("Pod/a/p", "spec.initContainers[0].securityContext.privileged"),)
    assert (
        ways("", "securityContext: {privileged: true, runAsUser: 1000}")["PRIVILEGED"].confidence
        is Confidence.INFERRED
    )


def mounted(path: str, more: str = "") -> dict[str, Edge]:
    return ways(
        f"volumes: [{{name: v, hostPath: {{path: {path}}}}}]",
        f"volumeMounts: [{{name: v, mountPath: /h{more}}}]",
    )


@pytest.mark.parametrize(
    ("path", "more", "types"),
    [
        ("/", "", {"RUNTIME_SOCKET", "CORE_PATTERN", "HOST_FOLDER_WRITE", "POD_TOKENS_READ"}),
        ("/", ", readOnly: true", {"RUNTIME_SOCKET", "HOST_FOLDER_READ", "POD_TOKENS_READ"}),
        ("/", ", subPath: tmp", set()),
        ("/", ", subPath: etc/cron.d", {"HOST_FOLDER_WRITE"}),
        ("/tmp", ", subPath: ../etc", set()),
        ("/etc//cron.d/../kubernetes/", ", readOnly: true", {"HOST_FOLDER_READ"}),
        ("/etc", "", {"HOST_FOLDER_WRITE"}),
        ("/etcetera", "", set()),
        ("/proc", "", {"CORE_PATTERN", "HOST_FOLDER_WRITE"}),
        ("/proc", ", readOnly: true", set()),
        ("/var/run/containerd/containerd.sock", ", readOnly: true", {"RUNTIME_SOCKET"}),
        ("/var/run", ", readOnly: true", {"RUNTIME_SOCKET"}),
        ("/var/run/docker.sock", "", {"RUNTIME_SOCKET"}),
        ("/var/lib/kubelet/pods", ", readOnly: true", {"POD_TOKENS_READ"}),
        ("/var/lib/kubelet/pods", "", {"POD_TOKENS_READ"}),
        ("/var/lib/kubelet", ", readOnly: true", {"POD_TOKENS_READ", "HOST_FOLDER_READ"}),
        ("/var/lib/kubelet/plugins", "", set()),
        ("/var/lib/kubelet/device-plugins", "", set()),
        ("/var/log", "", set()),
        ("/dev/nvidia0", "", set()),
        ("/lib/modules", ", readOnly: true", set()),
        ("/sys", ", readOnly: true", set()),
        ("/mnt/models", "", set()),
    ],
)
def test_folders(path: str, more: str, types: set[str]) -> None:
    assert mounted(path, more).keys() == types


def test_a_folder_is_of_use_to_root_and_where_it_is_mounted() -> None:
    volume = "volumes: [{name: v, hostPath: {path: /}}]"
    assert ways(volume) == {}
    assert ways(volume, "securityContext: {runAsUser: 7}, volumeMounts: [{name: v, mountPath: /h}]") == {}


def test_a_node_and_what_is_on_it() -> None:
    other = "---\nkind: Pod\nmetadata: {name: q, namespace: b}\nspec: {nodeName: n1, containers: []}\n"
    node = '---\nkind: Node\nmetadata: {name: n1, labels: {node-role.kubernetes.io/control-plane: ""}}\n'
    rbac = role("r", rule("get", "pods")) + bind("x", "r", "group=system:nodes")
    found = drawn(POD % ("", "securityContext: {privileged: true}"), other, node, rbac)
    assert pairs(found, "PRIVILEGED") == {(HERE, "node:n1")}
    assert pairs(found, "NODE_PODS") == {("node:n1/pods", HERE), ("node:n1/pods", "pod:b/q")}
    assert ("node:n1", "node:n1/pods") in pairs(found, "CONTAINS")
    assert pairs(found, "NODE_ROOT") == {("node:n1", "sink:node/n1"), ("node:n1", "sink:node")}
    assert pairs(found, "NODE_IDENTITY") == {("node:n1", "subject:group/system:nodes")}
    assert pairs(found, "CONTROL_PLANE_KEYS") == {("node:n1", "cluster:")}


def test_windows_is_told() -> None:
    taken = snapshot(POD % ("nodeSelector: {kubernetes.io/os: windows}", ""))
    assert [row.what for row in told(templates(taken))] == ["1 pods on Windows nodes"]
    assert told(templates(snapshot(POD % ("", "")))) == ()


@pytest.mark.tier("shared-data")
@pytest.mark.parametrize(
    ("name", "node", "partly"),
    [
        ("everything-allowed", True, True),
        ("priv", True, False),
        ("priv-and-hostpid", True, True),
        ("hostpath", True, False),
        ("hostpid", False, True),
        ("hostnetwork", False, True),
        (
            "hostipc",
            False,
            False,
        ),  # shared memory of the node's processes: nothing of Kubernetes' own lies there
        ("nothing-allowed", False, False),
    ],
)
def test_classes_of_bad_pods(shared_data: Path, name: str, node: bool, partly: bool) -> None:
    found = drawn((shared_data / "posture" / "badpods" / f"{name}-exec-pod.yaml").read_text())
    targets = {edge.target for edge in found if edge.source.startswith("pod:")}
    assert (ANY_NODE in targets) is node
    assert (f"{ANY_NODE}/seen" in targets) is partly
    assert (("node:?", "sink:node") in pairs(found, "NODE_ROOT")) is node


def test_paths_are_put_in_normal_form() -> None:
    assert hostpaths.normal("//etc/./x/..") == "/etc"
    assert hostpaths.normal("/var/run/x") == "/run/x"
    assert hostpaths.normal("/data", "../etc") == "/data"
    assert not hostpaths.inside("/etcetera", "/etc")
