"""The in-process Python sensor: records of version 1, and those of its prototype.

The sensor tells what the kernel cannot: which distribution's code acts, and the path of a request. It runs inside the
process that it watches, so everything here is of origin `suspect`. `pod`, `node` and the host's pid are believed because
the receiver writes them over whatever the sender claims; the prototype's records lack them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b

import msgspec

from eightysix.context.commands import program_name, summarise
from eightysix.context.credentials import (
    credential_at,
    distribution_at,
    is_credential_variable,
    is_environment,
    startup_file,
)
from eightysix.context.destinations import address, classify
from eightysix.context.packages import (
    WITHHELD,
    host_name,
    is_version,
    looks_secret,
    normalise_name,
    told_path,
)
from eightysix.model.event import Artifact, Distribution, Event, EventId
from eightysix.model.incident import Problem
from eightysix.model.words import Access, Domain, Grade, Kind, Origin, Source
from eightysix.sources.interface import Batch
from eightysix.sources.json_text import read_value, why
from eightysix.sources.sensor_records import Pod, Record
from eightysix.sources.urls import read_target, read_url

__all__ = ["MAX_CHAIN", "SensorDecoder"]

VERSION = 1
"""The version of the sensor record that is read. Records of another one are told, not guessed at."""

MAX_CHAIN = 32
"""Entries of a chain that are kept, the outermost always among them; real ones have up to eight."""

MAX_DISTS = 32
MAX_EXPOSED = 64
_MAX_NAME = 253  # of Kubernetes objects: kubernetes.io/docs/concepts/overview/working-with-objects/names
_MAX_PATH = 1024
_MAX_ENTRY = 200
_MAX_PARTS = 16
_REMOTE_CODE = "transformers_modules"
"""The package in which transformers imports code that came with a model (huggingface.co/docs/transformers)."""
_MAX_VARIABLE = 64
_LATEST_NS = 1 << 63
_UNKNOWN = "<unknown>"
"""Stands for a chain entry that is no distribution, application file or `.pth`."""

_WRITING = 0o3 | 0o100 | 0o1000 | 0o2000
"""O_ACCMODE (of which O_RDONLY is 0), O_CREAT, O_TRUNC and O_APPEND of Linux (include/uapi/asm-generic/fcntl.h)."""

_IN_FOLDERS = str.maketrans("/-_.+@", "      ")

_KINDS: Mapping[str, Kind] = {
    "sensor_start": Kind.START,
    "start": Kind.START,
    "exec_child": Kind.SPAWN,
    "spawn": Kind.SPAWN,
    "connect": Kind.CONNECT,
    "resolve": Kind.RESOLVE,
    "http": Kind.HTTP,
    "open": Kind.FILE,
    "file": Kind.FILE,
    "import": Kind.IMPORT,
    "pickle_global": Kind.PICKLE,
    "pickle": Kind.PICKLE,
    "lc_revive": Kind.REVIVE,
    "revive": Kind.REVIVE,
}
"""What the sensor calls things, and what they are. Any other record is understood as `other` and makes no event."""

_decode = msgspec.json.Decoder(Record).decode
_encode = msgspec.json.encode


class SensorDecoder:
    """Decodes blocks of sensor records; keeps no state.

    Line by line, because `decode_lines` takes any white space between values and so cannot tell which line a value is on;
    sensors write tens of records a second, not thousands.
    """

    source = Source.SENSOR

    def recognises(self, record: Mapping[str, object]) -> bool:
        """Version 1 has `v` and `t_ns`, the prototype `"sensor": "py"` and `time`; both name their `event`."""
        if not isinstance(record.get("event"), str):
            return False
        version = record.get("v")
        if isinstance(version, int) and not isinstance(version, bool) and "t_ns" in record:
            return True
        return record.get("sensor") == "py" and "time" in record

    def decode(self, block: bytes, file: str, first_line: int, newlines: Sequence[int] = ()) -> Batch:
        """See `Decoder.decode`."""
        batch = Batch()
        for line, text in enumerate(block.split(b"\n"), first_line):
            try:
                record = _decode(text)
            except (ValueError, RecursionError) as error:
                repaired = self._unusable(text, error, file, line, batch)
                if repaired is None:
                    continue
                record = repaired
            else:
                batch.records += 1
            if not _is_ours(record):
                batch.leftover.append((line, text))
                continue
            problem = _add(record, text, file, line, batch)
            if problem:
                kind, reason = problem
                batch.problems.append(Problem(file, line, kind, reason))
        return batch

    def _unusable(self, text: bytes, error: Exception, file: str, line: int, batch: Batch) -> Record | None:
        """Account for a line that did not decode; of one that only has broken text in it, return the record.

        Names of files can be any bytes, and a sensor writes what is no UTF-8 as lone surrogates: code with such a name
        must not become invisible by it.
        """
        if not text.strip():
            return None
        batch.records += 1
        repaired = _repaired(text)
        if repaired is not None:
            return repaired
        try:
            value = read_value(text)
        except ValueError as reason:
            batch.problems.append(Problem(file, line, "malformed", str(reason)))
            return None
        if isinstance(value, dict) and self.recognises(value):
            batch.problems.append(Problem(file, line, "malformed", why(error)))
        else:
            batch.leftover.append((line, text))
        return None


def _is_ours(record: Record) -> bool:
    """`SensorDecoder.recognises`, for a decoded record."""
    if record.event is None:
        return False
    return (record.v is not None and record.t_ns is not None) or (
        record.sensor == "py" and bool(bytes(record.time))
    )


def _repaired(text: bytes) -> Record | None:
    """The record of a line whose only fault is text that is no Unicode, None where it has others."""
    try:
        value = json.loads(text.decode(errors="replace"))
        clean = json.dumps(value).encode()
        if b"\\ud" in clean:
            clean = json.dumps(value, ensure_ascii=False).encode(errors="replace")
        return _decode(clean)
    except (ValueError, RecursionError):
        return None


def _add(record: Record, text: bytes, file: str, line: int, batch: Batch) -> tuple[str, str] | None:
    """Add what `record` tells to `batch`; kind and reason of a problem where it cannot be used."""
    if record.v not in (None, VERSION):
        return "unrecognised", "sensor record of another version"
    time_ns = (
        record.t_ns if record.v is not None and record.t_ns is not None else _seconds(bytes(record.time))
    )
    if not 0 < time_ns < _LATEST_NS:
        return "malformed", "no usable time"
    kind = _KINDS.get(record.event or "")
    name = str(kind) if kind is not None else "other"
    batch.recognised += 1
    batch.kinds[name] = batch.kinds.get(name, 0) + 1
    batch.first_ns = min(batch.first_ns or time_ns, time_ns)
    batch.last_ns = max(batch.last_ns, time_ns)
    if kind is not None:
        what = _READERS[kind](record)
        if what is not None:
            batch.events.append(_event(record, text, file, line, time_ns, kind, what))
    return None


def _seconds(text: bytes) -> int:
    """Nanoseconds of a JSON number of seconds, from its digits where it is written plainly; 0 where it is no time."""
    whole, _, fraction = text.partition(b".")
    if whole.isdigit() and len(whole) <= 10 and (fraction.isdigit() or not fraction):
        return int(whole) * 1_000_000_000 + int(fraction[:9].ljust(9, b"0"))
    try:
        seconds = float(text)
    except ValueError:
        return 0
    return int(seconds * 1e9) if 0 < seconds < 1e10 else 0


def _event(
    record: Record, text: bytes, file: str, line: int, time_ns: int, kind: Kind, what: dict[str, object]
) -> Event:
    """Assemble the event: who, where and whose code from `record`, what it did from `what`."""
    pod = _pod(record)
    node = _text(record.node)
    in_container = record.ns_pid or record.pid or 0
    host = record.host_pid or (record.pid or 0 if record.ns_pid and record.ns_pid != record.pid else 0)
    chain = _chain(record)
    image, _, digest = _text(pod.image).partition("@")
    fields: dict[str, object] = {
        "cluster": _text(pod.cluster),
        "node": node,
        "namespace": _text(pod.namespace),
        "pod": _text(pod.name),
        "pod_uid": _text(pod.uid),
        "container_id": _text(pod.container_id).rpartition("/")[2],
        "container": _text(pod.container),
        "workload": _text(pod.workload),
        "workload_kind": _text(pod.workload_kind),
        "image": image,
        "image_digest": digest,
        "service_account": _text(pod.service_account),
        "exec_id": _process_key(record, pod, node, in_container),
        "parent_exec_id": f"sensor::{record.ppid}" if record.v is None and (record.ppid or 0) > 0 else "",
        "pid": host,
        "tid": record.tid or 0,
        "ns_pid": in_container,
        "chain": chain,
        "root": _entry(_cut(record.root)) or (chain[-1] if chain else ""),
        "at_import": _entry(_cut(record.at_import)),
        "dists": _dists(record),
        **what,
    }
    return Event(
        event_id=EventId(blake2b(b"sensor\0" + text, digest_size=16).hexdigest()),
        time_ns=time_ns,
        source=Source.SENSOR,
        origin=Origin.SUSPECT,
        grade=Grade.A,
        kind=kind,
        file=file,
        line=line,
        **fields,  # type: ignore[arg-type]
    )


def _pod(record: Record) -> Pod:
    """The pod as the receiver told it: an object, or a name beside `namespace` and `pod_uid`."""
    pod = record.pod
    if isinstance(pod, Pod):
        return pod
    return Pod(record.cluster, record.namespace, pod, record.pod_uid, record.container_id)


def _process_key(record: Record, pod: Pod, node: str, in_container: int) -> str:
    """A key for the process that no other shares: pids repeat, so boot, pod and start time go in as far as they are known."""
    if record.v is None:
        return f"sensor::{in_container}"
    machine = _text(record.boot_id)[:64] or node
    who = _text(pod.uid) or f"{_text(pod.namespace)}/{_text(pod.name)}"
    return f"sensor:{machine}/{who}:{in_container}:{record.start_ticks or 0}"


def _text(value: str | None) -> str:
    return value[:_MAX_NAME] if value else ""


def _cut(value: str | None) -> str:
    return value[:_MAX_PATH] if value else ""


# --- provenance -------------------------------------------------------------------------------------------------------


def _chain(record: Record) -> tuple[str, ...]:
    """Whose code is on the stack, innermost first."""
    entries = record.chain or []
    if len(entries) > MAX_CHAIN:
        entries = [*entries[: MAX_CHAIN - 1], entries[-1]]
    named = (_entry(_cut(entry)) for entry in entries)
    return tuple(entry for entry in named if entry)


@lru_cache(maxsize=2048)
def _entry(text: str) -> str:
    """A chain entry: `name==version`, `app:/file`, `pth:/file`, `unowned:name` (in a site folder, of no distribution), or
    `<unknown>`. Of code that pretends another file's name (`SPOOF(...)by:`) it is who pretends."""
    if not text:
        return ""
    if text.startswith("SPOOF("):
        return _entry(text.rpartition(")by:")[2]) if ")by:" in text else _UNKNOWN
    prefix, colon, rest = text.partition(":")
    if colon and prefix in ("app", "pth", "unowned"):
        return f"{prefix}:{_tidy(rest)}"
    if text.endswith(".pth"):
        return f"pth:{_tidy(text)}"
    name, _, version = text.partition("==")
    name = normalise_name(name)
    if not name:
        return _UNKNOWN
    return f"{name}=={version}" if is_version(version) else name


