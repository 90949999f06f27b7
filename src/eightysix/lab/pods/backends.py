"""What starts a container and commands in it: crun or runc as root, `unshare` and `nsenter` for an ordinary user."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from eightysix.lab.interface import Done, PodSpec
from eightysix.lab.pods.bundle import CAPABILITIES, config
from eightysix.lab.pods.keeper import Keeper, child_of
from eightysix.lab.pods.output import Log, Tail
from eightysix.model.errors import LabError

__all__ = ["Backend", "Container", "Oci", "Rootless"]

_END_S = 10.0


class Container:
    """A pod's container. `name` is that of its folder in the run, `cgroup` its path in the unified hierarchy."""

    def __init__(self, pod: PodSpec, uid: str, container_id: str, net: str, env: Mapping[str, str]) -> None:
        self.pod = pod
        self.uid = uid
        self.container_id = container_id
        self.name = container_id[:12]
        self.net = net
        self.env = env
        self.root = ""
        self.cgroup = ""
        self.place = f"kubepods/burstable/pod{uid}/{container_id}"
        """Its cgroup below the run's, as the kubelet's cgroupfs driver names it."""
        self.process: subprocess.Popen[bytes] | None = None
        self.log: Log | None = None

    @property
    def running(self) -> bool:
        """Whether its first process lives."""
        return self.process is not None and self.process.poll() is None


Wrap = Callable[[str, str, Sequence[str]], list[str]]


class Backend(Protocol):
    """Starts containers whose root is made and mounted."""

    wrap: Wrap
    """See `Watching.wrap`; nothing is wrapped until somebody sets it."""

    def version(self) -> str:
        """Name and version, for `run.json`."""

    def start(self, container: Container, log: Path) -> None:
        """Start the first process; what it prints goes to `log`."""

    def exec(self, container: Container, argv: Sequence[str], timeout_s: float) -> Done:
        """Run a command beside it."""

    def stop(self, container: Container, grace_s: float) -> None:
        """End every process of it: asked first, and after `grace_s` made to."""


class Oci:
    """An OCI runtime: crun (containers/crun) or runc (opencontainers/runc)."""

    def __init__(self, keeper: Keeper, runtime: str) -> None:
        self._keeper = keeper
        self._runtime = runtime
        self.wrap: Wrap = _as_it_is
        options = ["--cgroup-manager=cgroupfs"] if runtime == "crun" else []
        self._command = [runtime, "--root", f"{keeper.folder}/runtime", *options]

    def version(self) -> str:
        """The first line of `--version`."""
        return self._keeper.run(self._runtime, "--version").partition("\n")[0].replace(" version", "")

    def start(self, container: Container, log: Path) -> None:
        """Write the bundle and run it."""
        keeper = self._keeper
        bundle = f"{keeper.folder}/pods/{container.name}"
        told = config(
            root=container.root,
            argv=self.wrap(container.name, container.place, container.pod.argv),
            env=container.env,
            hostname=container.pod.name,
            cgroup=container.cgroup,
        )
        (keeper.inside / "pods" / container.name / "config.json").write_text(json.dumps(told))
        container.process = keeper.spawn(
            *(*self._command, "run", "--bundle", bundle, container.container_id),
            net=container.net,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        container.log = Log(container.process, log)

    def exec(self, container: Container, argv: Sequence[str], timeout_s: float) -> Done:
        """Environment and folder are those of the container."""
        command = self._keeper.enter(
            *self._command, "exec", container.container_id, *self.wrap(container.name, container.place, argv)
        )
        return Tail(command).wait(timeout_s)

    def stop(self, container: Container, grace_s: float) -> None:
        """Ask init, then have the runtime kill and remove the container with its cgroup."""
        if grace_s and container.running:
            self._quietly("kill", container.container_id, "TERM")
            _wait(container, grace_s)
        self._quietly("delete", "--force", container.container_id)
        _ended(container)

    def _quietly(self, *argv: str) -> None:
        command = self._keeper.enter(*self._command, *argv)
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_END_S, check=False)


