"""Which process of the node a sensor's process is: looked for among the processes of that pod's cgroup alone.

The pid in the container is the sender's word, and so is the start. Both only choose between processes that the kernel says
are this pod's: who lies names another process of the same pod, or none.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from msgspec import Struct

from eightysix.serve.sensors.endpoint import is_uid

__all__ = ["Process", "Processes", "pod_of_cgroup"]

MAX_PROCESSES = 100_000
"""Processes of the node that are looked at (`pid_max` of small nodes is 32,768)."""

SETTLED_S = 30.0
"""A runtime starts a container's first process outside of the pod's cgroup and moves it in: until it is this old, a process
that is no pod's is looked at again."""

_MAX_FILE = 16 << 10
_TICKS_S = os.sysconf("SC_CLK_TCK")


class Process(Struct, frozen=True):
    """A process of a pod: its pid on the node and in its own namespace, when it started, and in which container."""

    pid: int
    ns_pid: int
    start_ticks: int
    uid: str
    container_id: str


class Processes:
    """The processes of pods, looked through again when one is asked for that is not known."""

    def __init__(
        self,
        proc: str = "/proc",
        *,
        clock: Callable[[], float] = time.monotonic,
        every_s: float = 0.5,
    ) -> None:
        self._proc = proc
        self._clock = clock
        self._every_s = every_s
        self._looked = float("-inf")
        self._by_name: dict[tuple[str, int], list[Process]] = {}
        self._outside: dict[int, int] = {}  # start of processes that are no pod's
        self.boot_id = _read(f"{proc}/sys/kernel/random/boot_id").strip()

    def find(self, uid: str, ns_pid: int, start_ticks: int, boot_id: str) -> Process | None:
        """The process of the pod `uid` with this pid and start; None where there is none, or more than one could be it.

        A pid is used again, a pid with a start is not; and a start of another boot is of another kernel (gVisor, Kata), whose
        processes have no pid here."""
        if not start_ticks or (boot_id and boot_id != self.boot_id):
            return None
        found = self._known(uid, ns_pid, start_ticks)
        if found is None and self._clock() - self._looked >= self._every_s:
            self._look()
            found = self._known(uid, ns_pid, start_ticks)
        return found

    def lives(self, process: Process) -> bool:
        """Whether it is still the same process."""
        return _started(f"{self._proc}/{process.pid}") == process.start_ticks

    def _known(self, uid: str, ns_pid: int, start_ticks: int) -> Process | None:
        same = [p for p in self._by_name.get((uid, ns_pid), ()) if p.start_ticks == start_ticks]
        return same[0] if len(same) == 1 else None

    def _look(self) -> None:
        self._looked = self._clock()
        by_name: dict[tuple[str, int], list[Process]] = {}
        outside: dict[int, int] = {}
        settled = (time.clock_gettime(time.CLOCK_BOOTTIME) - SETTLED_S) * _TICKS_S
        for pid in self._pids():
            started = _started(f"{self._proc}/{pid}")
            if not started:
                continue
            if self._outside.get(pid) == started:
                outside[pid] = started
                continue
            process = self._process(pid, started)
            if process is not None:
                by_name.setdefault((process.uid, process.ns_pid), []).append(process)
            elif started < settled:
                outside[pid] = started
        self._by_name, self._outside = by_name, outside

    def _pids(self) -> Iterator[int]:
        with suppress(OSError):
            names = [name for name in os.listdir(self._proc) if name.isdecimal()]
            yield from map(int, names[:MAX_PROCESSES])

    def _process(self, pid: int, started: int) -> Process | None:
        place = f"{self._proc}/{pid}"
        uid, container_id = pod_of_cgroup(_read(f"{place}/cgroup"))
        if not uid:
            return None
        ns_pid = _ns_pid(_read(f"{place}/status"))
        if not ns_pid or _started(place) != started:  # it ended meanwhile, and another one has its pid
            return None
        return Process(pid, ns_pid, started, uid, container_id)


def pod_of_cgroup(text: str) -> tuple[str, str]:
    """The pod's uid and the container's id in a `/proc/PID/cgroup`, empty where it is no pod's.

    Below its own folder a privileged pod can make others with any name: the outermost one that is a pod's counts. Both
    drivers of the kubelet: `kubepods/burstable/podUID/ID`, and `kubepods-burstable-podUID.slice/cri-containerd-ID.scope`
    with underscores in the uid.
    """
    for line in text.splitlines():
        parts = line.split(":", 2)[-1].split("/")
        for place, part in enumerate(parts):
            uid = _uid_of(part)
            if uid:
                leaf = parts[place + 1] if place + 1 < len(parts) else ""
                return uid, leaf.removesuffix(".scope").rpartition("-")[2]
    return "", ""


def _uid_of(part: str) -> str:
    if part.endswith(".slice") and part.startswith("kubepods"):
        uid = part.removesuffix(".slice").rpartition("-pod")[2].replace("_", "-")
        return uid if "-pod" in part and is_uid(uid) else ""
    uid = part.removeprefix("pod")
    return uid if uid != part and is_uid(uid) else ""


def _read(path: str) -> str:
    try:
        with open(path, "rb", buffering=0) as file:
            return (file.read(_MAX_FILE) or b"").decode(errors="replace")
    except OSError:
        return ""


def _started(place: str) -> int:
    """Clock ticks from boot to the start of the process, field 22 of proc_pid_stat(5); 0 where it is gone. The name of the
    program before it may hold anything."""
    rest = _read(f"{place}/stat").rpartition(")")[2].split()
    return int(rest[19]) if len(rest) > 19 and rest[19].isdecimal() else 0


def _ns_pid(status: str) -> int:
    """The pid in the innermost namespace (`NSpid` of proc_pid_status(5))."""
    for line in status.splitlines():
        if line.startswith("NSpid:"):
            last = line.split()[-1]
            return int(last) if last.isdecimal() else 0
    return 0
