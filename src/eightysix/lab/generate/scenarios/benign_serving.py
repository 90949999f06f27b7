"""Look-alikes among servers: pods that install, reload and identify themselves, all of it honestly."""

from __future__ import annotations

from eightysix.lab.generate.audit import Request
from eightysix.lab.generate.cluster import SITE_PACKAGES
from eightysix.lab.generate.label import Label, look_alike
from eightysix.lab.generate.programs import (
    API_SERVER_HOST,
    KUBERNETES_SDK,
    METADATA,
    STORAGE,
    Wheel,
    api_request,
    boot_python,
    call,
    import_azure,
    install,
    managed_identity,
    pip_command,
    read_service_account,
    storage,
)
from eightysix.lab.generate.scenarios.cast import SERVER, benign, inference, probe, start_server
from eightysix.lab.generate.scene import TOKEN_FOLDER, Process, Scene, Streams
from eightysix.lab.generate.sensor import Stack
from eightysix.lab.generate.settings import (
    AS_RECORDED,
    FULL,
    KERNEL_AND_AUDIT,
    KERNEL_AND_SENSOR,
    KERNEL_ONLY,
    SENSOR_AND_AUDIT,
    SETTINGS,
    Setting,
)

__all__: list[str] = []

_LANDS = 1_500.0
_AGENT = "OpenAPI-Generator/35.0.0/python"


@look_alike("dependencies-at-start", *SETTINGS)
def dependencies_at_start(setting: Setting) -> tuple[Streams, Label]:
    """A pod installs its dependencies at start, then asks for its managed identity token and looks at its peers."""
    scene = Scene(setting)
    container = inference(scene)
    shell = scene.entrypoint(0.2, container, "/bin/sh", "/app/start_deps.sh")
    pip = shell.exec(0.21, "/opt/venv/bin/python3", pip_command("tiny-metrics", "serving-plugin==2.0.0"))
    install(pip, 0.21, [Wheel("tiny-metrics", "0.3.0"), Wheel("serving-plugin", "2.0.0")])
    server = shell.replace(2.5, "/opt/venv/bin/python", "/app/server.py")
    start_server(server, 2.5)
    peers = Request("list", "pods", "ml", user_agent=_AGENT)
    client = Stack((*KUBERNETES_SDK, *SERVER.frames), thread=7)
    read_service_account(server, 6.0, client)
    api_request(server, 6.1, peers, client)
    probe(scene, container, 60.0)
    label = benign(
        server,
        "the application asks, through azure-identity of the image; the API use is a list of pods",
        "poisoned-at-start",
        0.21,
    )
    return scene.streams(), label


@look_alike("sdk-at-start", FULL, KERNEL_AND_AUDIT, KERNEL_AND_SENSOR, AS_RECORDED)
def sdk_at_start(setting: Setting) -> tuple[Streams, Label]:
    """A pod reinstalls azure-identity itself when it starts, and uses it two seconds later."""
    scene = Scene(setting)
    container = inference(scene)
    shell = scene.entrypoint(0.2, container, "/bin/sh", "/app/start_sdk.sh")
    pip = shell.exec(
        0.21, "/opt/venv/bin/python3", pip_command("--force-reinstall", "azure-identity==1.27.0", "msal")
    )
    wheels = [
        Wheel(
            "azure-identity",
            "1.27.0",
            ("azure/identity/__init__.py", "azure/identity/_internal/msal_client.py"),
        ),
        Wheel("msal", "1.39.0", ("msal/managed_identity.py", "msal/application.py")),
    ]
    install(pip, 0.21, wheels)
    server = shell.replace(2.5, "/opt/venv/bin/python", "/app/server.py")
    start_server(server, 2.5)
    label = benign(
        server,
        "azure-identity is two seconds old, but the application is at the root of the stack and asks for nothing else",
        "breach-sdk",
        0.21,
        notes="a fresh package on the stack proves nothing",
    )
    return scene.streams(), label


def _patch(server: Process, at: float) -> None:
    """The server installs a new release of its plug-in and reloads it."""
    server.sense_child(at - 0.01, ("/opt/venv/bin/pip", "install", "-q", "-U", "serving-plugin"), SERVER)
    pip = server.exec(at, "/opt/venv/bin/python3", pip_command("-U", "serving-plugin"))
    install(pip, at, [Wheel("serving-plugin", "2.0.1", ("serving_plugin/_boot.py",))])
    loaded = Stack(("serving-plugin", *SERVER.frames), at_import="serving-plugin", thread=18)
    server.sense_import(at + 2.45, "serving_plugin._boot", loaded)


