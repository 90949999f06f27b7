"""What ordinary programs do when they run, as recorded in the lab: interpreters, pip, the Azure SDK, Kubernetes clients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from eightysix.lab.generate.audit import Request
from eightysix.lab.generate.cluster import SITE_PACKAGES
from eightysix.lab.generate.ids import hex_id, name_id, number
from eightysix.lab.generate.scene import TOKEN_FOLDER, Process
from eightysix.lab.generate.sensor import Stack

__all__ = [
    "API_SERVER_HOST",
    "ARM",
    "AZURE_SDK",
    "COLLECTOR",
    "DROP",
    "FEDERATED_TOKEN",
    "HUB",
    "INDEX",
    "KUBERNETES_SDK",
    "METADATA",
    "NEW_STORAGE",
    "REDIS",
    "REGISTRY",
    "STORAGE",
    "Endpoint",
    "Wheel",
    "api_request",
    "boot_python",
    "call",
    "import_azure",
    "install",
    "managed_identity",
    "pip_command",
    "read_service_account",
    "storage",
]


class Endpoint(NamedTuple):
    """Where something listens; addresses are of the documentation and service ranges."""

    address: str
    port: int
    host: str


METADATA = Endpoint("169.254.169.254", 80, "169.254.169.254")
INDEX = Endpoint("203.0.113.30", 443, "pypi.org")
ARM = Endpoint("203.0.113.20", 443, "management.azure.com")
STORAGE = Endpoint("203.0.113.21", 443, "mlmodels.blob.core.windows.net")
NEW_STORAGE = Endpoint("203.0.113.24", 443, "mlartifacts7.blob.core.windows.net")
REGISTRY = Endpoint("203.0.113.40", 443, "contosoml.azurecr.io")
HUB = Endpoint("203.0.113.50", 443, "huggingface.co")
REDIS = Endpoint("10.0.143.7", 6379, "redis.ml.svc.cluster.local")
COLLECTOR = Endpoint("10.0.88.12", 4317, "otel-collector.monitoring.svc.cluster.local")
DROP = Endpoint("198.51.100.86", 443, "telemetry.perf-utils.example")
"""Where the written attacks send what they took."""

API_SERVER_HOST = "kubernetes.default.svc"
FEDERATED_TOKEN = "/var/run/secrets/azure/tokens/azure-identity-token"

AZURE_SDK = ("urllib3", "requests", "azure-core", "azure-identity", "msal", "azure-identity")
"""Innermost first: who is on the stack when `ManagedIdentityCredential` asks the metadata service."""

KUBERNETES_SDK = ("urllib3", "kubernetes")

_PIP_SCRIPT = Stack(("pip", "app:/opt/venv/bin/pip"))
_PIP_MODULE = Stack(("pip",), at_import="pip")

_AZURE_IMPORTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("typing_extensions", ("azure-core", "azure-identity")),
    ("msal", ("azure-identity",)),
    ("requests", ("msal", "azure-identity")),
    ("urllib3", ("requests", "msal", "azure-identity")),
    ("brotli", ("urllib3", "requests", "msal", "azure-identity")),
    ("charset_normalizer.api", ("charset-normalizer", "requests", "msal", "azure-identity")),
    ("certifi", ("requests", "msal", "azure-identity")),
    ("cryptography", ("azure-identity",)),
    ("_cffi_backend", ("cryptography", "azure-identity")),
)


@dataclass(frozen=True)
class Wheel:
    """A package as pip unpacks it; `files` are relative to site-packages, beside the usual `__init__.py`."""

    name: str
    version: str
    files: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        """Name of its import package."""
        return self.name.replace("-", "_")

    @property
    def stem(self) -> str:
        """`name-version` as in file names."""
        return f"{self.module}-{self.version}"


def pip_command(*words: str) -> str:
    """Arguments of the interpreter when pip's script is called."""
    return " ".join(("/opt/venv/bin/pip", "install", "-q", *words))


def boot_python(process: Process, at: float, argv: Sequence[str]) -> None:
    """What the sensor notes while an interpreter starts."""
    process.sense_start(at + 0.042, argv)
    process.sense_exec(
        at + 0.0424, ("os", "var", "environ", "get", "enabled", "__import__", "add_shim"), Stack()
    )
    hook = Stack(("setuptools",), at_import=f"pth:{SITE_PACKAGES}/distutils-precedence.pth", dynamic=True)
    process.sense_import(at + 0.0425, "_distutils_hack", hook)
    process.sense_import(at + 0.067, "sitecustomize", Stack())


def import_azure(process: Process, at: float, app: Stack) -> None:
    """`import azure.identity`: a burst of imports, reads of `/proc/self` and `uname -p`. Takes 0.72 s."""
    process.sense_import(at, "azure.identity", app)
    for step, (module, importers) in enumerate(_AZURE_IMPORTS):
        process.sense_import(
            at + 0.05 + step * 0.061, module, Stack(importers + app.frames, at_import=importers[0])
        )
    process.read(at + 0.622, "/proc/self/cgroup")
    process.read(at + 0.623, "/proc/self/mountinfo")
    process.write(at + 0.66, "/dev/null")
    process.sense_child(
        at + 0.661, ("uname", "-p"), Stack(("azure-identity", *app.frames), at_import="azure-identity")
    )
    uname = process.exec(at + 0.67, "/usr/bin/uname", "-p")
    uname.exit(at + 0.672)


def call(
    process: Process, at: float, to: Endpoint, by: Stack | None, path: str = "", method: str = "GET"
) -> None:
    """A connection to `to`; `path` only where the code asks through `urllib.request`, whose requests the sensor sees."""
    process.connect(at, to.address, to.port, by=by, host=to.host, path=path, method=method)


