"""Breaches with one thief's collector: litellm, telnyx and xinference.

What is taken from reports and what is assumed stands in `examples/replays/<name>/README.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from eightysix.lab.generate.audit import Request
from eightysix.lab.generate.cluster import SITE_PACKAGES, Image
from eightysix.lab.generate.programs import Endpoint, Wheel, boot_python, call, install, pip_command
from eightysix.lab.generate.scene import TOKEN_FOLDER, Process, Streams
from eightysix.lab.generate.sensor import Stack
from eightysix.lab.generate.settings import Setting
from tests.replays.cast import (
    BEFORE,
    PROVIDER,
    PYTHON,
    Estate,
    collect,
    encrypt,
    image_holds,
    inline,
    list_secrets,
    make_node_pods,
    ordinary_role,
    scratch,
    survey,
    upload,
)
from tests.replays.label import Story, replay

__all__ = ["before", "litellm_proxy", "litellm_pth", "telnyx", "xinference"]

_LITELLM = Endpoint("198.51.100.21", 443, "models.litellm.cloud")
_TELNYX = Endpoint("83.142.209.203", 8080, "")
_XINFERENCE = Endpoint("198.51.100.23", 443, "whereisitat.lucyatemysuperbox.space")

_VERDICTS = {
    "kernel": "suspect",
    "kernel, audit": "contain",
    "kernel, sensor": "contain",
    "sensor, audit": "contain",
    "all": "contain",
    "all, baseline": "contain",
}


def before(setting: Setting, live: Callable[[Estate], object]) -> Streams:
    """The streams of a day earlier, in which a pod of the same workload only did what it is for."""
    scene = Estate(replace(setting, shift_s=setting.shift_s + BEFORE, first_node=setting.first_node + 7))
    live(scene)
    return scene.streams()


# --- litellm 1.82.7: the proxy module starts a script -----------------------------------------------------------------


def _gateway(scene: Estate, version: str) -> Process:
    """An LLM gateway that installs the newest litellm when it starts, as its manifest says; returns the running proxy."""
    pod = scene.pod("llm-gateway", namespace="llm")
    container = image_holds(
        scene.container(pod, Image("registry.example/llm/gateway:2026.3"), started=0.0, name="gateway")
    )
    start = "pip install -q -U 'litellm[proxy]' && exec litellm --config /app/config.yaml --port 4000"
    shell = scene.entrypoint(0.2, container, "/bin/sh", f'-c "{start}"')
    pip = shell.exec(0.4, f"{PYTHON}3", pip_command("-U", "litellm[proxy]"))
    install(pip, 0.4, [Wheel("litellm", version, ("litellm/proxy/proxy_server.py",))], took=9.0)
    pip.write(9.1, "/opt/venv/bin/litellm")
    return shell.replace(10.0, PYTHON, "/opt/venv/bin/litellm --config /app/config.yaml --port 4000")


_PROXY = Stack(("app:/opt/venv/bin/litellm",))
_PROXY_MODULE = Stack(("litellm", *_PROXY.frames), at_import="litellm")


def _start_proxy(proxy: Process) -> None:
    boot_python(proxy, 10.0, [PYTHON, "/opt/venv/bin/litellm", "--config", "/app/config.yaml"])
    proxy.sense_import(11.0, "litellm", _PROXY)
    proxy.sense_import(13.2, "litellm.proxy.proxy_server", _PROXY_MODULE)
    ordinary_role(proxy, 21.0, replace(_PROXY, thread=4))
    call(proxy, 22.0, PROVIDER, replace(_PROXY, thread=4))


@replay("litellm-1.82.7")
def litellm_proxy(setting: Setting, *, code: int = 200) -> tuple[Streams, Streams, Story]:
    """A gateway installs litellm 1.82.7 when it starts; importing its proxy module starts the collector."""
    scene = Estate(setting)
    proxy = _gateway(scene, "1.82.7")
    _start_proxy(proxy)
    script = f"{scratch(proxy.container, 'stager')}/p.py"
    proxy.write(13.4, script)
    proxy.sense_child(13.41, (PYTHON, script), _PROXY_MODULE)
    stager = proxy.exec(13.42, PYTHON, script)
    boot_python(stager, 13.42, [PYTHON, script])
    code_of_stager = Stack((f"app:{script}",))
    collector = inline(stager, 13.6, code_of_stager, stdin=True)
    collect(collector, 13.7)
    list_secrets(collector, 17.2, code=code)
    make_node_pods(scene, collector, 18.0, (0, 1, 2), code=code if code >= 400 else 201)
    collector.exit(20.1)
    encrypt(stager, 20.2)
    upload(stager, 20.6, _LITELLM, "X-Filename: tpcp.tar.gz", "tpcp.tar.gz", scheme="https")
    stager.exit(21.4)
    story = Story(
        landed="litellm 1.82.7, `litellm/proxy/proxy_server.py`",
        pod_uid=proxy.container.pod.uid,
        t0_s=0.4,
        leaves_s=20.63,
        rules=("credential-sweep", "poisoned-install"),
        stages=("land", "run", "reach", "pivot", "leave"),
        verdicts=_VERDICTS | {"kernel": "contain"},
    )
    return scene.streams(), before(setting, lambda earlier: _start_proxy(_gateway(earlier, "1.82.6"))), story


# --- litellm 1.82.8: a startup hook -----------------------------------------------------------------------------------

_HOOK = f"{SITE_PACKAGES}/litellm_init.pth"
_IN_HOOK = Stack((f"pth:{_HOOK}",), at_import=f"pth:{_HOOK}", dynamic=True)


def _backend(scene: Estate, wheel: Wheel) -> tuple[Process, Process]:
    """An agent's backend that installs its requirements when it starts; returns the shell and the backend's process."""
    pod = scene.pod("agent-backend", namespace="agents")
    container = image_holds(
        scene.container(pod, Image("registry.example/agents/backend:41"), started=0.0, name="backend")
    )
    shell = scene.entrypoint(0.2, container, "/bin/sh", "/app/start.sh")
    pip = shell.exec(0.4, f"{PYTHON}3", pip_command("-r", "/app/requirements.txt"))
    install(pip, 0.4, [Wheel("tiny-metrics", "0.3.0"), wheel], took=6.0)
    return shell, shell.replace(6.8, PYTHON, "/app/main.py")


_MAIN = Stack(("app:/app/main.py",), thread=3)


def _start_backend(main: Process) -> None:
    boot_python(main, 6.8, [PYTHON, "/app/main.py"])
    ordinary_role(main, 16.0, _MAIN)
    call(main, 16.9, PROVIDER, _MAIN)


@replay("litellm-1.82.8")
def litellm_pth(setting: Setting, *, code: int = 200) -> tuple[Streams, Streams, Story]:
    """An agent's backend installs litellm 1.82.8 when it starts; every interpreter after that runs its startup hook."""
    scene = Estate(setting)
    _, main = _backend(
        scene, Wheel("litellm", "1.82.8", ("litellm/proxy/proxy_server.py", "litellm_init.pth"))
    )
    _start_backend(main)
    # The hook runs in each interpreter that it starts, too: reports count 11,000 processes. Six are enough here.
    collectors = [inline(main, 6.85, _IN_HOOK)]
    for turn in range(5):
        collectors.append(inline(collectors[-1], 6.9 + turn * 0.06, _IN_HOOK))
    first, rest = collectors[0], collectors[1:]
    collector = inline(first, 7.6, Stack(("<unknown>",), dynamic=True), stdin=True)
    collect(collector, 7.8)
    list_secrets(collector, 11.3, code=code)
    make_node_pods(scene, collector, 12.1, (0, 1, 2), code=code if code >= 400 else 201)
    collector.exit(14.2)
    encrypt(first, 14.3)
    upload(first, 14.7, _LITELLM, "X-Filename: tpcp.tar.gz", "tpcp.tar.gz", scheme="https")
    for process in (*reversed(rest), first):
        process.exit(15.5, signal="SIGKILL" if process is not first else "")
    story = Story(
        landed="litellm 1.82.8, `litellm_init.pth`",
        pod_uid=main.container.pod.uid,
        t0_s=0.4,
        leaves_s=14.73,
        rules=("startup-hook",),
        stages=("land", "run", "reach", "pivot", "leave"),
        verdicts=_VERDICTS,
    )
    ordinary = Wheel("litellm", "1.82.6", ("litellm/proxy/proxy_server.py",))
    return (
        scene.streams(),
        before(setting, lambda earlier: _start_backend(_backend(earlier, ordinary)[1])),
        story,
    )


