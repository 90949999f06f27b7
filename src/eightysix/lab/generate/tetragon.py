"""Tetragon's JSON export, written record by record in the order and with the omissions of protojson.

Sources of the shapes: the recorded lab runs, `api/v1/tetragon/tetragon.proto` and the examples in the documentation of
github.com/cilium/tetragon. Zero values are omitted, 64-bit integers are text, wrapped integers and booleans stay.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass

from eightysix.lab.generate.clock import rfc3339
from eightysix.lab.generate.cluster import Container, Node
from eightysix.lab.generate.ids import number
from eightysix.lab.generate.settings import Dialect

__all__ = [
    "DENIED",
    "FILTERED_FILES",
    "Connection",
    "FileAccess",
    "ProcessFacts",
    "Record",
    "exec_record",
    "exit_record",
    "kprobe_record",
]

Record = dict[str, object]

DENIED = -1
"""EPERM, as the return value of a hook."""

FILTERED = ("flags", "auid", "refcnt")
"""Fields of every process that `LEAN` leaves out, as well as `pod.pod_labels`."""

FILTERED_FILES = ("/dev/null", "/__pycache__/", "/pip-build-tracker-")
"""Files that its policy leaves out."""

FILTERED_PARENT = ("arguments", "cwd", "uid", "tid", "pod")
"""Fields that it leaves out of `parent` only."""

_UNSET_AUID = 4_294_967_295


@dataclass(frozen=True)
class ProcessFacts:
    """What Tetragon knows of one process. `container` is None for processes of the node itself.

    `pod_known` False: the agent could not join the container to a pod (forked workers, cilium/tetragon#2902);
    `docker_known` False: not even the container. `known` False: the process is not in the agent's cache at all,
    then only its pid and start are told. `host` names namespaces that are the node's own (`enableProcessNs`).
    """

    node: Node
    container: Container | None
    pid: int
    ns_pid: int
    started_ns: int
    binary: str
    arguments: str
    cwd: str
    uid: int
    flags: str
    in_init_tree: bool
    parent: ProcessFacts | None = None
    maybe_exec_probe: bool = False
    pod_known: bool = True
    docker_known: bool = True
    known: bool = True
    host: tuple[str, ...] = ()

    def exec_id(self, dialect: Dialect) -> str:
        """Base64 of `node:ktime:pid`."""
        ktime = self.started_ns - self.node.booted_ns if dialect.boot_relative else self.started_ns
        return b64encode(f"{self.node.name}:{ktime}:{self.pid}".encode()).decode()


@dataclass(frozen=True)
class Connection:
    """One TCP connection attempt; `result` is the return value of the hook, None where the policy does not ask for it."""

    address: str
    port: int
    source_address: str
    source_port: int
    cookie: int
    function: str = "tcp_connect"
    result: int | None = None
    policy: str = "eightysix-egress"


@dataclass(frozen=True)
class FileAccess:
    """One read (`MAY_READ`, 4) or write (`MAY_WRITE`, 2) of a file."""

    path: str
    mask: int
    permission: str = "-rw-r--r--"
    result: int | None = None
    policy: str = "eightysix-files"


def exec_record(dialect: Dialect, process: ProcessFacts) -> Record:
    """`process_exec` at the start of `process`."""
    body: Record = {"process": _process(dialect, process, tid=process.pid, refcnt=1)}
    if process.parent is not None:
        body["parent"] = _parent(dialect, process.parent)
    return _envelope(dialect, "process_exec", body, process.node, process.started_ns)


def exit_record(
    dialect: Dialect,
    process: ProcessFacts,
    time_ns: int,
    *,
    status: int = 0,
    signal: str = "",
    parent: ProcessFacts | None = None,
) -> Record:
    """`process_exit`; `parent` is who is told as the parent where it is not the process's own."""
    body: Record = {"process": _process(dialect, process, tid=process.pid)}
    parent = parent or process.parent
    if parent is not None:
        body["parent"] = _parent(dialect, parent)
    if signal:
        body["signal"] = signal
    if status:
        body["status"] = status
    if not dialect.legacy:
        body["time"] = rfc3339(time_ns, dialect.time_digits)
    return _envelope(dialect, "process_exit", body, process.node, time_ns)


def kprobe_record(
    dialect: Dialect,
    process: ProcessFacts,
    time_ns: int,
    tid: int,
    what: Connection | FileAccess,
) -> Record:
    """`process_kprobe` for a connection or a file access."""
    body: Record = {"process": _process(dialect, process, tid=tid)}
    if process.parent is not None and process.known:
        body["parent"] = _parent(dialect, process.parent)
    if isinstance(what, Connection):
        body["function_name"] = what.function
        body["args"] = [_address(what)]
    else:
        body["function_name"] = "security_file_permission"
        access: Record = {"path": what.path}
        if not dialect.legacy:
            access["permission"] = what.permission
        body["args"] = [{"file_arg": access}, {"int_arg": what.mask}]
    denied = what.result is not None and what.result < 0
    if what.result is not None and (dialect.returns or denied):
        body["return"] = {"int_arg": what.result}
    body["action"] = "KPROBE_ACTION_OVERRIDE" if denied else "KPROBE_ACTION_POST"
    if not dialect.legacy:
        body["policy_name"] = what.policy
        body["return_action"] = "KPROBE_ACTION_POST"
    return _envelope(dialect, "process_kprobe", body, process.node, time_ns)


def _address(connection: Connection) -> Record:
    if connection.function == "security_socket_connect":
        return {"sockaddr_arg": {"family": "AF_INET", "addr": connection.address, "port": connection.port}}
    return {
        "sock_arg": {
            "family": "AF_INET",
            "type": "SOCK_STREAM",
            "protocol": "IPPROTO_TCP",
            "saddr": connection.source_address,
            "daddr": connection.address,
            "sport": connection.source_port,
            "dport": connection.port,
            "cookie": str(connection.cookie),
            "state": "TCP_SYN_SENT",
        }
    }


def _parent(dialect: Dialect, parent: ProcessFacts) -> Record:
    record = _process(dialect, parent, tid=parent.pid)
    if dialect.lean:
        for name in FILTERED_PARENT:
            record.pop(name, None)
    return record


def _process(dialect: Dialect, facts: ProcessFacts, *, tid: int, refcnt: int = 0) -> Record:
    if not facts.known:
        return {
            "pid": facts.pid,
            "flags": "unknown",
            "start_time": rfc3339(facts.started_ns, dialect.time_digits),
            "tid": tid,
        }
    record: Record = {
        "exec_id": facts.exec_id(dialect),
        "pid": facts.pid,
        "uid": facts.uid,
        "cwd": facts.cwd,
        "binary": facts.binary,
    }
    if facts.arguments:
        record["arguments"] = facts.arguments
    record["flags"] = facts.flags
    record["start_time"] = rfc3339(facts.started_ns, dialect.time_digits)
    record["auid"] = _UNSET_AUID
    if facts.container is not None:
        if facts.pod_known:
            record["pod"] = _pod(dialect, facts, facts.container)
        if facts.docker_known:
            record["docker"] = facts.container.id[:31]
    if dialect.clone_events or dialect.legacy:
        if facts.parent is not None:
            record["parent_exec_id"] = facts.parent.exec_id(dialect)
        if refcnt:
            record["refcnt"] = refcnt
        if not dialect.legacy:
            record["tid"] = tid
    else:
        # NOTE: the lab's re-shaped records have the parent last; readers must not depend on the order of keys.
        record["tid"] = tid
        if facts.parent is not None:
            record["parent_exec_id"] = facts.parent.exec_id(dialect)
    record |= _namespaces(facts)
    if dialect.init_tree:
        record["in_init_tree"] = facts.in_init_tree
    if dialect.lean:
        for name in FILTERED:
            record.pop(name, None)
    return record


def _namespaces(facts: ProcessFacts) -> Record:
    if not facts.host:
        return {}
    inums = {name: number(4_026_531_800, 4_026_532_900, name) for name in ("mnt", "pid", "net")}
    host = {"is_host": True}
    return {
        "ns": {name: {"inum": inum, **(host if name in facts.host else {})} for name, inum in inums.items()}
    }


def _pod(dialect: Dialect, facts: ProcessFacts, container: Container) -> Record:
    pod = container.pod
    body: Record = {
        "id": f"containerd://{container.id}",
        "name": container.name,
        "image": {"id": container.image.id, "name": container.image.name},
        "start_time": rfc3339(container.started_ns, dialect.container_digits),
        "pid": facts.ns_pid,
    }
    if facts.maybe_exec_probe:
        body["maybe_exec_probe"] = True
    record: Record = {"namespace": pod.namespace, "name": pod.name}
    if not dialect.legacy:
        record["uid"] = pod.uid
    record["container"] = body
    if pod.labels and not (dialect.legacy or dialect.lean):
        record["pod_labels"] = dict(pod.labels)
    if not dialect.legacy:
        record["workload"] = pod.workload
        record["workload_kind"] = pod.kind
    return record


def _envelope(dialect: Dialect, kind: str, body: Record, node: Node, time_ns: int) -> Record:
    record: Record = {kind: body, "node_name": node.name, "time": rfc3339(time_ns, dialect.time_digits)}
    if not dialect.legacy:
        record["cluster_name"] = node.cluster.name
    return record
