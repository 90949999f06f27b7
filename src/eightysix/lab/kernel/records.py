"""Records of `bpf/sensor.bpf.c` as facts. The kernel wrote them, but names, arguments and paths in them are the suspect's.

The layouts are those of the C structs, little endian (x86_64 and arm64 alike). What does not fit one is `None`.
"""

from __future__ import annotations

import ipaddress
import struct

from eightysix.lab.kernel.facts import Connected, Entered, Exec, Exit, Fact, Fork, Group, Opened

__all__ = ["TYPES", "address", "fact_of", "path_of"]

TYPES = ("", "exec", "fork", "exit", "open", "connect", "group", "setns")
"""Types of records by number (`enum` in the source)."""

_HEAD = struct.Struct("<QQIIII")
_EXEC = struct.Struct("<10I")
_FORK = struct.Struct("<4I")
_EXIT = struct.Struct("<2I")
_OPEN = struct.Struct("<4I")
_NET = struct.Struct("<16s16s8HQ")
_GROUP = struct.Struct("<QII")
_SETNS = struct.Struct("<iI")

_CUT = ((1, "Filename"), (2, "Args"), (4, "Cwd"))
_READS, _WRITES = 1, 2
"""FMODE_READ and FMODE_WRITE of include/linux/fs.h."""

_MAPPED = ipaddress.ip_network("::ffff:0:0/96")


def fact_of(record: bytes) -> Fact | None:
    """The fact that a record tells; None for one that is damaged or of a type that is not known."""
    try:
        at, cgroup, kind, pid, tid, uid = _HEAD.unpack_from(record)
        rest = record[_HEAD.size :]
        if kind == 1:
            return _exec(at, cgroup, pid, tid, uid, rest)
        if kind == 2:
            child, parent, ns_pid, _ = _FORK.unpack_from(rest)
            return Fork(at, cgroup, pid, child, parent, ns_pid)
        if kind == 3:
            return Exit(at, cgroup, pid, tid, _EXIT.unpack_from(rest)[0])
        if kind == 4:
            mode, length, cut, _ = _OPEN.unpack_from(rest)
            path = path_of(rest[_OPEN.size : _OPEN.size + length], whole=not cut)
            return Opened(
                at, cgroup, pid, tid, path, bool(mode & _READS), bool(mode & _WRITES), "ebpf", bool(cut)
            )
        if kind == 5:
            return _net(at, cgroup, pid, tid, rest)
        if kind == 6:
            number, _, length = _GROUP.unpack_from(rest)
            return Group(at, number, _text(rest[_GROUP.size : _GROUP.size + length].rstrip(b"\0")))
        if kind == 7:
            fd, namespaces = _SETNS.unpack_from(rest)
            return Entered(at, cgroup, pid, tid, fd, namespaces)
    except struct.error:
        return None
    return None


def _exec(at: int, cgroup: int, pid: int, tid: int, uid: int, rest: bytes) -> Exec:
    ppid, ns_pid, mnt, pid_ns, net, auid, file, size, cwd, cut = _EXEC.unpack_from(rest)
    data = rest[_EXEC.size :]
    words = _text(data[file : file + size].removesuffix(b"\0")).split("\0")
    where = path_of(data[file + size : file + size + cwd], whole=not cut & 4)
    return Exec(
        at=at, cgroup=cgroup, pid=pid, tid=tid, uid=uid, ppid=ppid, binary=_text(data[:file].rstrip(b"\0")),
        arguments=tuple(words[1:]), cwd=where, ns_pid=ns_pid, mnt=mnt, pid_ns=pid_ns, net=net, auid=auid,
        cut=tuple(name for bit, name in _CUT if cut & bit),
    )  # fmt: skip


def _net(at: int, cgroup: int, pid: int, tid: int, rest: bytes) -> Connected:
    source, destination, *words, cookie = _NET.unpack_from(rest)
    family, kind, protocol, source_port, port, denied, sends, _ = words
    return Connected(
        at=at, cgroup=cgroup, pid=pid, tid=tid, family=family, type=kind, protocol=protocol, port=port,
        destination=address(destination, family), source=address(source, family), source_port=source_port,
        denied=bool(denied), call="send" if sends else "connect", cookie=cookie,
    )  # fmt: skip


def address(sixteen: bytes, family: int) -> str:
    """An address as Tetragon writes it: IPv4 as such where the socket is of IPv4, mapped into IPv6 where it is not; empty
    for none."""
    number = ipaddress.IPv6Address(sixteen)
    if family == 2 or (number in _MAPPED and number.ipv4_mapped is None):
        return "" if sixteen[12:] == b"\0\0\0\0" else str(ipaddress.IPv4Address(sixteen[12:]))
    if number.ipv4_mapped is not None:
        return f"::ffff:{number.ipv4_mapped}"
    return "" if number.is_unspecified else str(number)


def path_of(names: bytes, *, whole: bool = True) -> str:
    """A path from its names, which are told from the end. One whose beginning is missing starts with `...`, as nothing
    tells what was there."""
    parts = [part for part in names.split(b"\0") if part]
    path = "/".join(_text(part) for part in reversed(parts))
    return f"/{path}" if whole else f".../{path}"


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
