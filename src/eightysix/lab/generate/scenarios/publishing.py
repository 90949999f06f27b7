"""Logins for publishing: taken where nobody publishes, and used where that is the work."""

from __future__ import annotations

from eightysix.lab.generate.cluster import Image
from eightysix.lab.generate.label import Label, attack, look_alike
from eightysix.lab.generate.programs import (
    HUB,
    INDEX,
    REGISTRY,
    STORAGE,
    Endpoint,
    Wheel,
    boot_python,
    call,
    install,
    managed_identity,
    pip_command,
    storage,
)
from eightysix.lab.generate.scenarios.cast import SERVER, benign, inference, start_server
from eightysix.lab.generate.scene import Process, Scene, Streams
from eightysix.lab.generate.sensor import Stack
from eightysix.lab.generate.settings import FULL, KERNEL_AND_AUDIT, KERNEL_ONLY, Setting

__all__: list[str] = []

_LANDS = 1_500.0
_DAY = 86_400.0
_UPLOADS = Endpoint("203.0.113.31", 443, "upload.pypi.org")
_GIT = Endpoint("203.0.113.61", 443, "github.com")
_DOCKER = "/root/.docker/config.json"


def _server(scene: Scene, started: float = 0.0) -> Process:
    container = inference(scene, started=started)
    server = scene.entrypoint(started + 0.31, container, "/opt/venv/bin/python", "/app/server.py")
    start_server(server, started + 0.31)
    return server


def _yesterday(setting: Setting) -> Streams:
    """A day of the server that never published anything."""
    scene = Scene(setting)
    server = _server(scene, -_DAY)
    managed_identity(server, -_DAY / 2, SERVER)
    storage(server, -_DAY / 2 + 1.0, STORAGE, SERVER)
    return scene.streams()


def _attack(
    process: Process, stages: tuple[str, ...], telling: str, twin: str, at_least: str = "suspect"
) -> Label:
    return Label(
        malicious=True,
        at_least=at_least,
        at_most="contain",
        telling=telling,
        twin=twin,
        stages=stages,
        rules=("publish-credential",),
        pod_uid=process.container.pod.uid,
    )


@attack("worm-in-build", FULL, KERNEL_AND_AUDIT, KERNEL_ONLY)
def worm_in_build(setting: Setting) -> tuple[Streams, Label]:
    """The build of a poisoned source distribution reads the logins of package index and registry, and uploads itself."""
    scene = Scene(setting)
    server = _server(scene)
    pip = server.exec(_LANDS, "/opt/venv/bin/python3", pip_command("torch-perf-build"))
    boot_python(
        pip, _LANDS, ["/opt/venv/bin/python3", "/opt/venv/bin/pip", "install", "-q", "torch-perf-build"]
    )
    call(pip, _LANDS + 1.4, INDEX, Stack(("pip", "app:/opt/venv/bin/pip")))
    hook = "/opt/venv/lib/python3.11/site-packages/pip/_vendor/pyproject_hooks/_in_process/_in_process.py"
    backend = pip.exec(_LANDS + 2.0, "/opt/venv/bin/python3", f"{hook} build_wheel /tmp/tmpq8", cwd="/work/x")
    by = Stack(("app:setup.py", "setuptools", "pip"))
    boot_python(backend, _LANDS + 2.0, ["/opt/venv/bin/python3", hook, "build_wheel"])
    backend.read(_LANDS + 3.0, "/root/.pypirc", by=by)
    backend.read(_LANDS + 3.1, _DOCKER, by=by)
    call(backend, _LANDS + 4.0, _UPLOADS, by, path="/legacy/", method="POST")
    backend.exit(_LANDS + 6.0)
    pip.exit(_LANDS + 7.0)
    return scene.streams(), _attack(
        backend,
        ("land", "reach", "leave") if setting.sensor is None else ("land", "reach", "use"),
        "who reads the logins is a descendant of pip",
        "pip-from-git",
    )


