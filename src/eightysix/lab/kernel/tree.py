"""The processes there are and were: who started whom, in bounded memory.

As Tetragon keeps it: a process that starts a program has an exec id of that moment, a process that was forked and started
none has one of its fork, with its maker's program (`AddCloneEvent`, github.com/cilium/tetragon, pkg/process/process.go).
The parent is the process that forked, also where that one has ended and another took its children over.
"""

from __future__ import annotations

import base64
from collections import OrderedDict

from eightysix.lab.kernel.facts import Exec, Fork

__all__ = ["MOST", "Process", "Tree", "exec_id_of"]

MOST = 65_536
"""Processes that are kept, as in Tetragon's own cache (`processCacheSize`)."""

_UNKNOWN = ""


def exec_id_of(node: str, at: int, pid: int) -> str:
    """Tetragon's exec id: base64 of the node's name, the time since boot and the process id."""
    return base64.b64encode(f"{node}:{at}:{pid}".encode()).decode()


class Process:
    """One image of a process."""

    __slots__ = (
        "arguments", "at", "auid", "binary", "cgroup", "cwd", "exec_id", "flags", "init", "inside", "mnt", "net",
        "ns_pid", "parent_id", "pid", "pid_ns", "uid",
    )  # fmt: skip

    def __init__(self, exec_id: str, pid: int, at: int, cgroup: int) -> None:
        self.exec_id, self.pid, self.at, self.cgroup = exec_id, pid, at, cgroup
        self.parent_id = self.binary = self.arguments = self.cwd = self.flags = _UNKNOWN
        self.uid = 0
        self.auid = 0xFFFF_FFFF
        self.ns_pid = self.mnt = self.pid_ns = self.net = 0
        self.inside = False
        """Whether it, or a process that it descends from, was seen in a mount namespace that is not the host's: a runtime
        that has entered the pod's cgroup and not yet its namespaces is not inside, a program that left them is."""
        self.init: bool | None = None
        """Whether it descends from the container's first process, and not from what was started in it later."""


class Tree:
    """Live processes by id, and all by exec id; `hosts` are the mount namespaces of host and runtimes, None: every process is
    inside of a container. When there are too many the ended ones go first, the oldest first."""

    def __init__(self, node: str, hosts: frozenset[int] | None = frozenset(), *, most: int = MOST) -> None:
        self._node = node
        self._hosts = hosts
        self._most = most
        self._live: dict[int, Process] = {}
        self._all: dict[str, Process] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._last: dict[int, Process] = {}
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self._all)

    def get(self, pid: int) -> Process | None:
        """The live process of this id."""
        return self._live.get(pid)

    def lately(self, pid: int) -> Process | None:
        """The live process of this id, or the last one that had it: what is told late may be told after its end."""
        return self._live.get(pid) or self._last.get(pid)

    def parent(self, process: Process) -> Process | None:
        """The parent, while it is remembered."""
        return self._all.get(process.parent_id)

    def forked(self, fact: Fork) -> Process:
        """A process was forked: it has its maker's image until it starts its own."""
        child = Process(exec_id_of(self._node, fact.at, fact.child), fact.child, fact.at, fact.cgroup)
        maker = self._live.get(fact.parent) or self._live.get(fact.pid)
        if maker is not None:
            self._inherit(child, maker)
        child.ns_pid = fact.ns_pid
        child.flags = "clone"
        self._put(child)
        return child

    def started(self, fact: Exec) -> Process:
        """A process started a program."""
        before = self._live.get(fact.pid)
        maker = self._all.get(before.parent_id) if before is not None else self._live.get(fact.ppid)
        process = Process(exec_id_of(self._node, fact.at, fact.pid), fact.pid, fact.at, fact.cgroup)
        if before is not None:
            process.parent_id, process.inside, process.init = before.parent_id, before.inside, before.init
        elif maker is not None:
            process.parent_id, process.inside, process.init = maker.exec_id, maker.inside, maker.init
        process.uid, process.auid, process.cwd = fact.uid, fact.auid, fact.cwd
        process.ns_pid, process.mnt, process.pid_ns, process.net = (
            fact.ns_pid,
            fact.mnt,
            fact.pid_ns,
            fact.net,
        )
        if before is not None and not fact.ns_pid:
            process.ns_pid = before.ns_pid
        if fact.mnt and fact.mnt not in (self._hosts or ()) and not process.inside:
            process.inside = True
            process.init = (
                fact.ns_pid == 1
            )  # the first program in the container; anything else was sent in later
        process.inside = process.inside or self._hosts is None
        process.binary = fact.binary if fact.binary.startswith("/") else _join(fact.cwd, fact.binary)
        process.arguments = " ".join(_quoted(word) for word in fact.arguments)
        flags = ["procFS"] if fact.proc else ["execve"]
        flags += [f"trunc{name}" for name in fact.cut]
        flags += ["rootcwd"] if fact.cwd == "/" else []
        flags += ["clone"] if before is None or "clone" in before.flags.split() else []
        process.flags = " ".join(flags)
        self._put(process)
        return process

    def ended(self, pid: int) -> Process | None:
        """A process ended. It is remembered: its children may outlive it."""
        process = self._live.pop(pid, None)
        if process is not None:
            self._ended[process.exec_id] = None
            self._last[pid] = process
        return process

    def _inherit(self, child: Process, maker: Process) -> None:
        child.parent_id = maker.exec_id
        for name in ("uid", "auid", "cwd", "binary", "arguments", "inside", "init", "mnt", "pid_ns", "net"):
            setattr(child, name, getattr(maker, name))

    def _put(self, process: Process) -> None:
        before = self._live.get(process.pid)
        if before is not None:
            self._ended[before.exec_id] = None
        while len(self._all) >= self._most:
            if self._ended:
                oldest, _ = self._ended.popitem(last=False)
            else:
                oldest = next(iter(self._all))
            gone = self._all.pop(oldest, None)
            if gone is not None and self._live.get(gone.pid) is gone:
                del self._live[gone.pid]
            if gone is not None and self._last.get(gone.pid) is gone:
                del self._last[gone.pid]
            self.forgotten += 1
        self._live[process.pid] = process
        self._all[process.exec_id] = process


def _join(cwd: str, name: str) -> str:
    return name if not cwd else f"{cwd.rstrip('/')}/{name}"


def _quoted(word: str) -> str:
    """As Tetragon joins arguments: those with a blank stand in double quotes, nothing is escaped."""
    return f'"{word}"' if " " in word else word
