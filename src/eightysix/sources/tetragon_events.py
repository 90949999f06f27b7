"""One record of Tetragon's export to at most one event: who and where from the process, what from the record."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

import msgspec

from eightysix.context import destinations
from eightysix.context.commands import Command, summarise
from eightysix.context.credentials import (
    TEMPORARY,
    credential_at,
    distribution_at,
    is_environment,
    startup_file,
)
from eightysix.context.kubelet import volume_at
from eightysix.context.packages import told_path
from eightysix.context.pods import container_key, node_key, pod_key
from eightysix.model.event import Artifact, Event, EventId
from eightysix.model.timestamps import to_ns
from eightysix.model.words import Access, Domain, Grade, Kind, Origin, Outcome, Source
from eightysix.sources.tetragon_records import Argument, Parent, Pod, Probe, ProcessInfo, Record

__all__ = [
    "NODE_ROOT",
    "Fact",
    "classify_path",
    "event_id",
    "event_of",
    "fact_of",
    "is_landed_command",
    "key_of",
    "outcome_of",
    "plain_destination",
    "process_of",
]

Fact = tuple[str, int, str, str, str, bool | None]
"""Of a process: parent exec id, pid, start (RFC 3339), binary, container prefix, whether in the init tree."""

MAY_WRITE = 2 | 8
MAY_READ = 4
"""`MAY_WRITE | MAY_APPEND` and `MAY_READ` of include/linux/fs.h, the second argument of security_file_permission."""

UNDER_WAY = frozenset({-4, -11, -106, -114, -115, -512, -513, -514, -516})
"""EINTR, EAGAIN, EISCONN, EALREADY, EINPROGRESS (include/uapi/asm-generic/errno.h) and the kernel's ERESTART codes
(include/linux/errno.h): no failures, because the connection goes on. A program chooses them with a timer or a flag."""

NODE_ROOT = "/proc/1/root/"
"""The node's file system as a pod with the node's process ids sees it; in any other pod it is the container's own."""

_MODEL_SUFFIXES = (
    ".pkl",
    ".pt",
    ".ckpt",
    ".bin",
    ".safetensors",
    ".gguf",
    ".onnx",
    ".joblib",
    ".keras",
    ".h5",
    ".dill",
)
_DENYING = frozenset({"KPROBE_ACTION_OVERRIDE", "KPROBE_ACTION_SIGKILL", "KPROBE_ACTION_NOTIFYENFORCER"})
_MODEL_CODE = "/huggingface/modules/"
"""Where transformers puts the modules of a model that brings code, before it imports them (`HF_MODULES_CACHE`)."""

_METADATA = ("METADATA", "PKG-INFO")
"""The one file that every installer writes into `.dist-info` (PEP 376, core metadata) or `.egg-info`."""

_MAX_CACHED_ARGUMENTS = 256
"""Longest arguments whose summary is kept for the next time: most commands come again, and hostile ones are long."""


class FileClass(msgspec.Struct, frozen=True, gc=False):
    """Why a path is worth an event."""

    domain: Domain | None
    artifacts: tuple[Artifact, ...]
    activity: str


_summarise_again = lru_cache(maxsize=4096)(summarise)


def _summary(process: ProcessInfo) -> Command:
    known = _summarise_again if len(process.arguments) <= _MAX_CACHED_ARGUMENTS else summarise
    return known(process.binary, process.arguments, process.cwd)


@lru_cache(maxsize=8192)
def classify_path(path: str, *, written: bool) -> FileClass | None:
    """Say why a read or write of `path` matters, or None. Only facts of the path; who did it is judged later."""
    credential = credential_at(path)
    if credential is not None:
        return FileClass(credential.domain, (), credential.kind)
    volume = volume_at(path)
    if volume is not None and volume.kind == "secret" and volume.name and not volume.name.startswith(".."):
        return FileClass(Domain.DELIVERY, (), "secret-volume")
    if is_environment(path):
        return FileClass(None, (), "environment")
    if not written:
        return None
    hook = startup_file(path)
    if hook is not None:
        return FileClass(
            None,
            (Artifact("file", told_path(path).rpartition("/")[2]),),
            "startup-file-common" if hook.common else "startup-file",
        )
    distribution = distribution_at(path) if path.rpartition("/")[2].startswith(_METADATA) else None
    if distribution is not None:
        return FileClass(None, (distribution,), "distribution")
    if "/pip-" in path or "__pycache__" in path:
        return None
    if path.startswith(TEMPORARY) or "/bin/" in path:
        return FileClass(None, (Artifact("file", told_path(path).rpartition("/")[2]),), "program-file")
    if path.endswith(_MODEL_SUFFIXES) or _MODEL_CODE in path:
        return FileClass(None, (Artifact("model", told_path(path).rpartition("/")[2]),), "model-file")
    return None


