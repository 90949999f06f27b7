"""Look-alikes of attacks that leave their pod: gateways and proxies, agents of the node, controllers, identities at home."""

from __future__ import annotations

from eightysix.lab.generate import azure
from eightysix.lab.generate.audit import Caller, Request, kubelet, operator
from eightysix.lab.generate.cluster import Image
from eightysix.lab.generate.label import Declared, Label, look_alike
from eightysix.lab.generate.programs import (
    METADATA,
    Wheel,
    api_request,
    call,
    install,
    pip_command,
    read_service_account,
)
from eightysix.lab.generate.scenarios.attack_beyond import (
    AUDIT_ONLY,
    EGRESS,
    IDENTITY,
    KUBECTL,
    LANDS,
    TOKEN_OF_CI,
    declared,
    elsewhere,
    host_pod_body,
    volume,
)
from eightysix.lab.generate.scenarios.cast import inference, start_server
from eightysix.lab.generate.scene import Process, Scene, Streams
from eightysix.lab.generate.settings import FULL, KERNEL_AND_AUDIT, Setting

__all__: list[str] = []


def _label(telling: str, twin: str, uid: str = "", notes: str = "") -> Label:
    return Label(
        malicious=False,
        at_least="none",
        at_most="watch",
        telling=telling,
        twin=twin,
        pod_uid=uid,
        notes=notes,
    )


def _server(scene: Scene) -> Process:
    server = scene.entrypoint(0.31, inference(scene), "/opt/venv/bin/python", "/app/server.py")
    start_server(server, 0.31)
    read_service_account(server, 3.0, None)
    return server


@look_alike("token-by-gateway", FULL, KERNEL_AND_AUDIT, AUDIT_ONLY)
def token_by_gateway(setting: Setting) -> tuple[Streams, Label]:
    """The API server is outside of the cluster's network: pods and kubelets leave by the addresses of one gateway."""
    scene = Scene(setting)
    pod = _server(scene).container.pod
    other = scene.node(1)
    for at, node, address in ((5.0, pod.node, "203.0.113.5"), (7.0, other, "203.0.113.6")):
        scene.api(at, kubelet(node.name, address), Request("update", "leases", "kube-node-lease", node.name))
    for at, address in ((100.0, "203.0.113.5"), (700.0, "203.0.113.6"), (1_300.0, "203.0.113.5")):
        scene.api(at, elsewhere(pod, address), Request("list", "secrets", "ml"))
    return scene.streams(), _label(
        "nodes of the cluster leave by the same addresses", "token-elsewhere", pod.uid
    )


@look_alike("token-through-node", FULL, KERNEL_AND_AUDIT)
def token_through_node(setting: Setting) -> tuple[Streams, Label, Streams, Declared]:
    """Requests are translated to the node's address, and a pod of the node's own network has no other; egress is declared."""
    scene = Scene(setting)
    pod = _server(scene).container.pod
    scene.api(5.0, kubelet(pod.node.name, "10.224.0.7"), Request("get", "nodes", "", pod.node.name))
    for at in (100.0, 700.0, 1_300.0):
        scene.api(at, elsewhere(pod, "10.224.0.7"), Request("list", "secrets", "ml"))
    return scene.streams(), _label("the address is the node's", "token-outside", pod.uid), {}, EGRESS


@look_alike("token-dual-stack", FULL, KERNEL_AND_AUDIT)
def token_dual_stack(setting: Setting) -> tuple[Streams, Label, Streams, Declared]:
    """The pod has an address of each family; the kernel's records and the declared ranges tell of IPv4 only."""
    scene = Scene(setting)
    pod = _server(scene).container.pod
    for at, address in ((100.0, pod.ip), (700.0, "fd00:10:244:1::2f"), (1_300.0, "2001:db8:4::2f")):
        scene.api(at, elsewhere(pod, address), Request("list", "secrets", "ml"))
    return scene.streams(), _label("of that family nothing is known", "token-outside", pod.uid), {}, EGRESS


@look_alike("token-through-konnectivity", FULL, AUDIT_ONLY)
def token_through_konnectivity(setting: Setting) -> tuple[Streams, Label]:
    """A balancer before the API server hides every caller, so do its own loop-backs; kubelets come from the same address."""
    scene = Scene(setting)
    pod = _server(scene).container.pod
    scene.api(5.0, kubelet(pod.node.name, "172.31.0.20"), Request("get", "nodes", "", pod.node.name))
    for at, address in ((100.0, "172.31.0.20"), (700.0, "127.0.0.1"), (1_300.0, "::1")):
        scene.api(at, elsewhere(pod, address), Request("list", "secrets", "ml"))
    return scene.streams(), _label("the node's own agent comes from there", "token-elsewhere", pod.uid)


