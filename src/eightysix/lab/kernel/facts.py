"""What a kernel mechanism tells, whichever it is: starts, ends, opened files, connections. Times are nanoseconds since boot."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["Connected", "Entered", "Exec", "Exit", "Fact", "Fork", "Group", "Opened"]


class Exec(Struct, frozen=True, gc=False):
    """A process replaced its image. `arguments` are without the program's own name; `cut` names what was longer than a
    record holds; `proc` tells that it was read from /proc, later, and not from the kernel at that time. Numbers that a
    mechanism does not tell are 0, a `uid` -1."""

    at: int
    cgroup: int
    pid: int
    tid: int
    uid: int
    ppid: int
    binary: str
    arguments: tuple[str, ...]
    cwd: str
    ns_pid: int = 0
    mnt: int = 0
    pid_ns: int = 0
    net: int = 0
    auid: int = 0xFFFF_FFFF
    cut: tuple[str, ...] = ()
    proc: bool = False


class Fork(Struct, frozen=True, gc=False):
    """A process was made. `pid` is the one that made it, `parent` the one that it belongs to (CLONE_PARENT)."""

    at: int
    cgroup: int
    pid: int
    child: int
    parent: int
    ns_pid: int = 0


class Exit(Struct, frozen=True, gc=False):
    """The last thread of a process ended. `code` is as `wait` gives it."""

    at: int
    cgroup: int
    pid: int
    tid: int
    code: int


class Opened(Struct, frozen=True, gc=False):
    """A file was opened. The path is the file's own, behind all links. `by` names the mechanism that saw it."""

    at: int
    cgroup: int
    pid: int
    tid: int
    path: str
    reads: bool
    writes: bool
    by: str
    cut: bool = False


class Connected(Struct, frozen=True, gc=False):
    """A connection was begun, or datagrams were sent or meant to be (`call`: `connect`, `send`)."""

    at: int
    cgroup: int
    pid: int
    tid: int
    family: int
    type: int
    protocol: int
    destination: str
    port: int
    source: str = ""
    source_port: int = 0
    denied: bool = False
    call: str = "connect"
    cookie: int = 0


class Group(Struct, frozen=True, gc=False):
    """A cgroup was made: its id and its path in the hierarchy."""

    at: int
    id: int
    path: str


class Entered(Struct, frozen=True, gc=False):
    """A process asked to enter another namespace (`setns`)."""

    at: int
    cgroup: int
    pid: int
    tid: int
    fd: int
    kind: int


Fact = Exec | Fork | Exit | Opened | Connected | Group | Entered
