"""Facts as records of Tetragon's export, in the order of fields of `tetragon.proto`: one reader serves both.

A connection is told as `tcp_connect` tells it, an opened file as `security_file_permission` with the rights that it was
opened with (the policies of `deploy/tetragon` hook these). Both say how they were seen in `message`.
"""

from __future__ import annotations

import platform
import signal
import socket
from collections.abc import Callable
from typing import Any

import msgspec

from eightysix.lab.kernel.clock import Clock
from eightysix.lab.kernel.facts import Connected, Entered, Exec, Exit, Fact, Fork, Group, Opened
from eightysix.lab.kernel.pods import Entry, Pods
from eightysix.lab.kernel.policy import CONNECTIONS, HOST, Limiter, policy_of
from eightysix.lab.kernel.redact import redact
from eightysix.lab.kernel.tree import Process, Tree

__all__ = ["Exporter"]

MAY_WRITE, MAY_READ = 2, 4
"""include/linux/fs.h: the second argument of security_file_permission."""

_CONTAINER_LETTERS = 31
"""Letters of a container id in `docker` (DOCKER_ID_LENGTH of Tetragon, less the end)."""

_FAMILIES: dict[int, str] = {socket.AF_INET: "AF_INET", socket.AF_INET6: "AF_INET6"}
_TYPES: dict[int, str] = {socket.SOCK_STREAM: "SOCK_STREAM", socket.SOCK_DGRAM: "SOCK_DGRAM"}
_PROTOCOLS = {6: "IPPROTO_TCP", 17: "IPPROTO_UDP", 136: "IPPROTO_UDPLITE", 262: "IPPROTO_MPTCP"}
_SENDS: dict[int, str] = {socket.AF_INET: "udp_sendmsg", socket.AF_INET6: "udpv6_sendmsg"}
_ASKS: dict[int, str] = {socket.AF_INET: "ip4_datagram_connect", socket.AF_INET6: "ip6_datagram_connect"}
_SIGNALS = {int(number): number.name for number in signal.Signals}

_SETNS = "__arm64_sys_setns" if platform.machine() == "aarch64" else "__x64_sys_setns"
"""How Tetragon names the call (`sys_setns` with `syscall: true`)."""

_TWICE_NS = 1_000_000_000
"""The same file opened by the same process, told by two mechanisms within this time, is one opening."""

_MOST_OPENED = 8192