# --- telnyx 4.87.2: the collector comes as sound ----------------------------------------------------------------------

_LANDS = 1_260.0
_AGENT = Stack(("app:/app/voice.py",), thread=5)


def _voice(scene: Estate) -> Process:
    """A voice agent: a supervisor that has run for 20 minutes."""
    pod = scene.pod("voice-agent", namespace="agents")
    container = image_holds(
        scene.container(pod, Image("registry.example/agents/voice:12"), started=0.0, name="voice"),
        telnyx="4.87.0",
    )
    supervisor = scene.entrypoint(0.3, container, PYTHON, "/app/voice.py")
    boot_python(supervisor, 0.3, [PYTHON, "/app/voice.py"])
    ordinary_role(supervisor, 2.2, _AGENT)
    call(supervisor, 3.1, PROVIDER, _AGENT)
    return supervisor


def _update(supervisor: Process, name: str, wheel: Wheel, app: Stack) -> None:
    """The running service updates a package of its own."""
    supervisor.sense_child(_LANDS - 0.01, ("/opt/venv/bin/pip", "install", "-q", "-U", name), app)
    pip = supervisor.exec(_LANDS, f"{PYTHON}3", pip_command("-U", name))
    install(pip, _LANDS, [wheel])


@replay("telnyx-4.87.2")
def telnyx(setting: Setting, *, code: int = 200) -> tuple[Streams, Streams, Story]:
    """A voice agent updates telnyx while it runs and starts a worker; importing telnyx fetches a collector as a WAV file."""
    scene = Estate(setting)
    supervisor = _voice(scene)
    _update(supervisor, "telnyx", Wheel("telnyx", "4.87.2", ("telnyx/_client.py",)), _AGENT)
    begins = _LANDS + 3.0
    supervisor.sense_child(begins - 0.01, (PYTHON, "/app/worker.py"), _AGENT)
    worker = supervisor.exec(begins, PYTHON, "/app/worker.py")
    boot_python(worker, begins, [PYTHON, "/app/worker.py"])
    app = Stack(("app:/app/worker.py",))
    worker.sense_import(begins + 1.0, "telnyx", app)
    harvester = inline(worker, begins + 1.2, Stack(("telnyx", *app.frames), at_import="telnyx"))
    by = Stack(("<unknown>",), dynamic=True)
    call(harvester, begins + 1.5, _TELNYX, by)
    harvester.write(begins + 1.9, f"{scratch(worker.container, 'sound')}/ringtone.wav")
    collector = inline(harvester, begins + 2.1, by, stdin=True)
    collect(collector, begins + 2.3)
    list_secrets(collector, begins + 5.8, code=code)
    collector.exit(begins + 6.4)
    encrypt(harvester, begins + 6.5)
    upload(harvester, begins + 6.9, _TELNYX, "X-Filename: tpcp.tar.gz", "tpcp.tar.gz", scheme="http")
    harvester.exit(begins + 7.7)
    story = Story(
        landed="telnyx 4.87.2, `telnyx/_client.py`",
        pod_uid=supervisor.container.pod.uid,
        t0_s=_LANDS,
        leaves_s=begins + 6.93,
        rules=("poisoned-install", "credential-sweep"),
        stages=("land", "run", "reach", "pivot", "leave"),
        verdicts=_VERDICTS,
    )
    return scene.streams(), before(setting, _voice), story


