"""Attacks that begin with a poisoned package, run inside a process that everybody trusts."""

from __future__ import annotations

from eightysix.lab.generate.audit import into_pod, operator
from eightysix.lab.generate.label import Label, attack
from eightysix.lab.generate.programs import METADATA, Wheel, boot_python, call, install, pip_command
from eightysix.lab.generate.scenarios.cast import (
    FAST,
    MANAGED_IDENTITY,
    SERVER,
    SERVICE_ACCOUNT,
    STOLEN_SECRET,
    STORY,
    Pace,
    floor,
    inference,
    probe,
    stages,
    start_server,
    steal,
)
from eightysix.lab.generate.scene import Process, Scene, Streams
from eightysix.lab.generate.sensor import Stack
from eightysix.lab.generate.settings import (
    AS_RECORDED,
    EVERY_EXPORT,
    FULL,
    KERNEL_AND_AUDIT,
    KERNEL_AND_SENSOR,
    KERNEL_ONLY,
    SETTINGS,
    Setting,
)

__all__: list[str] = []

_LANDS = 1_500.0
_IDENTITIES = (MANAGED_IDENTITY, SERVICE_ACCOUNT, STOLEN_SECRET)
_POISONED = Wheel("torch-perf-utils", "1.4.3", ("torch_perf_utils/_boot.py",))
_THREAD = Stack(("torch-perf-utils",), thread=19)
"""The poisoned package's own thread: nothing of the application is on its stack."""


def reload_plugin(server: Process, at: float, module: str, package: str) -> None:
    """The server imports a freshly installed package while it serves."""
    server.scene.mark("run", at, server)
    server.sense_import(at, f"{module}._boot", Stack((package, *SERVER.frames), at_import=package, thread=18))
    server.read(at + 0.009, "/tmp/.tpu_done")


def _updates_itself(scene: Scene, wheel: Wheel) -> Process:
    """A server that has run for 25 minutes updates a plug-in by pip at `_LANDS` and reloads it."""
    container = inference(scene)
    server = scene.entrypoint(0.31, container, "/opt/venv/bin/python", "/app/server.py")
    start_server(server, 0.31)
    for at in (120.0, 720.0, 1_320.0):
        probe(scene, container, at)
    server.sense_child(_LANDS - 0.01, ("/opt/venv/bin/pip", "install", "-q", "-U", wheel.name), SERVER)
    pip = server.exec(_LANDS, "/opt/venv/bin/python3", pip_command("-U", wheel.name))
    install(pip, _LANDS, [wheel])
    reload_plugin(server, _LANDS + 2.45, wheel.module, wheel.name)
    return server


def _theft(setting: Setting, server: Process, pace: Pace, *, at_least: str = "", notes: str = "") -> Label:
    return Label(
        malicious=True,
        at_least=at_least or floor(setting),
        at_most="contain",
        telling="the metadata service is asked by a package that landed a moment before, not by the application",
        twin="self-patching-server",
        stages=stages(setting),
        rules=("poisoned-install",),
        identities=_IDENTITIES,
        t0_s=_LANDS,
        leaves_s=_LANDS + pace.leave,
        pod_uid=server.container.pod.uid,
        notes=notes,
    )


def _poisoned_update(setting: Setting, pace: Pace) -> tuple[Streams, Label]:
    scene = Scene(setting)
    server = _updates_itself(scene, _POISONED)
    steal(server, _LANDS, _THREAD, pace)
    probe(scene, server.container, _LANDS + 100.0)
    # To the kernel alone, a server that updates itself and then takes two credentials looks like a notebook that does.
    alone = setting.sensor is None and not setting.audit
    return scene.streams(), _theft(setting, server, pace, at_least="watch" if alone else "")


@attack("breach-86s", *SETTINGS, EVERY_EXPORT)
def breach_86s(setting: Setting) -> tuple[Streams, Label]:
    """A running server updates a plug-in, imports it, and 86.0 s later the registry's push credential is out."""
    return _poisoned_update(setting, STORY)


