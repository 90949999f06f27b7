"""The last resort: strace around a command, which an ordinary user can run. Its output, read as facts.

With `-xx` every byte that a process chose (paths, arguments, addresses) is written as `\\xHH`, so nothing in it can look
like the output's own words: not a quote, not a bracket, not a line.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from eightysix.lab.kernel.clock import Clock
from eightysix.lab.kernel.facts import Connected, Entered, Exec, Exit, Fact, Fork, Opened
from eightysix.lab.kernel.strace_text import address_in, between, number_in, result_of, texts_in, unhex

__all__ = ["CALLS", "Parser", "Reader", "missing", "wrap"]

CALLS = "execve,execveat,open,openat,openat2,creat,connect,sendto,sendmsg,fork,vfork,clone,clone3,setns,chdir,fchdir"
_LONGEST_TEXT = 4096
_LONGEST_LINE = 1 << 20
"""A line beyond this is left out and counted: 4,096 bytes of each argument are 16 KB of text."""

_MOST = 16_384
"""Calls that have not returned, threads, and working folders that are remembered."""

_MOST_WAITING = 16_384
"""Lines that wait until it is known whose they are."""

_NEVER_BEGAN = ("ENETUNREACH", "EINVAL", "EBADF", "ENOTSOCK", "EAFNOSUPPORT", "EFAULT", "EALREADY", "EISCONN")
"""Results of `connect` of which no packet and no `tcp_connect` comes."""

_BLOCK = 65_536
_SUPERSEDED = "+++ superseded by execve in pid "

V = TypeVar("V")


def missing() -> str:
    """Why it cannot be used here; empty where it can."""
    if shutil.which("strace") is None:
        return "strace is missing: install it (Debian, Ubuntu, Fedora: strace)"
    try:
        scope = Path("/proc/sys/kernel/yama/ptrace_scope").read_text().strip()
    except OSError:
        scope = "0"
    return "kernel.yama.ptrace_scope is 3: nobody may trace" if scope == "3" else ""


def wrap(argv: Sequence[str], output: Path) -> list[str]:
    """A command that runs `argv` under strace, which writes to `output`: a FIFO, because what it writes holds what the
    command sends to others."""
    return [
        "strace", "-f", "-q", "-xx", "-s", str(_LONGEST_TEXT), "--absolute-timestamps=unix,ns", "--seccomp-bpf",
        "--pidns-translation", "--signal=none", "--decode-fds=path,socket", f"--trace={CALLS}", f"--output={output}",
        "--", *argv,
    ]  # fmt: skip


class Parser:
    """Lines to facts. Threads are told as their process: what one does before its maker's call has returned waits."""

    def __init__(self, clock: Clock, cgroup: int = 0, cwd: str = "") -> None:
        self._clock = clock
        self._cgroup = cgroup
        self._threads: OrderedDict[int, int] = OrderedDict()
        self._begun: OrderedDict[int, tuple[int, str]] = OrderedDict()
        self._waiting: OrderedDict[int, list[tuple[int, str]]] = OrderedDict()
        self._waiting_lines = 0
        self._now_known: deque[int] = deque()
        self._cwd: OrderedDict[int, str] = OrderedDict()
        self._first_cwd = cwd
        self._rest = b""
        self._skipping = self._started = False
        self.left_out = 0

    def feed(self, data: bytes) -> list[Fact]:
        """The facts of what was read; half a line waits for its end."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        if self._skipping and lines:
            lines.pop(0)
            self._skipping = False
        if len(self._rest) > _LONGEST_LINE:
            self.left_out += not self._skipping
            self._skipping, self._rest = True, b""
        facts: list[Fact] = []
        for line in lines:
            facts.extend(self._line(line.decode("ascii", "replace")))
        return facts

    def end(self) -> list[Fact]:
        """What waited for a maker that never told: each as a process of its own."""
        facts: list[Fact] = []
        while self._waiting:
            thread = next(iter(self._waiting))
            self._know(thread, thread)
            facts += self._settle()
        return facts

    def _line(self, line: str) -> list[Fact]:
        word, _, rest = line.partition(" ")
        stamp, _, text = rest.lstrip(" ").partition(" ")
        seconds, _, fraction = stamp.partition(".")
        if not (
            word.isdigit()
            and seconds.isdigit()
            and fraction.isdigit()
            and len(word) < 11
            and len(seconds) < 12
        ):
            self.left_out += 1
            return []
        thread = int(word)
        at = self._clock.boot_of(int(seconds) * 1_000_000_000 + int(fraction[:9].ljust(9, "0")))
        if not self._started:
            self._started = True
            self._know(thread, thread)  # the command itself
        if thread not in self._threads:
            self._wait(thread, at, text)
            return []
        return [*self._piece(thread, at, text), *self._settle()]

    def _wait(self, thread: int, at: int, text: str) -> None:
        """Keep a line until the call that made its thread has returned, and with it whose thread it is."""
        if self._waiting_lines >= _MOST_WAITING:
            self.left_out += 1
            return
        self._waiting.setdefault(thread, []).append((at, text))
        self._waiting_lines += 1

    def _settle(self) -> list[Fact]:
        """Read what waited for threads that are known now, and for those that they made."""
        facts: list[Fact] = []
        while self._now_known:
            thread = self._now_known.popleft()
            lines = self._waiting.pop(thread, [])
            self._waiting_lines -= len(lines)
            for at, text in lines:
                facts += self._piece(thread, at, text)
        return facts

    def _piece(self, thread: int, at: int, text: str) -> list[Fact]:
        """A call, or half of one, or an end."""
        if text.startswith("+++ "):
            return self._ended(thread, at, text)
        if text.startswith("<... "):
            begun = self._begun.pop(thread, None)
            if begun is None:
                self.left_out += 1
                return []
            at, text = begun[0], begun[1] + text.partition(" resumed>")[2]
        elif text.endswith(" <unfinished ...>"):
            _keep(self._begun, thread, (at, text.removesuffix("<unfinished ...>").rstrip(" ")))
            return []
        elif text.endswith(" ...>") and " <pid changed to " in text:
            _keep(self._begun, thread, (at, text.rpartition(" <pid changed to ")[0]))
            return []
        return self._call(thread, at, text)

    def _call(self, thread: int, at: int, text: str) -> list[Fact]:
        name, _, rest = text.partition("(")
        arguments, result = result_of(rest)
        if name in ("fork", "vfork", "clone", "clone3"):
            return self._forked(thread, at, arguments, result)
        fact: Fact | None = None
        if name in ("execve", "execveat"):
            return self._exec(thread, at, name, arguments, result)
        if name in ("open", "openat", "openat2", "creat"):
            fact = self._opened(thread, at, name, arguments, result)
        elif name in ("connect", "sendto", "sendmsg"):
            fact = self._connected(thread, at, name, arguments, result)
        elif name == "chdir" and result.startswith("0"):
            self._moved(thread, (texts_in(arguments) or [""])[0])
        elif name == "fchdir" and result.startswith("0"):
            self._moved(thread, unhex(between(arguments, "<", ">")))
        elif name == "setns":
            fact = Entered(at, self._cgroup, thread, thread, number_in(arguments), 0)
        return [_of(fact, self._threads.get(thread, thread))] if fact is not None else []

    def _forked(self, thread: int, at: int, arguments: str, result: str) -> list[Fact]:
        told = between(result, "/* ", " in strace's PID NS")
        child = int(told) if told.isdigit() else number_in(result)
        if child <= 0:
            return []
        inside = number_in(result) if told else 0
        maker = self._threads.get(thread, thread)
        if "CLONE_THREAD" in arguments:
            self._know(child, maker)
            return []
        self._know(child, child)
        _keep(self._cwd, child, self._cwd.get(child) or self._where(maker))
        return [Fork(at, self._cgroup, maker, child, maker, inside)]

    def _exec(self, thread: int, at: int, name: str, arguments: str, result: str) -> list[Fact]:
        if not result.startswith("0"):
            return []
        self._know(thread, thread)
        before, _, rest = arguments.partition("[")
        words = texts_in(rest.partition("]")[0])
        paths = texts_in(before)
        binary = paths[0] if paths else ""
        if name == "execveat" and not binary.startswith("/"):
            folder = unhex(between(before, "<", ">"))
            binary = f"{folder}/{binary}" if binary else folder
        cut = ("Args",) if "..." in rest.partition("]")[0] else ()
        fact = Exec(
            at=at, cgroup=self._cgroup, pid=thread, tid=thread, uid=os.getuid(), ppid=0, binary=binary,
            arguments=tuple(words[1:]), cwd=self._where(thread), cut=cut,
        )  # fmt: skip
        return [fact]

    def _opened(self, thread: int, at: int, name: str, arguments: str, result: str) -> Opened | None:
        path = unhex(between(result, "<", ">"))
        if name.startswith("openat") and arguments.startswith("AT_FDCWD<"):
            self._moved(thread, unhex(between(arguments, "<", ">")))
        if not path.startswith("/"):
            return None  # failed, or a pipe, a socket
        flags = arguments.rpartition('"')[2]
        both, writes = "O_RDWR" in flags, "O_WRONLY" in flags or name == "creat"
        if "O_PATH" in flags or "O_DIRECTORY" in flags:
            return None
        return Opened(at, self._cgroup, thread, thread, path, both or not writes, both or writes, "strace")

    def _connected(self, thread: int, at: int, name: str, arguments: str, result: str) -> Connected | None:
        family, address, port = address_in(arguments)
        kind = between(arguments.partition(",")[0], "<", ":")
        sends = kind.startswith("UDP")
        if not family or not address or (name == "connect" and any(code in result for code in _NEVER_BEGAN)):
            return None
        if name != "connect" and not sends and "MSG_FASTOPEN" not in arguments:
            return None
        return Connected(
            at=at, cgroup=self._cgroup, pid=thread, tid=thread, family=family, type=2 if sends else 1,
            protocol=17 if sends else 6, destination=address, port=port, denied="EPERM" in result or "EACCES" in result,
            call="connect" if name == "connect" else "send",
        )  # fmt: skip

    def _ended(self, thread: int, at: int, text: str) -> list[Fact]:
        if text.startswith(_SUPERSEDED):  # a thread started a program: it goes on as the leader
            other = number_in(text.removeprefix(_SUPERSEDED))
            facts: list[Fact] = []
            if other not in self._threads:  # the call that made it was ended by this one
                self._know(other, thread)
                facts = self._settle()
            begun = self._begun.pop(other, None)
            _keep(self._begun, thread, (at, ""))  # its result is not told
            return [*facts, *(self._call(thread, begun[0], f"{begun[1]}) = 0") if begun is not None else [])]
        self._begun.pop(thread, None)
        process = self._threads.get(thread, thread)
        facts = []
        if process == thread:
            code = number_in(text.removeprefix("+++ exited with ")) << 8
            if text.startswith("+++ killed by "):
                code = _signal(text.split(" ")[3])
            facts = [Exit(at, self._cgroup, thread, thread, code)]
            self._cwd.pop(thread, None)
        self._threads.pop(thread, None)
        return facts

    def _know(self, thread: int, process: int) -> None:
        _keep(self._threads, thread, process)
        if thread in self._waiting:
            self._now_known.append(thread)

    def _moved(self, thread: int, folder: str) -> None:
        process = self._threads.get(thread, thread)
        if folder:
            _keep(
                self._cwd, process, folder if folder.startswith("/") else f"{self._where(process)}/{folder}"
            )

    def _where(self, process: int) -> str:
        return self._cwd.get(process, self._first_cwd)


def _keep(kept: OrderedDict[int, V], key: int, value: V) -> V:
    """Keep a value, and no more than `_MOST`: the oldest goes."""
    kept.pop(key, None)
    while len(kept) >= _MOST:
        kept.popitem(last=False)
    kept[key] = value
    return value


def _of(fact: Fact, process: int) -> Fact:
    """A fact of a thread as one of its process."""
    if isinstance(fact, Opened | Connected | Entered) and fact.pid != process:
        return msgspec.structs.replace(fact, pid=process)
    return fact


def _signal(name: str) -> int:
    return int(getattr(signal, name, 0)) if name.startswith("SIG") and name.isalnum() else 0


class Reader:
    """strace's output as a mechanism: a FIFO that the wrapped command's strace writes to."""

    name = "strace"
    poll_s = 0.2

    def __init__(self, trace: Path, clock: Clock, take: Callable[[Fact], None], cgroup: int) -> None:
        self._take = take
        self.parser = Parser(clock, cgroup)
        # Reading and writing, so that opening does not wait for strace and its end is no end of ours.
        self._pipe = os.open(trace, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self.waits = [self._pipe]

    def seeded(self, pid: int, cgroup: int) -> None:
        """Nothing was there before."""

    def drain(self) -> None:
        """Hand on what is there."""
        while True:
            try:
                data = os.read(self._pipe, _BLOCK)
            except BlockingIOError:
                return
            for fact in self.parser.feed(data):
                self._take(fact)

    def lost(self) -> dict[str, list[int]]:
        """Lines that could not be read."""
        for fact in self.parser.end():
            self._take(fact)
        return {"line": [self.parser.left_out]} if self.parser.left_out else {}

    def close(self) -> None:
        """Close the pipe."""
        os.close(self._pipe)