def _tidy(path: str) -> str:
    """A path of code, with parts that look like secrets withheld."""
    path = "/".join(WITHHELD if looks_secret(part) else part for part in path.split("/"))
    return path if len(path) <= _MAX_ENTRY else WITHHELD + path[1 - _MAX_ENTRY :]


def _dists(record: Record) -> tuple[Distribution, ...]:
    """The distributions on the stack; of a prototype's record only the acting one is told with its age."""
    if record.dists is None:
        entry = _entry(_cut(record.actor))
        if entry.startswith(("app:", "pth:", "unowned:", "<")) or record.actor_age_s is None:
            return ()
        name, _, version = entry.partition("==")
        return (Distribution(name, version, _age(record.actor_age_s)),) if name else ()
    found: list[Distribution] = []
    for dist in record.dists[:MAX_DISTS]:
        name = normalise_name(_text(dist.name))
        if name:
            version = _text(dist.version)
            version = version if is_version(version) else ""
            found.append(Distribution(name, version, _age(dist.age_s), dist.record_ok))
    return tuple(found)


def _age(seconds: float | None) -> float | None:
    return seconds if seconds is not None and 0 <= seconds < 1e10 else None


# --- what it did ------------------------------------------------------------------------------------------------------


def _start(record: Record) -> dict[str, object] | None:
    """A Python interpreter began: its own command line, and which credentials lie in its environment."""
    argv = record.argv or ([record.path] if isinstance(record.path, str) else [])
    names = {name.upper() for name in record.env or () if is_credential_variable(name)}
    return {**_command(argv[0] if argv else "", argv[1:]), "exposes": tuple(sorted(names)[:MAX_EXPOSED])}