def event_of(record: Record, file: str, line: int) -> Event | None:
    """The event that `record` tells of, None where it tells nothing that a chain can be made of. Whether the first start
    of a program is worth one is the caller's to say. Raises `ValueError` when the record has no time that can be read."""
    if record.process_exec is not None:
        process = record.process_exec.process
        return _make(record, process, Kind.EXEC, "", file, line, command=_exec_command(process))
    probe = record.process_kprobe or record.process_lsm or record.process_tracepoint
    if probe is not None:
        return _probe_event(record, probe, file, line)
    if record.process_connect is not None:
        legacy = record.process_connect
        return _connect(
            record,
            legacy.process,
            legacy.destination_ip,
            legacy.destination_port,
            Outcome.UNKNOWN,
            file,
            line,
        )
    if record.process_loader is not None and record.process_loader.path.startswith(TEMPORARY):
        loader = record.process_loader
        return _make(
            record, loader.process, Kind.LOAD, loader.path, file, line, file_path=told_path(loader.path)
        )
    return None


def _exec_command(process: ProcessInfo) -> Command:
    """The command of a program start; one in the node's file system is an entry there, whatever program it is."""
    command = _summary(process)
    entered = process.binary.startswith(NODE_ROOT) or "mnt" in _host_namespaces(process)
    if not entered or process.pod is None or command.activity in ("install", "download"):
        return command
    return msgspec.structs.replace(command, activity="host-entry")


def _host_namespaces(process: ProcessInfo) -> tuple[str, ...]:
    ns = process.ns
    if ns is None:
        return ()
    told = (("mnt", ns.mnt), ("pid", ns.pid), ("net", ns.net))
    return tuple(name for name, namespace in told if namespace is not None and namespace.is_host)


def is_landed_command(event: Event) -> bool:
    """Whether an exec runs a program or script from where only things that landed lie."""
    return event.binary.startswith(TEMPORARY) or any(
        w.startswith(TEMPORARY) for w in event.command.split(" ")[1:3]
    )


def process_of(record: Record) -> ProcessInfo | None:
    """The process that a record is about."""
    holder = (
        record.process_exec
        or record.process_kprobe
        or record.process_lsm
        or record.process_tracepoint
        or record.process_loader
        or record.process_connect
    )
    return holder.process if holder is not None else None


def key_of(process: ProcessInfo, record: Record) -> str:
    """The pod key of a process: uid, else container, else node."""
    pod = process.pod
    if pod is not None and pod.uid:
        return pod_key(pod.uid)
    container = process.docker or (_container_id(pod) if pod is not None else "") or _parent(record).docker
    return container_key(record.node_name, container) if container else node_key(record.node_name)


def fact_of(process: ProcessInfo, record: Record) -> Fact:
    """What the process tree keeps of a process that has no exec record of its own (forked workers)."""
    parent = _parent(record)
    return (
        process.parent_exec_id or parent.exec_id,
        process.pid,
        process.start_time,
        told_path(process.binary),
        process.docker or parent.docker,
        process.in_init_tree,
    )


@lru_cache(maxsize=8192)
def plain_destination(ip: str, port: int) -> str:
    """`plain` for an address that anybody may talk to, `special` for one that matters each time, empty for noise."""
    kind = destinations.classify(ip, port)
    if not ip or kind in ("loopback", "unspecified", "unknown") or port == DNS:
        return ""
    return "plain" if kind in ("public", "cluster", "link-local") else "special"


DNS = 53
"""Look-ups go to the cluster's resolver all day; names come from elsewhere."""


def _probe_event(record: Record, probe: Probe, file: str, line: int) -> Event | None:
    process = probe.process
    outcome = outcome_of(probe.action, probe.return_value.int_arg if probe.return_value is not None else None)
    # The address that is asked for stands before the socket's own: that is not yet connected, or still to something else.
    for argument in probe.args:
        if argument.sockaddr_arg is not None:
            asked = argument.sockaddr_arg
            return _connect(record, process, asked.addr, asked.port, outcome, file, line)
    for argument in probe.args:
        if argument.sock_arg is not None:
            socket = argument.sock_arg
            return _connect(record, process, socket.daddr, socket.dport, outcome, file, line, socket.saddr)
    if probe.function_name.endswith("setns") and process.pod is not None:
        return _make(
            record,
            process,
            Kind.FILE,
            probe.function_name,
            file,
            line,
            activity="host-entry",
            outcome=outcome,
        )
    path = _path(probe.args)
    if not path:
        return None
    access = _access(probe)
    found = classify_path(path, written=access is not Access.READ)
    # The metadata of distributions are read by everybody: without a word of writing nothing landed.
    if found is None or (found.activity == "distribution" and access is not Access.WRITE):
        return None
    return _make(
        record,
        process,
        Kind.FILE,
        probe.function_name + path,
        file,
        line,
        file_path=told_path(path),
        access=access,
        domain=found.domain,
        artifacts=found.artifacts,
        activity=found.activity,
        outcome=outcome,
    )


