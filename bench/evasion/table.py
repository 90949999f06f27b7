"""The ways in order, what each one is after, and the table of the results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["COLUMNS", "NOTHING", "WAYS", "Way", "table"]

NOTHING = "nothing"
"""The act that does nothing: what the sensor tells of it is told of every program."""

COLUMNS = ("native", "python", "kernel")


@dataclass(frozen=True)
class Way:
    """One way: `goal` is what is to be seen (`connect`, `file`, `environ`, `memory`, or `none`: there is no event to see).

    `flags` are the interpreter's; `hands` is what another process opened before and hands on.
    """

    name: str
    title: str
    goal: str
    flags: tuple[str, ...] = ()
    hands: str = ""
    act: str = ""


WAYS = (
    Way("socket_connect", "`socket.connect`", "connect"),
    Way("asyncio_connect", "asyncio", "connect"),
    Way("thread", "a thread", "connect"),
    Way("fork", "a forked child", "connect"),
    Way("subprocess_child", "a child by `subprocess`", "connect"),
    Way("start_e", "started with `-E`", "connect", ("-E",), act="socket_connect"),
    Way("start_i", "started with `-I`", "connect", ("-I",), act="socket_connect"),
    Way("start_s", "started with `-S`", "connect", ("-S",), act="socket_connect"),
    Way("code_in_pth", "a `.pth` that sorts first", "connect"),
    Way("subinterpreter", "another interpreter in the process", "connect"),
    Way("name_taken_by_compile", "code that takes another file's name by `compile`", "connect"),
    Way("name_taken_by_replace", "code that takes another file's name by `code.replace`", "connect"),
    Way("udp_sendto", "UDP `sendto`", "connect"),
    Way("udp_sendmsg", "UDP `sendmsg`", "connect"),
    Way("sendto_fast_open", "TCP fast open by `sendto`", "connect"),
    Way("connect_fast_open", "TCP fast open by `TCP_FASTOPEN_CONNECT`", "connect"),
    Way("uvloop_connect", "uvloop", "connect"),
    Way("pycurl_connect", "pycurl", "connect"),
    Way("ctypes_connect", "`connect` by ctypes", "connect"),
    Way("io_uring_connect", "io_uring `CONNECT` by ctypes", "connect"),
    Way("fork_exec", "`_posixsubprocess.fork_exec`", "connect"),
    Way("child_of_empty_environment", "a child with an empty environment", "connect"),
    Way("exec_without_preload", "the program replaced by itself without `LD_PRELOAD`", "connect"),
    Way("static_program", "a static program", "connect"),
    Way("sensor_emptied", "the sensor's functions replaced, then `socket.connect`", "connect"),
    Way("sensor_off_by_cells", "the sensor switched off by cells of what it put in place", "connect"),
    Way(
        "sensor_off_by_signal", "the sensor switched off by the frame that a signal's handler gets", "connect"
    ),
    Way("inherited_socket", "a socket connected before the start", "connect", hands="socket"),
    Way(
        "socket_by_scm_rights",
        "a connected socket handed over by another process",
        "connect",
        hands="socket-message",
    ),
    Way("builtin_open", "`open`", "file"),
    Way("io_open", "`io.open`", "file"),
    Way("os_open", "`os.open`", "file"),
    Way("open_and_map", "`open`, then `mmap`", "file"),
    Way("relative_open", "a relative path after `chdir`", "file"),
    Way("relative_to_descriptor", "a name relative to an open folder (`dir_fd`)", "file"),
    Way("through_proc_root", "by way of `/proc/self/root`", "file"),
    Way("through_symlink", "by way of a link that was there, with another name", "file"),
    Way("through_own_symlink", "by way of a link that it makes itself", "file"),
    Way("child_cat", "a child: `cat`", "file"),
    Way("ctypes_openat", "`open` by ctypes", "file"),
    Way("io_uring_open", "io_uring `OPENAT` by ctypes", "file"),
    Way("inherited_file", "a file opened before the start", "file", hands="file"),
    Way("file_by_scm_rights", "an open file handed over by another process", "file", hands="file-message"),
    Way("proc_self_environ", "`/proc/self/environ`", "environ"),
    Way("proc_parent_environ", "`/proc/<pid>/environ` of another process", "environ"),
    Way("os_environ", "`os.environ[name]`", "none"),
    Way("ctypes_getenv", "`getenv` by ctypes", "none"),
    Way("cached_token_by_gc", "a cached token, found by `gc.get_objects`", "none"),
    Way("cached_token_by_name", "a cached token, by its name in the module", "none"),
    Way("own_memory", "`/proc/self/mem`", "memory"),
    Way("memory_of_parent", "`/proc/<pid>/mem` of another process", "memory"),
    Way("process_vm_readv", "`process_vm_readv` by ctypes", "memory"),
)

GOALS = {
    "connect": "Reaching another host: is the destination told?",
    "file": "Reading a credential's file: is its path told?",
    "environ": "Reading the environment through `/proc`: is the path told?",
    "none": "Reading what is in memory already: there is no event of it",
    "memory": "Reading memory through the kernel: is it told?",
}


def _cell(told: dict[str, Any]) -> str:
    if "not_run" in told:
        return f"not run: {told['not_run']}"
    traces = ", ".join(f"`{name}`" for name in told["traces"])
    seen = "yes" if told["seen"] else "**no**"
    return f"{seen}; traces: {traces}" if traces else seen


def _who(row: dict[str, Any]) -> str:
    sensor = row["native"].get("seen") or row["python"].get("seen")
    kernel = row["kernel"].get("seen")
    if "not_run" in row["kernel"]:
        return "sensor" if sensor else "not known"
    if sensor and kernel:
        return "both"
    if sensor:
        return "only the sensor"
    return "only the kernel" if kernel else "**neither**"


def table(results: dict[str, Any]) -> str:
    """The results as Markdown, one table a goal."""
    parts = []
    for goal, title in GOALS.items():
        lines = [
            f"### {title}",
            "",
            "| way | sensor, native part | sensor, Python alone | kernel | seen by |",
            "|---|---|---|---|---|",
        ]
        for way in WAYS:
            row = results["ways"].get(way.name)
            if way.goal == goal and row:
                cells = (way.title, *(_cell(row[column]) for column in COLUMNS), _who(row))
                lines.append(f"| {' | '.join(cells)} |")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)
