"""A cgroup of our own and the sensor over it, for tests and measurements: everything is gone at the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from eightysix.lab.kernel import available
from eightysix.lab.kernel.cgroups import mount_point

__all__ = ["CONTAINER", "POD", "Sensor", "cgroup", "instances", "kinds", "run_in", "why_not"]

ROOT = Path(__file__).resolve().parents[3]
CONTAINER = "ab" * 32
POD: dict[str, Any] = {
    "namespace": "ml",
    "name": "inference-0",
    "uid": "86868686-0000-4000-8000-000000000001",
    "container": {
        "id": f"containerd://{CONTAINER}",
        "name": "server",
        "image": {
            "id": "registry.example/ml/inference@sha256:" + "5e" * 32,
            "name": "registry.example/ml/inference:prod",
        },
        "start_time": "2026-11-23T03:38:50.058735000Z",
    },
    "pod_labels": {"app": "inference"},
    "workload": "inference",
    "workload_kind": "StatefulSet",
}

NETWORK = "ip link set lo up; ip addr add 192.0.2.1/24 dev lo; ip addr add 2001:db8::1/64 dev lo nodad; "
"""Addresses that are not loopback and lead nowhere: those of documentation, in a network namespace of their own."""


def why_not(mechanism: str) -> str:
    """Why a mechanism cannot be tested here; empty where it can."""
    if os.geteuid() != 0:
        return "needs root"
    if mount_point() is None:
        return "no cgroup of version 2 is mounted"
    return available()[mechanism]


@contextmanager
def cgroup(*below: str) -> Iterator[Path]:
    """A cgroup with a name of this process and moment, and those below it."""
    found = mount_point()
    assert found is not None
    folder = found[0] / f"eightysix-test-{os.getpid()}-{time.monotonic_ns()}"
    try:
        for path in ("", *below):
            (folder / path).mkdir(parents=True)
        yield folder
    finally:
        for place in sorted(folder.rglob("*"), reverse=True):
            if place.is_dir():
                _remove(place)
        _remove(folder)


def _remove(folder: Path) -> None:
    """Processes that have ended leave their cgroup a moment later."""
    for _ in range(100):
        with suppress(OSError):
            folder.rmdir()
            return
        time.sleep(0.02)


def run_in(
    folder: Path, script: str, *, container: bool = True, network: bool = True, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a shell script in a cgroup, as the first process of a container: namespaces of its own."""
    enter = f"echo $$ > {folder}/cgroup.procs; exec "
    unshare = f"unshare --mount --net --pid --fork --mount-proc --propagation private {sys.executable} -c "
    # The script stands in a variable, so that no command line but the shell's own holds it.
    inner = '\'import os; os.execv("/bin/sh", ["sh", "-c", os.environ["SCRIPT"]])\''
    command = enter + (unshare + inner if container else 'sh -c "$SCRIPT"')
    return subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, text=True, check=False, timeout=timeout, cwd="/",
        errors="replace", env={**os.environ, "SCRIPT": (NETWORK if container and network else "") + script},
    )  # fmt: skip


def instances() -> list[str]:
    """Trace instances of the lab that there are, looked up in a mount namespace of its own."""
    look = "mount -t tracefs none /sys/kernel/tracing; ls /sys/kernel/tracing/instances"
    done = subprocess.run(["unshare", "-m", "sh", "-c", look], capture_output=True, text=True, check=True)
    return [name for name in done.stdout.split() if name.startswith("eightysix-lab-")]


class Sensor:
    """`python -m eightysix.lab.kernel` over a cgroup. Its own end ends it: it reads our pipe."""

    def __init__(
        self,
        folder: Path,
        output: Path,
        *more: str,
        places: Sequence[str] = ("pod/main",),
        before: Sequence[str] = (),
    ) -> None:
        self.output = output
        self.pods = output.with_suffix(".pods")
        with self.pods.open("w") as stream:
            for place in places:
                stream.write(json.dumps({"container_id": CONTAINER, "cgroup": place, "pod": POD}) + "\n")
        self._command = [
            *before,
            sys.executable, "-m", "eightysix.lab.kernel", "--cgroup", str(folder), "--pods", str(self.pods),
            "--output", str(output), *more,
        ]  # fmt: skip
        self.last: dict[str, Any] = {}
        self.ready: dict[str, Any] = {}

    def __enter__(self) -> Sensor:
        self.process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": "src"},
        )
        assert self.process.stdout is not None
        self.ready = json.loads(self.process.stdout.readline() or b"{}")
        return self

    def ask(self, **request: Any) -> None:
        """Write one request."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        time.sleep(0.3)  # it is read within 0.2 s

    def stop(self) -> dict[str, Any]:
        """End it and return its last line."""
        out, _ = self.process.communicate(timeout=30)
        self.last = json.loads(out or b"{}")
        return self.last

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            try:
                self.stop()
            finally:
                self.process.kill()
                self.process.wait()

    def records(self) -> list[dict[str, Any]]:
        """What it wrote."""
        return [json.loads(line) for line in self.output.read_bytes().splitlines()]


def kinds(records: Sequence[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The bodies of the records of one kind."""
    return [record[kind] for record in records if kind in record]