# --- xinference 2.6.2: a detached process in the package's first module -----------------------------------------------

_LAUNCHER = Stack(("app:/app/launcher.py",))


def _launcher(scene: Estate, *, served: bool = True) -> Process:
    """An inference pod: a launcher that keeps an xinference server running."""
    pod = scene.pod("xinference", namespace="ml", kind="StatefulSet")
    container = image_holds(
        scene.container(pod, Image("registry.example/ml/xinference:2.5"), started=0.0, name="server"),
        xinference="2.5.0",
    )
    launcher = scene.entrypoint(0.3, container, PYTHON, "/app/launcher.py")
    boot_python(launcher, 0.3, [PYTHON, "/app/launcher.py"])
    if served:
        server = launcher.exec(1.0, PYTHON, "/opt/venv/bin/xinference-local -H 0.0.0.0")
        _serve(server, 1.0)
        server.exit(_LANDS - 5.0, signal="SIGTERM")
    return launcher


def _serve(server: Process, at: float) -> None:
    app = Stack(("app:/opt/venv/bin/xinference-local",))
    boot_python(server, at, [PYTHON, "/opt/venv/bin/xinference-local", "-H", "0.0.0.0"])
    server.sense_import(at + 0.6, "xinference", app)
    ordinary_role(server, at + 7.0, app)