@attack("push-without-history", FULL, KERNEL_AND_AUDIT, KERNEL_ONLY)
def push_without_history(setting: Setting) -> tuple[Streams, Label, Streams]:
    """A server that never published is made to push an image under its own name, with the login that it pulls with."""
    scene = Scene(setting)
    server = _server(scene)
    server.sense_child(_LANDS - 0.01, ("/bin/sh", "-c", "crane push /tmp/layer.tar"), SERVER)
    shell = server.exec(
        _LANDS, "/bin/sh", '-c "crane push /work/layer.tar contosoml.azurecr.io/ml/inference:prod"'
    )
    crane = shell.exec(
        _LANDS + 0.1, "/usr/local/bin/crane", "push /work/layer.tar contosoml.azurecr.io/ml/inference:prod"
    )
    crane.read(_LANDS + 0.2, _DOCKER)
    call(crane, _LANDS + 0.4, REGISTRY, None)
    crane.exit(_LANDS + 4.0)
    shell.exit(_LANDS + 4.1)
    return (
        scene.streams(),
        _attack(crane, ("reach", "use"), "the workload never published before", "runner-publishes-daily"),
        _yesterday(setting),
    )


def _runner(scene: Scene, started: float, job: str) -> Process:
    """A job that installs its tools, signs in to the registry and pushes an image; with a package at the end."""
    pod = scene.pod(
        "build-runner",
        namespace="ci",
        kind="EphemeralRunner",
        name=f"build-runner-{job}",
        service_account="runner",
    )
    image = Image("ghcr.io/actions/actions-runner:2.329.0", "1")
    container = scene.container(pod, image, started=started, name="runner")
    runner = scene.entrypoint(
        started + 0.3, container, "/bin/bash", "/home/runner/run.sh --jitconfig", cwd="/home/runner", uid=1001
    )
    step = runner.exec(started + 30.0, "/usr/bin/bash", "-e /home/runner/_work/_temp/2f0c1d5e.sh")
    pip = step.exec(started + 30.2, "/opt/venv/bin/python3", pip_command("twine", "build"))
    install(pip, started + 30.2, [Wheel("twine", "6.2.0"), Wheel("build", "1.4.0")], took=5.0)
    docker = step.exec(started + 60.2, "/usr/bin/docker", "push contosoml.azurecr.io/ml/inference:build-512")
    docker.read(started + 60.3, "/home/runner/.docker/config.json")
    call(docker, started + 60.5, REGISTRY, None)
    docker.exit(started + 70.0)
    twine = step.exec(
        started + 80.0, "/opt/venv/bin/python3", "/opt/venv/bin/twine upload dist/inference-1.2.tar.gz"
    )
    boot_python(twine, started + 80.0, ["/opt/venv/bin/python3", "/opt/venv/bin/twine", "upload"])
    by = Stack(("requests", "twine", "app:/opt/venv/bin/twine"))
    twine.read(started + 80.6, "/home/runner/.pypirc", by=by)
    call(twine, started + 81.0, _UPLOADS, by)
    twine.exit(started + 85.0)
    step.exit(started + 86.0)
    return docker


@look_alike("runner-publishes-daily", FULL, KERNEL_AND_AUDIT, KERNEL_ONLY)
def runner_publishes_daily(setting: Setting) -> tuple[Streams, Label, Streams]:
    """A CI runner's workload: a registry login, a push and an upload in every job, after an install of its tools."""
    scene, before = Scene(setting), Scene(setting)
    docker = _runner(scene, 0.0, "7dz2m")
    _runner(before, -_DAY, "q4rtk")
    return (
        scene.streams(),
        benign(docker, "this workload published yesterday, too", "push-without-history"),
        before.streams(),
    )


@look_alike("runner-without-baseline", FULL, KERNEL_AND_AUDIT)
def runner_without_baseline(setting: Setting) -> tuple[Streams, Label]:
    """The same, and nobody knows what it did before: then that it publishes says nothing."""
    scene = Scene(setting)
    docker = _runner(scene, 0.0, "7dz2m")
    return scene.streams(), benign(docker, "no code that landed takes a login", "worm-in-build")


