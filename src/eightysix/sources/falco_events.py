"""One alert of Falco to at most one event: who and where from the process's fields, what from the system call's.

What happened follows from `evt.type` and the fields, never from the name of a rule: names help only where an old rule's
output lacks the field. Nothing of `output`, the alert's free text, is read.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b

from msgspec import Struct

from eightysix.context import destinations
from eightysix.context.commands import Command, program_kind, summarise_joined
from eightysix.context.packages import host_name, told_path
from eightysix.context.pods import CONTAINER_PREFIX
from eightysix.model.event import Event, EventId
from eightysix.model.words import Access, Domain, Grade, Kind, Origin, Outcome, Source
from eightysix.sources.falco_records import Fields, Record
from eightysix.sources.tetragon_events import classify_path, plain_destination

__all__ = ["Actor", "actor_of", "ancestors_of", "command_of", "event_of", "kind_of", "process_key"]

_EXECS = frozenset({"execve", "execveat"})
_FORKS = frozenset({"clone", "clone3", "fork", "vfork"})
_OPENS = frozenset({"open", "openat", "openat2", "open_by_handle_at", "creat"})
_CONNECTS = frozenset({"connect", "sendto", "sendmsg", "sendmmsg"})
_WRITES = frozenset({"write", "writev", "pwrite", "pwritev", "sendfile", "splice", "io_uring_enter"})
_READS = frozenset({"read", "readv", "pread", "preadv"})
_ENTRIES = frozenset({"setns", "nsenter"})
_MOVES = frozenset({"rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat"})
"""Names of system calls as in Falco's list of supported events (falco.org/docs/reference/rules/supported-events)."""

_WRITING_FLAGS = ("O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND", "O_TMPFILE")
_WRITING_WORDS = ("writ", "modif", "creat", "drop", "install", "remov", "renam")
_READING_WORDS = ("read", "search", "grep", "find")
_RUNNING_WORDS = ("shell", "spawn", "launch", "execut", "run ", "program", "process")

_UNDER_WAY = frozenset(
    {"EINPROGRESS", "EINTR", "EAGAIN", "EALREADY", "EISCONN", "ERESTARTSYS", "EWOULDBLOCK"}
)
"""Of `evt.res` what is no failure of a connection: it goes on (as `tetragon_events.UNDER_WAY`)."""

_DENIALS = frozenset({"EPERM", "EACCES", "EROFS"})
"""What of a file says that it was there and refused. Any other failure says that there was none to read."""

_MAX_CACHED = 256
"""Longest arguments whose summary is kept for the next time: most commands come again, and hostile ones are long."""

_summarise_again = lru_cache(maxsize=4096)(summarise_joined)

MAX_ANCESTORS = 16
"""Ancestors that one alert may name (`proc.apid[2]` and so on); Falco itself goes no deeper than its rules ask."""

_RUNTIMES = frozenset(
    {
        *(
            "containerd-shim",
            "containerd-shim-runc-v2",
            "containerd-shim-runc-v1",
            "containerd",
            "runc",
            "runc:[2:INIT]",
        ),
        *("crun", "crio", "conmon", "dockerd", "docker-init", "kubelet", "systemd"),
    }
)
"""Programs that start containers, and what is above those: a container's own tree ends below them. A process's name (not its
file's) is cut to 15 characters."""

FIRST_PROCESS_NS = 10_000_000_000
"""What a runtime starts within this time of the container's start is its entrypoint, also where pod and node share their
process numbers; later it is a session (`kubectl exec`, a probe). As `detect.lineage.FIRST_PROCESS_NS`."""

_MAX_NAME = 253  # of Kubernetes objects: kubernetes.io/docs/concepts/overview/working-with-objects/names
_NOT_A_CONTAINER = "host"