def _spawn(record: Record) -> dict[str, object] | None:
    """A child was asked for. `binary`, `command`, `activity` and `artifacts` are the child's, the process is the parent."""
    argv = record.argv or ([record.path] if isinstance(record.path, str) else [])
    if record.api == "os.system":
        return _command("/bin/sh", ["-c", *argv])
    binary = record.exe if record.exe and record.exe != "None" else (argv[0] if argv else "")
    return _command(binary, argv[1:])


def _command(binary: str, arguments: list[str]) -> dict[str, object]:
    command = summarise(binary, arguments)
    name = program_name(binary)
    folder = binary.rpartition("/")[0]
    plain = folder.isascii() and all(part.isalnum() for part in folder.translate(_IN_FOLDERS).split())
    whole = binary.startswith("/") and name != "?" and len(binary) <= _MAX_ENTRY and plain
    return {
        "binary": _tidy(binary) if whole else name,
        "command": command.summary,
        "activity": command.activity,
        "artifacts": command.artifacts,
    }


def _connect(record: Record) -> dict[str, object] | None:
    if not isinstance(record.dst, str):
        return None  # netlink, vsock: no address of the network
    ip = address(record.dst)
    name = "" if ip else host_name(record.dst)
    port = _port(record)
    if not ip and not name:
        return None
    domain = Domain.CLOUD if classify(ip, port, name) in ("metadata", "wire-server") else None
    return {"dst_ip": ip, "dst_name": name, "dst_port": port, "domain": domain}