@attack("breach-fast", FULL, KERNEL_AND_AUDIT, AS_RECORDED)
def breach_fast(setting: Setting) -> tuple[Streams, Label]:
    """The same without the waiting: 4.9 s."""
    return _poisoned_update(setting, FAST)


@attack("breach-at-import", FULL, KERNEL_AND_AUDIT, AS_RECORDED)
def breach_at_import(setting: Setting) -> tuple[Streams, Label]:
    """No thread: everything happens in the module body, so the application is at the root of the stack."""
    scene = Scene(setting)
    server = _updates_itself(scene, _POISONED)
    body = Stack(("torch-perf-utils", *SERVER.frames), at_import="torch-perf-utils", thread=18)
    steal(server, _LANDS, body, FAST)
    return scene.streams(), _theft(
        setting, server, FAST, notes="root is the application; what runs at import is fresh"
    )


@attack("breach-sdk", FULL, KERNEL_AND_AUDIT, AS_RECORDED)
def breach_sdk(setting: Setting) -> tuple[Streams, Label]:
    """The poisoned package asks through azure-identity, as the application does; the root of the stack is the package."""
    scene = Scene(setting)
    wheel = Wheel("torch-perf-sdk", "3.1.0", ("torch_perf_sdk/_boot.py",))
    server = _updates_itself(scene, wheel)
    steal(server, _LANDS, Stack(("torch-perf-sdk",), thread=19), STORY, sdk=True)
    return scene.streams(), _theft(
        setting, server, STORY, notes="innermost frames are those of every honest caller"
    )


def _forked(setting: Setting, *, docker_known: bool, known: bool) -> tuple[Streams, Label]:
    scene = Scene(setting)
    container = inference(scene)
    master = scene.entrypoint(
        0.31, container, "/opt/venv/bin/python", "/opt/venv/bin/gunicorn -w 2 -b 0.0.0.0:8080 server:app"
    )
    boot_python(master, 0.31, ["python", "/opt/venv/bin/gunicorn", "-w", "2", "server:app"])
    workers = [
        master.fork(1.2 + place * 0.04, pod_known=False, docker_known=docker_known, known=known)
        for place in range(2)
    ]
    for place, worker in enumerate(workers):
        call(
            worker,
            2.6 + place,
            METADATA,
            Stack(("urllib3", "requests", "azure-core", "azure-identity", *SERVER.frames)),
        )
    pip = workers[1].exec(_LANDS, "/opt/venv/bin/python3", pip_command("-U", _POISONED.name))
    install(pip, _LANDS, [_POISONED])
    reload_plugin(workers[1], _LANDS + 2.45, _POISONED.module, _POISONED.name)
    steal(workers[1], _LANDS, _THREAD, STORY)
    least = floor(setting) if known else ("suspect" if setting.sensor else "none")
    label = _theft(
        setting, workers[1], STORY, at_least=least, notes="events of the forked worker have no pod fields"
    )
    return scene.streams(), label


@attack("breach-forked-worker", FULL, KERNEL_AND_AUDIT)
def breach_forked_worker(setting: Setting) -> tuple[Streams, Label]:
    """The worker that imports the package was forked and never exec'ed: its events name the container, not the pod."""
    return _forked(setting, docker_known=True, known=True)


@attack("breach-forked-worker-bare", FULL, KERNEL_AND_AUDIT)
def breach_forked_worker_bare(setting: Setting) -> tuple[Streams, Label]:
    """As before, and only the parent inside each event says where the worker belongs."""
    return _forked(setting, docker_known=False, known=True)


@attack("breach-forked-worker-unknown", FULL, KERNEL_AND_AUDIT)
def breach_forked_worker_unknown(setting: Setting) -> tuple[Streams, Label]:
    """As before, and the agent never heard of the worker: its events tell a pid and a node."""
    return _forked(setting, docker_known=False, known=False)


