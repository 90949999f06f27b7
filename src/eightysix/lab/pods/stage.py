"""What the script of a scenario acts through: pods are started, commands run in them, time passes.

The order in which a pod starts is the kubelet's: the API server knows it and mints its token, its volumes are there, its
network is there, then its container starts. The sensors know it before its first process does anything.
"""

from __future__ import annotations

import base64
import json
import secrets
import subprocess
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import msgspec

from eightysix.lab.interface import Answer, Done, PodSpec, Wheel
from eightysix.lab.pods import environments, image, network
from eightysix.lab.pods.backends import Backend, Container
from eightysix.lab.pods.cloud import Cloud
from eightysix.lab.pods.interpreter import Interpreter
from eightysix.lab.pods.keeper import Keeper
from eightysix.lab.pods.leaps import Leap
from eightysix.lab.pods.watching import Endpoints, Started, Watching
from eightysix.lab.world import METADATA_IP
from eightysix.model.errors import LabError

__all__ = ["LabStage", "Parts"]

START_S = 60.0
"""Seconds in which a pod's server must answer."""

GRACE_S = 1.0
"""Seconds that a pod has to end when it is replaced."""

_CALLER = """\
import sys, http.client, json
ip, port, path, timeout = sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4])
body = sys.stdin.buffer.read()
c = http.client.HTTPConnection(ip, port, timeout=timeout)
c.request("POST" if body else "GET", path, body or None, {"User-Agent": "client/1.0"})
r = c.getresponse()
data = r.read(16 << 20)
sys.stdout.buffer.write(b"%d\\n" % r.status + data)
"""

_KNOCKER = """\
import socket, sys, time
end = time.monotonic() + float(sys.argv[3])
while time.monotonic() < end:
    try:
        socket.create_connection((sys.argv[1], int(sys.argv[2])), 1).close()
        sys.exit(0)
    except OSError:
        time.sleep(0.03)
sys.exit(1)
"""


class Parts(msgspec.Struct, frozen=True):
    """What a run consists of."""

    keeper: Keeper
    backend: Backend
    cloud: Cloud
    endpoints: Endpoints | None
    watching: Watching | None
    python: Interpreter
    folder: Path
    nonce: str
    ca: str
    """Certificate of the run's authority, in PEM."""
    cgroup: str = ""
    """Path of the run's cgroup in the unified hierarchy."""
    sensor: str = ""
    """The folder with the sensor, empty where there is none."""
    preload: str = ""


