"""Instruments that tell which hooks of the kernel a process reaches, without kprobes: each one is a real one, no model.

- tracepoints of system calls, by a tracing instance of its own, for one process and its children;
- kernel stacks at the tracepoints where a connection begins, a packet leaves and a page is read: the functions on the way;
- Landlock as a probe of the LSM hooks `socket_connect` and `file_open`: a rule set that allows nothing refuses what
  passes the hook, and lets through what goes around it;
- fanotify as a probe of `rw_verify_area`, which calls `security_file_permission` and then fanotify (fs/read_write.c);
- an eBPF program at cgroup `connect4`, written as bytes, that counts.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.acts import check, libc

__all__ = [
    "CLONE_NEWNS",
    "TRACEFS",
    "CgroupCounter",
    "FileEvents",
    "Record",
    "Trace",
    "deny_by_landlock",
    "landlock_version",
    "missing",
    "own_namespaces",
]

TRACEFS = Path("/sys/kernel/tracing")
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
FASTOPEN_CLIENT_WITHOUT_COOKIE = 1 | 4  # net.ipv4.tcp_fastopen: client, and data in the SYN without a cookie

LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT, LANDLOCK_PATH_BENEATH = 444, 445, 446, 1
SYSTEM_FOLDERS = ("/usr", "/lib", "/lib64", "/bin", "/etc")
LANDLOCK_VERSION, LANDLOCK_READ_FILE, LANDLOCK_CONNECT_TCP = 1, 1 << 2, 1 << 1
PR_SET_NO_NEW_PRIVS = 38

FAN_CLASS_CONTENT, FAN_MARK_ADD, FAN_ALLOW = 4, 1, 1
FAN_OPEN_PERM, FAN_ACCESS_PERM = 0x10000, 0x20000

BPF = {"x86_64": 321, "aarch64": 280}.get(platform.machine(), -1)
BPF_MAP_CREATE, BPF_MAP_LOOKUP, BPF_PROG_LOAD, BPF_PROG_ATTACH = 0, 1, 5, 8
BPF_ARRAY, BPF_CGROUP_SOCK_ADDR, BPF_INET4_CONNECT = 2, 18, 10


def missing() -> str:
    """Why the instruments cannot be used here; empty where they can."""
    if os.geteuid() != 0:
        return "needs root"
    if not TRACEFS.is_dir():
        return "the kernel has no tracefs"
    if BPF < 0:
        return f"no system call number of bpf for {platform.machine()}"
    if landlock_version() < 4:
        return "the kernel has no Landlock for connections (6.7)"
    if not any(line.split()[2] == "cgroup2" for line in Path("/proc/mounts").read_text().splitlines()):
        return "no cgroup2 is mounted"
    return ""


def own_namespaces() -> None:
    """Move this process into mount and network namespaces of its own, with tracefs and a loopback that allows fast open:
    nothing outside changes."""
    check(libc.unshare(CLONE_NEWNS | CLONE_NEWNET), "unshare")
    check(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "mount private")
    check(libc.mount(b"none", os.fsencode(TRACEFS), b"tracefs", 0, None), "mount tracefs")
    import fcntl
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("=16sh22x", b"lo", 0)
        flags = struct.unpack_from("=h", fcntl.ioctl(control, SIOCGIFFLAGS, request), 16)[0]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("=16sh22x", b"lo", flags | IFF_UP))
    Path("/proc/sys/net/ipv4/tcp_fastopen").write_text(str(FASTOPEN_CLIENT_WITHOUT_COOKIE))


# --- tracepoints and kernel stacks -----------------------------------------------------------------------------------


@dataclass
class Record:
    """One tracepoint that was reached: its name, its text, and the kernel functions on the way, innermost first."""

    event: str
    text: str
    stack: list[str] = field(default_factory=list)


class Trace:
    """A tracing instance that records `events` of one process and its children between `start` and `stop`."""

    def __init__(self, name: str, events: Sequence[str]) -> None:
        self._folder = TRACEFS / "instances" / name
        self._events = events

    def __enter__(self) -> Trace:
        self._folder.mkdir()
        self._set("tracing_on", "0")
        self._set("options/event-fork", "1")
        self._set("options/stacktrace", "1")
        for event in self._events:
            self._set(f"events/{event}/enable", "1")
        return self

    def __exit__(self, *_: object) -> None:
        self._set("tracing_on", "0")
        self._set("events/enable", "0")
        self._folder.rmdir()

    def start(self, pid: int, comm: str = "") -> None:
        """Record one process and its children; or, with `comm`, the threads of that name alone. A thread that io_uring
        starts is no child to the filter: it is made without the event of a fork (kernel/fork.c, create_io_thread)."""
        self._set("set_event_pid", "" if comm else str(pid))
        for event in self._events:
            self._set(f"events/{event}/filter", f'comm == "{comm}"' if comm else "0")
        self._set("trace", "")
        self._set("tracing_on", "1")

    def stop(self) -> list[Record]:
        self._set("tracing_on", "0")
        return list(_parse((self._folder / "trace").read_text(errors="replace")))

    def _set(self, name: str, text: str) -> None:
        (self._folder / name).write_text(text)


def _parse(text: str) -> Iterator[Record]:
    """The records of a trace; a stack belongs to the last record of the same thread."""
    last: dict[str, Record] = {}
    stack: list[str] | None = None
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        if line.startswith(" => "):
            if stack is not None:
                stack.append(line[4:].split("+")[0].strip())
            continue
        head, mark, rest = line.partition(": ")
        thread = head.split("[")[0].strip()
        if "<stack trace>" in line:
            stack = last[thread].stack if thread in last else None
            continue
        if mark:
            event, _, told = rest.partition(": ")
            event = event.partition("(")[0].strip()
            last[thread] = Record(event, told)
            stack = None
            yield last[thread]


# --- Landlock --------------------------------------------------------------------------------------------------------


def landlock_version() -> int:
    """Version of Landlock's interface; negative where there is none."""
    return int(libc.syscall(LANDLOCK_CREATE, None, 0, LANDLOCK_VERSION))