def _notebook(scene: Scene, started: float) -> Process:
    pod = scene.pod(
        "jupyter-mira", namespace="notebooks", kind="Pod", name="jupyter-mira", service_account="notebook"
    )
    container = scene.container(
        pod, Image("registry.example/ml/notebook:2026.11", "3"), started=started, name="notebook"
    )
    hub = scene.entrypoint(
        started + 0.3,
        container,
        "/opt/venv/bin/python",
        "/opt/venv/bin/jupyterhub-singleuser --ip=0.0.0.0",
        cwd="/home/jovyan",
        uid=1000,
    )
    boot_python(hub, started + 0.3, ["python", "/opt/venv/bin/jupyterhub-singleuser", "--ip=0.0.0.0"])
    call(hub, started + 4.0, Endpoint("10.0.31.4", 8081, "hub.notebooks.svc.cluster.local"), None)
    return hub


def _git_push(shell: Process, at: float) -> None:
    git = shell.exec(at, "/usr/bin/git", "push origin main")
    remote = git.exec(
        at + 0.1, "/usr/lib/git-core/git-remote-https", "origin https://github.com/contoso/notebooks"
    )
    call(remote, at + 0.3, _GIT, None)
    store = remote.exec(at + 0.5, "/usr/lib/git-core/git-credential-store", "get")
    store.read(at + 0.51, "/home/jovyan/.git-credentials")
    store.exit(at + 0.52)
    remote.exit(at + 2.0)
    git.exit(at + 2.1)


@look_alike("notebook-git-push", FULL, KERNEL_AND_AUDIT, KERNEL_ONLY)
def notebook_git_push(setting: Setting) -> tuple[Streams, Label, Streams]:
    """A person opens a terminal in Jupyter and pushes a notebook, for the first time in this pod's life."""
    scene, before = Scene(setting), Scene(setting)
    hub = _notebook(scene, 0.0)
    shell = hub.exec(900.0, "/bin/bash", "-l")
    _git_push(shell, 930.0)
    shell.exit(1_000.0)
    _notebook(before, -_DAY)
    return (
        scene.streams(),
        benign(hub, "a terminal's shell starts it, and nothing landed", "push-without-history"),
        before.streams(),
    )


@look_alike("exec-git-push", FULL, KERNEL_AND_AUDIT, KERNEL_ONLY)
def exec_git_push(setting: Setting) -> tuple[Streams, Label, Streams]:
    """The same through `kubectl exec`."""
    scene, before = Scene(setting), Scene(setting)
    hub = _notebook(scene, 0.0)
    shell = scene.session(900.0, hub.container, "/bin/bash", "")
    _git_push(shell, 930.0)
    shell.exit(1_000.0)
    _notebook(before, -_DAY)
    return (
        scene.streams(),
        benign(hub, "somebody's exec session starts it", "push-without-history"),
        before.streams(),
    )


@look_alike("image-builder", KERNEL_ONLY, KERNEL_AND_AUDIT)
def image_builder(setting: Setting) -> tuple[Streams, Label]:
    """kaniko builds an image and pushes it: packages are installed in it, and its own entrypoint holds the login."""
    scene = Scene(setting)
    pod = scene.pod(
        "build-512", namespace="ci", kind="Job", name="build-512-x8v2k", service_account="builder"
    )
    container = scene.container(
        pod,
        Image("gcr.io/kaniko-project/executor:v1.24.0", "1"),
        started=0.0,
        name="kaniko",
        instrumented=False,
    )
    kaniko = scene.entrypoint(
        0.3, container, "/kaniko/executor", "--destination=contosoml.azurecr.io/ml/x:512", cwd="/"
    )
    kaniko.read(0.6, "/kaniko/.docker/config.json")
    call(kaniko, 0.9, REGISTRY, None)
    shell = kaniko.exec(20.0, "/bin/sh", '-c "pip install -r requirements.txt"')
    pip = shell.exec(20.1, "/opt/venv/bin/python3", pip_command("-r", "requirements.txt"))
    install(pip, 20.1, [Wheel("tiny-metrics", "0.3.0")])
    shell.exit(23.0)
    kaniko.read(60.0, "/kaniko/.docker/config.json")
    call(kaniko, 60.2, REGISTRY, None)
    kaniko.exit(90.0)
    return scene.streams(), benign(kaniko, "the image's own program holds the login", "worm-in-build")


