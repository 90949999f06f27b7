"""Attacks whose code runs in a process that the poisoned package starts, without a file of its own."""

from __future__ import annotations

from eightysix.lab.generate.label import Label, attack
from eightysix.lab.generate.programs import Wheel, boot_python, install, pip_command
from eightysix.lab.generate.scenarios.cast import (
    FAST,
    MANAGED_IDENTITY,
    SERVER,
    SERVICE_ACCOUNT,
    STOLEN_SECRET,
    floor,
    inference,
    stages,
    start_server,
    steal,
)
from eightysix.lab.generate.scene import Scene, Streams
from eightysix.lab.generate.sensor import Stack
from eightysix.lab.generate.settings import FULL, KERNEL_AND_AUDIT, KERNEL_ONLY, Setting

__all__: list[str] = []

_PYTHON = "/opt/venv/bin/python"
_LANDS = 1_500.0


@attack("inline-child", FULL, KERNEL_AND_AUDIT, KERNEL_ONLY)
def inline_child(setting: Setting) -> tuple[Streams, Label]:
    """A server updates a plug-in and imports it; the plug-in starts `python -c`, which takes credentials of two domains."""
    scene = Scene(setting)
    container = inference(scene)
    server = scene.entrypoint(0.31, container, _PYTHON, "/app/server.py")
    start_server(server, 0.31)
    pip = server.exec(_LANDS, f"{_PYTHON}3", pip_command("-U", "serving-plugin"))
    install(pip, _LANDS, [Wheel("serving-plugin", "2.0.1")], took=2.0)
    plugin = Stack(("serving-plugin",), thread=SERVER.thread)
    server.sense_import(_LANDS + 2.6, "serving_plugin", SERVER)
    words = [_PYTHON, "-c", "import base64; exec(base64.b64decode(...))"]
    server.sense_child(_LANDS + 2.799, words, plugin)
    child = server.exec(_LANDS + 2.8, _PYTHON, f'-c "{words[2]}"')
    boot_python(child, _LANDS + 2.8, words)
    steal(child, _LANDS, Stack(("<unknown>",)), FAST)
    child.exit(_LANDS + FAST.leave + 0.4)
    label = Label(
        malicious=True,
        at_least="suspect" if setting is KERNEL_ONLY else floor(setting),
        at_most="contain",
        telling="an interpreter on code without a file, which is not multiprocessing's, asks for two identities",
        twin="inline-workers",
        stages=stages(setting),
        rules=("credential-sweep",),
        identities=(MANAGED_IDENTITY, SERVICE_ACCOUNT, STOLEN_SECRET),
        t0_s=None if setting is KERNEL_ONLY else _LANDS,
        leaves_s=_LANDS + FAST.leave,
        pod_uid=child.container.pod.uid,
        notes="from the kernel alone nothing says which landing the child comes from: T0 is its first credential",
    )
    return scene.streams(), label