@look_alike("token-of-ci", KERNEL_AND_AUDIT)
def token_of_ci(setting: Setting) -> tuple[Streams, Label, Streams, Declared]:
    """A deployer in the cluster mints a token for a pipeline outside, whose range is declared."""
    scene = Scene(setting)
    pod = scene.pod("deployer", namespace="ci")
    container = scene.container(pod, Image("registry.example/ci/deployer:4", "1"), started=0.0)
    deployer = scene.entrypoint(0.3, container, "/usr/bin/deployer", "run")
    read_service_account(deployer, 2.0, None)
    mint = Request("create", "serviceaccounts", "ci", "pipeline", "token", code=201, issued=TOKEN_OF_CI)
    api_request(deployer, 60.0, mint, None)
    prefix = "authentication.kubernetes.io/"
    pipeline = Caller(
        "system:serviceaccount:ci:pipeline",
        "",
        ("system:serviceaccounts", "system:authenticated"),
        ((prefix + "credential-id", f"JTI={TOKEN_OF_CI}"),),
        "192.0.2.17",
    )
    for at in (90.0, 95.0, 110.0):
        scene.api(at, pipeline, Request("list", "secrets", "ci", user_agent=KUBECTL))
    ranges = {"egress": ["203.0.113.0/28", "192.0.2.0/27"]}
    return scene.streams(), _label("the pipeline's range is declared", "token-outside", pod.uid), {}, ranges


@look_alike("token-refused-at-home", FULL)
def token_at_home(setting: Setting) -> tuple[Streams, Label, Streams, Declared]:
    """A controller outside of the cluster uses a kubeconfig: no service account, and none of the pods'."""
    scene = Scene(setting)
    pod = _server(scene).container.pod
    for at in (100.0, 200.0):
        scene.api(
            at, operator("argo@contoso.example"), Request("list", "secrets", "ml", user_agent="argocd/3.2")
        )
        scene.api(at + 1.0, pod, Request("list", "pods", "ml"))
    return (
        scene.streams(),
        _label("a person's or a controller's own credential", "token-outside", pod.uid),
        {},
        EGRESS,
    )


@look_alike("node-agent-folders", KERNEL_AND_AUDIT)
def node_agent_folders(setting: Setting) -> tuple[Streams, Label]:
    """A backup agent and a CSI driver read and write the volumes of all pods, tokens among them: that is their work."""
    scene = Scene(setting)
    neighbours = [scene.pod("checkout", namespace="shop"), scene.pod("ledger", namespace="bank")]
    uid = ""
    for name, binary in (("node-backup", "/usr/bin/velero"), ("secrets-store-csi", "/secrets-store-csi")):
        pod = scene.pod(name, namespace="kube-system", kind="DaemonSet")
        container = scene.container(pod, Image(f"registry.example/ops/{name}:2", "1"), started=0.0, name=name)
        agent = scene.entrypoint(0.3, container, binary, "--node")
        uid = uid or pod.uid
        for turn in range(3):
            for place, neighbour in enumerate(neighbours):
                agent.read(60.0 * (turn + 1) + place, volume(neighbour))
                agent.write(60.0 * (turn + 1) + place + 0.5, volume(neighbour, name="secrets-store"))
        call(agent, 30.0, METADATA, None)
    return scene.streams(), _label(
        "the image's own program does it, and nothing landed", "kubelet-folder", uid
    )


