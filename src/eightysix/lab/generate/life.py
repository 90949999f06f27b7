"""One pod of a generated cluster that nothing happens to: its start, an ordinary act now and then, its end."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, TypeVar

from eightysix.lab.generate.audit import Request
from eightysix.lab.generate.cluster import Container, Image
from eightysix.lab.generate.programs import (
    KUBERNETES_SDK,
    METADATA,
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
from eightysix.lab.generate.scene import TOKEN_FOLDER, Process, Scene
from eightysix.lab.generate.sensor import Stack

if TYPE_CHECKING:
    from eightysix.lab.generate.kinds import Kind

__all__ = ["Life", "begin"]

_T = TypeVar("_T")

_PYTHON_AGENT = "OpenAPI-Generator/35.0.0/python"
_WHEELS = ("tiny-metrics", "nb-widgets", "serving-plugin", "adlfs")
_MOST_CHILDREN = 2


@dataclass(eq=False)
class Life:
    """A living pod. `kind` is None for the pod of a scenario, whose story is told elsewhere: it has everyday noise only."""

    scene: Scene
    container: Container
    main: Process
    kind: Kind | None
    ends_s: float
    random: Random
    asked_s: float = 0.0
    living: deque[Process] = field(default_factory=deque)

    def act(self, at: float) -> None:
        """Something ordinary at `at`."""
        draw = self.random.random()
        kind = self.kind
        if kind is not None and draw < 0.16:
            self._use_credentials(kind, at)
        elif kind is not None and kind.installs_later and draw < 0.17:
            self._install(at)
        elif kind is not None and kind.probe and draw < 0.3:
            probe = self.scene.session(
                at, self.container, "/usr/bin/curl", "-sf localhost:8080/health", probe=True
            )
            probe.exit(at + 0.08)
        elif draw < 0.6:
            self._child(at)
        elif draw < 0.85:
            usual = kind.usual if kind is not None else _plain().usual
            call(self.main, at, _one_of(self.random, usual), self._stack() if draw < 0.63 else None)
        else:
            files = kind.files if kind is not None else _plain().files
            path = _one_of(self.random, files)
            (self.main.read if path.startswith(("/proc", "/models", "/mnt")) else self.main.write)(at, path)

    def end(self) -> None:
        """The pod is deleted."""
        while self.living:
            self.living.popleft().exit(self.ends_s - 0.2, signal="SIGTERM")
        self.main.exit(self.ends_s, signal="SIGTERM" if self.random.random() < 0.8 else "")

    def _stack(self) -> Stack:
        return Stack(self.kind.frames, thread=7) if self.kind is not None else Stack()

    def _child(self, at: float) -> None:
        if len(self.living) >= _MOST_CHILDREN:
            self.living.popleft().exit(at)
            return
        kind = self.kind or _plain()
        binary, arguments = _one_of(self.random, kind.children)
        self.living.append(self.main.exec(at, binary, arguments))

    def _use_credentials(self, kind: Kind, at: float) -> None:
        """A token is refreshed and used: the same as at the start. Nobody asks more than once a minute."""
        if at - self.asked_s < 60.0:
            return
        self.asked_s = at
        cloud = kind.identity and (not kind.account or self.random.random() < 0.5)
        if cloud:
            ask_cloud(self.main, kind, at)
        elif kind.account:
            ask_cluster(self.main, kind, at, self.random, first=False)

    def _install(self, at: float) -> None:
        """Somebody installs something in the running pod, in a shell of the notebook."""
        name = _one_of(self.random, _WHEELS)
        pip = self.main.exec(at, "/opt/venv/bin/python", f"-m pip install -q {name}")
        install(pip, at, [Wheel(name, "2.0.1")], module=True)


def begin(
    scene: Scene,
    kind: Kind,
    *,
    at: float,
    ends_s: float,
    node: int,
    workload: str,
    replica: int,
    release: str,
    random: Random,
) -> Life:
    """A new pod of `kind` at `at`."""
    pod = scene.pod(
        workload,
        namespace=kind.namespace,
        kind=kind.controller,
        node=node,
        replica=replica,
        name="" if kind.controller in ("Deployment", "DaemonSet", "StatefulSet") else f"{workload}-{replica}",
        release=release,
    )
    image = Image(kind.image.format(release=release), release)
    container = scene.container(pod, image, started=at, name=kind.name)
    if kind.installs:
        shell = scene.entrypoint(at + 0.2, container, "/bin/sh", "/app/start.sh")
        pip = shell.exec(at + 0.22, "/opt/venv/bin/python3", pip_command(*kind.installs))
        install(pip, at + 0.22, [Wheel(name, "2.0.1") for name in kind.installs])
        main = shell.replace(at + 2.6, kind.binary, kind.arguments)
    else:
        main = scene.entrypoint(at + 0.3, container, kind.binary, kind.arguments)
    begun = at + (2.6 if kind.installs else 0.3)
    if kind.python:
        boot_python(main, begun, [kind.binary, *kind.arguments.split()])
    for place, (binary, arguments) in enumerate(kind.beside):
        main.exec(begun + 0.4 + place * 0.3, binary, arguments)
    for place, endpoint in enumerate(kind.usual[:2]):
        if endpoint is not METADATA:
            call(main, begun + 1.0 + place * 0.1, endpoint, Stack(kind.frames) if kind.frames else None)
    if kind.identity:
        if kind.frames:
            import_azure(main, begun + 1.3, Stack(kind.frames))
        ask_cloud(main, kind, begun + 2.4)
    if kind.account:
        ask_cluster(main, kind, begun + 3.1, random, first=True)
    return Life(scene, container, main, kind, ends_s, random, begun + 3.1)


def ask_cloud(main: Process, kind: Kind, at: float) -> None:
    """A managed identity token, and storage with it."""
    if not kind.frames:
        call(main, at, METADATA, None)
        return
    stack = Stack(kind.frames, thread=7)
    managed_identity(main, at, stack)
    storage(main, at + 0.2, kind.store, stack)


def ask_cluster(main: Process, kind: Kind, at: float, random: Random, *, first: bool) -> None:
    """The service account's token, and one request with it."""
    stack = Stack((*KUBERNETES_SDK, *kind.frames), thread=7) if kind.frames else None
    if first:
        read_service_account(main, at, stack)
    else:
        main.read(at, f"{TOKEN_FOLDER}/token", by=stack)
    verb, resource, name, group = _one_of(random, kind.asks)
    agent = _PYTHON_AGENT if kind.frames else f"{kind.name}/1.0 (linux/amd64)"
    space = "" if resource == "nodes" else main.container.pod.namespace
    api_request(main, at + 0.1, Request(verb, resource, space, name, group=group, user_agent=agent), stack)


def _plain() -> Kind:
    from eightysix.lab.generate.kinds import KINDS

    return KINDS[0]


def _one_of(random: Random, things: tuple[_T, ...]) -> _T:
    return things[int(random.random() * len(things))]
