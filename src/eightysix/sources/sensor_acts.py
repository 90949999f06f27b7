"""What a sensor record says that was done: the fields of an event, by its kind; None where it tells of none."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from eightysix.context.commands import program_name, summarise
from eightysix.context.credentials import (
    credential_at,
    distribution_at,
    is_credential_variable,
    is_environment,
    startup_file,
)
from eightysix.context.destinations import address, classify
from eightysix.context.ledger import file_id
from eightysix.context.packages import host_name, looks_secret, told_path
from eightysix.model.event import Artifact
from eightysix.model.words import Access, Domain, Kind
from eightysix.sources.sensor_provenance import MAX_ENTRY, MAX_PATH, chain_of, cut, entry_of, tidy
from eightysix.sources.sensor_records import File, Record
from eightysix.sources.urls import read_target, read_url

__all__ = ["READERS"]

MAX_EXPOSED = 64
_MAX_PARTS = 16
_REMOTE_CODE = "transformers_modules"
"""The package in which transformers imports code that came with a model (huggingface.co/docs/transformers)."""
_MAX_VARIABLE = 64
_WRITING = 0o3 | 0o100 | 0o1000 | 0o2000
"""O_ACCMODE (of which O_RDONLY is 0), O_CREAT, O_TRUNC and O_APPEND of Linux (include/uapi/asm-generic/fcntl.h)."""

_IN_FOLDERS = str.maketrans("/-_.+@", "      ")


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
    whole = binary.startswith("/") and name != "?" and len(binary) <= MAX_ENTRY and plain
    return {
        "binary": tidy(binary) if whole else name,
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
        target = read_target(host, _port(record), path[:MAX_PATH]) if host else None
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
    if not isinstance(path, str) or not path or len(path) > MAX_PATH:
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
    return what | {"file_id": _file_id(record)}


def _file_id(record: Record) -> str:
    """Which file is read, empty where the sensor does not say."""
    file = record.file
    return file_id(file.dev, file.ino, file.size, file.mtime_ns) if isinstance(file, File) else ""


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
    root = entry_of(cut(record.root)) or (chain_of(record) or ("",))[-1]
    at_import = entry_of(cut(record.at_import))
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
    return {"module": f"{module}.{name}" if name else module, "file_id": _file_id(record)}


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
    plain = 0 < len(name) <= MAX_ENTRY and name.isascii() and not looks_secret(name)
    return name if plain and all(part.isidentifier() for part in name.split(".")) else ""


def _port(record: Record) -> int:
    for port in (record.port, record.dport):
        if isinstance(port, str) and port.isdigit() and port.isascii() and len(port) < 6:
            port = int(port)
        if isinstance(port, int) and 0 < port < 65536:
            return port
    return 0


READERS: Mapping[Kind, Callable[[Record], dict[str, object] | None]] = {
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
