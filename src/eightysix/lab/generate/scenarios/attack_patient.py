"""Attacks that wait: minutes, an hour, a day, or for the pod to be replaced; and one that comes with a model."""

from __future__ import annotations

from dataclasses import replace

from eightysix.lab.generate.audit import Request, controller
from eightysix.lab.generate.cluster import Pod
from eightysix.lab.generate.label import Label, attack, look_alike
from eightysix.lab.generate.programs import (
    HUB,
    KUBERNETES_SDK,
    STORAGE,
    Wheel,
    api_request,
    boot_python,
    call,
    install,
    managed_identity,
    pip_command,
    read_service_account,
    storage,
)
from eightysix.lab.generate.scenarios.cast import (
    DAY,
    FAST,
    HOUR,
    MANAGED_IDENTITY,
    MINUTES,
    SERVER,
    SERVER_IMAGE,
    SERVICE_ACCOUNT,
    STOLEN_SECRET,
    Pace,
    benign,
    floor,
    inference,
    stages,
    start_server,
    steal,
)
from eightysix.lab.generate.scene import Process, Scene, Streams
from eightysix.lab.generate.sensor import Stack
from eightysix.lab.generate.settings import FULL, KERNEL_AND_AUDIT, KERNEL_AND_SENSOR, KERNEL_ONLY, Setting

__all__: list[str] = []

_LANDS = 1_200.0
_POISONED = Wheel("torch-perf-utils", "1.4.3", ("torch_perf_utils/_boot.py",))
_HOOKED = Wheel("torch-perf-pth", "0.9.1", ("torch_perf_pth/_boot.py", "aaa_torch_perf.pth"))
_VOLUME = "/mnt/venv"
_VOLUME_SITE = f"{_VOLUME}/lib/python3.11/site-packages"
_AGENT = "OpenAPI-Generator/35.0.0/python"
_REPLACED = 1_560.0
"""When the pod of the volume is replaced: six minutes after the landing."""


def _label(
    setting: Setting,
    robbed: Process,
    rule: str,
    telling: str,
    leaves_s: float,
    at_least: str = "",
    notes: str = "",
) -> Label:
    return Label(
        malicious=True,
        at_least=at_least or floor(setting),
        at_most="contain",
        telling=telling,
        twin="self-patching-server",
        stages=stages(setting),
        rules=(rule,),
        identities=(MANAGED_IDENTITY, SERVICE_ACCOUNT, STOLEN_SECRET),
        t0_s=_LANDS,
        leaves_s=leaves_s,
        pod_uid=robbed.container.pod.uid,
        notes=notes,
    )


def _server(scene: Scene) -> Process:
    server = scene.entrypoint(0.31, inference(scene), "/opt/venv/bin/python", "/app/server.py")
    start_server(server, 0.31)
    return server


def _sleeper(setting: Setting, pace: Pace) -> tuple[Streams, Label]:
    """A session installs, the server imports it at once, and its thread sleeps."""
    scene = Scene(setting)
    server = _server(scene)
    pip = scene.session(_LANDS, server.container, "/opt/venv/bin/python3", pip_command("-U", _POISONED.name))
    install(pip, _LANDS, [_POISONED])
    scene.mark("run", _LANDS + 3.1, server)
    loaded = Stack((_POISONED.name, *SERVER.frames), at_import=_POISONED.name, thread=18)
    server.sense_import(_LANDS + 3.1, f"{_POISONED.module}._boot", loaded)
    steal(server, _LANDS, Stack((_POISONED.name,), thread=19), pace)
    label = _label(
        setting,
        server,
        "poisoned-install",
        "the metadata service is asked by a package that landed long before, not by the application",
        _LANDS + pace.leave,
    )
    return scene.streams(), label


@attack("sleeper-minutes", FULL, KERNEL_AND_AUDIT, KERNEL_AND_SENSOR, KERNEL_ONLY)
def sleeper_minutes(setting: Setting) -> tuple[Streams, Label]:
    """The poisoned package waits seven minutes before its first step and ten before its last."""
    return _sleeper(setting, MINUTES)