@look_alike("self-patching-server", *SETTINGS)
def self_patching_server(setting: Setting) -> tuple[Streams, Label]:
    """A server updates a plug-in by pip, reloads it, and 38 s later refreshes its own managed identity token."""
    scene = Scene(setting)
    container = inference(scene)
    server = scene.entrypoint(0.31, container, "/opt/venv/bin/python", "/app/server.py")
    start_server(server, 0.31)
    for at in (120.0, 720.0, 1_320.0):
        probe(scene, container, at)
    _patch(server, _LANDS)
    managed_identity(server, _LANDS + 38.0, SERVER)
    storage(server, _LANDS + 38.2, STORAGE, SERVER)
    probe(scene, container, _LANDS + 100.0)
    return scene.streams(), benign(
        server, "the application asks, as it did before the install", "breach-86s", _LANDS
    )


@look_alike("self-patching-operator", FULL, KERNEL_AND_SENSOR, AS_RECORDED)
def self_patching_operator(setting: Setting) -> tuple[Streams, Label]:
    """The same by a server that holds a lease, so that both its identities are in use before and after the update."""
    scene = Scene(setting)
    container = inference(scene)
    server = scene.entrypoint(0.31, container, "/opt/venv/bin/python", "/app/server.py")
    start_server(server, 0.31)
    client = Stack((*KUBERNETES_SDK, "app:/app/leader.py"), thread=9)
    lease = Request(
        "update", "leases", "ml", "inference-leader", group="coordination.k8s.io", user_agent=_AGENT
    )
    settings = Request("get", "configmaps", "ml", "inference-settings", user_agent=_AGENT)
    read_service_account(server, 4.0, client)
    for at in (4.1, 600.0, 1_200.0, _LANDS + 20.0, _LANDS + 80.0):
        server.read(at, f"{TOKEN_FOLDER}/token", by=client)
        server.connect(at + 0.02, scene.cluster.api_server, 443, by=client, host=API_SERVER_HOST)
        scene.api(at + 0.02, container.pod, lease)
        scene.api(at + 0.4, container.pod, settings)
    managed_identity(server, 900.0, SERVER)
    _patch(server, _LANDS)
    managed_identity(server, _LANDS + 38.0, SERVER)
    storage(server, _LANDS + 38.2, STORAGE, SERVER)
    label = benign(
        server,
        "the application asks for both, as it did before the install; the API use is a lease and a config map",
        "breach-86s",
        _LANDS,
        notes="two domains in one process after a landing; novelty is per process",
    )
    return scene.streams(), label


@look_alike("worker-respawn", FULL, KERNEL_AND_AUDIT, KERNEL_ONLY)
def worker_respawn(setting: Setting) -> tuple[Streams, Label]:
    """gunicorn kills a slow worker and forks another, which gets tokens of its own: minutes after an install."""
    scene = Scene(setting)
    container = inference(scene)
    shell = scene.entrypoint(0.2, container, "/bin/sh", "/app/start_deps.sh")
    pip = shell.exec(0.21, "/opt/venv/bin/python3", pip_command("tiny-metrics"))
    install(pip, 0.21, [Wheel("tiny-metrics", "0.3.0")])
    master = shell.replace(
        2.5, "/opt/venv/bin/python", "/opt/venv/bin/gunicorn -w 2 -t 60 -b 0.0.0.0:8080 server:app"
    )
    boot_python(master, 2.5, ["python", "/opt/venv/bin/gunicorn", "-w", "2", "server:app"])
    import_azure(master, 3.0, Stack(SERVER.frames))
    workers = [master.fork(4.0 + place * 0.05, pod_known=False) for place in range(2)]
    client = Stack((*KUBERNETES_SDK, *SERVER.frames))
    asks = Stack(SERVER.frames)
    for place, worker in enumerate(workers):
        managed_identity(worker, 6.0 + place, asks)
        read_service_account(worker, 6.2 + place, client)
        api_request(
            worker,
            6.3 + place,
            Request("get", "configmaps", "ml", "inference-settings", user_agent=_AGENT),
            client,
        )
    workers[1].exit(480.0, signal="SIGKILL")
    respawned = master.fork(480.2, pod_known=False)
    managed_identity(respawned, 481.0, asks)
    read_service_account(respawned, 481.3, client)
    api_request(
        respawned, 481.4, Request("get", "configmaps", "ml", "inference-settings", user_agent=_AGENT), client
    )
    storage(respawned, 482.0, STORAGE, asks)
    label = benign(
        respawned,
        "the new worker does what its siblings did, and the application asks",
        "breach-forked-worker",
        0.21,
        notes="first use by this process, not by this workload",
    )
    return scene.streams(), label