_ENTER = """\
set -e
cd "$1"
mount -t tmpfs -o mode=755,size=64k dev dev
for one in null zero full random urandom tty; do : > dev/$one; mount --bind /dev/$one dev/$one; done
ln -s /proc/self/fd dev/fd; ln -s fd/0 dev/stdin; ln -s fd/1 dev/stdout; ln -s fd/2 dev/stderr
mkdir dev/shm; mount -t tmpfs -o mode=1777,size=64m shm dev/shm
mkdir .machine
pivot_root . .machine
mount -t proc proc /proc
umount -l /.machine
rmdir /.machine
hostname "$2"
cd /app
shift 2
exec "$@"
"""
"""Runs as init of the pod's own pid namespace: makes the prepared folder the root and lets the machine's go."""


class Rootless:
    """The same container for an ordinary user: a namespace of each kind by `unshare`, capabilities taken by `setpriv`."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._inits: dict[str, int] = {}
        self.wrap: Wrap = _as_it_is
        kept = ",".join(f"+{name.removeprefix('CAP_').lower()}" for name in CAPABILITIES)
        self._confined = ("setpriv", f"--bounding-set=-all,{kept}", "--inh-caps=-all", "env", "-i")

    def version(self) -> str:
        """That of util-linux."""
        return self._keeper.run("unshare", "--version").strip()

    def start(self, container: Container, log: Path) -> None:
        """Enter the pod's network, make the other namespaces, and become its first process."""
        container.process = self._keeper.spawn(
            *("unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "sh", "-c", _ENTER),
            *("eightysix-lab", container.root, container.pod.name),
            *(*self._confined, *_variables(container)),
            *self.wrap(container.name, container.place, container.pod.argv),
            net=container.net,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        container.log = Log(container.process, log)
        self._inits[container.name] = self._init_of(container)

    def _init_of(self, container: Container) -> int:
        """The first process by the machine's pid: the child of `unshare`, which is the child of `nsenter`."""
        assert container.process is not None  # noqa: S101 - for the type checker
        deadline = time.monotonic() + _END_S
        while time.monotonic() < deadline and container.running:
            middle = child_of(container.process.pid)
            init = child_of(middle) if middle else 0
            if init and _entered(init):
                return init
            time.sleep(0.005)
        raise LabError(
            f"the pod {container.pod.name} did not start: {container.log and container.log.last()}"
        )

    def exec(self, container: Container, argv: Sequence[str], timeout_s: float) -> Done:
        """Join all namespaces of the first process."""
        init = self._inits.get(container.name, 0)
        if not init or not container.running:
            raise LabError(f"the pod {container.pod.name} does not run")
        command = [
            *("nsenter", f"--target={init}", "--user", "--preserve-credentials", "--mount", "--pid"),
            *("--net", "--ipc", "--uts", "--root", "--wd", "--"),
            *(*self._confined, *_variables(container)),
            *self.wrap(container.name, container.place, argv),
        ]
        return Tail(command).wait(timeout_s)

    def stop(self, container: Container, grace_s: float) -> None:
        """Ask init, then kill it: its pid namespace goes with it."""
        init = self._inits.pop(container.name, 0)
        if init and container.running:
            _signal(init, 15)
            if grace_s:
                _wait(container, grace_s)
        if init and container.running:
            _signal(init, 9)
        _ended(container)


def _as_it_is(_name: str, _cgroup: str, argv: Sequence[str]) -> list[str]:
    return list(argv)


def _variables(container: Container) -> list[str]:
    return [f"{name}={value}" for name, value in container.env.items()]


def _entered(init: int) -> bool:
    """Whether init has become the pod's program: until then commands would join the machine's root."""
    try:
        return not Path(f"/proc/{init}/root/.machine").exists() and Path(
            f"/proc/{init}/cwd"
        ).readlink() == Path("/app")
    except OSError:
        return False


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _wait(container: Container, seconds: float) -> None:
    assert container.process is not None  # noqa: S101 - for the type checker
    try:
        container.process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def _ended(container: Container) -> None:
    """Reap what was started. The one that is left after all that is let go with the run's namespaces."""
    if container.process is not None:
        _wait(container, _END_S)
    if container.log is not None:
        container.log.close()