def managed_identity(process: Process, at: float, app: Stack) -> None:
    """`ManagedIdentityCredential.get_token`: azure-identity asks the metadata service on behalf of `app`."""
    call(process, at, METADATA, Stack(AZURE_SDK + app.frames, thread=app.thread))


def storage(process: Process, at: float, to: Endpoint, app: Stack) -> None:
    """A blob is read or written."""
    call(
        process,
        at,
        to,
        Stack(("urllib3", "requests", "azure-core", "azure-storage-blob", *app.frames), thread=app.thread),
    )


def read_service_account(process: Process, at: float, by: Stack | None) -> None:
    """Token, namespace and CA certificate of the pod's service account."""
    process.read(at, f"{TOKEN_FOLDER}/token", by=by)
    process.read(at + 0.0002, f"{TOKEN_FOLDER}/namespace", by=by)
    process.read(at + 0.0016, f"{TOKEN_FOLDER}/ca.crt", by=by)


def api_request(
    process: Process,
    at: float,
    request: Request,
    by: Stack | None,
    *,
    urllib: bool = False,
    started_only: bool = False,
) -> None:
    """A request to the API server with the pod's token: the connection, and the server's audit event.

    `urllib` tells that the code asks through `urllib.request`.
    """
    pod = process.container.pod
    path = request.uri if urllib else ""
    process.connect(at, pod.cluster.api_server, 443, by=by, host=API_SERVER_HOST, path=path)
    process.scene.api(at, pod, request, started_only=started_only)


def install(
    pip: Process,
    at: float,
    wheels: Sequence[Wheel],
    *,
    index: Endpoint = INDEX,
    site: str = SITE_PACKAGES,
    took: float = 2.2,
    module: bool = False,
) -> None:
    """Everything that `pip install` does, `pip` having been started at `at`; it exits `took` seconds later.

    `module` tells that it runs as `python -m pip`.
    """
    container = pip.container
    by = _PIP_MODULE if module else _PIP_SCRIPT
    unit = took / 2.2
    draw = (container.id, pip.facts.pid)
    boot_python(pip, at, [pip.facts.binary, *pip.facts.arguments.split()])
    if not module:
        pip.sense_import(at + 0.104 * unit, "pip._internal.cli.main", Stack(by.frames[1:]))
    for step, name in enumerate(
        ("attr", "urllib3_secure_extra", "socks", "_sysconfigdata__x86_64-linux-gnu", "cPickle")
    ):
        pip.sense_import(at + (0.25 + step * 0.15) * unit, name, Stack(by.frames, at_import="pip"))
    pip.write(at + 1.205 * unit, "/dev/null")
    pip.sense_child(at + 1.206 * unit, ("lsb_release", "-a"), by)
    pip.fork_and_exit(at + 1.209 * unit)
    pip.sense_child(at + 1.21 * unit, ("uname", "-rs"), by)
    uname = pip.exec(at + 1.213 * unit, "/usr/bin/uname", "-rs")
    uname.exit(at + 1.216 * unit)
    tracker = f"/tmp/pip-build-tracker-{name_id(8, 'tracker', *draw)}"
    pip.write(at + 1.328 * unit, f"/tmp/{name_id(8, 'probe', *draw)}")
    pip.sense_environment(at + 1.33 * unit, "PIP_BUILD_TRACKER", tracker, by)
    pip.connect(at + 1.477 * unit, index.address, index.port, by=by, host=index.host)
    for step, wheel in enumerate(wheels):
        share = 0.1 * step / max(1, len(wheels))
        folder = f"/tmp/pip-unpack-{name_id(8, 'unpack', wheel.stem, *draw)}"
        pip.write(at + (1.522 + share) * unit, f"{folder}/{wheel.stem}-py3-none-any.whl")
        pip.write(at + (1.564 + share) * unit, f"{tracker}/{hex_id(56, 'link', wheel.stem)}")
    for step, wheel in enumerate(wheels):
        _unpack(pip, at + (1.934 + 0.2 * step / max(1, len(wheels))) * unit, wheel, site, draw)
    pip.exit(at + took)


def _unpack(pip: Process, at: float, wheel: Wheel, site: str, draw: tuple[object, ...]) -> None:
    """Write a wheel's files: modules, metadata, compiled modules, and last the files that mark it as installed."""
    modules = [f"{wheel.module}/__init__.py", *wheel.files]
    info = f"{site}/{wheel.stem}.dist-info"
    for step, path in enumerate(modules):
        pip.write(at + step * 0.0002, f"{site}/{path}")
    for step, name in enumerate(("METADATA", "WHEEL", "RECORD")):
        pip.write(at + 0.0015 + step * 0.0001, f"{info}/{name}")
    for step, path in enumerate(path for path in modules if path.endswith(".py") and "/" in path):
        folder, _, name = path.rpartition("/")
        address = number(139_000_000_000_000, 140_900_000_000_000, path, *draw)
        pip.write(
            at + 0.01 + step * 0.0004, f"{site}/{folder}/__pycache__/{name[:-3]}.cpython-311.pyc.{address}"
        )
    pip.write(at + 0.0112, f"{info}/INSTALLER{name_id(8, 'installer', wheel.stem, *draw)}.tmp")
    pip.write(at + 0.0127, f"{info}/REQUESTED")
    pip.write(at + 0.013, f"{info}/RECORD{name_id(8, 'record', wheel.stem, *draw)}.tmp")
    pip.container.install(wheel.name, wheel.version, pip.scene.ns(at + 0.0015))