class Actor(Struct, frozen=True, gc=False):
    """The process that an alert is about. `exec_id` is empty where the rule's output does not name its pid."""

    exec_id: str
    parent_exec_id: str
    pid: int
    started_ns: int
    binary: str
    parent_binary: str
    node: str
    container: str
    entrypoint: bool | None

    @property
    def started(self) -> str:
        """RFC 3339 with nanoseconds, empty where unknown."""
        return _rfc3339(self.started_ns)


def process_key(node: str, container: str, pid: int, started_ns: int) -> str:
    """A key for a process: pids repeat, so its start goes in where it is told, else its container."""
    if pid <= 0:
        return ""
    return f"falco:{node}:{pid}:{started_ns}" if started_ns else f"falco:{node}/{container}:{pid}:0"


def actor_of(record: Record, fields: Fields, time_ns: int) -> Actor:
    """Who acts. A process keeps its key when it replaces its program; `started_ns` is when it did, where the alert tells of
    that, else when the process was cloned."""
    node = (record.hostname or "")[:_MAX_NAME] or fields.text("evt.hostname", longest=_MAX_NAME)
    container = _container(fields)[:CONTAINER_PREFIX]
    pid = fields.number("proc.pid")
    started_ns = _started(fields, time_ns, "proc.pid.ts", "proc.duration")
    parent = process_key(
        node,
        container,
        fields.number("proc.ppid", "proc.apid[1]"),
        _started(fields, time_ns, "proc.ppid.ts", "proc.ppid.duration"),
    )
    key = process_key(node, container, pid, started_ns)
    replaced_ns = time_ns if fields.call in _EXECS else 0
    above = fields.text("proc.pexepath", "proc.aexepath[1]", "proc.pname", "proc.aname[1]")
    return Actor(
        exec_id=key,
        parent_exec_id=parent if parent != key else "",
        pid=max(pid, 0),
        started_ns=replaced_ns or started_ns,
        binary=told_path(_binary(fields)),
        parent_binary=told_path(above),
        node=node,
        container=container,
        entrypoint=_is_entrypoint(fields, time_ns, started_ns or replaced_ns, above),
    )


def _is_entrypoint(fields: Fields, time_ns: int, started_ns: int, above: str) -> bool | None:
    """Whether the process is the container's first, or one put in from outside; None for those that processes of the
    container started, and where the output does not tell."""
    number = fields.number("proc.vpid")
    if number == 1:
        return True
    born = _started(fields, time_ns, "container.start_ts", "container.duration")
    if above.rpartition("/")[2] not in _RUNTIMES or not born or not started_ns:
        return None
    return started_ns - born <= FIRST_PROCESS_NS


def ancestors_of(fields: Fields, actor: Actor, time_ns: int) -> list[tuple[str, str, int, str, str]]:
    """Key, parent's key, pid, start and program of the ancestors in the container that the alert names, nearest first."""
    found: list[tuple[str, str, int, str, str]] = []
    started = _rfc3339(_started(fields, time_ns, "proc.ppid.ts", "proc.ppid.duration"))
    key, pid, binary = actor.parent_exec_id, fields.number("proc.ppid", "proc.apid[1]"), actor.parent_binary
    for depth in range(2, MAX_ANCESTORS + 2):
        if not key or not binary or binary.rpartition("/")[2] in _RUNTIMES or actor.entrypoint is not None:
            break
        above = fields.number(f"proc.apid[{depth}]")
        parent = process_key(actor.node, actor.container, above, 0)
        found.append((key, parent, max(pid, 0), started, binary))
        key, pid, started = parent, above, ""
        binary = told_path(fields.text(f"proc.aexepath[{depth}]", f"proc.aname[{depth}]"))
    return found