def _resolve(record: Record) -> dict[str, object] | None:
    host = record.host or (record.dst if isinstance(record.dst, str) else None) or record.path
    if not isinstance(host, str):
        return None
    ip = address(host)
    name = "" if ip else host_name(host)
    return {"dst_ip": ip, "dst_name": name, "dst_port": _port(record)} if ip or name else None


def _http(record: Record) -> dict[str, object] | None:
    if record.url:
        target = read_url(record.url)
    else:
        host = record.host or (record.dst if isinstance(record.dst, str) else "")
        path = record.path if isinstance(record.path, str) else ""
        target = read_target(host, _port(record), path[:_MAX_PATH]) if host else None
    if target is None or not (target.ip or target.name):
        return None
    return {
        "dst_ip": target.ip,
        "dst_name": target.name,
        "dst_port": target.port,
        "url_path": target.path,
        "object_name": target.resource,
        "principals": (target.principal,) if target.principal else (),
        "domain": Domain.CLOUD if target.credential else None,
    }


def _file(record: Record) -> dict[str, object] | None:
    """A file was opened. What it is to the chain follows from its path alone, as for the kernel's records."""
    path = record.path
    if not isinstance(path, str) or not path or len(path) > _MAX_PATH:
        return None
    what: dict[str, object] = {"file_path": told_path(path), "access": _access(record)}
    credential = credential_at(path)
    if credential is not None:
        return what | {"domain": credential.domain, "activity": credential.kind}
    if is_environment(path):
        return what | {"activity": "environment"}
    if what["access"] is Access.WRITE:
        hook = startup_file(path)
        if hook is not None:
            activity = "startup-file-common" if hook.common else "startup-file"
            return what | {"activity": activity, "artifacts": (Artifact("file", told_path(hook.name)),)}
        distribution = distribution_at(path)
        if distribution is not None:
            return what | {"activity": "distribution", "artifacts": (distribution,)}
    return what


