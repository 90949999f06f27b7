"""Processes that started before anybody looked, from /proc: late and, of a process that changes its own, what it says."""

from __future__ import annotations

import os
from pathlib import Path

from eightysix.lab.kernel.facts import Exec

__all__ = ["MOST_ARGUMENTS", "found", "namespace", "nested"]

MOST_ARGUMENTS = 8191
"""Bytes of arguments that are read, as many as the kernel's part reads."""

_FIRST_PID_NAMESPACE = 0xEFFF_FFFC
"""PROC_PID_INIT_INO of include/linux/proc_ns.h: the inode of the machine's own, always."""

_TICKS = os.sysconf("SC_CLK_TCK")


def nested() -> str:
    """Why process ids that the kernel tells mean nothing here: /proc is of another process namespace. Empty where it is not."""
    if namespace("self", "pid") in (0, _FIRST_PID_NAMESPACE):
        return ""
    return "this process is in a pid namespace of its own (a container without hostPID)"


def namespace(pid: int | str, kind: str) -> int:
    """Inode of a namespace of a process; 0 where it cannot be told."""
    try:
        name = os.readlink(f"/proc/{pid}/ns/{kind}")
    except OSError:
        return 0
    number = name.partition("[")[2].rstrip("]")
    return int(number) if number.isdigit() else 0


def found(pid: int, cgroup: int = 0, *, proc: Path = Path("/proc")) -> Exec | None:
    """A process that lives now. The path of its program is read through `exe`, so a script is told as its interpreter."""
    place = proc / str(pid)
    try:
        stat = (place / "stat").read_bytes()
        status = (place / "status").read_text(errors="replace")
        with (place / "cmdline").open("rb") as stream:
            line = stream.read(MOST_ARGUMENTS)
    except OSError:
        return None
    after = stat.rpartition(b")")[2].split()  # the name in parentheses is the process's own to choose
    fields = {name: rest.split() for name, _, rest in (row.partition(":") for row in status.splitlines())}
    words = line.removesuffix(b"\0").decode("utf-8", "replace").split("\0") if line else []
    try:
        ppid, ticks = int(after[1]), int(after[19])
        uid = int(fields["Uid"][0])
        ns_pid = int(fields.get("NSpid", ["0"])[-1])
    except (IndexError, KeyError, ValueError):
        return None
    return Exec(
        at=ticks * (1_000_000_000 // _TICKS), cgroup=cgroup, pid=pid, tid=pid, uid=uid, ppid=ppid,
        binary=_link(place / "exe") or (words[0] if words else ""), arguments=tuple(words[1:]), cwd=_link(place / "cwd"),
        ns_pid=ns_pid, mnt=namespace(pid, "mnt"), pid_ns=namespace(pid, "pid"), net=namespace(pid, "net"), proc=True,
    )  # fmt: skip


def _link(place: Path) -> str:
    try:
        return os.readlink(place)
    except OSError:
        return ""