class LabStage:
    """See `lab.interface.Stage`. `tell` hears of each step."""

    def __init__(self, parts: Parts, tell: Callable[[str], None]) -> None:
        self._parts = parts
        self._tell = tell
        self._lock = threading.RLock()
        self._pods: dict[str, Container] = {}
        self.leaps: list[Leap] = []
        self.runtime = f"--root {parts.keeper.folder}/runtime "
        """How the arguments of the container runtime itself begin."""

    # --- pods

    def start(self, pod: PodSpec) -> None:
        """Start a pod and wait until its server answers."""
        self._start(pod, str(_uuid()))

    def _start(self, pod: PodSpec, uid: str) -> None:
        with self._lock:
            if pod.name in self._pods:
                raise LabError(f"a pod {pod.name} runs already", "Use restart, or another name.")
            self._tell(f"start pod {pod.namespace}/{pod.name}: {' '.join(pod.argv)}")
            container = self._prepare(pod, uid)
            self._pods[pod.name] = container
            log = self._parts.folder / "logs" / f"{pod.name}.log"
            self._parts.backend.start(container, log)
        self._await(container)

    def _prepare(self, pod: PodSpec, uid: str) -> Container:
        """Everything that must be there before the first process."""
        parts = self._parts
        keeper = parts.keeper
        container_id = sha256(uid.encode()).hexdigest()
        net = network.add_pod(keeper, container_id[:12], pod.ip, metadata=pod.metadata)
        env = image.environment(pod, parts.nonce, preload=parts.preload)
        container = Container(pod, uid, container_id, net, env)
        name = container.name
        container.cgroup = f"{parts.cgroup}/{container.place}"
        venv = environments.build(pod.venv, parts.python)
        container.root = image.make(keeper, name, pod, parts.ca)
        self._mint(container)
        started = Started(pod, uid, container_id, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}000Z")
        listens = pod.sensor and parts.sensor and parts.endpoints is not None
        socket = parts.endpoints.open(started) if listens and parts.endpoints is not None else ""
        sensor = parts.sensor if listens else ""
        keeper.shell(
            image.mount_script(keeper, name, parts.python, venv, token=True, sensor=sensor, socket=socket)
        )
        image.write_files(keeper, name, pod.files)
        image.mark(keeper, name, parts.nonce, network.inode(keeper, net))
        if parts.watching is not None:
            parts.watching.add(started, container.place)
            if not pod.metadata:
                parts.watching.refuse(METADATA_IP)
            elif METADATA_IP in parts.watching.refused:
                raise LabError(
                    f"{pod.name} may reach the metadata service, and another pod of this run may not",
                    "Where eBPF refuses, it refuses for all pods of a run: play them one by one.",
                )
        return container

    def _mint(self, container: Container) -> None:
        """Let the API server know the pod, and write the volume of its service account as the kubelet does."""
        pod = msgspec.structs.replace(container.pod, files={})
        told = self._parts.cloud.ask(
            "pod", pod=msgspec.to_builtins(pod), uid=container.uid, container_id=container.container_id
        )
        place = self._parts.keeper.inside / "pods" / container.name / "token"
        written = place / f"..{datetime.now(UTC):%Y_%m_%d_%H_%M_%S}.{secrets.randbelow(10**9)}"
        written.mkdir(parents=True)
        texts = {
            "token": str(told.get("token", "")),
            "ca.crt": self._parts.ca,
            "namespace": container.pod.namespace,
        }
        (place / "..data").symlink_to(written.name)
        for name, text in texts.items():
            (written / name).write_text(text)
            (place / name).symlink_to(f"..data/{name}")

    def _await(self, container: Container) -> None:
        pod = container.pod
        if not pod.port:
            return
        command = self._python(_KNOCKER, pod.ip, str(pod.port), str(START_S))
        knocking = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            while knocking.poll() is None and container.running:
                time.sleep(0.01)
        finally:
            if knocking.poll() is None:
                knocking.kill()
            knocking.wait()
        if knocking.returncode:
            said = container.log.last() if container.log else ""
            raise LabError(
                f"the pod {pod.name} does not answer at {pod.ip}:{pod.port}: {said or 'it said nothing'}"
            )

    def restart(self, pod: PodSpec) -> None:
        """End the pod of this name and start `pod` in its place."""
        self.stop(pod.name, grace_s=GRACE_S)
        self.start(pod)

    def stop(self, name: str, *, grace_s: float = 0.0) -> None:
        """End a pod and remove what it was in."""
        with self._lock:
            container = self._pods.pop(name, None)
            if container is None:
                raise LabError(f"no pod is called {name}")
            self._tell(f"end pod {container.pod.namespace}/{name}")
            self._parts.backend.stop(container, grace_s)
            self._parts.cloud.ask("delete-pod", pod=name, namespace=container.pod.namespace)
            if self._parts.endpoints is not None and container.pod.sensor and self._parts.sensor:
                self._parts.endpoints.close(container.uid)
            image.remove(self._parts.keeper, container.name)
            network.remove_pod(self._parts.keeper, container.net)

    def stop_all(self) -> None:
        """End every pod."""
        for name in list(self._pods):
            self.stop(name)

    def adopt(self) -> None:
        """Start the pods that pods made through the API."""
        for told in self._parts.cloud.ask("created-pods").get("pods", ()):
            pod = msgspec.convert(told["pod"], PodSpec)
            self._start(pod, str(told["uid"]))

    def _find(self, name: str) -> Container:
        with self._lock:
            if name and name in self._pods:
                return self._pods[name]
            if not name and self._pods:
                return next(iter(self._pods.values()))
        raise LabError(f"no pod is called {name}" if name else "no pod runs")

    # --- what people, the kubelet and clients do

    def exec(self, *argv: str, pod: str = "", check: bool = True, timeout_s: float = 90.0) -> Done:
        """`kubectl exec`: audited, then run."""
        container = self._find(pod)
        self._tell(f"exec in {container.pod.name}: {' '.join(argv)}")
        self._parts.cloud.ask(
            "exec",
            pod=container.pod.name,
            namespace=container.pod.namespace,
            argv=list(argv),
        )
        done = self._parts.backend.exec(container, argv, timeout_s)
        if check and done.code:
            raise LabError(
                f"`{' '.join(argv)[:200]}` in {container.pod.name} ended with {done.code}: {done.output.strip()[-400:]}"
            )
        return done

    def probe(self, *argv: str, pod: str = "", timeout_s: float = 30.0) -> Done:
        """The kubelet's exec probe."""
        return self._parts.backend.exec(self._find(pod), argv, timeout_s)

    def call(self, path: str, *, body: bytes = b"", pod: str = "", timeout_s: float = 60.0) -> Answer:
        """Ask the pod's server over HTTP."""
        spec = self._find(pod).pod
        self._tell(f"call {spec.name}: {'POST' if body else 'GET'} {path}")
        command = self._python(_CALLER, spec.ip, str(spec.port), path, str(timeout_s))
        try:
            done = subprocess.run(
                command, input=body, capture_output=True, timeout=timeout_s + 5, check=False
            )
        except subprocess.TimeoutExpired:
            raise LabError(f"{spec.name} did not answer {path} within {timeout_s:.0f} s") from None
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            raise LabError(f"{spec.name} did not answer {path}: {said}")
        status, _, content = done.stdout.partition(b"\n")
        return Answer(int(status), content)

    def _python(self, script: str, *arguments: str) -> list[str]:
        """A script that runs where clients are: in the network of the services."""
        python = self._parts.python.path
        return self._parts.keeper.enter(python, "-I", "-S", "-c", script, *arguments, net=network.CLOUD)

    def publish(self, *wheels: Wheel) -> None:
        """Put packages on the index, each in one piece."""
        from eightysix.lab.wheels import build, file_name

        for wheel in wheels:
            self._tell(f"publish {wheel.name} {wheel.version}")
            place = self._parts.cloud.index / file_name(wheel)
            fresh = place.with_suffix(".new")
            fresh.write_bytes(build(wheel))
            fresh.rename(place)

    def push(self, repository: str, tag: str, content: bytes, *, by: str) -> str:
        """Push an artifact as somebody."""
        self._tell(f"push {repository}:{tag} as {by}")
        told = self._parts.cloud.ask(
            "push", repository=repository, tag=tag, content_b64=base64.b64encode(content).decode(), by=by
        )
        return str(told["digest"])

    # --- time

    def wait(self, mark: str, *, count: int = 1, timeout_s: float = 30.0) -> None:
        """Wait for marks of the truth."""
        deadline = time.monotonic() + timeout_s
        while (found := self._marks(mark)) < count:
            if time.monotonic() > deadline:
                raise LabError(
                    f"{mark} happened {found} times in {timeout_s:.0f} s, and {count} were waited for"
                )
            time.sleep(0.02)

    def _marks(self, mark: str) -> int:
        truth = self._parts.folder / "truth.jsonl"
        if not truth.exists():
            return 0
        with truth.open("rb") as file:
            lines = [line for line in file if line.endswith(b"\n")]
        return sum(json.loads(line).get("mark") == mark for line in lines)

    def sleep(self, seconds: float) -> None:
        """Let real time pass."""
        time.sleep(seconds)

    def leap(self, seconds: float) -> None:
        """Let the clock jump, for the services now and for the sensors' records afterwards."""
        self._tell(f"the clock leaps by {seconds:g} s")
        self._parts.cloud.ask("leap", seconds=seconds)
        self.leaps.append(Leap(time.time_ns(), seconds))

    def path(self) -> Path:
        """The folder of the run."""
        return self._parts.folder


def _uuid() -> UUID:
    """A random uid, as the API server gives."""
    return UUID(bytes=secrets.token_bytes(16), version=4)