def kind_of(record: Record, fields: Fields) -> str:
    """What the alert tells of: `exec`, `connect`, `file`, `fork`, `namespace` or `other`."""
    call = fields.call
    if call in _EXECS:
        return "exec"
    if call in _FORKS:
        return "fork"
    if call in _OPENS or call in _MOVES:
        return "file"
    if call in _CONNECTS:
        return "connect"
    if call in _ENTRIES:
        return "namespace"
    if call in _WRITES or call in _READS:
        if _is_socket(fields):
            return "connect" if call in _WRITES else "other"
        return "file" if _path(fields) else "other"
    if call:
        return "other"
    rule = (record.rule or "")[:256].lower()
    if _is_socket(fields):
        return "other" if "inbound" in rule else "connect"
    if _path(fields):
        return "file"
    named = bool(fields.text("proc.cmdline")) and any(word in rule for word in _RUNNING_WORDS)
    return "exec" if named else "other"


def command_of(fields: Fields) -> Command:
    """What the process's command line means. `proc.cmdline` is the process's name and its arguments, joined by blanks."""
    binary, name = _binary(fields), fields.text("proc.name")
    arguments = fields.text("proc.args", "evt.arg.args")
    if not arguments:
        line = fields.text("proc.cmdline")
        arguments = line[len(name) + 1 :] if name and line.startswith(name) else line.partition(" ")[2]
    # An applet of busybox runs under a name of its own.
    shown = name if program_kind(binary) in ("", "wrapper") and program_kind(name) else binary
    known = _summarise_again if len(arguments) <= _MAX_CACHED else summarise_joined
    return known(shown, arguments, fields.text("proc.cwd"))


def event_of(
    record: Record, fields: Fields, kind: str, actor: Actor, time_ns: int, place: tuple[str, int]
) -> Event | None:
    """The event of an alert, None where it tells nothing that a chain can be made of."""
    if kind == "exec":
        command = command_of(fields)
        what: dict[str, object] | None = {
            "command": command.summary,
            "activity": command.activity,
            "artifacts": command.artifacts,
        }
        told, detail = Kind.EXEC, actor.binary
    elif kind == "connect":
        what = _connection(fields)
        told, detail = Kind.CONNECT, f"{what['dst_ip']}:{what['dst_port']}" if what else ""
    elif kind == "file":
        what = _file(record, fields)
        told, detail = Kind.FILE, f"{what['file_path']}/{what['access']}" if what else ""
    elif kind == "namespace" and actor.container:
        what = {"activity": "host-entry", "outcome": _outcome(fields)}
        told, detail = Kind.FILE, "setns"
    else:
        return None
    if what is None:
        return None
    if "command" not in what:
        what["command"] = command_of(fields).summary
    return Event(
        event_id=_event_id(told, actor, time_ns, detail),
        time_ns=time_ns,
        source=Source.FALCO,
        origin=Origin.KERNEL,
        kind=told,
        file=place[0],
        line=place[1],
        exec_id=actor.exec_id,
        parent_exec_id=actor.parent_exec_id,
        pid=actor.pid,
        tid=max(fields.number("thread.tid"), 0),
        ns_pid=max(fields.number("proc.vpid"), 0),
        uid=fields.number("user.uid"),
        binary=actor.binary,
        parent_binary=actor.parent_binary,
        entrypoint=actor.entrypoint,
        **_where(fields, actor, time_ns),  # type: ignore[arg-type]
        **what,  # type: ignore[arg-type]
    )


