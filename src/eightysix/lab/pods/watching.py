"""The two sensors of a run, as the run sees them: the kernel's, a process of its own; and the receiver of the pods' records,
which a higher room brings along.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from eightysix.lab.interface import PodSpec
from eightysix.lab.kernel import strace
from eightysix.lab.pods.ours import python_of_ours, until_ready
from eightysix.lab.pods.pacing import moment

__all__ = ["Endpoints", "Kernel", "Receiving", "Started", "Traces", "Watching", "pod_object"]

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


class Watching(Protocol):
    """What looks at the processes of pods from outside."""

    mechanism: str
    refused: frozenset[str]
    """Addresses that it refuses to all pods of the run."""

    def refuse(self, address: str) -> None:
        """Refuse connections to an address before they are made, where the mechanism can; the record tells so. Where it
        cannot, the network alone does, and nothing is recorded."""

    def add(self, started: Started, cgroup: str) -> None:
        """Tell it of a pod, before the first process of that starts."""

    def wrap(self, name: str, cgroup: str, argv: Sequence[str]) -> list[str]:
        """What is to be started in the container `name` in place of `argv`, so that it is seen."""

    def close(self) -> Mapping[str, Any]:
        """Let it drain and end; returns counts and drops."""


class Process:
    """One process of `eightysix.lab.kernel`, ready."""

    def __init__(self, log: Path, *arguments: str) -> None:
        command, environ = python_of_ours("eightysix.lab.kernel", *arguments)
        self._log = log
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                command,
                env=environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                start_new_session=True,
            )
        self.told = until_ready(
            self._process, self._log, READY_S, "the kernel sensor", "Try another --mechanism."
        )

    def say(self, request: Mapping[str, object]) -> None:
        """Ask it for something while it runs."""
        assert self._process.stdin is not None  # noqa: S101 - asked for above
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()

    def end(self) -> None:
        """Ask it to end."""
        assert self._process.stdin is not None  # noqa: S101 - asked for above
        self._process.stdin.close()

    def close(self) -> Mapping[str, Any]:
        """Let it drain and end; returns its last words."""
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


class _Pods:
    """The file that says which cgroup is whose."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "pods.jsonl"
        self.file.touch()

    def add(self, started: Started, cgroup: str) -> None:
        line = {"container_id": started.container_id, "cgroup": cgroup, "pod": pod_object(started)}
        with self.file.open("ab", buffering=0) as file:
            file.write(json.dumps(line).encode() + b"\n")


class Kernel:
    """The cgroup of the run, seen by eBPF or a trace instance."""

    def __init__(self, folder: Path, out: Path, cgroup: Path, *, mechanism: str) -> None:
        self._pods = _Pods(folder)
        self._process = Process(
            out / "logs" / "kernel.log",
            *("--cgroup", str(cgroup), "--pods", str(self._pods.file)),
            *("--output", str(out / "tetragon.jsonl"), "--mechanism", mechanism),
        )
        self.mechanism = str(self._process.told.get("mechanism", ""))
        self.refused: frozenset[str] = frozenset()

    def refuse(self, address: str) -> None:
        """See `Watching`."""
        if self.mechanism == "ebpf" and address not in self.refused:
            self.refused |= {address}
            self._process.say({"deny": address})

    def add(self, started: Started, cgroup: str) -> None:
        """See `Watching`."""
        self._pods.add(started, cgroup)

    def wrap(self, _name: str, _cgroup: str, argv: Sequence[str]) -> list[str]:
        """Nothing needs to be wrapped."""
        return list(argv)

    def close(self) -> Mapping[str, Any]:
        """See `Watching`."""
        return self._process.close()


class Traces:
    """Each command of a pod under a strace of its own, for who may use nothing better.

    The tracer runs in the pod, as the grandchild of what it traces (`strace -D`): processes have the parents and numbers that
    they would have without it. Who owns the pod could end it: these records are as sure as the pod's own word.
    """

    mechanism = "strace"
    refused: frozenset[str] = frozenset()

    def refuse(self, address: str) -> None:
        """Nothing: it sees what the network answers."""

    def __init__(self, folder: Path, inside: Path, out: Path) -> None:
        self._pods = _Pods(folder)
        self._folder = folder / "traces"
        self._folder.mkdir()
        self._inside = inside
        self._out = out
        self._running: list[tuple[Path, Process]] = []

    def add(self, started: Started, cgroup: str) -> None:
        """See `Watching`."""
        self._pods.add(started, cgroup)

    def wrap(self, name: str, cgroup: str, argv: Sequence[str]) -> list[str]:
        """See `Watching`."""
        number = len(self._running)
        in_pod = f"/run/trace-{number}"
        fifo = self._inside / "pods" / name / f"root{in_pod}"
        os.mkfifo(fifo, 0o600)
        output = self._folder / f"{number}.jsonl"
        process = Process(
            self._out / "logs" / "kernel.log",
            *("--mechanism", "strace", "--trace", str(fifo), "--place", cgroup),
            *("--pods", str(self._pods.file), "--output", str(output)),
        )
        self._running.append((output, process))
        program, *rest = strace.wrap(argv, Path(in_pod))
        return [program, "-D", *rest]

    def close(self) -> Mapping[str, Any]:
        """Join what all of them saw, in the order of time."""
        for _, process in self._running:
            process.end()
        counts = [process.close() for _, process in self._running]
        lines = [
            line for output, _ in self._running for line in output.read_bytes().splitlines(keepends=True)
        ]
        lines.sort(key=moment)
        (self._out / "tetragon.jsonl").write_bytes(b"".join(lines))
        return {
            "commands": len(counts),
            "records": len(lines),
            "dropped_total": sum(int(count.get("dropped_total", 0)) for count in counts),
        }