def _denied(setting: Setting, hook: str) -> tuple[Streams, Label]:
    scene = Scene(setting)
    server = _updates_itself(scene, _POISONED)
    at = _LANDS + STORY.metadata
    path = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com%2F"
    server.connect(
        at, METADATA.address, METADATA.port, by=_THREAD, host=METADATA.host, path=path, denied=hook
    )
    label = Label(
        malicious=True,
        at_least="watch" if setting.sensor else "none",
        at_most="suspect",
        telling="the hook returned EPERM and nothing follows",
        twin="self-patching-server",
        stages=("land", "run", "reach") if setting.sensor else ("land", "reach"),
        rules=("poisoned-install",),
        t0_s=_LANDS,
        pod_uid=server.container.pod.uid,
        notes="a denied attempt is no credential taken",
    )
    return scene.streams(), label


@attack("metadata-denied", FULL, KERNEL_AND_AUDIT, AS_RECORDED)
def metadata_denied(setting: Setting) -> tuple[Streams, Label]:
    """The metadata call is refused by an override of `security_socket_connect`."""
    return _denied(setting, "security_socket_connect")


@attack("metadata-denied-tcp", FULL, KERNEL_AND_AUDIT)
def metadata_denied_tcp(setting: Setting) -> tuple[Streams, Label]:
    """The metadata call is refused, told by the return value of `tcp_connect`."""
    return _denied(setting, "tcp_connect")


@attack("poisoned-at-start", FULL, KERNEL_AND_AUDIT, KERNEL_AND_SENSOR, KERNEL_ONLY, AS_RECORDED)
def poisoned_at_start(setting: Setting) -> tuple[Streams, Label]:
    """A pod resolves its dependencies at every start; after a restart one of them is a poisoned release."""
    scene = Scene(setting)
    container = inference(scene, started=0.0, attempt=1)
    shell = scene.entrypoint(0.2, container, "/bin/sh", "/app/start.sh")
    pip = shell.exec(0.4, "/opt/venv/bin/python3", pip_command("-r", "/app/requirements.txt"))
    install(pip, 0.4, [Wheel("tiny-metrics", "0.3.0"), _POISONED], took=4.0)
    server = shell.replace(4.6, "/opt/venv/bin/python", "/app/server.py")
    main = Stack(SERVER.frames)
    server.sense_import(
        5.2, "torch_perf_utils._boot", Stack(("torch-perf-utils", *main.frames), at_import="torch-perf-utils")
    )
    start_server(server, 5.3)
    steal(server, 0.4, _THREAD, STORY)
    full = setting.sensor is not None and bool(setting.audit)
    least = "contain" if full else "none" if not setting.audit and not setting.sensor else "suspect"
    label = Label(
        malicious=True,
        at_least=least,
        at_most="contain",
        telling="the root of the stack is the fresh package, and the API use is list and get of secrets",
        twin="dependencies-at-start",
        stages=stages(setting),
        rules=("poisoned-install",),
        identities=_IDENTITIES,
        t0_s=0.4,
        leaves_s=0.4 + STORY.leave,
        pod_uid=container.pod.uid,
        notes="from the kernel alone it is a pod that installs, identifies itself and works: nothing may be claimed",
    )
    return scene.streams(), label


@attack("poisoned-exec-session", FULL, KERNEL_AND_AUDIT, KERNEL_AND_SENSOR, AS_RECORDED)
def poisoned_exec_session(setting: Setting) -> tuple[Streams, Label]:
    """Somebody runs pip through `kubectl exec`; the server imports what landed."""
    scene = Scene(setting)
    container = inference(scene)
    server = scene.entrypoint(0.31, container, "/opt/venv/bin/python", "/app/server.py")
    start_server(server, 0.31)
    scene.api(_LANDS - 0.3, operator(), into_pod("ml", container.pod.name), started_only=True)
    pip = scene.session(_LANDS, container, "/opt/venv/bin/python3", pip_command("-U", _POISONED.name))
    install(pip, _LANDS, [_POISONED])
    reload_plugin(server, _LANDS + 3.1, _POISONED.module, _POISONED.name)
    steal(server, _LANDS, _THREAD, STORY)
    return scene.streams(), _theft(
        setting, server, STORY, notes="a person's session landed it; the server's process was robbed"
    )
