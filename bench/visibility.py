"""Which hooks of the kernel see which way to reach another host or to read a file, measured on this machine.

    python -m bench.visibility [--output bench/results/visibility.json]

Needs root, and touches nothing but a network namespace, a tracing instance and a cgroup of its own. What Tetragon's
hooks would see is told by the kernel's own functions on the way: a hook on a function sees what passes through it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench.acts import FILES, NETWORK, Place
from bench.hooks import (
    CgroupCounter,
    FileEvents,
    Record,
    Trace,
    deny_by_landlock,
    landlock_version,
    missing,
    own_namespaces,
)

__all__ = ["main", "measure", "tables"]

NETWORK_CALLS = ("connect", "sendto", "sendmsg", "recvmsg", "io_uring_enter", "execve")
FILE_CALLS = ("open", "openat", "openat2", "sendfile64", "recvmsg", "io_uring_enter", "execve")
EVENTS = (
    *(f"syscalls/sys_enter_{name}" for name in sorted({*NETWORK_CALLS, *FILE_CALLS})),
    "sock/inet_sock_set_state",
    "net/net_dev_queue",
    "filemap/mm_filemap_get_pages",
    "filemap/mm_filemap_map_pages",
    "filemap/mm_filemap_fault",
    "io_uring/io_uring_submit_req",
)
NETWORK_FUNCTIONS = (
    "__sys_connect", "io_connect", "mptcp_connect", "__inet_stream_connect", "tcp_v4_connect", "tcp_v6_connect",
    "tcp_connect", "tcp_sendmsg_locked", "udp_sendmsg",
)  # fmt: skip
FILE_FUNCTIONS = ("vfs_read", "io_read", "do_sendfile", "filemap_fault", "filemap_map_pages")
"""Of the functions on the way, those that are told."""

UNKNOWN_TO_LANDLOCK = frozenset({"connect_mptcp", "udp_sendto", "udp_connect"})
"""Landlock judges plain TCP alone: of these it says nothing about the hook (security/landlock/net.c)."""

FAILED_BY_RULE, FAILED = 13, 1


def measure() -> dict[str, object]:
    """Every act under every instrument. Call it in a process of its own: it moves it into other namespaces."""
    own_namespaces()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        file = Path(folder) / "token"
        file.write_bytes(b"not a token\n" * 64)
        servers = stack.enter_context(_servers())
        trace = stack.enter_context(Trace(f"eightysix-{os.getpid()}", _present(EVENTS)))
        group = stack.enter_context(CgroupCounter(f"eightysix-{os.getpid()}"))
        network = {name: _network(name, servers, str(file), trace, group) for name in NETWORK}
        files = {name: _file(name, servers, file, trace) for name in FILES}
    return {
        "kernel": platform.release().split("-")[0],
        "machine": platform.machine(),
        "landlock": landlock_version(),
        "network": network,
        "files": files,
    }


def _present(events: tuple[str, ...]) -> list[str]:
    folder = Path("/sys/kernel/tracing/events")
    return [event for event in events if (folder / event).is_dir()]


def _network(
    name: str, servers: tuple[int, int, int], file: str, trace: Trace, group: CgroupCounter
) -> dict[str, object]:
    before = group.count()
    records, failed = _run(name, servers, file, trace=trace, group=group)
    told = _told(records, NETWORK_CALLS, NETWORK_FUNCTIONS)
    if "sqpoll" in name:
        told["functions of the polling thread"] = _functions(
            _run(name, servers, file, trace=trace, polling=True)[0], NETWORK_FUNCTIONS
        )
    told |= {"cgroup connect4": group.count() - before, "failed": failed}
    if name not in UNKNOWN_TO_LANDLOCK:
        _, refused = _run(name, servers, file, landlock=True)
        told["landlock socket_connect"] = "asked" if refused == FAILED_BY_RULE else "not asked"
    return told


def _file(name: str, servers: tuple[int, int, int], file: Path, trace: Trace) -> dict[str, object]:
    _forget(file)
    records, failed = _run(name, servers, str(file), trace=trace)
    inode = f" ino {file.stat().st_ino:x} "
    records = [
        record for record in records if "ino" not in record.text or inode in record.text.replace("=", " ")
    ]
    told = _told(records, FILE_CALLS, FILE_FUNCTIONS)
    with FileEvents(str(file)) as events:
        _run(name, servers, str(file), quiet=events)
        told |= {"fanotify": sorted(events.seen), "failed": failed}
    if "open" not in events.seen:  # then what was opened are the libraries of a program that started
        told["system calls"] = [call for call in told["system calls"] if not call.startswith("open")]
    _, refused = _run(name, servers, str(file), landlock=True)
    told["landlock file_open"] = "asked" if refused == FAILED_BY_RULE else "not asked"
    return told


def _forget(file: Path) -> None:
    """Drop the file's pages: a fault on what is in memory already tells less."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _told(records: list[Record], calls: tuple[str, ...], functions: tuple[str, ...]) -> dict[str, Any]:
    """System calls by name, requests of io_uring by operation, and functions on the way."""
    made = {record.event.removeprefix("sys_enter_").removeprefix("sys_") for record in records}
    ring = {r.text.split("opcode ")[1].split(",")[0] for r in records if "opcode " in r.text}
    return {
        "system calls": [name for name in calls if name in made],
        "io_uring": sorted(ring),
        "functions": _functions(records, functions),
    }