def _access(record: Record) -> Access:
    """Read, unless mode or flags say otherwise; with neither it is unknown."""
    if isinstance(record.mode, str):
        return Access.WRITE if any(letter in record.mode for letter in "wax+") else Access.READ
    if record.flags is not None:
        return Access.WRITE if record.flags & _WRITING else Access.READ
    return Access.UNKNOWN


def _import(record: Record) -> dict[str, object] | None:
    """A module was imported: an event where a distribution or a `.pth` is at work or the module came with a
    model, understood and silent otherwise."""
    root = _entry(_cut(record.root)) or (_chain(record) or ("",))[-1]
    at_import = _entry(_cut(record.at_import))
    raw = record.module or (record.path if isinstance(record.path, str) else "")
    if raw.partition(".")[0] == _REMOTE_CODE:
        return {"module": _REMOTE_CODE}  # what follows is the model's name, and often no name of Python
    if all(not entry or entry.startswith("app:") for entry in (root, at_import)):
        return None
    module = _dotted(raw)
    return {"module": module} if module else None


def _pickle(record: Record) -> dict[str, object] | None:
    """Unpickling looked up a global, told as `module.name`."""
    module = _dotted(record.module or (record.path if isinstance(record.path, str) else ""))
    if not module:
        return None
    name = _dotted(record.name or "")
    return {"module": f"{module}.{name}" if name else module}


def _revive(record: Record) -> dict[str, object] | None:
    """An object of LangChain was revived (`Reviver.__call__` of langchain_core.load): a constructor's class as a dotted
    name, or the environment variable that a `secret` names. Nothing else of the serialised state is decoded."""
    parts = [part for part in record.id if isinstance(part, str)] if isinstance(record.id, list) else []
    name = _dotted(".".join(parts[:_MAX_PARTS]))
    if record.type == "secret":
        known = name and "." not in name and len(name) <= _MAX_VARIABLE
        return {"module": name if known else "", "activity": "secret", "exposes": (name,) if known else ()}
    return {"module": name, "activity": "constructor"} if record.type == "constructor" and name else None


def _dotted(name: str) -> str:
    """A dotted name of Python, empty when `name` is none."""
    plain = 0 < len(name) <= _MAX_ENTRY and name.isascii() and not looks_secret(name)
    return name if plain and all(part.isidentifier() for part in name.split(".")) else ""


def _port(record: Record) -> int:
    for port in (record.port, record.dport):
        if isinstance(port, str) and port.isdigit() and port.isascii() and len(port) < 6:
            port = int(port)
        if isinstance(port, int) and 0 < port < 65536:
            return port
    return 0


_READERS: Mapping[Kind, Callable[[Record], dict[str, object] | None]] = {
    Kind.START: _start,
    Kind.SPAWN: _spawn,
    Kind.CONNECT: _connect,
    Kind.RESOLVE: _resolve,
    Kind.HTTP: _http,
    Kind.FILE: _file,
    Kind.IMPORT: _import,
    Kind.PICKLE: _pickle,
    Kind.REVIVE: _revive,
}
