"""The two sensors of a run, as the run sees them: the kernel's, a process of its own; and the receiver of the pods' records,
which a higher room brings along.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from eightysix.lab.interface import PodSpec
from eightysix.lab.pods.cloud import python_of_ours
from eightysix.model.errors import LabError

__all__ = ["Endpoints", "Kernel", "Receiving", "Started", "pod_object"]

READY_S = 30.0
END_S = 20.0


class Started(Struct, frozen=True):
    """A pod that is about to start, as whoever listens to it needs to know it."""

    pod: PodSpec
    uid: str
    container_id: str
    started: str
    """When, as RFC 3339 has it."""


class Endpoints(Protocol):
    """Where pods send the records of their sensors: one folder each."""

    def open(self, started: Started) -> str:
        """The folder that is mounted into the pod at `/run/eightysix`."""

    def close(self, uid: str) -> None:
        """The pod has ended."""


Receiving = Callable[[Path, Path], AbstractContextManager[Endpoints]]
"""Opens a receiver until it is left: it writes the records into the first path, and makes its endpoints below the second."""


def pod_object(started: Started) -> dict[str, object]:
    """The pod as Tetragon's export tells it (`Pod` in github.com/cilium/tetragon, api/v1/tetragon/tetragon.proto)."""
    pod = started.pod
    name = pod.image.partition("@")[0]
    repository = name.rpartition(":")[0] or name
    return {
        "namespace": pod.namespace,
        "name": pod.name,
        "uid": started.uid,
        "container": {
            "id": f"containerd://{started.container_id}",
            "name": pod.container,
            "image": {"id": f"{repository}@{pod.image_digest}", "name": pod.image},
            "start_time": started.started,
        },
        "pod_labels": dict(pod.labels),
        "workload": pod.workload,
        "workload_kind": pod.workload_kind,
    }


class Kernel:
    """Runs `eightysix.lab.kernel` for the pods of one run."""

    def __init__(self, folder: Path, out: Path, cgroup: Path | None, *, mechanism: str) -> None:
        self._pods = folder / "pods.jsonl"
        self._pods.touch()
        self._log = out / "logs" / "kernel.log"
        arguments = ["--cgroup", str(cgroup)] if cgroup else []
        command, environ = python_of_ours(
            "eightysix.lab.kernel",
            *(*arguments, "--pods", str(self._pods), "--output", str(out / "tetragon.jsonl")),
            *("--mechanism", mechanism),
        )
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env=environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self.told = self._ready()

    def _ready(self) -> Mapping[str, Any]:
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        timer = threading.Timer(READY_S, self._process.kill)
        timer.start()
        try:
            line = self._process.stdout.readline(1 << 16)
        finally:
            timer.cancel()
        if b'"ready"' not in line:
            self._process.kill()
            self._process.wait()
            said = self._log.read_text(errors="replace").strip()[-600:]
            raise LabError(
                f"the kernel sensor did not start: {said or 'no word why'}", "Try --mechanism tracefs."
            )
        told: Mapping[str, Any] = json.loads(line)
        return told

    def add(self, started: Started, cgroup: str) -> None:
        """Tell it of a pod, before the first process of that starts."""
        line = {"container_id": started.container_id, "cgroup": cgroup, "pod": pod_object(started)}
        with self._pods.open("ab", buffering=0) as file:
            file.write(json.dumps(line).encode() + b"\n")

    def close(self) -> Mapping[str, Any]:
        """Let it drain and end; returns its last words: counts and drops."""
        process = self._process
        assert process.stdin and process.stdout  # noqa: S101, PT018 - asked for above
        process.stdin.close()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        lines = process.stdout.read(1 << 20).splitlines()
        process.stdout.close()
        try:
            told: Mapping[str, Any] = json.loads(lines[-1]) if lines else {}
        except ValueError:
            told = {}
        return told