@look_alike("operator-debugs-node", KERNEL_AND_AUDIT)
def operator_debugs_node(setting: Setting) -> tuple[Streams, Label]:
    """`kubectl debug node`: a person's pod has the node's files, and a shell in it that changes root; tools are installed."""
    scene = Scene(setting)
    node = scene.node()
    name = f"node-debugger-{node.name}-x7k2p"
    make = Request(
        "create", "pods", "default", name, code=201, user_agent=KUBECTL, body=host_pod_body(name, node.name)
    )
    scene.api(10.0, operator(), make)
    pod = scene.pod("", namespace="default", kind="Pod", name=name, service_account="default")
    container = scene.container(
        pod, Image("docker.io/library/ubuntu:24.04", "1"), started=11.0, name="debugger"
    )
    shell = scene.entrypoint(11.2, container, "/bin/bash", "", cwd="/")
    apt = shell.exec(20.0, "/usr/bin/apt-get", "install -y strace")
    apt.exit(26.0)
    chroot = shell.exec(40.0, "/usr/sbin/chroot", "/host /bin/bash")
    inside = chroot.exec(40.1, "/bin/bash", "", host=("pid",))
    inside.read(60.0, volume(scene.pod("checkout", namespace="shop"), mount="/host"))
    nsenter = shell.exec(80.0, "/usr/bin/nsenter", "-t 1 -m -- /usr/bin/crictl ps")
    nsenter.exec(80.1, "/usr/bin/crictl", "ps", host=("mnt", "pid"))
    return scene.streams(), _label(
        "a person's shell does it, and no program that landed", "node-takeover", pod.uid
    )


@look_alike("driver-installer", KERNEL_AND_AUDIT)
def driver_installer(setting: Setting) -> tuple[Streams, Label]:
    """A GPU driver's DaemonSet installs packages in its container, then sets up the node by chroot and nsenter."""
    scene = Scene(setting)
    pod = scene.pod("gpu-driver", namespace="gpu-operator", kind="DaemonSet")
    container = scene.container(
        pod, Image("registry.example/gpu/driver:580", "1"), started=0.0, name="driver"
    )
    shell = scene.entrypoint(0.3, container, "/bin/bash", "/usr/local/bin/nvidia-driver init", cwd="/drivers")
    apt = shell.exec(2.0, "/usr/bin/apt-get", "install -y linux-headers-6.8.0")
    dpkg = apt.exec(6.0, "/usr/bin/dpkg", "--unpack linux-headers.deb")
    dpkg.write(7.0, "/usr/bin/fixdep")
    apt.exit(9.0)
    shell.exec(40.0, "/usr/sbin/chroot", "/run/nvidia/driver depmod -a")
    enter = shell.exec(44.0, "/usr/bin/nsenter", "-t 1 -m -- /sbin/modprobe nvidia")
    enter.exec(44.1, "/sbin/modprobe", "nvidia", host=("mnt", "pid"))
    read_service_account(shell, 60.0, None)
    return scene.streams(), _label("the image's entrypoint does it, at its start", "node-takeover", pod.uid)


@look_alike("ci-makes-pods", FULL, KERNEL_AND_AUDIT)
def ci_makes_pods(setting: Setting) -> tuple[Streams, Label]:
    """A CI runner installs its tools, then makes a privileged build pod that signs in to the registry."""
    scene = Scene(setting)
    pod = scene.pod(
        "build-runner",
        namespace="ci",
        kind="EphemeralRunner",
        name="build-runner-9x4kq",
        service_account="runner",
    )
    container = scene.container(
        pod, Image("ghcr.io/actions/actions-runner:2.329.0", "1"), started=0.0, name="runner"
    )
    worker = scene.entrypoint(
        0.3, container, "/home/runner/bin/Runner.Worker", "spawnclient 118 121", cwd="/home/runner"
    )
    step = worker.exec(32.0, "/usr/bin/bash", "-e /home/runner/_work/_temp/2f0c1d5e.sh")
    pip = step.exec(32.2, "/opt/venv/bin/python3", pip_command("-r", "requirements-dev.txt"))
    install(pip, 32.2, [Wheel("build", "1.4.0")], took=5.0)
    step.exit(37.5)
    kubectl = worker.exec(60.0, "/usr/local/bin/kubectl", "apply -f build-pod.yaml")
    read_service_account(kubectl, 60.1, None)
    body = host_pod_body("build-512", "")
    make = Request("create", "pods", "builds", "build-512", code=201, user_agent=KUBECTL, body=body)
    api_request(kubectl, 60.2, make, None)
    kubectl.exit(60.6)
    made = scene.pod("", namespace="builds", kind="Pod", name="build-512", service_account="builder")
    builder = scene.container(
        made, Image("docker.io/library/docker:28-dind", "1"), started=62.0, instrumented=False
    )
    docker = scene.entrypoint(
        62.2, builder, "/usr/local/bin/dockerd", "--host=unix:///var/run/docker.sock", cwd="/"
    )
    call(docker, 63.0, METADATA, None)
    return scene.streams(), _label(
        "kubectl of the image holds the token, called by the job", "privileged-pods", pod.uid
    )


