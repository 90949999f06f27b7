"""Tetragon's JSON export: process tree facts for every exec, events only for what a chain can be made of.

The loop over records is the hottest code of the project (see `bench/`): noise must cost a few attribute reads. That is
why process facts go straight into the trees of the caller instead of through events.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from hashlib import blake2b

import msgspec

from eightysix.context import destinations
from eightysix.context.commands import Command, program_kind, summarise
from eightysix.context.credentials import credential_at, distribution_at, is_environment, startup_file
from eightysix.context.pods import container_key, node_key, pod_key
from eightysix.model.event import Artifact, Event, EventId
from eightysix.model.incident import Problem
from eightysix.model.timestamps import to_ns
from eightysix.model.words import Access, Domain, Grade, Kind, Origin, Outcome, Source
from eightysix.sources.interface import Batch
from eightysix.sources.lines import count_newlines
from eightysix.sources.tetragon_records import Argument, Parent, Pod, Probe, ProcessInfo, Record

__all__ = ["TetragonDecoder", "Tree", "Trees"]

Fact = tuple[str, int, str, str, str, bool | None]
"""Of a process: parent exec id, pid, start (RFC 3339), binary, container prefix, whether in the init tree."""

Tree = dict[str, Fact]
"""Process facts of one pod by exec id."""

Trees = MutableMapping[str, Tree]
"""Trees by pod key."""

MAY_WRITE = 2 | 8
MAY_READ = 4
"""`MAY_WRITE | MAY_APPEND` and `MAY_READ` of include/linux/fs.h, the second argument of security_file_permission."""

EINPROGRESS = -115
"""A non-blocking connect that is under way (errno.h): not a failure."""

_TEMPORARY = ("/tmp/", "/dev/shm/", "/var/tmp/", "/run/shm/")  # noqa: S108 - read, never written
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
_MAX_REMEMBERED_CONNECTIONS = 65_536
_ENOUGH_NAMES = 4_096
_decode_lines = msgspec.json.Decoder(Record).decode_lines
_decode_line = msgspec.json.Decoder(Record).decode
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_KEYS = frozenset(
    name for name in Record.__struct_fields__ if name not in ("node_name", "time", "cluster_name")
)


class FileClass(msgspec.Struct, frozen=True, gc=False):
    """Why a path is worth an event."""

    domain: Domain | None
    artifacts: tuple[Artifact, ...]
    activity: str


_summarise = lru_cache(maxsize=8192)(summarise)


@lru_cache(maxsize=8192)
def classify_path(path: str, *, written: bool) -> FileClass | None:
    """Say why a read or write of `path` matters, or None. Only facts of the path; who did it is judged later."""
    credential = credential_at(path)
    if credential is not None:
        return FileClass(credential.domain, (), credential.kind)
    if is_environment(path):
        return FileClass(None, (), "environment")
    if not written:
        return None
    hook = startup_file(path)
    if hook is not None:
        return FileClass(
            None,
            (Artifact("file", path.rpartition("/")[2]),),
            "startup-file-common" if hook.common else "startup-file",
        )
    distribution = distribution_at(path)
    if distribution is not None:
        return FileClass(None, (distribution,), "distribution")
    if "/pip-" in path or "__pycache__" in path:
        return None
    if path.startswith(_TEMPORARY) or "/bin/" in path:
        return FileClass(None, (Artifact("file", path.rpartition("/")[2]),), "program-file")
    if path.endswith(_MODEL_SUFFIXES):
        return FileClass(None, (Artifact("model", path.rpartition("/")[2]),), "model-file")
    return None


def _program_class(binary: str) -> int:
    """0: an exec of it is noise; 1: look at its arguments; 2: look only when they hold an installer's word."""
    if binary.startswith(_TEMPORARY):
        return 1
    kind = program_kind(binary)
    # A wrapper (env, timeout) starts the installer as a process of its own.
    return {"tool": 1, "interpreter": 2, "shell": 2}.get(kind, 0)


