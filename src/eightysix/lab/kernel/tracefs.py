"""The second mechanism: a trace instance of its own, read with nothing but the standard library.

The kernel tells which program a process starts, not its arguments: those come from /proc, a moment later and from the
process itself (`procFS` among the flags of a record). It tells no opened files (fanotify tells those of credentials), no
datagrams, and it can refuse nothing. Events of the whole machine are read and those of other cgroups left out, because
`set_event_pid` would have to name a process before it enters the cgroup.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from contextlib import suppress

from eightysix.lab.kernel.cgroups import Hierarchy
from eightysix.lab.kernel.clock import Clock
from eightysix.lab.kernel.facts import Connected, Exec, Exit, Fact, Fork, Group
from eightysix.lab.kernel.ftrace import Event, Format, events_of, read_format
from eightysix.lab.kernel.mounts import TRACEFS, mount_tracefs
from eightysix.lab.kernel.processes import found, nested
from eightysix.lab.kernel.records import address
from eightysix.model.errors import LabError

__all__ = ["EVENTS", "Interpreter", "Tracefs", "missing"]

EVENTS = {
    "exec": "sched/sched_process_exec",
    "fork": "task/task_newtask",
    "exit": "sched/sched_process_exit",
    "connect": "sock/inet_sock_set_state",
    "attach": "cgroup/cgroup_attach_task",
    "group": "cgroup/cgroup_mkdir",
}
_FILTERS = {"connect": "newstate == 2 && protocol == 6"}  # TCP_SYN_SENT, IPPROTO_TCP

_CLONE_THREAD, _CLONE_INTO_CGROUP = 0x00010000, 0x2_0000_0000
"""include/uapi/linux/sched.h. The second is how runtimes start a container's first process; no event tells its cgroup."""

_BUFFER_KB = 4096
"""Of each processor: about 40,000 events."""

_PAGE = 65536
_MOST_THREADS = 65_536


def missing() -> str:
    """Why it cannot be used here; empty where it can, as far as can be told without trying."""
    if os.geteuid() != 0:
        return "needs root"
    if not TRACEFS.is_dir():
        return "the kernel has no tracefs: it needs CONFIG_FTRACE"
    if nested():
        return nested()
    if os.sysconf("SC_PAGE_SIZE") > _PAGE:
        return "pages of this machine are larger than 64 KiB"
    return ""


class Interpreter:
    """Events to facts: which process a thread belongs to, and which cgroup a process is in. No I/O but what `look` does."""

    def __init__(
        self,
        formats: dict[str, Format],
        hierarchy: Hierarchy,
        look: Callable[[int], Exec | None],
        group_of: Callable[[int], int] = lambda _pid: 0,
    ) -> None:
        self._formats = formats
        self._kinds = {form.id: name for name, form in formats.items()}
        self._hierarchy = hierarchy
        self._look = look
        self._group_of = group_of
        self._groups: dict[int, int] = {}
        self._threads: dict[int, int] = {}

    def seed(self, pid: int, cgroup: int, threads: list[int]) -> None:
        """A process that is in the cgroup already."""
        self._groups[pid] = cgroup
        for thread in threads:
            self._threads[thread] = pid

    def facts(self, event: Event) -> list[Fact]:
        """What one event tells: nothing for the processes of other cgroups."""
        at, number, data = event
        kind = self._kinds.get(number, "")
        form = self._formats.get(kind)
        if form is None:
            return []
        thread = int.from_bytes(data[4:8], "little")
        if kind == "group":
            return (
                [Group(at, form.number(data, "id"), form.text(data, "path"))]
                if not form.number(data, "root")
                else []
            )
        if kind == "attach":
            self._attach(form, data)
            return []
        pid = self._threads.get(thread, thread)
        cgroup = self._groups.get(pid)
        if kind == "fork" and form.number(data, "clone_flags") & _CLONE_INTO_CGROUP:
            cgroup = self._group_of(form.number(data, "pid")) or None
        if cgroup is None:
            return []
        if kind == "fork":
            return self._fork(form, data, at, pid, cgroup)
        if kind == "exec":
            return [self._exec(form, data, at, pid, cgroup)]
        if kind == "exit":
            return self._exit(form, data, at, thread, pid, cgroup)
        return [_connected(form, data, at, thread, pid, cgroup)]

    def _attach(self, form: Format, data: bytes) -> None:
        """A process moved to another cgroup."""
        if form.number(data, "dst_root"):
            return  # of version 1
        pid = form.number(data, "pid")
        if self._hierarchy.below(form.text(data, "dst_path")) is None:
            self._groups.pop(pid, None)
        else:
            self._groups[pid] = form.number(data, "dst_id")

    def _fork(self, form: Format, data: bytes, at: int, pid: int, cgroup: int) -> list[Fact]:
        child, flags = form.number(data, "pid"), form.number(data, "clone_flags")
        while len(self._threads) >= _MOST_THREADS:
            del self._threads[next(iter(self._threads))]
        if flags & _CLONE_THREAD:
            self._threads[child] = pid
            return []
        self._threads.pop(child, None)
        while len(self._groups) >= _MOST_THREADS:
            del self._groups[next(iter(self._groups))]
        self._groups[child] = cgroup
        return [Fork(at, cgroup, pid, child, pid)]

    def _exec(self, form: Format, data: bytes, at: int, pid: int, cgroup: int) -> Exec:
        now = form.number(data, "pid")  # whichever thread asked for it, it is the leader now
        self._threads.pop(now, None)
        self._groups[now] = cgroup
        seen = self._look(now)
        return Exec(
            at=at,
            cgroup=cgroup,
            pid=now,
            tid=now,
            uid=seen.uid if seen is not None else 0,
            ppid=seen.ppid if seen is not None else 0,
            binary=form.text(data, "filename"),
            arguments=seen.arguments if seen is not None else (),
            cwd=seen.cwd if seen is not None else "",
            ns_pid=seen.ns_pid if seen is not None else 0,
            mnt=seen.mnt if seen is not None else 0,
            pid_ns=seen.pid_ns if seen is not None else 0,
            net=seen.net if seen is not None else 0,
            cut=() if seen is not None else ("Args", "Cwd"),
            proc=True,
        )

    def _exit(self, form: Format, data: bytes, at: int, thread: int, pid: int, cgroup: int) -> list[Fact]:
        self._threads.pop(thread, None)
        over = bool(form.number(data, "group_dead")) if "group_dead" in form.fields else thread == pid
        if not over:
            return []
        self._groups.pop(pid, None)
        return [Exit(at, cgroup, pid, thread, 0)]