@attack("sleeper-hour", FULL, KERNEL_AND_AUDIT, KERNEL_AND_SENSOR, KERNEL_ONLY)
def sleeper_hour(setting: Setting) -> tuple[Streams, Label]:
    """It sleeps for one hour."""
    return _sleeper(setting, HOUR)


@attack("sleeper-day", FULL, KERNEL_AND_AUDIT, KERNEL_AND_SENSOR, KERNEL_ONLY)
def sleeper_day(setting: Setting) -> tuple[Streams, Label]:
    """It sleeps for 24 hours."""
    return _sleeper(setting, DAY)


def _made(scene: Scene, at: float, pod: Pod, claim: str) -> None:
    """A controller makes the pod, with the claim of a volume: its name and uid are in the answer alone."""
    spec = {"volumes": [{"name": "venv", "persistentVolumeClaim": {"claimName": claim}}]}
    asked: dict[str, object] = {"metadata": {"generateName": f"{pod.name[:-5]}"}, "spec": spec}
    made: dict[str, object] = {
        "metadata": {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid},
        "spec": spec,
    }
    agent = (
        "kube-controller-manager/v1.34.1 (linux/amd64) kubernetes/3a8f1c2/system:serviceaccount:kube-system"
    )
    request = Request("create", "pods", pod.namespace, code=201, user_agent=agent, body=asked, answer=made)
    scene.api(at, controller("replicaset-controller"), request)


def _on_volume(scene: Scene, wheel: Wheel) -> Process:
    """`wheel` is installed on the volume of a pod that is replaced; the server of the new one."""
    first = scene.pod("inference", kind="Deployment", replica=0)
    _made(scene, -3.0, first, "inference-venv")
    container = scene.container(first, SERVER_IMAGE, started=0.0)
    server = scene.entrypoint(0.31, container, f"{_VOLUME}/bin/python", "/app/server.py")
    boot_python(server, 0.31, ["python", "/app/server.py"])
    pip = scene.session(
        _LANDS, container, f"{_VOLUME}/bin/python3", f"{_VOLUME}/bin/pip install -q -U {wheel.name}"
    )
    install(pip, _LANDS, [wheel], site=_VOLUME_SITE)
    server.exit(_REPLACED - 4.0, signal="SIGTERM")
    second = scene.pod("inference", kind="Deployment", replica=1)
    _made(scene, _REPLACED - 3.5, second, "inference-venv")
    again = scene.container(second, SERVER_IMAGE, started=_REPLACED)
    again.install(wheel.name, wheel.version, scene.ns(_LANDS + 2.0))
    return scene.entrypoint(_REPLACED + 0.3, again, f"{_VOLUME}/bin/python", "/app/server.py")


def _replaced(setting: Setting, wheel: Wheel, by: Stack, notes: str) -> tuple[Streams, Label]:
    """pip installs into an environment on a persistent volume; the pod is replaced, and the new one starts from the volume."""
    scene = Scene(setting)
    server = _on_volume(scene, wheel)
    scene.mark("run", _REPLACED + 0.35, server)
    if by.at_import.startswith("pth:"):
        server.read(_REPLACED + 0.34, f"{_VOLUME_SITE}/aaa_torch_perf.pth")
    server.sense_import(_REPLACED + 0.35, f"{wheel.module}._boot", by)
    start_server(server, _REPLACED + 0.4)
    steal(server, _REPLACED + 20.0, by, FAST)
    label = _label(
        setting,
        server,
        "poisoned-install",
        "nothing landed in this pod: the package came with the volume, from the pod before",
        _REPLACED + 20.0 + FAST.leave,
        # The claim is in the audit log, the package at work in the sensor's records: each alone joins nothing.
        "suspect" if setting.audit and setting.sensor is not None else "none",
        notes,
    )
    return scene.streams(), label