class TetragonDecoder:
    """Decodes blocks of Tetragon's export.

    `trees` receives the process facts, keyed as `context.pods` says; `first_execs` asks for an event at the first
    start of each program in each pod, which only a comparison with a baseline needs.
    """

    source = Source.TETRAGON

    def __init__(self, trees: Trees, *, first_execs: bool = False) -> None:
        self._trees = trees
        self._first_execs = first_execs
        self._programs: dict[str, tuple[str, int]] = {}
        self._connections: dict[tuple[str, str, int], str] = {}
        self._started: set[tuple[str, str]] = set()
        self._paths: dict[str, bool] = {}

    def recognises(self, record: Mapping[str, object]) -> bool:
        """A record of Tetragon has exactly one of its `process_*` keys on top."""
        return any(key in _KEYS for key in record)

    def decode(self, block: bytes, file: str, first_line: int) -> Batch:
        """See `Decoder.decode`."""
        batch = Batch()
        try:
            records = _decode_lines(block)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self._decode_each(block, file, first_line, batch)
            return batch
        interesting = self._sift(records, batch)
        if interesting or batch.recognised != len(records):
            places = _Places(block, first_line, len(records))
            for index in interesting:
                self._add(records[index], file, places.line(index), batch)
            if batch.recognised != len(records):
                self._leave_over(records, places, batch)
        self._note_times(records, batch)
        return batch

    def _sift(self, records: list[Record], batch: Batch) -> list[int]:
        """Note the process facts of all `records`, and return the indexes of those that may become events."""
        trees, programs, connections, paths = self._trees, self._programs, self._connections, self._paths
        interesting: list[int] = []
        keep = interesting.append
        execs = exits = connects = probes = others = 0
        for index, record in enumerate(records):
            execution = record.process_exec
            if execution is not None:
                execs += 1
                process = execution.process
                pod = process.pod
                binary = process.binary
                program = programs.get(binary)
                if program is None:
                    program = self._learn_program(binary)
                if pod is not None and pod.uid:
                    tree = trees.get(pod.uid)
                    if tree is None:
                        tree = trees[pod.uid] = {}
                        keep(index)
                    elif program[1] and (program[1] == 1 or _says_install(process.arguments)):
                        keep(index)
                    tree[process.exec_id] = (
                        process.parent_exec_id,
                        process.pid,
                        process.start_time,
                        program[0],
                        process.docker,
                        process.in_init_tree,
                    )
                else:
                    keep(index)
                if self._first_execs:
                    keep(index)
                continue
            probe = record.process_kprobe
            if probe is not None:
                probes += 1
                arguments = probe.args
                if arguments:
                    socket = arguments[0].sock_arg
                    if socket is not None:
                        connects += 1
                        key = (probe.process.exec_id, socket.daddr, socket.dport)
                        known = connections.get(key)
                        if known is not None and known <= record.time:
                            continue
                    else:
                        target = arguments[0].file_arg
                        if target is not None:
                            told = paths.get(target.path)
                            if told is None:
                                told = self._learn_path(target.path)
                            if not told:
                                continue
                keep(index)
                continue
            if record.process_exit is not None:
                exits += 1
                continue
            others += 1
            keep(index)
        batch.records = len(records)
        batch.recognised = execs + probes + exits
        batch.kinds = {"exec": execs, "exit": exits, "connect": connects, "probe": probes - connects}
        return interesting

    def _learn_program(self, binary: str) -> tuple[str, int]:
        if len(self._programs) >= _ENOUGH_NAMES:
            self._programs.clear()
        program = self._programs[binary] = (binary, _program_class(binary))
        return program

    def _learn_path(self, path: str) -> bool:
        """Whether a path could matter at all, however it is touched."""
        if len(self._paths) >= _ENOUGH_NAMES:
            self._paths.clear()
        told = self._paths[path] = classify_path(path, written=True) is not None
        return told

    def _add(self, record: Record, file: str, line: int, batch: Batch) -> None:
        """Turn one record into at most one event of `batch`; time that cannot be read makes it malformed."""
        try:
            event = self._event(record, file, line)
        except ValueError as error:
            batch.problems.append(Problem(file, line, "malformed", f"time: {error}"))
            batch.recognised -= _is_sifted(record)
            return
        if not _is_sifted(record):
            self._count_other(record, batch)
        if event is not None:
            batch.events.append(event)

    def _count_other(self, record: Record, batch: Batch) -> None:
        """Count a record that the fast loop did not: it is understood when one known key is set."""
        if record.process_lsm or record.process_tracepoint or record.process_loader or record.process_connect:
            kind = "probe"
            if record.process_connect:
                kind = "connect"
            elif record.process_loader:
                kind = "load"
        elif (
            record.process_close or record.process_listen or record.process_uprobe or record.process_throttle
        ):
            kind = "other"
        elif record.rate_limit_info is not None:
            kind = "dropped"
        else:
            return
        batch.recognised += 1
        batch.kinds[kind] = batch.kinds.get(kind, 0) + 1

    def _event(self, record: Record, file: str, line: int) -> Event | None:
        if record.process_exec is not None:
            return self._exec(record, file, line)
        probe = record.process_kprobe or record.process_lsm or record.process_tracepoint
        if probe is not None:
            return self._probe(record, probe, file, line)
        if record.process_connect is not None:
            legacy = record.process_connect
            process = legacy.process
            self._note(process, record)
            return self._connect(
                record, process, legacy.destination_ip, legacy.destination_port, Outcome.UNKNOWN, file, line
            )
        if record.process_loader is not None:
            loader = record.process_loader
            self._note(loader.process, record)
            if not loader.path.startswith(_TEMPORARY):
                return None
            return self._make(
                record, loader.process, Kind.LOAD, loader.path, file, line, file_path=loader.path
            )
        return None

    def _key(self, process: ProcessInfo, record: Record) -> str:
        """The pod key of a process: uid, else container, else node."""
        pod = process.pod
        if pod is not None and pod.uid:
            return pod_key(pod.uid)
        container = (
            process.docker or (_container_id(pod) if pod is not None else "") or _parent(record).docker
        )
        return container_key(record.node_name, container) if container else node_key(record.node_name)

    def _note(self, process: ProcessInfo, record: Record) -> None:
        """Note a process fact outside the fast loop (forked workers have no exec record of their own)."""
        tree = self._trees.setdefault(self._key(process, record), {})
        if process.exec_id and process.exec_id not in tree:
            tree[process.exec_id] = _fact(process, _parent(record), self._programs)

    def _exec(self, record: Record, file: str, line: int) -> Event | None:
        assert record.process_exec is not None
        process = record.process_exec.process
        self._note(process, record)
        command = _summarise(process.binary, process.arguments, process.cwd)
        start = self._key(process, record)
        landed = process.binary.startswith(_TEMPORARY) or any(
            word.startswith(_TEMPORARY) for word in command.summary.split(" ")[1:3]
        )
        if not landed and command.activity not in ("install", "download", "build-hook"):
            if (start, "") in self._started and not self._first_execs:
                return None
            if self._first_execs and (start, process.binary) in self._started:
                return None
            if len(self._started) >= _MAX_REMEMBERED_CONNECTIONS:
                self._started.clear()
            self._started.update(((start, ""), (start, process.binary)))
        return self._make(record, process, Kind.EXEC, "", file, line, command=command)

    def _probe(self, record: Record, probe: Probe, file: str, line: int) -> Event | None:
        process = probe.process
        self._note(process, record)
        for argument in probe.args:
            if argument.sock_arg is not None:
                socket = argument.sock_arg
                return self._connect(record, process, socket.daddr, socket.dport, _outcome(probe), file, line)
            if argument.sockaddr_arg is not None:
                address = argument.sockaddr_arg
                return self._connect(record, process, address.addr, address.port, _outcome(probe), file, line)
        path = _path(probe.args)
        if not path:
            return None
        access = _access(probe)
        found = classify_path(path, written=access is not Access.READ)
        if found is None:
            return None
        return self._make(
            record,
            process,
            Kind.FILE,
            probe.function_name + path,
            file,
            line,
            file_path=path,
            access=access,
            domain=found.domain,
            artifacts=found.artifacts,
            activity=found.activity,
            outcome=_outcome(probe),
        )

    def _connect(
        self, record: Record, process: ProcessInfo, ip: str, port: int, outcome: Outcome, file: str, line: int
    ) -> Event | None:
        kind = destinations.classify(ip, port)
        if not ip or kind in ("loopback", "unspecified", "unknown") or port == 53:
            return None
        if kind in ("public", "cluster", "link-local"):
            if len(self._connections) >= _MAX_REMEMBERED_CONNECTIONS:
                self._connections.clear()
            self._connections[(process.exec_id, ip, port)] = record.time
        return self._make(
            record,
            process,
            Kind.CONNECT,
            f"{ip}:{port}",
            file,
            line,
            dst_ip=ip,
            dst_port=port,
            outcome=outcome,
            domain=Domain.CLOUD if kind in ("metadata", "wire-server") else None,
        )

    def _make(
        self,
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
            command = _summarise(process.binary, process.arguments, process.cwd)
        else:
            fields = {"activity": command.activity, "artifacts": command.artifacts, **fields}
        time = record.time or process.start_time
        parent = _parent(record)
        return Event(
            event_id=_event_id(kind, process.exec_id, time, detail),
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
            binary=process.binary,
            command=command.summary,
            parent_binary=parent.binary,
            process_started_ns=_ns_or_zero(process.start_time),
            entrypoint=process.in_init_tree,
            exec_probe=container.maybe_exec_probe if container is not None else False,
            **fields,  # type: ignore[arg-type]
        )

    def _leave_over(self, records: list[Record], places: _Places, batch: Batch) -> None:
        """Hand lines that are JSON but not Tetragon's to the caller."""
        for index, record in enumerate(records):
            if not _understood(record):
                batch.leftover.append((places.line(index), places.text(index)))

    def _decode_each(self, block: bytes, file: str, first_line: int, batch: Batch) -> None:
        """Decode line by line, so that one bad line loses nothing else."""
        for offset, text in enumerate(block.split(b"\n")):
            if not text.strip():
                continue
            line = first_line + offset
            try:
                record = _decode_line(text)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                batch.records += 1
                if _is_json_of_another_kind(text):
                    batch.leftover.append((line, text))
                else:
                    batch.problems.append(Problem(file, line, "malformed", _reason(error)))
                continue
            if not _understood(record):
                batch.records += 1
                batch.leftover.append((line, text))
                continue
            one = Batch()
            if self._sift([record], one):
                self._add(record, file, line, one)
            self._note_times([record], one)
            merge_batches(batch, one)

    def _note_times(self, records: list[Record], batch: Batch) -> None:
        """First and last time of a block, from its first and last record: exact enough for coverage, and free."""
        times = [_ns_or_zero(record.time) for record in (records[:1] + records[-1:])]
        known = [time for time in times if time]
        if known:
            batch.first_ns, batch.last_ns = min(known), max(known)


class _Places:
    """Line numbers (and bytes) of the records of a block, worked out only for those that are asked for."""

    def __init__(self, block: bytes, first_line: int, records: int) -> None:
        self._block = block
        self._first_line = first_line
        lines = count_newlines(block) + (not block.endswith(b"\n"))
        self._lines: list[int] | None = None
        self._texts: list[bytes] | None = None
        if lines != records:
            self._lines = [n for n, text in enumerate(block.split(b"\n")) if text.strip()]

    def line(self, index: int) -> int:
        return self._first_line + (index if self._lines is None else self._lines[index])

    def text(self, index: int) -> bytes:
        if self._texts is None:
            self._texts = self._block.split(b"\n")
        return self._texts[index if self._lines is None else self._lines[index]]


def merge_batches(into: Batch, other: Batch) -> None:
    """Add `other` to `into`."""
    into.events += other.events
    into.problems += other.problems
    into.leftover += other.leftover
    into.records += other.records
    into.recognised += other.recognised
    for kind, count in other.kinds.items():
        into.kinds[kind] = into.kinds.get(kind, 0) + count
    if other.first_ns and (not into.first_ns or other.first_ns < into.first_ns):
        into.first_ns = other.first_ns
    into.last_ns = max(into.last_ns, other.last_ns)


def _says_install(arguments: str) -> bool:
    """A first look at the arguments of an interpreter or shell, written out because it runs for every start of one:
    could it install something, or run a script that may have landed?"""
    return (
        "install" in arguments
        or "/tmp/" in arguments
        or "/dev/shm/" in arguments
        or "download" in arguments
        or "setup.py" in arguments
        or "_in_process" in arguments
        or "conda" in arguments
        or "poetry" in arguments
        or "pdm" in arguments
        or "clone" in arguments
    )


def _is_sifted(record: Record) -> bool:
    return (
        record.process_exec is not None
        or record.process_kprobe is not None
        or record.process_exit is not None
    )


def _understood(record: Record) -> bool:
    return (
        _is_sifted(record)
        or record.process_lsm is not None
        or record.process_tracepoint is not None
        or record.process_loader is not None
        or record.process_connect is not None
        or record.process_close is not None
        or record.process_listen is not None
        or record.process_uprobe is not None
        or record.process_throttle is not None
        or record.rate_limit_info is not None
    )


def _is_json_of_another_kind(text: bytes) -> bool:
    """A line that fails as Tetragon's but is a JSON object without any of its keys belongs to somebody else."""
    try:
        return not any(key in _KEYS for key in _decode_object(text))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False


def _reason(error: Exception) -> str:
    """The decoder's own words, which name a place in the record and never quote its values."""
    return "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)[:200]


def _fact(process: ProcessInfo, parent: Parent, programs: dict[str, tuple[str, int]]) -> Fact:
    known = programs.get(process.binary)
    binary = known[0] if known is not None else process.binary
    return (
        process.parent_exec_id or parent.exec_id,
        process.pid,
        process.start_time,
        binary,
        process.docker or parent.docker,
        process.in_init_tree,
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


def _outcome(probe: Probe) -> Outcome:
    if probe.action in _DENYING:
        return Outcome.DENIED
    returned = probe.return_value.int_arg if probe.return_value is not None else None
    if returned is None:
        return Outcome.UNKNOWN
    return Outcome.DENIED if returned < 0 and returned != EINPROGRESS else Outcome.ALLOWED


@lru_cache(maxsize=8192)
def _ns_or_zero(text: str) -> int:
    if not text:
        return 0
    try:
        return to_ns(text)
    except ValueError:
        return 0


def _event_id(kind: Kind, exec_id: str, time: str, detail: str) -> EventId:
    native = f"{kind}\0{exec_id}\0{time}\0{detail}".encode("utf-8", "surrogatepass")
    return EventId(blake2b(b"tetragon\0" + native, digest_size=16).hexdigest())