def _connected(form: Format, data: bytes, at: int, thread: int, pid: int, cgroup: int) -> Connected:
    family = form.number(data, "family")
    mapped = b"\0" * 10 + b"\xff\xff"
    ends = ("saddr", "daddr") if family == 2 else ("saddr_v6", "daddr_v6")
    source, destination = (
        (mapped + form.raw(data, end) if family == 2 else form.raw(data, end)).ljust(16, b"\0")
        for end in ends
    )
    return Connected(
        at=at,
        cgroup=cgroup,
        pid=pid,
        tid=thread,
        family=family,
        type=1,
        protocol=6,
        destination=address(destination, family),
        port=form.number(data, "dport"),
        source=address(source, family),
        source_port=form.number(data, "sport"),
    )


_UNDERTAKER = """\
read -r _
echo 0 > "$1/tracing_on"
for _ in 1 2 3 4 5 6 7 8 9; do rmdir "$1" && exit; sleep 0.1; done 2> /dev/null
"""
"""Waits for the end of its input, which is ours, and removes the instance: also when we were killed."""


class Tracefs:
    """An instance, its events and its end: it is removed on every way out. What an end of the machine's power left is not."""

    name = "tracefs"
    poll_s = 0.02
    """For events that were written while others were read; all others wake the loop (`buffer_percent`)."""

    def __init__(self, hierarchy: Hierarchy, take: Callable[[Fact], None]) -> None:
        mount_tracefs()
        self.waits: list[int] = []
        self._take = take
        self._kept: list[Event] = []
        self._pipes: list[int] = []
        self._folder = TRACEFS / "instances" / f"eightysix-lab-{os.getpid()}"
        self._undertaker: subprocess.Popen[bytes] | None = None
        try:
            self._folder.mkdir()
            self._undertaker = subprocess.Popen(
                ["/bin/sh", "-c", _UNDERTAKER, "sh", str(self._folder)],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
            self._start(hierarchy)
        except OSError as error:
            self.close()
            raise LabError(f"a trace instance cannot be made: {error.strerror}") from error

    def _start(self, hierarchy: Hierarchy) -> None:
        self._write("tracing_on", "0")
        self._write("trace_clock", "boot")
        self._write("buffer_size_kb", str(_BUFFER_KB))
        with suppress(OSError):  # older kernels wake readers at half a page
            self._write("buffer_percent", "0")
        formats = {name: read_format(self._folder, event) for name, event in EVENTS.items()}
        self._interpreter = Interpreter(formats, hierarchy, found, hierarchy.group_of)
        for name, event in EVENTS.items():
            if name in _FILTERS:
                self._write(f"events/{event}/filter", _FILTERS[name])
            self._write(f"events/{event}/enable", "1")
        for place in sorted(self._folder.glob("per_cpu/cpu*/trace_pipe_raw")):
            self._pipes.append(os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
        self.waits = list(self._pipes)
        self._write("tracing_on", "1")

    def seeded(self, pid: int, cgroup: int) -> None:
        """A process that was there already."""
        with suppress(OSError):
            threads = [int(name) for name in os.listdir(f"/proc/{pid}/task")]
            self._interpreter.seed(pid, cgroup, [thread for thread in threads if thread != pid])

    def drain(self) -> None:
        """Hand on what is there, in the order of time: events that are newer than this call wait for the next, because
        another processor may still be writing an older one."""
        until = Clock.now()
        for pipe in self._pipes:
            while page := _read(pipe):
                self._kept.extend(events_of(page))
        self._kept.sort(key=lambda event: event[0])
        count = 0
        for count, event in enumerate(self._kept, 1):
            if event[0] > until:
                count -= 1
                break
            for fact in self._interpreter.facts(event):
                self._take(fact)
        del self._kept[:count]

    def lost(self) -> dict[str, list[int]]:
        """Events that were overwritten or dropped, one number a processor."""
        values: list[int] = []
        for place in sorted(self._folder.glob("per_cpu/cpu*/stats")):
            told = dict(line.split(":", 1) for line in place.read_text().splitlines() if ":" in line)
            values.append(int(told.get("overrun", "0")) + int(told.get("dropped events", "0")))
        return {"event": values} if any(values) else {}

    def close(self) -> None:
        """Remove the instance."""
        while self._pipes:
            os.close(self._pipes.pop())
        if self._undertaker is not None and self._undertaker.stdin is not None:
            self._undertaker.stdin.close()
            self._undertaker.wait()

    def _write(self, name: str, text: str) -> None:
        (self._folder / name).write_text(text)


def _read(pipe: int) -> bytes:
    try:
        return os.read(pipe, _PAGE)
    except BlockingIOError:
        return b""
