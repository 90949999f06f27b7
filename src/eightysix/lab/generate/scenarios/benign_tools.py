"""Look-alikes among programs: what starts interpreters, installs servers or fetches tools, all of it honestly."""

from __future__ import annotations

from eightysix.lab.generate.audit import Request
from eightysix.lab.generate.cluster import SITE_PACKAGES
from eightysix.lab.generate.label import Label, look_alike
from eightysix.lab.generate.programs import (
    METADATA,
    REDIS,
    STORAGE,
    Endpoint,
    Wheel,
    api_request,
    boot_python,
    call,
    install,
    managed_identity,
    pip_command,
    read_service_account,
)
from eightysix.lab.generate.scenarios.cast import SERVER, benign, inference, start_server
from eightysix.lab.generate.scene import Scene, Streams
from eightysix.lab.generate.sensor import Stack
from eightysix.lab.generate.settings import FULL, KERNEL_AND_AUDIT, KERNEL_AND_SENSOR, KERNEL_ONLY, Setting

__all__: list[str] = []

_PYTHON = "/opt/venv/bin/python"
_RELEASES = Endpoint("203.0.113.82", 443, "release-assets.githubusercontent.com")
_LEADER = Request("get", "leases", "ml", "inference-leader", group="coordination.k8s.io")


@look_alike("inline-workers", FULL, KERNEL_AND_AUDIT, KERNEL_ONLY)
def inline_workers(setting: Setting) -> tuple[Streams, Label]:
    """After an update a server starts workers as `multiprocessing` does, by `python -c`; each takes what it needs."""
    scene = Scene(setting)
    container = inference(scene)
    server = scene.entrypoint(0.31, container, _PYTHON, "/app/server.py")
    start_server(server, 0.31)
    pip = server.exec(1_500.0, f"{_PYTHON}3", pip_command("-U", "serving-plugin"))
    install(pip, 1_500.0, [Wheel("serving-plugin", "2.0.1")])
    tracker = server.exec(1_504.0, _PYTHON, '-c "from multiprocessing.resource_tracker import main;main(13)"')
    boot_python(
        tracker, 1_504.0, [_PYTHON, "-c", "from multiprocessing.resource_tracker import main;main(13)"]
    )
    for place in range(2):
        at = 1_504.1 + place * 0.2
        code = f"from multiprocessing.spawn import spawn_main; spawn_main(tracker_fd=14, pipe_handle={16 + place})"
        worker = server.exec(at, _PYTHON, f'-c "{code}" --multiprocessing-fork')
        boot_python(worker, at, [_PYTHON, "-c", code, "--multiprocessing-fork"])
        app = Stack(SERVER.frames)
        managed_identity(worker, at + 2.0, app)
        call(worker, at + 2.3, STORAGE, app)
        read_service_account(worker, at + 3.0, app)
        api_request(worker, at + 3.1, _LEADER, app)
    label = benign(
        server,
        "the code on the command line is what multiprocessing writes there, and holds nothing else",
        "inline-child",
        1_500.0,
    )
    return scene.streams(), label


@look_alike("server-from-index", FULL, KERNEL_AND_AUDIT, KERNEL_AND_SENSOR, KERNEL_ONLY)
def server_from_index(setting: Setting) -> tuple[Streams, Label]:
    """A pod installs its server from the index when it starts and runs the script that came with it, with two identities."""
    scene = Scene(setting)
    container = inference(scene, started=0.0)
    shell = scene.entrypoint(0.2, container, "/bin/sh", "/app/start.sh")
    pip = shell.exec(0.4, f"{_PYTHON}3", pip_command("-U", "model-gateway"))
    install(pip, 0.4, [Wheel("model-gateway", "3.1.0")], took=6.0)
    pip.write(6.2, "/opt/venv/bin/model-gateway")
    server = shell.replace(6.8, _PYTHON, "/opt/venv/bin/model-gateway --port 4000")
    boot_python(server, 6.8, [_PYTHON, "/opt/venv/bin/model-gateway", "--port", "4000"])
    app = Stack(("app:/opt/venv/bin/model-gateway",))
    server.sense_import(7.4, "model_gateway", app)
    managed_identity(server, 9.0, app)
    call(server, 9.4, STORAGE, app)
    read_service_account(server, 9.9, app)
    api_request(server, 10.0, _LEADER, app)
    helper = server.exec(11.0, _PYTHON, f"{SITE_PACKAGES}/model_gateway/worker.py --rank 1")
    boot_python(helper, 11.0, [_PYTHON, f"{SITE_PACKAGES}/model_gateway/worker.py", "--rank", "1"])
    own = Stack(("model-gateway", f"app:{SITE_PACKAGES}/model_gateway/worker.py"))
    managed_identity(helper, 12.0, own)
    call(helper, 12.2, REDIS, own)
    label = benign(
        server,
        "what was installed is the application: its own script takes the identities, while the container starts",
        "poisoned-at-start",
        0.4,
    )
    return scene.streams(), label