@look_alike("editable-install", FULL, KERNEL_AND_AUDIT, AS_RECORDED)
def editable_install(setting: Setting) -> tuple[Streams, Label]:
    """`pip install -e` at start writes a `.pth`; the server starts after it and uses its identity."""
    scene = Scene(setting)
    container = inference(scene)
    shell = scene.entrypoint(0.2, container, "/bin/sh", "/app/start_dev.sh")
    pip = shell.exec(0.21, "/opt/venv/bin/python3", pip_command("--no-build-isolation", "-e", "/app"))
    install(pip, 0.21, [Wheel("inference-app", "0.1.0", ("__editable__.inference_app-0.1.0.pth",))])
    server = shell.replace(2.5, "/opt/venv/bin/python", "/app/server.py")
    start_server(server, 2.5)
    label = benign(
        server,
        "the .pth only adds a path; the application asks, long after start-up files were done",
        "hook-pth",
        0.21,
    )
    return scene.streams(), label


@look_alike("setuptools-upgrade", FULL, KERNEL_AND_AUDIT)
def setuptools_upgrade(setting: Setting) -> tuple[Streams, Label]:
    """pip upgrades setuptools in a running pod: `distutils-precedence.pth` is written, and runs in every later interpreter."""
    scene = Scene(setting)
    container = inference(scene)
    server = scene.entrypoint(0.31, container, "/opt/venv/bin/python", "/app/server.py")
    start_server(server, 0.31)
    pip = server.exec(900.0, "/opt/venv/bin/python3", pip_command("-U", "setuptools"))
    install(
        pip,
        900.0,
        [Wheel("setuptools", "80.9.0", ("distutils-precedence.pth", "_distutils_hack/__init__.py"))],
    )
    child = server.exec(940.0, "/opt/venv/bin/python", "/app/warmup.py --model resnet")
    child.sense_start(940.04, ["/opt/venv/bin/python", "/app/warmup.py", "--model", "resnet"])
    hook = Stack(("setuptools",), at_import=f"pth:{SITE_PACKAGES}/distutils-precedence.pth", dynamic=True)
    child.sense_import(940.05, "_distutils_hack", hook)
    warm = Stack(("app:/app/warmup.py",))
    call(child, 940.9, METADATA, Stack(("urllib3", "requests", "azure-core", "azure-identity", *warm.frames)))
    storage(child, 941.1, STORAGE, warm)
    child.exit(944.0)
    label = benign(
        child,
        "the start-up file imports setuptools and ends; the application asks afterwards",
        "hook-pth",
        900.0,
    )
    return scene.streams(), label


@look_alike("two-domains-daily", FULL, KERNEL_AND_AUDIT, SENSOR_AND_AUDIT, KERNEL_ONLY)
def two_domains_daily(setting: Setting) -> tuple[Streams, Label]:
    """A pod without any install that uses managed identity and service account: three of four AI workloads."""
    scene = Scene(setting)
    container = inference(scene)
    server = scene.entrypoint(0.31, container, "/opt/venv/bin/python", "/app/server.py")
    start_server(server, 0.31)
    client = Stack((*KUBERNETES_SDK, *SERVER.frames), thread=7)
    for at in (5.0, 305.0, 605.0):
        read_service_account(server, at, client)
        api_request(server, at + 0.1, Request("list", "endpoints", "ml", user_agent=_AGENT), client)
        managed_identity(server, at + 30.0, SERVER)
        storage(server, at + 31.0, STORAGE, SERVER)
    return scene.streams(), benign(server, "nothing landed", "dropper", 0.0)