def deny_by_landlock(*, files: bool) -> None:
    """From now on, this process may read no file outside of the system's folders (`files`), or connect to no TCP port,
    where the LSM hooks are asked."""
    handled = (LANDLOCK_READ_FILE, 0) if files else (0, LANDLOCK_CONNECT_TCP)
    rules = ctypes.create_string_buffer(struct.pack("=QQ", *handled))
    ruleset = check(libc.syscall(LANDLOCK_CREATE, rules, 16, 0), "landlock_create_ruleset")
    for folder in SYSTEM_FOLDERS if files else ():  # what a new program needs to start
        if Path(folder).is_dir():
            parent = os.open(folder, os.O_PATH)
            rule = ctypes.create_string_buffer(struct.pack("=Qi", LANDLOCK_READ_FILE, parent))
            added = libc.syscall(LANDLOCK_ADD, ruleset, LANDLOCK_PATH_BENEATH, rule, 0)
            check(added, "landlock_add_rule")
            os.close(parent)
    check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
    check(libc.syscall(LANDLOCK_RESTRICT, ruleset, 0), "landlock_restrict_self")


# --- fanotify --------------------------------------------------------------------------------------------------------


class FileEvents:
    """Which permission events one file has: `open`, `access`. Everything is allowed."""

    def __init__(self, path: str) -> None:
        self._fd = check(libc.fanotify_init(FAN_CLASS_CONTENT, os.O_RDONLY), "fanotify_init")
        mask = ctypes.c_uint64(FAN_OPEN_PERM | FAN_ACCESS_PERM)
        check(libc.fanotify_mark(self._fd, FAN_MARK_ADD, mask, -100, os.fsencode(path)), "fanotify_mark")
        self.seen: set[str] = set()
        self._reads, self._writes = os.pipe()
        self._thread = threading.Thread(target=self._answer)

    def __enter__(self) -> FileEvents:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._writes)
        self._thread.join()
        os.close(self._fd)
        os.close(self._reads)

    def _answer(self) -> None:
        import select

        while True:
            ready, _, _ = select.select([self._fd, self._reads], [], [])
            if self._fd not in ready:
                return
            data = os.read(self._fd, 4096)
            while data:
                size, _, _, _, mask, descriptor, _ = struct.unpack_from("=IBBHQii", data)
                self.seen |= {"open"} if mask & FAN_OPEN_PERM else set()
                self.seen |= {"access"} if mask & FAN_ACCESS_PERM else set()
                os.write(self._fd, struct.pack("=iI", descriptor, FAN_ALLOW))
                os.close(descriptor)
                data = data[size:]