def _where(fields: Fields, actor: Actor, time_ns: int) -> dict[str, object]:
    """Cluster to container, as far as the output names them."""
    container = _container(fields)
    repository = fields.text("container.image.repository", "container.image", longest=512)
    tag = fields.text("container.image.tag", longest=128)
    image = (
        f"{repository}:{tag}" if repository and tag and "container.image.repository" in fields else repository
    )
    deployment = fields.text("k8smeta.deployment.name", "k8s.deployment.name", longest=_MAX_NAME)
    pod = fields.text("k8s.pod.name", "k8smeta.pod.name", longest=_MAX_NAME)
    return {
        "cluster": fields.text("k8s.cluster.name", "cluster_name", "cluster", longest=_MAX_NAME),
        "node": actor.node,
        "namespace": fields.text("k8s.ns.name", "k8smeta.ns.name", longest=_MAX_NAME),
        "pod": pod,
        "pod_uid": fields.text("k8s.pod.uid", "k8smeta.pod.uid", longest=_MAX_NAME),
        "container_id": container,
        "container": fields.text("container.name", longest=_MAX_NAME) if container else "",
        "container_started_ns": _started(fields, time_ns, "container.start_ts", "container.duration"),
        "workload": deployment,
        "workload_kind": "Deployment" if deployment else "",
        "image": image,
        "image_digest": fields.text("container.image.digest", longest=512).rpartition("@")[2],
        "exec_probe": any(
            fields.truth(f"proc.is_container_{probe}")
            for probe in ("healthcheck", "liveness_probe", "readiness_probe")
        ),
        "grade": Grade.B if container or pod else Grade.E,
    }


def _container(fields: Fields) -> str:
    """The container's id, 12 or all 64 characters; empty for a process of the node, and where Falco lost it."""
    container = fields.text("container.full_id", "container.id", longest=64)
    known = container.isalnum() and container.isascii() and container != _NOT_A_CONTAINER
    return container if known else ""


def _binary(fields: Fields) -> str:
    path = fields.text("proc.exepath")
    if not path:
        argument = fields.text("proc.exe")
        path = argument if argument.startswith("/") else fields.text("proc.name") or argument
    return path


def _started(fields: Fields, time_ns: int, moment: str, duration: str) -> int:
    """When something began: told as a moment, or as how long ago that is."""
    began = fields.time_ns(moment)
    if began:
        return began
    lasted = fields.number(duration)
    return time_ns - lasted if 0 <= lasted < time_ns else 0


def _is_socket(fields: Fields) -> bool:
    kind = fields.text("fd.type", "fd.typechar", longest=16)
    if kind:
        return kind in ("ipv4", "ipv6", "4", "6")
    return bool(fields.text("fd.sip", "fd.rip", longest=64)) or "->" in fields.text("fd.name")


def _connection(fields: Fields) -> dict[str, object] | None:
    """Where a connection goes. Of UDP only what is sent counts: resolvers connect such a socket to every address that they
    are told, only to see which one has a route."""
    if fields.text("fd.l4proto") == "udp" and fields.call == "connect":
        return None
    ip, port = fields.text("fd.rip", "fd.sip", longest=64), fields.number("fd.rport", "fd.sport")
    if not destinations.address(ip) or port < 0:
        for name in ("fd.name", "evt.arg.tuple", "evt.arg.addr"):
            told_ip, told_port = _far_end(fields.text(name, longest=256))
            if told_ip and (not destinations.address(ip) or told_ip == destinations.address(ip)):
                ip, port = told_ip, port if port > 0 else told_port
                break
    if not 0 <= port < 65536 or not plain_destination(ip, port):
        return None
    kind = destinations.classify(ip, port)
    name = host_name(fields.text("fd.rip.name", "fd.sip.name", longest=_MAX_NAME))
    return {
        "dst_ip": destinations.address(ip),
        "dst_port": port,
        "dst_name": "" if destinations.address(name) else name,
        "source_ip": destinations.address(fields.text("fd.lip", "fd.cip", longest=64)),
        "outcome": _outcome(fields),
        "domain": Domain.CLOUD if kind in ("metadata", "wire-server") else None,
    }


def _far_end(name: str) -> tuple[str, int]:
    """Address and port of the far end of `10.0.0.5:41234->10.0.0.1:443`, or of one address alone."""
    end = name.rpartition("->")[2].strip()
    host, _, port = end.rpartition(":")
    if not (port.isdigit() and port.isascii() and len(port) < 6):
        return "", 0
    return destinations.address(host), int(port)


