"""Who descends from whom in one pod, from exec ids, with the gaps that real telemetry has.

Traps (measured on real runs): many execs have no parent record; a process that replaces its image gets a new exec id,
so an exec with the same pid in the same container without a known parent is the same process going on; an exit may
carry the living parent's exec id, so exits say nothing about lineage.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from eightysix.model.event import Event
from eightysix.model.timestamps import to_ns

__all__ = ["MAX_DEPTH", "Lineage"]

MAX_DEPTH = 64
"""Ancestors that are followed: deeper trees (and cycles, which only forged input has) are cut here."""

REPLACED_NS = 600_000_000_000
"""A process replaces its image soon after it starts (`sh start.sh` ends in `exec python`); the same pid later than ten
minutes is another process's."""

FIRST_PROCESS_NS = 10_000_000_000
"""The first exec that is seen within 10 s of the container's start is its entrypoint; a later one may be anybody's."""

Fact = tuple[str, int, str, str, str, bool | None]

_RUNTIMES = frozenset(
    {"containerd-shim", "containerd-shim-runc-v2", "runc", "crun", "conmon", "docker-init", "dockerd", "crio"}
)


class Lineage:
    """The process tree of one pod. Pure and lazy: nothing is computed for processes that nobody asks about. `events` come
    sorted by time."""

    def __init__(self, processes: Mapping[str, Fact], events: Iterable[Event]) -> None:
        self._facts = processes
        self._parents: dict[str, str] = {}
        self._started: dict[str, int] = {}
        self._told: dict[str, Event] = {}
        self._containers: dict[str, int] = {}
        self._earliest = ""
        for event in events:
            if event.container_started_ns:
                self._containers.setdefault(event.container_id[:12], event.container_started_ns)
            if not event.exec_id:
                continue
            self._earliest = self._earliest or event.exec_id
            known = self._told.get(event.exec_id)
            if known is None or (not known.command and event.command):
                self._told[event.exec_id] = event
            if event.parent_exec_id:
                self._parents.setdefault(event.exec_id, event.parent_exec_id)
            if event.process_started_ns:
                self._started.setdefault(event.exec_id, event.process_started_ns)
        self._by_pid: dict[tuple[str, int], list[tuple[int, str]]] | None = None
        self._children: dict[tuple[str, int], list[tuple[int, str]]] | None = None
        self._ancestors: dict[str, tuple[str, ...]] = {}
        self._first: dict[str, str] = {}

    def _index_pids(self) -> dict[tuple[str, int], list[tuple[int, str]]]:
        by_pid: dict[tuple[str, int], list[tuple[int, str]]] = {}
        for exec_id, (_, pid, _, _, container, _) in self._facts.items():
            if pid:
                by_pid.setdefault((container[:12], pid), []).append((self.started_ns(exec_id), exec_id))
        for same in by_pid.values():
            same.sort()
        return by_pid

    def started_ns(self, exec_id: str) -> int:
        """When the process (or its present image) started, 0 where unknown."""
        known = self._started.get(exec_id)
        if known is None:
            fact = self._facts.get(exec_id)
            known = 0
            if fact is not None and fact[2]:
                try:
                    known = to_ns(fact[2])
                except ValueError:
                    known = 0
            self._started[exec_id] = known
        return known

    def binary(self, exec_id: str) -> str:
        """The program of a process, empty where unknown."""
        fact = self._facts.get(exec_id)
        if fact is not None:
            return fact[3]
        told = self._told.get(exec_id)
        return told.binary if told is not None else ""

    def command(self, exec_id: str) -> str:
        """The summary of a process's command line, or its program where no record told more."""
        told = self._told.get(exec_id)
        return (told.command if told is not None else "") or self.binary(exec_id)

    def is_bare(self, exec_id: str) -> bool:
        """Whether a process is known to have been started with nothing to do but read its input: without arguments, or
        with flags alone."""
        told = self._told.get(exec_id)
        command = told.command if told is not None else ""
        return bool(command) and " " not in command

    def programs(self, exec_id: str) -> tuple[str, ...]:
        """The files that a process runs: its program, and the script that its command names."""
        told = self._told.get(exec_id)
        words = told.command.split(" ")[1:3] if told is not None else []
        return tuple(path for path in (self.binary(exec_id), *words) if path.startswith("/"))

    def parent(self, exec_id: str) -> str:
        """The parent's exec id; of a process that replaced its image, the exec id that it had before."""
        fact = self._facts.get(exec_id)
        parent = (fact[0] if fact is not None else "") or self._parents.get(exec_id, "")
        if parent or fact is None:
            return parent
        if self._by_pid is None:
            self._by_pid = self._index_pids()
        before = ""
        mine = (self.started_ns(exec_id), exec_id)
        for candidate in self._by_pid.get((fact[4][:12], fact[1]), ()):
            if candidate >= mine:
                break
            before = candidate[1] if mine[0] - candidate[0] <= REPLACED_NS else ""
        return before

    def children_of(self, container: str, pid: int) -> list[tuple[int, str]]:
        """Start and exec id of the processes that the process `pid` (on the host) of a container started, by time."""
        if self._children is None:
            self._children = {}
            for exec_id, fact in self._facts.items():
                parent = self._facts.get(self.parent(exec_id))
                if parent is not None and parent[1] and parent[1] != fact[1]:
                    of_parent = self._children.setdefault((fact[4][:12], parent[1]), [])
                    of_parent.append((self.started_ns(exec_id), exec_id))
            for same in self._children.values():
                same.sort()
        return self._children.get((container[:12], pid), [])

    def elsewhere(self, container: str, pid: int, time_ns: int) -> str:
        """What the process with this pid is called by another sensor of the node, as of `time_ns`; empty where none knows it.
        Falco's keys are its own: `sources.falco_events.process_key`."""
        if self._by_pid is None:
            self._by_pid = self._index_pids()
        found = ""
        for started, exec_id in self._by_pid.get((container[:12], pid), ()):
            if started > time_ns:
                break
            if started and not exec_id.startswith("falco:"):
                found = exec_id
        return found

    def ancestors(self, exec_id: str) -> tuple[str, ...]:
        """The process itself and its ancestors, nearest first, at most `MAX_DEPTH`."""
        known = self._ancestors.get(exec_id)
        if known is not None:
            return known
        path = [exec_id]
        seen = {exec_id}
        while len(path) < MAX_DEPTH:
            parent = self.parent(path[-1])
            if not parent or parent in seen:
                break
            path.append(parent)
            seen.add(parent)
        self._ancestors[exec_id] = tuple(path)
        return self._ancestors[exec_id]

    def descends(self, exec_id: str, root: str) -> bool:
        """Whether `exec_id` is `root` or a descendant of it."""
        return root in self.ancestors(exec_id)

    def in_entrypoint_tree(self, exec_id: str) -> bool | None:
        """Whether the container's own entrypoint started the process: from the kernel's word, else from the first
        process of the container; None where neither is known."""
        fact = self._facts.get(exec_id)
        told = self._told.get(exec_id)
        word = fact[5] if fact is not None else None
        if word is None and told is not None:
            word = told.entrypoint
        if word is not None:
            return word
        for ancestor in self.ancestors(exec_id)[
            1:
        ]:  # Falco tells it of the root of a tree alone (`proc.vpid`)
            above = self._facts.get(ancestor)
            if above is not None and above[5] is not None:
                return above[5]
        container = fact[4] if fact is not None else (told.container_id[:31] if told is not None else "")
        first = self._first_process(container)
        if not first:
            return None
        return True if first in self.ancestors(exec_id) else None

    @property
    def has_processes(self) -> bool:
        """Whether anybody but the pod itself told of a process."""
        return bool(self._facts)

    def is_from_first(self, exec_id: str) -> bool:
        """Whether the process is known to be, or to descend from, the container's first process."""
        fact = self._facts.get(exec_id)
        first = self._first_process(fact[4]) if fact is not None else ""
        return bool(first) and first in self.ancestors(exec_id) and self.in_entrypoint_tree(exec_id) is True

    def may_be_first(self, exec_id: str) -> bool:
        """Whether the process may be the container's first, because nothing says that it is not: the kernel's word is
        missing for it, and no other process of the pod was told before."""
        known = self.in_entrypoint_tree(exec_id) is not None or exec_id in self._facts
        return not known and exec_id == self._earliest

    def is_exec_session(self, exec_id: str) -> bool:
        """Whether somebody started the process from outside, as `kubectl exec` does: the kernel says that it is not in
        the init tree, or it or an ancestor is the runtime's child and not the container's first process."""
        if self.in_entrypoint_tree(exec_id) is False:
            return True
        known = [self._told[ancestor] for ancestor in self.ancestors(exec_id) if ancestor in self._told]
        by_runtime = any(event.parent_binary.rpartition("/")[2] in _RUNTIMES for event in known)
        return by_runtime and self.in_entrypoint_tree(exec_id) is None

    def _first_process(self, container: str) -> str:
        """The exec id of the container's first process; empty when the telemetry began later than the container."""
        prefix = container[:12]
        known = self._first.get(prefix)
        if known is None:
            candidates = [
                (self.started_ns(exec_id), exec_id)
                for exec_id, fact in self._facts.items()
                if fact[4][:12] == prefix and fact[2]
            ]
            first = min(candidates, default=(0, ""))
            born = self._containers.get(prefix, 0)
            known = first[1] if born and first[0] - born <= FIRST_PROCESS_NS else ""
            self._first[prefix] = known
        return known

    def binaries(self) -> set[str]:
        """All programs that ran."""
        return {fact[3] for fact in self._facts.values() if fact[3]}
