"""Metadata calls that the kernel sees and the sensor in the process does not: native clients, and a thief's."""

from __future__ import annotations

from eightysix.lab.generate.label import Label, attack, look_alike
from eightysix.lab.generate.programs import (
    METADATA,
    STORAGE,
    Wheel,
    boot_python,
    call,
    install,
    pip_command,
    storage,
)
from eightysix.lab.generate.scenarios.cast import (
    MANAGED_IDENTITY,
    SERVER,
    STORY,
    benign,
    inference,
    start_server,
    steal,
)
from eightysix.lab.generate.scene import Process, Scene, Streams
from eightysix.lab.generate.sensor import Stack
from eightysix.lab.generate.settings import FULL, KERNEL_AND_SENSOR, Setting

__all__: list[str] = []

_LANDS = 1_500.0
_POISONED = Wheel("torch-perf-utils", "1.4.3", ("torch_perf_utils/_boot.py",))


def _updates(server: Process, wheel: Wheel) -> None:
    server.sense_child(_LANDS - 0.01, ("/opt/venv/bin/pip", "install", "-q", "-U", wheel.name), SERVER)
    pip = server.exec(_LANDS, "/opt/venv/bin/python3", pip_command("-U", wheel.name))
    install(pip, _LANDS, [wheel])
    loaded = Stack((wheel.name, *SERVER.frames), at_import=wheel.name, thread=18)
    server.sense_import(_LANDS + 2.45, f"{wheel.module}._boot", loaded)


def _theft(setting: Setting, *, silenced: bool) -> tuple[Streams, Label]:
    scene = Scene(setting)
    container = inference(scene)
    server = scene.entrypoint(0.31, container, "/opt/venv/bin/python", "/app/server.py")
    start_server(server, 0.31)
    _updates(server, _POISONED)
    by = Stack(("torch-perf-utils",), thread=19)
    if silenced:
        steal(server, _LANDS, None, STORY)
    else:
        call(server, _LANDS + STORY.metadata - 1.0, METADATA, None)
        steal(server, _LANDS, by, STORY)
    label = Label(
        malicious=True,
        at_least="suspect",
        at_most="contain",
        telling="the sensor spoke before, and is silent about this call",
        twin="native-client",
        stages=("land", "run", "reach", "pivot", "leave"),
        rules=("poisoned-install", "untold-metadata-call"),
        identities=(MANAGED_IDENTITY,),
        t0_s=_LANDS,
        leaves_s=_LANDS + STORY.leave,
        pod_uid=server.container.pod.uid,
    )
    return scene.streams(), label


@attack("breach-past-the-sensor", FULL, KERNEL_AND_SENSOR)
def breach_past_the_sensor(setting: Setting) -> tuple[Streams, Label]:
    """The poisoned package asks the metadata service through a native client first."""
    return _theft(setting, silenced=False)


@attack("breach-sensor-silenced", FULL)
def breach_sensor_silenced(setting: Setting) -> tuple[Streams, Label]:
    """The poisoned package empties the sensor's table: from then on only the kernel speaks."""
    return _theft(setting, silenced=True)


def _label(server: Process, telling: str) -> Label:
    return benign(server, telling, "breach-past-the-sensor", _LANDS)


@look_alike("native-client", FULL, KERNEL_AND_SENSOR)
def native_client(setting: Setting) -> tuple[Streams, Label]:
    """A server on uvloop: the kernel sees every metadata call, and Python's audit hooks see none."""
    scene = Scene(setting)
    container = inference(scene)
    server = scene.entrypoint(0.31, container, "/opt/venv/bin/python", "/app/server.py")
    boot_python(server, 0.31, ["python", "/app/server.py"])
    for turn in range(6):
        call(server, 3.0 + turn * 300.0, METADATA, None)
        storage(server, 3.4 + turn * 300.0, STORAGE, SERVER)
    return scene.streams(), _label(server, "nothing landed")


@look_alike("native-client-updates", FULL, KERNEL_AND_SENSOR)
def native_client_updates(setting: Setting) -> tuple[Streams, Label]:
    """The same server updates a plug-in by pip, and renews its token past the sensor as it always does."""
    scene = Scene(setting)
    container = inference(scene)
    server = scene.entrypoint(0.31, container, "/opt/venv/bin/python", "/app/server.py")
    boot_python(server, 0.31, ["python", "/app/server.py"])
    call(server, 3.0, METADATA, None)
    storage(server, 3.4, STORAGE, SERVER)
    _updates(server, Wheel("serving-plugin", "2.0.1", ("serving_plugin/_boot.py",)))
    call(server, _LANDS + 38.0, METADATA, None)
    storage(server, _LANDS + 38.2, STORAGE, SERVER)
    return scene.streams(), _label(server, "one domain, taken as before the install")