@look_alike("operator-makes-workers", FULL, KERNEL_AND_AUDIT)
def operator_makes_workers(setting: Setting) -> tuple[Streams, Label]:
    """A workflow scheduler resolves its dependencies at start, and makes a pod for each task all day."""
    scene = Scene(setting)
    pod = scene.pod("airflow-scheduler", namespace="data", service_account="airflow")
    container = scene.container(pod, Image("apache/airflow:3.1.0", "1"), started=0.0, name="scheduler")
    shell = scene.entrypoint(0.3, container, "/bin/bash", "/entrypoint scheduler", cwd="/opt/airflow")
    pip = shell.exec(0.5, "/opt/venv/bin/python3", pip_command("apache-airflow-providers-cncf-kubernetes"))
    install(pip, 0.5, [Wheel("apache-airflow-providers-cncf-kubernetes", "10.9.0")], took=8.0)
    scheduler = shell.exec(10.0, "/opt/venv/bin/python3", "-m airflow scheduler")
    call(scheduler, 14.0, METADATA, None)
    read_service_account(scheduler, 15.0, None)
    for turn in range(3):
        at = 60.0 + 120.0 * turn
        name = f"task-{turn}-k2xv9d1q"
        api_request(scheduler, at, Request("create", "pods", "tasks", name, code=201), None)
        made = scene.pod("", namespace="tasks", kind="Pod", name=name, service_account="task")
        inside = scene.container(
            made, Image("registry.example/data/task:9", "1"), started=at + 2, name="base"
        )
        task = scene.entrypoint(at + 2.3, inside, "/opt/venv/bin/python", "/app/task.py")
        call(task, at + 4.0, METADATA, None)
        read_service_account(task, at + 5.0, None)
    return scene.streams(), _label("the scheduler of the image holds the token", "daemonset-made", pod.uid)


@look_alike("identity-at-home", FULL, KERNEL_AND_AUDIT)
def identity_at_home(setting: Setting) -> tuple[Streams, Label, Streams, Declared]:
    """After an update the identity reads secrets and models: from the declared egress, and by a private endpoint."""
    scene = Scene(setting)
    pod = _server(scene).container.pod
    scene.api(100.0, pod, Request("list", "pods", "ml"))
    for turn, address in enumerate(("203.0.113.5", "10.224.7.9", "203.0.113.9")):
        at = scene.ns(300.0 + 60.0 * turn)
        scene.note("azure-logs.jsonl", at, azure.sign_in(IDENTITY, at))
        scene.note("azure-logs.jsonl", at + 1, azure.key_vault(IDENTITY, at + 1, address))
        scene.note("azure-logs.jsonl", at + 2, azure.storage(IDENTITY, at + 2, address))
    label = _label("the addresses are the cluster's own", "identity-outside", pod.uid)
    return scene.streams(), label, {}, declared()


@look_alike("identity-days-later", KERNEL_AND_AUDIT)
def identity_days_later(setting: Setting) -> tuple[Streams, Label, Streams, Declared]:
    """The same identity is used from outside by its developers, and no pod took it in the day before."""
    scene = Scene(setting)
    pod = _server(scene).container.pod
    scene.api(100.0, pod, Request("list", "pods", "ml"))
    at = scene.ns(LANDS + 30 * 3_600.0)
    scene.note("azure-logs.jsonl", at, azure.storage(IDENTITY, at, "198.51.100.20"))
    label = _label("no reach in the 24 hours before", "identity-outside", pod.uid)
    return scene.streams(), label, {}, declared()


@look_alike("identity-undeclared", KERNEL_AND_AUDIT)
def identity_undeclared(setting: Setting) -> tuple[Streams, Label, Streams, Declared]:
    """Nobody declares the egress: a public address says nothing, even after a theft of the identity."""
    scene = Scene(setting)
    pod = _server(scene).container.pod
    scene.api(100.0, pod, Request("list", "pods", "ml"))
    at = scene.ns(400.0)
    scene.note("azure-logs.jsonl", at, azure.key_vault(IDENTITY, at, "198.51.100.20"))
    label = _label("what is outside is not known", "identity-outside", pod.uid)
    return scene.streams(), label, {}, {"identity": declared()["identity"]}
