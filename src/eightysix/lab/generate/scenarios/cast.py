"""The cast of the scenarios: an inference server, and the theft that the attacks have in common."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from eightysix.lab.generate.audit import Request
from eightysix.lab.generate.cluster import Container, Image
from eightysix.lab.generate.ids import hex_id, number
from eightysix.lab.generate.label import Label
from eightysix.lab.generate.programs import (
    AZURE_SDK,
    COLLECTOR,
    DROP,
    METADATA,
    REDIS,
    STORAGE,
    Endpoint,
    api_request,
    boot_python,
    call,
    import_azure,
    managed_identity,
    read_service_account,
    storage,
)
from eightysix.lab.generate.scene import Process, Scene
from eightysix.lab.generate.sensor import Stack
from eightysix.lab.generate.settings import SensorForm, Setting

__all__ = [
    "DAY",
    "FAST",
    "HOUR",
    "MANAGED_IDENTITY",
    "MINUTES",
    "SERVER",
    "SERVER_IMAGE",
    "SERVICE_ACCOUNT",
    "STOLEN_SECRET",
    "STORY",
    "Pace",
    "benign",
    "floor",
    "inference",
    "probe",
    "stages",
    "start_server",
    "steal",
]

SERVER_IMAGE = Image("registry.example/ml/inference:prod", "5")
SERVER = Stack(("app:/app/server.py",), thread=7)
"""The server's request handler, in a thread of its own."""

MANAGED_IDENTITY = "managed identity by metadata service"
SERVICE_ACCOUNT = "service account ml/inference-sa"
STOLEN_SECRET = "registry push service principal in secret ml/acr-push-sp"

_TOKEN_PATH = (
    "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com%2F"
)


@dataclass(frozen=True)
class Pace:
    """Seconds from the landing to each step of the theft."""

    metadata: float
    token: float
    secret: float
    leave: float


STORY = Pace(38.0, 58.6, 67.9, 86.0)
FAST = Pace(3.4, 4.0, 4.35, 4.9)
MINUTES = Pace(412.0, 668.0, 690.5, 1_310.0)
HOUR = Pace(3_600.0, 3_611.2, 3_614.9, 3_655.0)
DAY = Pace(86_400.0, 86_409.8, 86_413.1, 86_451.0)


def inference(
    scene: Scene, *, started: float = 0.0, attempt: int = 0, node: int = 0, replica: int = 0
) -> Container:
    """A container of the StatefulSet `inference` in namespace `ml`."""
    pod = scene.pod("inference", kind="StatefulSet", node=node, replica=replica)
    return scene.container(pod, SERVER_IMAGE, started=started, attempt=attempt)


def start_server(server: Process, at: float) -> None:
    """What the server does when it starts, `server` having been started at `at`: a managed identity token and its model."""
    boot_python(server, at, ["python", "/app/server.py"])
    main = Stack(SERVER.frames)
    import_azure(server, at + 0.35, main)
    call(server, at + 1.6, REDIS, main)
    call(server, at + 1.7, COLLECTOR, main)
    managed_identity(server, at + 2.4, SERVER)
    storage(server, at + 2.5, STORAGE, SERVER)


def probe(scene: Scene, container: Container, at: float) -> None:
    """The kubelet's exec probe."""
    process = scene.session(at, container, "/opt/venv/bin/python", "-S /app/call.py /infer", probe=True)
    process.exit(at + 0.21)


def benign(process: Process, telling: str, twin: str, t0_s: float | None = None, notes: str = "") -> Label:
    """The truth about a look-alike: at `watch` at most; `telling` says what tells it from its `twin`."""
    return Label(
        malicious=False,
        at_least="none",
        at_most="watch",
        telling=telling,
        twin=twin,
        t0_s=t0_s,
        pod_uid=process.container.pod.uid,
        notes=notes,
    )


def steal(
    process: Process,
    at: float,
    by: Stack | None,
    pace: Pace,
    *,
    sdk: bool = False,
    agent: str = "Python-urllib/3.11",
    drop: Endpoint = DROP,
) -> None:
    """Managed identity, service account, the registry's push credential from a secret, and out; `at` is the landing.

    `sdk` tells that the code asks through azure-identity and not by itself.
    """
    pace, drop = _of_instance(process.scene.setting.instance, pace, drop)
    urllib = agent.startswith("Python-urllib")
    namespace = process.container.pod.namespace
    for stage, offset in (
        ("reach", pace.metadata),
        ("pivot", pace.token),
        ("pivot", pace.secret),
        ("leave", pace.leave),
    ):
        process.scene.mark(stage, at + offset, process)
    if sdk and by is not None:
        call(process, at + pace.metadata, METADATA, Stack(AZURE_SDK + by.frames, thread=by.thread))
    else:
        call(process, at + pace.metadata, METADATA, by, path=_TOKEN_PATH if urllib else "")
    read_service_account(process, at + pace.token, by)
    listing = Request("list", "secrets", namespace, user_agent=agent)
    api_request(process, at + pace.token + 0.0032, listing, by, urllib=urllib)
    secret = Request("get", "secrets", namespace, "acr-push-sp", user_agent=agent)
    api_request(process, at + pace.secret, secret, by, urllib=urllib)
    call(process, at + pace.leave, drop, by, path="/v1/collect" if urllib else "", method="POST")


def _of_instance(instance: str, pace: Pace, drop: Endpoint) -> tuple[Pace, Endpoint]:
    """Where a scenario is played more than once, each time at another pace (never slower than told) and to another place."""
    if not instance:
        return pace, drop
    wait = number(75, 100, "wait", instance) / 100 if pace.metadata < HOUR.metadata else 1.0
    moment = pace.metadata * wait
    times = [moment]
    for before, after in pairwise((pace.metadata, pace.token, pace.secret, pace.leave)):
        moment += (after - before) * number(30, 100, "step", after, instance) / 100
        times.append(moment)
    place = Endpoint(
        f"198.51.100.{number(2, 254, 'drop', instance)}",
        443,
        f"{hex_id(8, 'drop', instance)}.telemetry.example",
    )
    return Pace(*times), place


def stages(setting: Setting, *, kernel_sees_run: bool = False) -> tuple[str, ...]:
    """The stages of the theft that a setting shows: code imported by a running process is not seen by the kernel."""
    run = setting.sensor is not None or (kernel_sees_run and setting.kernel is not None)
    return ("land", "run", "reach", "pivot", "leave") if run else ("land", "reach", "pivot", "leave")


def floor(setting: Setting) -> str:
    """The least verdict about the theft: without the kernel only the suspect speaks, from the kernel alone who asked is open."""
    if setting.kernel is None or (setting.sensor is None and not setting.audit):
        return "suspect"
    # NOTE: a prototype record names no pod; joining it is possible only where one pod runs at that time.
    return "contain" if setting.sensor is not SensorForm.PROTOTYPE or setting.audit else "suspect"
