"""The kernel's sensor of the lab over a cgroup of its own, one below it for each way."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from bench.evasion.table import Way

__all__ = ["Kernel"]

READY_S = 30
PREFIX = "eightysix-evasion-"


class Kernel:
    """What the kernel tells of each way; `reason` says why it tells nothing."""

    def __init__(self, folder: Path, ways: Sequence[str]) -> None:
        self.reason = ""
        self.mechanism = ""
        self._folder = folder
        self._ways = ways
        self._plays: dict[str, int] = {}
        self._records: dict[str, list[dict[str, Any]]] = {}
        self._process: subprocess.Popen[str] | None = None
        self._cgroup: Path | None = None

    def __enter__(self) -> Kernel:
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
        base = next((Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"), None)
        if base is None:
            self.reason = "no cgroup2 is mounted"
            return self
        _sweep(base)
        self._cgroup = base / f"{PREFIX}{os.getpid()}"
        self._cgroup.mkdir()
        pods = [
            {"container_id": f"{at:064x}", "cgroup": way, "pod": _pod(way, at)}
            for at, way in enumerate(self._ways)
        ]
        for way in self._ways:
            (self._cgroup / way).mkdir()
        (self._folder / "pods.jsonl").write_text("".join(json.dumps(pod) + "\n" for pod in pods))
        self._start()
        return self

    def _start(self) -> None:
        output = self._folder / "kernel.jsonl"
        command = [
            sys.executable, "-m", "eightysix.lab.kernel", "--cgroup", str(self._cgroup), "--pods",
            str(self._folder / "pods.jsonl"), "--output", str(output),
        ]  # fmt: skip
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], READY_S)
        line = self._process.stdout.readline() if ready else ""
        if line:
            self.mechanism = str(json.loads(line).get("mechanism", ""))
        else:
            self._process.kill()
            said = self._process.communicate()[1].strip().splitlines()
            self.reason = said[-1] if said else "the kernel's sensor did not start"
            self._process = None

    def entering(self, way: str) -> str:
        """File into which a process of this way writes itself; empty where there is none."""
        if self._process is None or self._cgroup is None or way not in self._ways:
            return ""
        self._plays[way] = self._plays.get(way, 0) + 1
        return str(self._cgroup / way / "cgroup.procs")

    def stop(self) -> None:
        """End the sensor and read what it wrote."""
        if self._process is None:
            return
        self._process.communicate("", timeout=READY_S)
        self._process = None
        for line in (self._folder / "kernel.jsonl").read_text().splitlines():
            record = json.loads(line)
            for kind in ("process_exec", "process_kprobe", "process_tracepoint", "process_lsm"):
                name = record.get(kind, {}).get("process", {}).get("pod", {}).get("name")
                if name:
                    self._records.setdefault(name, []).append({"kind": kind, **record[kind]})

    def told(self, way: Way, address: str, port: int, token: str) -> dict[str, Any]:
        """Whether the kernel told of it, and what else it told of."""
        if not self.mechanism:
            return {"not_run": self.reason}
        records = self._records.get(way.name, [])
        seen, traces = False, set()
        programs = [record for record in records if record["kind"] == "process_exec"]
        for record in records:
            for sock in _parts(record.get("args", []), "sock_arg", "sockaddr_arg"):
                to = sock.get("daddr") or sock.get("addr")
                seen |= (
                    way.goal == "connect"
                    and to == address
                    and int(sock.get("dport") or sock.get("port") or 0) == port
                )
            for file in _parts(record.get("args", []), "file_arg", "path_arg"):
                seen |= way.goal in ("file", "environ", "memory") and _is_path(
                    file.get("path", ""), way.goal, token
                )
        if len(programs) > self._plays.get(way.name, 0):
            traces.add("exec")
        return {"seen": seen, "traces": sorted(traces)}

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        if self._cgroup is not None:
            _remove(self._cgroup)


def _is_path(path: str, goal: str, token: str) -> bool:
    return {"file": path == token, "environ": path.endswith("/environ"), "memory": path.endswith("/mem")}[
        goal
    ]


def _parts(args: list[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    return [arg[name] for arg in args for name in names if isinstance(arg.get(name), dict)]


def _pod(way: str, number: int) -> dict[str, Any]:
    container = {"id": f"containerd://{number:064x}", "name": way, "image": {"id": "", "name": "evasion"}}
    return {
        "namespace": "lab",
        "name": way,
        "uid": f"00000000-0000-4000-8000-{number:012x}",
        "container": container,
    }


def _remove(cgroup: Path) -> None:
    for below in cgroup.iterdir():
        if below.is_dir():
            below.rmdir()
    cgroup.rmdir()


def _sweep(base: Path) -> None:
    """Remove what a run left that was killed."""
    for left in base.glob(f"{PREFIX}*"):
        pid = left.name.removeprefix(PREFIX)
        if pid.isdigit() and not Path("/proc", pid).exists():
            with suppress(OSError):  # a process in it has not ended yet: the next run looks again
                _remove(left)