@look_alike("tool-at-start", FULL, KERNEL_AND_AUDIT, KERNEL_ONLY)
def tool_at_start(setting: Setting) -> tuple[Streams, Label]:
    """A pod fetches a copy tool to /tmp when it starts, and loads its model with it."""
    scene = Scene(setting)
    container = inference(scene, started=0.0)
    shell = scene.entrypoint(0.2, container, "/bin/sh", "/app/start.sh")
    curl = shell.exec(0.5, "/usr/bin/curl", f"-fsSL -o /tmp/azcopy https://{_RELEASES.host}/azcopy")
    call(curl, 0.6, _RELEASES, None)
    curl.write(1.4, "/tmp/azcopy")
    curl.exit(1.6)
    tool = shell.exec(1.8, "/tmp/azcopy", "copy https://mlmodels.blob.core.windows.net/bert /models")
    call(tool, 2.0, METADATA, None)
    call(tool, 2.3, STORAGE, None)
    tool.exit(14.0)
    server = shell.replace(14.2, _PYTHON, "/app/server.py")
    boot_python(server, 14.2, [_PYTHON, "/app/server.py"])
    managed_identity(server, 16.0, Stack(SERVER.frames))
    label = benign(
        server, "the container's own start script fetched it, and the container is starting", "dropper", 1.4
    )
    return scene.streams(), label


@look_alike("compiled-helper", FULL, KERNEL_AND_AUDIT)
def compiled_helper(setting: Setting) -> tuple[Streams, Label]:
    """A server compiles a probe to /tmp and runs it, and a person runs a tool that was fetched there in a session."""
    scene = Scene(setting)
    container = inference(scene)
    server = scene.entrypoint(0.31, container, _PYTHON, "/app/server.py")
    start_server(server, 0.31)
    folder = "/tmp/tmp5x0t2ahk"
    gcc = server.exec(1_300.0, "/usr/bin/gcc", f"-O2 -o {folder}/probe {folder}/probe.c")
    gcc.write(1_300.4, f"{folder}/probe")
    gcc.exit(1_300.5)
    probe = server.exec(1_300.6, f"{folder}/probe", "")
    probe.exit(1_300.7)
    shell = scene.session(2_000.0, container, "/bin/bash", "")
    curl = shell.exec(2_010.0, "/usr/bin/curl", f"-fsSL -o /tmp/oha https://{_RELEASES.host}/oha")
    call(curl, 2_010.2, _RELEASES, None)
    curl.write(2_011.0, "/tmp/oha")
    curl.exit(2_011.2)
    tool = shell.exec(2_015.0, "/tmp/oha", "-n 1 https://api.openai.com/v1/models")
    call(tool, 2_015.2, Endpoint("203.0.113.86", 443, "api.openai.com"), None)
    tool.exit(2_015.6)
    shell.exit(2_020.0)
    label = benign(
        server,
        "what the server built talks to nobody, and a named person ran the other",
        "dropper",
        1_300.4,
        notes="a kernel that does not tell the init tree cannot tell the session of a shell without arguments",
    )
    return scene.streams(), label