class Exporter:
    """Takes facts in the order in which they happened (as near as the mechanism tells them) and gives lines of JSON."""

    def __init__(
        self, write: Callable[[bytes], object], tree: Tree, pods: Pods, clock: Clock, node: str, cluster: str,
        hosts: tuple[int, int, int] = (0, 0, 0), find: Callable[[int], Exec | None] | None = None,
        entered: Callable[[int, int], None] | None = None,
    ) -> None:  # fmt: skip
        self._write, self._tree, self._pods, self._clock = write, tree, pods, clock
        self._tail = {"node_name": node}
        self._cluster = cluster
        self._hosts = hosts
        self._find = find
        self._entered = entered
        """Called with a process and its mount namespace, which is no host's: to mark files there."""
        self._limiter = Limiter()
        self._opened: dict[tuple[str, str, bool], tuple[int, str]] = {}
        self.counts: dict[str, int] = {
            "exec": 0,
            "exit": 0,
            "file": 0,
            "connect": 0,
            "setns": 0,
            "runtime": 0,
            "repeated": 0,
        }

    def take(self, fact: Fact) -> None:
        """Take one fact and write what it is worth."""
        if isinstance(fact, Opened):
            self._open(fact)
        elif isinstance(fact, Exec):
            self._exec(fact)
        elif isinstance(fact, Fork):
            self._tree.forked(fact)
        elif isinstance(fact, Exit):
            self._exit(fact)
        elif isinstance(fact, Connected):
            self._connect(fact)
        elif isinstance(fact, Group):
            self._pods.learn(fact.id, fact.path)
        else:
            self._enter(fact)

    def _exec(self, fact: Exec) -> None:
        process = self._tree.started(fact)
        process.arguments = redact(process.arguments)
        if self._entered is not None and process.inside and process.mnt and process.mnt != self._hosts[0]:
            self._entered(process.pid, process.mnt)
        self._tell("process_exec", process, fact.at, fact.tid, {}, "exec")

    def _exit(self, fact: Exit) -> None:
        process = self._tree.ended(fact.pid)
        if process is None:
            return
        more: dict[str, Any] = {}
        number = fact.code & 0x7F
        if number:
            more["signal"] = _SIGNALS.get(number, f"SIG{number}")
        if fact.code >> 8:
            more["status"] = (fact.code >> 8) & 0xFF
        more["time"] = self._clock.text(fact.at)
        self._tell("process_exit", process, fact.at, fact.tid, more, "exit")

    def _open(self, fact: Opened) -> None:
        late = self._tree.lately(fact.pid) if fact.by == "fanotify" else None
        if fact.by == "fanotify" and late is None:
            return  # of the machine itself, or of another cgroup: marks do not ask who opens
        policy, once = policy_of(fact.path, writes=fact.writes)
        if not policy or (once and not self._limiter.allows(fact.tid, fact.path, fact.at)):
            return
        process = late or self._process(fact.pid, fact.cgroup, fact.at)
        for wanted, mask in ((fact.reads, MAY_READ), (fact.writes, MAY_WRITE)):
            if not wanted or (mask == MAY_READ and not policy_of(fact.path, writes=False)[0]):
                continue
            if self._is_repeated(process, fact, mask == MAY_WRITE):
                self.counts["repeated"] += 1
                continue
            arguments: list[dict[str, Any]] = [{"file_arg": {"path": fact.path}}, {"int_arg": mask}]
            more = _probe("security_file_permission", arguments, policy, f"opened, told by {fact.by}")
            self._tell("process_kprobe", process, fact.at, fact.tid, more, "file")

    def _is_repeated(self, process: Process, fact: Opened, writes: bool) -> bool:
        """Whether another mechanism has told of it already."""
        key = (process.exec_id, fact.path, writes)
        before = self._opened.get(key)
        if len(self._opened) >= _MOST_OPENED:
            self._opened.clear()
        if before is not None and before[1] != fact.by and abs(fact.at - before[0]) < _TWICE_NS:
            return True
        self._opened[key] = (fact.at, fact.by)
        return False

    def _connect(self, fact: Connected) -> None:
        if fact.destination.startswith("127.") or fact.destination in ("::1", "", "::ffff:127.0.0.1"):
            return
        process = self._process(fact.pid, fact.cgroup, fact.at)
        family = _FAMILIES.get(fact.family, str(fact.family))
        target: dict[str, Any] = {
            "family": family, "type": _TYPES.get(fact.type, str(fact.type)),
            "protocol": _PROTOCOLS.get(fact.protocol, str(fact.protocol)), "saddr": fact.source,
            "daddr": fact.destination, "sport": fact.source_port, "dport": fact.port,
            "cookie": str(fact.cookie) if fact.cookie else "", "state": "TCP_SYN_SENT" if fact.protocol == 6 else "",
        }  # fmt: skip
        arguments = [{"sock_arg": {name: value for name, value in target.items() if value}}]
        named = "tcp_connect"
        if fact.type == socket.SOCK_DGRAM:
            named = (_SENDS if fact.call == "send" else _ASKS).get(fact.family, "udp_sendmsg")
        more = _probe(
            named, arguments, CONNECTIONS, "refused by the lab" if fact.denied else "", denied=fact.denied
        )
        self._tell("process_kprobe", process, fact.at, fact.tid, more, "connect")

    def _enter(self, fact: Entered) -> None:
        process = self._process(fact.pid, fact.cgroup, fact.at)
        arguments = [{"int_arg": fact.fd}, {"int_arg": fact.kind}]
        more = _probe(_SETNS, arguments, HOST, "")
        self._tell("process_kprobe", process, fact.at, fact.tid, more, "setns")

    def _process(self, pid: int, cgroup: int, at: int) -> Process:
        """The process of this id, found in /proc where its start was not seen."""
        known = self._tree.get(pid)
        if known is not None:
            return known
        found = self._find(pid) if self._find is not None else None
        process = self._tree.started(found or Exec(at, cgroup, pid, pid, 0, 0, "", (), "", proc=True))
        process.inside = process.inside or found is None  # rather told than taken for the runtime
        process.cgroup = cgroup or process.cgroup
        process.arguments = redact(process.arguments)
        return process

    def _tell(
        self, kind: str, process: Process, at: int, tid: int, more: dict[str, Any], counted: str
    ) -> None:
        entry = self._pods.of(process.cgroup)
        if entry is not None and not process.inside:
            self.counts["runtime"] += 1  # it has entered the pod's cgroup, and none of its namespaces
            return
        parent = self._tree.parent(process)
        told = self._told(process, entry, tid)
        holder: dict[str, Any] = {"process": told}
        if parent is not None and (parent.inside or entry is None):
            told_parent = self._told(parent, self._pods.of(parent.cgroup), parent.pid)
            told_parent.pop("ns", None)
            holder["parent"] = told_parent
        elif entry is not None:
            told.pop("parent_exec_id", None)  # the runtime, of which nothing is told
        record = {kind: holder | more, **self._tail, "time": self._clock.text(at)}
        if self._cluster:
            record["cluster_name"] = self._cluster
        self._write(msgspec.json.encode(record) + b"\n")
        self.counts[counted] += 1

    def _told(self, process: Process, entry: Entry | None, tid: int) -> dict[str, Any]:
        """A process as records tell it; what is empty is left out, as protojson does."""
        told: dict[str, Any] = {"exec_id": process.exec_id, "pid": process.pid, "uid": process.uid}
        if process.cwd:
            told["cwd"] = process.cwd
        told["binary"] = process.binary
        if process.arguments:
            told["arguments"] = process.arguments
        told |= {"flags": process.flags, "start_time": self._clock.text(process.at), "auid": process.auid}
        if entry is not None:
            container = {**entry.pod.get("container", {})}
            if process.ns_pid:
                container["pid"] = process.ns_pid
            told["pod"] = {
                name: container if name == "container" else value for name, value in entry.pod.items()
            }
            told["docker"] = entry.container_id[:_CONTAINER_LETTERS]
        if process.parent_id:
            told["parent_exec_id"] = process.parent_id
        if process.mnt:
            told["ns"] = self._namespaces(process)
        told["tid"] = tid
        if process.init is not None:
            told["in_init_tree"] = process.init
        return told

    def _namespaces(self, process: Process) -> dict[str, Any]:
        told: dict[str, Any] = {}
        numbers = (process.mnt, process.pid_ns, process.net)
        for name, number, host in zip(("mnt", "pid", "net"), numbers, self._hosts, strict=True):
            told[name] = {"inum": number, "is_host": True} if number == host else {"inum": number}
        return told


def _probe(
    name: str, arguments: list[dict[str, Any]], policy: str, message: str, *, denied: bool = False
) -> dict[str, Any]:
    told: dict[str, Any] = {"function_name": name, "args": arguments}
    if denied:
        told["return"] = {"int_arg": -1}
    told["action"] = "KPROBE_ACTION_OVERRIDE" if denied else "KPROBE_ACTION_POST"
    told |= {"policy_name": policy, "return_action": "KPROBE_ACTION_POST"}
    if message:
        told["message"] = message
    return told