def _connect(
    record: Record,
    process: ProcessInfo,
    ip: str,
    port: int,
    outcome: Outcome,
    file: str,
    line: int,
    source: str = "",
) -> Event | None:
    if not plain_destination(ip, port):
        return None
    kind = destinations.classify(ip, port)
    ip = destinations.address(ip)
    return _make(
        record,
        process,
        Kind.CONNECT,
        f"{ip}:{port}",
        file,
        line,
        dst_ip=ip,
        dst_port=port,
        source_ip=destinations.address(source) if source else "",
        outcome=outcome,
        domain=Domain.CLOUD if kind in ("metadata", "wire-server") else None,
    )


def _make(
    record: Record,
    process: ProcessInfo,
    kind: Kind,
    detail: str,
    file: str,
    line: int,
    *,
    command: Command | None = None,
    **fields: object,
) -> Event:
    """Assemble the event: who and where from `process`, what from `fields`."""
    pod = process.pod
    container = pod.container if pod is not None else None
    image = container.image if container is not None and container.image is not None else None
    if command is None:
        command = _summary(process)
    else:
        fields = {"activity": command.activity, "artifacts": command.artifacts, **fields}
    time = record.time or process.start_time
    parent = _parent(record)
    return Event(
        event_id=event_id(kind, process.exec_id, time, detail),
        time_ns=to_ns(time),
        source=Source.TETRAGON,
        origin=Origin.KERNEL,
        grade=Grade.B if pod is not None or process.docker or parent.exec_id else Grade.E,
        kind=kind,
        file=file,
        line=line,
        cluster=record.cluster_name,
        node=record.node_name,
        namespace=pod.namespace if pod is not None else "",
        pod=pod.name if pod is not None else "",
        pod_uid=pod.uid if pod is not None else "",
        container_id=(_container_id(pod) if pod is not None else "") or process.docker or parent.docker,
        container=container.name if container is not None else "",
        container_started_ns=_ns_or_zero(container.start_time) if container is not None else 0,
        workload=(pod.workload if pod is not None else ""),
        workload_kind=(pod.workload_kind if pod is not None else ""),
        image=image.name if image is not None else "",
        image_digest=_digest(image.id) if image is not None else "",
        exec_id=process.exec_id,
        parent_exec_id=process.parent_exec_id or parent.exec_id,
        pid=process.pid,
        tid=process.tid,
        uid=process.uid,
        binary=told_path(process.binary),
        command=command.summary,
        parent_binary=told_path(parent.binary),
        process_started_ns=_ns_or_zero(process.start_time),
        entrypoint=process.in_init_tree,
        exec_probe=container.maybe_exec_probe if container is not None else False,
        host=_host_namespaces(process),
        **fields,  # type: ignore[arg-type]
    )


_NO_PARENT = Parent()


def _parent(record: Record) -> Parent:
    """The parent as the event tells it: forked workers that the agent lost track of have nothing else."""
    holder = (
        record.process_exec
        or record.process_kprobe
        or record.process_lsm
        or record.process_connect
        or record.process_tracepoint
    )
    return holder.parent if holder is not None and holder.parent is not None else _NO_PARENT


def _container_id(pod: Pod) -> str:
    return pod.container.id.rpartition("/")[2] if pod.container is not None else ""


def _digest(image_id: str) -> str:
    """`sha256:...` out of `repository@sha256:...` (or of a bare image id)."""
    _, at, digest = image_id.rpartition("@")
    return digest if at or digest.startswith("sha256:") else ""


def _path(arguments: list[Argument]) -> str:
    for argument in arguments:
        holder = argument.file_arg or argument.path_arg or argument.linux_binprm_arg
        if holder is not None:
            return holder.path
        if argument.string_arg is not None and argument.string_arg.startswith("/"):
            return argument.string_arg
    return ""


def _access(probe: Probe) -> Access:
    """Read or write, from the mask of security_file_permission; other hooks do not say."""
    if probe.function_name not in ("security_file_permission", "file_permission"):
        return Access.UNKNOWN
    for argument in probe.args:
        if argument.int_arg is not None:
            return Access.WRITE if argument.int_arg & MAY_WRITE else Access.READ
    return Access.UNKNOWN


def outcome_of(action: str, returned: int | None) -> Outcome:
    """Whether it succeeded, by what the policy did and what the hook returned (None where the policy does not ask)."""
    if action in _DENYING:
        return Outcome.DENIED
    if returned is None:
        return Outcome.UNKNOWN
    return Outcome.DENIED if returned < 0 and returned not in UNDER_WAY else Outcome.ALLOWED


@lru_cache(maxsize=8192)
def _ns_or_zero(text: str) -> int:
    if not text:
        return 0
    try:
        return to_ns(text)
    except ValueError:
        return 0


_BEGUN = blake2b(b"tetragon\0", digest_size=16)


def event_id(kind: Kind, exec_id: str, time: str, detail: str) -> EventId:
    """From what identifies a record natively: process, time, and what it did."""
    digest = _BEGUN.copy()
    digest.update(f"{kind}\0{exec_id}\0{time}\0{detail}".encode("utf-8", "surrogatepass"))
    return EventId(digest.hexdigest())