def _functions(records: list[Record], functions: tuple[str, ...]) -> list[str]:
    passed = {name for record in records for name in record.stack}
    return [name for name in functions if name in passed]


def _run(
    name: str,
    servers: tuple[int, int, int],
    file: str,
    *,
    trace: Trace | None = None,
    group: CgroupCounter | None = None,
    landlock: bool = False,
    quiet: FileEvents | None = None,
    polling: bool = False,
) -> tuple[list[Record], int]:
    """One act in a process of its own; what was recorded, and the error number that it ended with."""
    act = {**NETWORK, **FILES}[name]
    with ExitStack() as stack:
        place = _place(name, servers, file, stack)
        if quiet is not None:
            quiet.seen.clear()  # what was opened to be handed on
        reads, writes = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(writes)
            try:
                if landlock:
                    deny_by_landlock(files=name in FILES)
                os.read(reads, 1)
                act(place)
                os._exit(0)
            except OSError as error:
                os._exit(error.errno or FAILED)
            finally:
                os._exit(FAILED)
        os.close(reads)
        if group is not None:
            group.take(pid)
        if trace is not None:
            trace.start(pid, f"iou-sqp-{pid}" if polling else "")
        os.write(writes, b"!")
        os.close(writes)
        _, status = os.waitpid(pid, 0)
        records = trace.stop() if trace is not None else []
    return records, os.waitstatus_to_exitcode(status)


def _place(name: str, servers: tuple[int, int, int], file: str, stack: ExitStack) -> Place:
    """Where the act goes; what is to be handed on is opened or connected here, by another process than the act's."""
    if "inherited" not in name and "scm_rights" not in name:
        return Place(*servers, file)
    handed = os.open(file, os.O_RDONLY) if name in FILES else _connected(servers[0])
    stack.callback(os.close, handed)
    if "inherited" in name:
        return Place(*servers, file, handed)
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    stack.enter_context(ours)
    stack.enter_context(theirs)
    socket.send_fds(ours, [b"!"], [handed])
    return Place(*servers, file, -1, theirs)


def _connected(port: int) -> int:
    return socket.create_connection(("127.0.0.1", port)).detach()


@contextmanager
def _servers() -> Iterator[tuple[int, int, int]]:
    """Listening sockets whose queue takes every connection: nobody needs to accept one."""
    with (
        socket.create_server(("127.0.0.1", 0), backlog=128) as tcp4,
        socket.create_server(("::1", 0), family=socket.AF_INET6, backlog=128) as tcp6,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        udp.bind(("127.0.0.1", 0))
        yield tcp4.getsockname()[1], tcp6.getsockname()[1], udp.getsockname()[1]


NETWORK_HEAD = ("way", "`connect` call", "`security_socket_connect`", "`tcp_connect`", "cgroup `connect4`")
FILE_HEAD = ("way", "`open`, `openat`, `openat2` call", "`security_file_open`", "`security_file_permission`")
BY_SOURCE = {"connect_mptcp": True, "udp_connect": True, "udp_sendto": False}
"""Whether `security_socket_connect` is on the way where Landlock cannot tell: `__sys_connect` calls it by way of
`__sys_connect_file` (net/socket.c), and nothing else but `io_connect` does."""


def tables(results: dict[str, Any]) -> str:
    """The results as two Markdown tables."""
    rows = [NETWORK_HEAD]
    for name, told in results["network"].items():
        functions = told["functions"] + told.get("functions of the polling thread", [])
        asked = told.get("landlock socket_connect")
        hook = _cell(asked == "asked") if asked else f"{_cell(BY_SOURCE[name])} (source)"
        connect4 = "is `connect6`" if name.endswith("ipv6") else _cell(told["cgroup connect4"] > 0)
        call = _cell("connect" in told["system calls"])
        rows.append((name, call, hook, _cell("tcp_connect" in functions), connect4))
    files = [FILE_HEAD]
    for name, told in results["files"].items():
        call = next((call for call in told["system calls"] if call.startswith("open")), "no")
        asked = _cell(told["landlock file_open"] == "asked")
        files.append((name, call, asked, _cell("access" in told["fanotify"])))
    return f"{_table(rows)}\n{_table(files)}"


def _cell(seen: bool) -> str:
    return "yes" if seen else "**no**"


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines.insert(1, f"|{'---|' * len(rows[0])}")
    return "".join(f"{line}\n" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path)
    parser.add_argument("--table", type=Path, metavar="RESULTS", help="measure nothing: tell these as tables")
    args = parser.parse_args()
    if args.table:
        sys.stdout.write(tables(json.loads(args.table.read_text())))
        return
    reason = missing()
    if reason:
        sys.exit(f"not measured: {reason}")
    text = json.dumps(measure(), indent=1) + "\n"
    if args.output:
        args.output.write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