@attack("volume-replaced-pod", FULL, KERNEL_AND_AUDIT, KERNEL_AND_SENSOR)
def volume_replaced_pod(setting: Setting) -> tuple[Streams, Label]:
    """The poisoned package lies on a persistent volume; the pod that replaces the first has no install of its own."""
    by = Stack((_POISONED.name, *SERVER.frames), at_import=_POISONED.name)
    return _replaced(setting, _POISONED, by, "taint that crosses pods by a volume")


@attack("volume-replaced-pod-pth", FULL, KERNEL_AND_AUDIT, KERNEL_AND_SENSOR)
def volume_replaced_pod_pth(setting: Setting) -> tuple[Streams, Label]:
    """The same with a `.pth` file on the volume."""
    by = Stack((_HOOKED.name,), at_import=f"pth:{_VOLUME_SITE}/aaa_torch_perf.pth", dynamic=True)
    return _replaced(setting, _HOOKED, by, "the hook is read, and was written in another pod")


@look_alike("volume-updated", FULL, KERNEL_AND_AUDIT)
def volume_updated(setting: Setting) -> tuple[Streams, Label]:
    """Somebody updates a client library on the volume; in the pod that comes after, the application uses it as ever."""
    scene = Scene(setting)
    wheel = Wheel("adlfs", "2026.2.0", ("adlfs/spec.py",))
    server = _on_volume(scene, wheel)
    start_server(server, _REPLACED + 0.4)
    own = Stack((wheel.name, *SERVER.frames))
    managed_identity(server, _REPLACED + 20.0, own)
    storage(server, _REPLACED + 20.4, STORAGE, own)
    client = Stack((*KUBERNETES_SDK, *SERVER.frames), thread=7)
    read_service_account(server, _REPLACED + 30.0, client)
    api_request(server, _REPLACED + 30.1, Request("list", "pods", "ml", user_agent=_AGENT), client)
    telling = "what came with the volume is a library that the application calls; the application asks"
    label = benign(server, telling, "volume-replaced-pod", _LANDS)
    return scene.streams(), label


@attack("model-download", FULL, KERNEL_AND_AUDIT, KERNEL_AND_SENSOR, KERNEL_ONLY)
def model_download(setting: Setting) -> tuple[Streams, Label]:
    """A running server fetches a model and loads it; what the file runs takes the credentials in the server's process."""
    scene = Scene(setting)
    server = _server(scene)
    words = "download acme/ranker --local-dir /models/ranker"
    server.sense_child(_LANDS - 0.01, ("/opt/venv/bin/hf", *words.split()), SERVER)
    fetch = server.exec(_LANDS, "/opt/venv/bin/python3", f"/opt/venv/bin/hf {words}")
    boot_python(fetch, _LANDS, ["/opt/venv/bin/python3", "/opt/venv/bin/hf", *words.split()])
    call(fetch, _LANDS + 1.1, HUB, Stack(("requests", "app:/opt/venv/bin/hf")))
    fetch.write(_LANDS + 6.0, "/models/ranker/pytorch_model.bin")
    fetch.exit(_LANDS + 7.2)
    server.read(_LANDS + 9.0, "/models/ranker/pytorch_model.bin")
    scene.mark("run", _LANDS + 9.1, server)
    steal(server, _LANDS + 6.0, Stack(("torch", *SERVER.frames), thread=18, dynamic=True), FAST)
    label = _label(
        setting,
        server,
        "model-load",
        "the model that was loaded a moment before is at work in the server",
        _LANDS + 6.0 + FAST.leave,
        # Without the audit log it is a server that first reads its settings and a blob after it fetched a model.
        at_least="watch" if setting.name in (KERNEL_ONLY.name, KERNEL_AND_SENSOR.name) else "suspect",
    )
    # The model lands when it is there; that it runs is seen by nobody, as no module is imported.
    return scene.streams(), replace(label, t0_s=_LANDS + 6.0, stages=("land", "reach", "pivot", "leave"))