@look_alike("gated-model", FULL, KERNEL_AND_AUDIT)
def gated_model(setting: Setting) -> tuple[Streams, Label, Streams]:
    """A server that never published gets a hub token, because its new model is gated, and downloads with it."""
    scene = Scene(setting)
    server = _server(scene)
    hub = Stack(("huggingface-hub", "transformers", *SERVER.frames), thread=7)
    server.read(9.0, "/root/.cache/huggingface/token", by=hub)
    call(server, 9.2, HUB, hub)
    return (
        scene.streams(),
        benign(server, "a token to download with; nothing is uploaded", "push-without-history"),
        _yesterday(setting),
    )


@look_alike("pip-from-git", FULL, KERNEL_AND_AUDIT, KERNEL_ONLY)
def pip_from_git(setting: Setting) -> tuple[Streams, Label]:
    """pip installs from a private repository: git, its child, reads the login that it clones with."""
    scene = Scene(setting)
    server = _server(scene)
    pip = server.exec(
        _LANDS, "/opt/venv/bin/python3", pip_command("git+https://github.com/contoso/plugin@v2")
    )
    git = pip.exec(
        _LANDS + 0.6,
        "/usr/bin/git",
        "clone --filter=blob:none --quiet https://github.com/contoso/plugin /tmp/pip-req-build-x8",
    )
    remote = git.exec(
        _LANDS + 0.7, "/usr/lib/git-core/git-remote-https", "origin https://github.com/contoso/plugin"
    )
    call(remote, _LANDS + 0.8, _GIT, None)
    store = remote.exec(_LANDS + 0.9, "/usr/lib/git-core/git-credential-store", "get")
    store.read(_LANDS + 0.91, "/root/.git-credentials")
    store.exit(_LANDS + 0.92)
    call(remote, _LANDS + 1.0, _GIT, None)
    remote.exit(_LANDS + 1.4)
    git.exit(_LANDS + 1.5)
    install(pip, _LANDS + 1.6, [Wheel("plugin", "2.0.0")])
    return scene.streams(), benign(server, "git's own helper reads git's own login", "worm-in-build")


@look_alike("script-in-tmp", FULL, KERNEL_AND_AUDIT, KERNEL_ONLY)
def script_in_tmp(setting: Setting) -> tuple[Streams, Label]:
    """A training job whose script was put into /tmp: it reads its hub token at start, and downloads with it."""
    scene = Scene(setting)
    pod = scene.pod("train", kind="Job", name="train-7-k2x9p")
    container = scene.container(
        pod, Image("registry.example/ml/train:2026.11", "2"), started=0.0, name="train"
    )
    shell = scene.entrypoint(0.3, container, "/bin/bash", '-c "python /tmp/job/train.py"')
    train = shell.exec(0.5, "/opt/venv/bin/python", "/tmp/job/train.py")
    boot_python(train, 0.5, ["python", "/tmp/job/train.py"])
    hub = Stack(("huggingface-hub", "transformers", "app:/tmp/job/train.py"))
    train.read(6.0, "/root/.cache/huggingface/token", by=hub)
    call(train, 6.2, HUB, hub)
    managed_identity(train, 9.0, Stack(("app:/tmp/job/train.py",)))
    storage(train, 9.3, STORAGE, Stack(("app:/tmp/job/train.py",)))
    return scene.streams(), benign(train, "the container's own command, while it starts", "worm-in-build")