# --- eBPF at a cgroup ------------------------------------------------------------------------------------------------


class CgroupCounter:
    """Counts what reaches the hook `connect4` of a cgroup of its own."""

    def __init__(self, name: str) -> None:
        mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
        self._folder = Path(next(mount[1] for mount in mounts if mount[2] == "cgroup2")) / name

    def __enter__(self) -> CgroupCounter:
        self._folder.mkdir()
        self._map = _bpf(BPF_MAP_CREATE, struct.pack("=IIII", BPF_ARRAY, 4, 8, 1))
        self._program = _load(_counting(self._map))
        self._group = os.open(self._folder, os.O_RDONLY)
        _bpf(BPF_PROG_ATTACH, struct.pack("=IIII", self._group, self._program, BPF_INET4_CONNECT, 0))
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in (self._group, self._program, self._map):
            os.close(descriptor)
        self._folder.rmdir()  # the program goes with its cgroup

    def take(self, pid: int) -> None:
        """Move a process into the cgroup."""
        (self._folder / "cgroup.procs").write_text(str(pid))

    def count(self) -> int:
        """How often the hook was reached so far."""
        key, value = ctypes.c_uint32(0), ctypes.c_uint64(0)
        places = (ctypes.addressof(key), ctypes.addressof(value))
        _bpf(BPF_MAP_LOOKUP, struct.pack("=IxxxxQQ", self._map, *places))
        return value.value


def _bpf(command: int, attributes: bytes) -> int:
    buffer = ctypes.create_string_buffer(attributes.ljust(128, b"\0"), 128)
    return check(libc.syscall(BPF, command, buffer, 128), "bpf")


def _counting(counter: int) -> bytes:
    """`counter[0] += 1; return 1 (allowed)` as eBPF instructions: code, registers, offset, immediate."""
    instructions = (
        (0x62, 10, 0, -4, 0),  # *(u32 *)(r10 - 4) = 0
        (0xBF, 2, 10, 0, 0),  # r2 = r10
        (0x07, 2, 0, 0, -4),  # r2 += -4
        (0x18, 1, 1, 0, counter),  # r1 = the map
        (0x00, 0, 0, 0, 0),
        (0x85, 0, 0, 0, 1),  # call bpf_map_lookup_elem
        (0x15, 0, 0, 2, 0),  # if r0 == 0 goto +2
        (0xB7, 1, 0, 0, 1),  # r1 = 1
        (0xDB, 0, 1, 0, 0),  # lock *(u64 *)(r0 + 0) += r1
        (0xB7, 0, 0, 0, 1),  # r0 = 1
        (0x95, 0, 0, 0, 0),  # exit
    )
    return b"".join(
        struct.pack("=BBhi", code, into | source << 4, offset, value)
        for code, into, source, offset, value in instructions
    )


def _load(program: bytes) -> int:
    code = ctypes.create_string_buffer(program, len(program))
    licence = ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack(
        "=IIQQIIQII16sII", BPF_CGROUP_SOCK_ADDR, len(program) // 8, ctypes.addressof(code),
        ctypes.addressof(licence), 0, 0, 0, 0, 0, b"count", 0, BPF_INET4_CONNECT,
    )  # fmt: skip
    return _bpf(BPF_PROG_LOAD, attributes)