def _file(record: Record, fields: Fields) -> dict[str, object] | None:
    """What a touched file means, by the same rules as for Tetragon's records."""
    path = _path(fields)
    outcome = _outcome(fields)
    if not path or (outcome is Outcome.DENIED and not _is_refused(fields)):
        return None
    access = _access(record, fields)
    found = classify_path(path, written=access is not Access.READ)
    if found is None or (found.activity == "distribution" and access is not Access.WRITE):
        return None
    return {
        "file_path": told_path(path),
        "access": access,
        "domain": found.domain,
        "artifacts": found.artifacts,
        "activity": found.activity,
        "outcome": outcome,
    }


def _path(fields: Fields) -> str:
    """The file that was touched, of a renamed or linked one its new name; relative ones begin where the process is."""
    names: tuple[str, ...]
    if fields.call in _MOVES:
        names = ("fs.path.target", "evt.arg.newpath", "evt.arg.linkpath")
    else:
        names = ("fd.name", "fs.path.name", "evt.arg.path", "evt.arg.name", "evt.arg.pathname")
    path = fields.text(*names)
    if path.endswith(")") and "(/" in path:  # `shadow(/etc/shadow)`: as given, and resolved by Falco
        path = path[path.index("(/") + 1 : -1]
    if path and not path.startswith("/") and "->" not in path:
        folder = fields.text("proc.cwd")
        path = f"{folder.rstrip('/')}/{path}" if folder.startswith("/") else ""
    return path if path.startswith("/") else ""


def _access(record: Record, fields: Fields) -> Access:
    call = fields.call
    if (
        call in _MOVES
        or call in _WRITES
        or call == "creat"
        or fields.truth("evt.is_open_write", "evt.is_open_create")
    ):
        return Access.WRITE
    flags = fields.text("evt.arg.flags", "fd.openflags", longest=512)
    if any(flag in flags for flag in _WRITING_FLAGS):
        return Access.WRITE
    if call in _READS or "O_RDONLY" in flags or fields.truth("evt.is_open_read"):
        return Access.READ
    rule = (record.rule or "")[:256].lower()
    if any(word in rule for word in _WRITING_WORDS):
        return Access.WRITE
    return Access.READ if any(word in rule for word in _READING_WORDS) else Access.UNKNOWN


def _outcome(fields: Fields) -> Outcome:
    """Whether the system call succeeded, where the output says so."""
    result = fields.text("evt.res", longest=32)
    if result in _UNDER_WAY or result == "SUCCESS":
        return Outcome.ALLOWED
    if result.startswith("E"):
        return Outcome.DENIED
    raw = fields.text("evt.rawres", longest=_LONGEST_RESULT) or result
    if raw.removeprefix("-").isdigit() and raw.isascii():
        return (
            Outcome.ALLOWED
            if not raw.startswith("-") or raw in ("-115", "-4", "-11", "-114")
            else Outcome.DENIED
        )
    failed = fields.truth("evt.failed")
    return Outcome.UNKNOWN if failed is None else Outcome.DENIED if failed else Outcome.ALLOWED


_LONGEST_RESULT = 20


def _is_refused(fields: Fields) -> bool:
    return fields.text("evt.res", longest=32) in _DENIALS or fields.text("evt.rawres", longest=20) in (
        "-1",
        "-13",
        "-30",
    )


def _rfc3339(time_ns: int) -> str:
    if time_ns <= 0:
        return ""
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return f"{_second(seconds)}.{rest:09d}Z"


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def _event_id(kind: Kind, actor: Actor, time_ns: int, detail: str) -> EventId:
    """From what happened, not from the alert: several rules may tell of one system call, and falcosidekick gives each
    copy a `uuid` of its own."""
    who = actor.exec_id or f"{actor.node}/{actor.container}/{actor.binary}"
    native = f"falco\0{kind}\0{who}\0{time_ns}\0{detail}".encode("utf-8", "surrogatepass")
    return EventId(blake2b(native, digest_size=16).hexdigest())