@replay("xinference-2.6.2")
def xinference(setting: Setting, *, kubectl: bool = False) -> tuple[Streams, Streams, Story]:
    """An inference pod updates xinference and starts its server again; importing the package starts the collector.

    `kubectl` tells that the image has kubectl, which the collector calls: then secrets are asked for.
    """
    scene = Estate(setting)
    launcher = _launcher(scene)
    _update(launcher, "xinference", Wheel("xinference", "2.6.2"), _LAUNCHER)
    begins = _LANDS + 3.0
    words = (PYTHON, "/opt/venv/bin/xinference-local", "-H", "0.0.0.0")
    launcher.sense_child(begins - 0.01, words, _LAUNCHER)
    server = launcher.exec(begins, PYTHON, "/opt/venv/bin/xinference-local -H 0.0.0.0")
    _serve(server, begins)
    app = Stack(("app:/opt/venv/bin/xinference-local",))
    stager = inline(server, begins + 0.7, Stack(("xinference", *app.frames), at_import="xinference"))
    collector = inline(stager, begins + 0.9, Stack(("<unknown>",), dynamic=True), stdin=True)
    collect(collector, begins + 1.1)
    shell = collector.exec(begins + 4.6, "/bin/sh", '-c "kubectl get secrets --all-namespaces -o json"')
    if kubectl:
        _kubectl(shell, begins + 4.61)
    shell.exit(begins + 5.2, status=0 if kubectl else 127)
    survey(collector, begins + 5.3)
    collector.exit(begins + 5.5)
    tar = stager.exec(begins + 5.6, "/usr/bin/tar", "-czf love.tar.gz out")
    tar.exit(begins + 5.7)
    upload(stager, begins + 5.8, _XINFERENCE, "X-QT-SR: 14", "love.tar.gz", scheme="https")
    stager.exit(begins + 6.6)
    most = "contain" if kubectl else "suspect"
    story = Story(
        landed="xinference 2.6.2, `xinference/__init__.py`",
        pod_uid=launcher.container.pod.uid,
        t0_s=_LANDS,
        leaves_s=begins + 5.83,
        rules=("poisoned-install", "credential-sweep"),
        stages=("land", "run", "reach", "pivot", "leave"),
        verdicts={
            "kernel": "suspect",
            "kernel, audit": most,
            "kernel, sensor": most,
            "sensor, audit": "contain" if kubectl else "watch",
            "all": most,
            "all, baseline": "contain",
        },
        short=""
        if kubectl
        else "it asks for secrets by `kubectl`, which an inference image seldom has: nobody used the stolen token, and only "
        "a baseline knows that the destination is new",
    )
    return scene.streams(), before(setting, _launcher), story


def _kubectl(shell: Process, at: float) -> None:
    kubectl = shell.exec(at, "/usr/local/bin/kubectl", "get secrets --all-namespaces -o json")
    kubectl.read(at + 0.05, f"{TOKEN_FOLDER}/token")
    pod = shell.container.pod
    kubectl.connect(at + 0.1, pod.cluster.api_server, 443)
    shell.scene.api(at + 0.1, pod, Request("list", "secrets", user_agent="kubectl/v1.34.1 (linux/amd64)"))
    kubectl.exit(at + 0.5)
