"""A run of the sensor: choose a mechanism, say that it is ready, write until it is told to end, and count."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import IO, Any, Protocol

from eightysix.lab.kernel import MECHANISMS, available
from eightysix.lab.kernel.cgroups import Hierarchy, hierarchy_of
from eightysix.lab.kernel.clock import Clock
from eightysix.lab.kernel.export import Exporter
from eightysix.lab.kernel.facts import Exec, Fact
from eightysix.lab.kernel.fanotify import Files
from eightysix.lab.kernel.options import Options
from eightysix.lab.kernel.pods import Pods
from eightysix.lab.kernel.processes import found, namespace, nested
from eightysix.lab.kernel.tree import Tree
from eightysix.model.errors import LabError

__all__ = ["Lines", "Mechanism", "run"]

TRACED = 1
"""Stands for the cgroup of what strace tells of: the root's, in which nobody is told."""

_GRACE_S = 0.05
"""After the end was asked for: what other processors are still writing."""

_MOST_INPUT = 4096
_MOST_WAITING = 1 << 20
"""Bytes of lines before they are written, whatever else is to do."""


class Mechanism(Protocol):
    """What looks at processes. `waits` are descriptors that become readable when there is something to drain."""

    name: str
    waits: list[int]
    poll_s: float

    def seeded(self, pid: int, cgroup: int) -> None:
        """A process was there before."""

    def drain(self) -> None:
        """Hand on all facts there are."""

    def lost(self) -> dict[str, list[int]]:
        """What nobody could take, by type, one number a processor."""

    def close(self) -> None:
        """Undo everything."""


def run(
    options: Options, ready: Callable[[dict[str, Any]], None], control: IO[bytes] | None
) -> dict[str, Any]:
    """Run until SIGTERM, SIGINT or the end of `control`; returns the counts. Raises `LabError` where nothing works."""
    mnt, pid, net = (namespace(1, kind) or namespace("self", kind) for kind in ("mnt", "pid", "net"))
    hosts = (mnt, pid, net)
    runtimes = {namespace(one, "mnt") for one in (1, "self", os.getppid())} - {0}
    hierarchy = hierarchy_of(options.cgroup) if options.cgroup is not None else None
    clock = Clock(offset_s=options.offset)
    pods = Pods(options.pods, hierarchy)
    traced = options.mechanism == "strace"
    if traced:
        pods.place(TRACED, options.place)
    tree = Tree(options.node, None if traced else frozenset(runtimes))
    descriptor = os.open(options.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with ExitStack() as stack:
        stack.callback(os.close, descriptor)
        output = Lines(descriptor)
        strange = nested()
        files, no_files = (
            _files() if not (traced or strange) else (None, {"fanotify": strange} if strange else {})
        )
        if files is not None:
            stack.callback(files.close)
        entered = files.watch if files is not None else None
        exporter = Exporter(
            output.write, tree, pods, clock, options.node, options.cluster, hosts, None if strange else found, entered
        )  # fmt: skip
        mechanism, why_not = _choose(options, hierarchy, clock, exporter.take)
        stack.callback(mechanism.close)
        if hierarchy is not None and not strange:
            _seed(hierarchy, mechanism, exporter.take)
        ready({"ready": True, "mechanism": mechanism.name, "why_not": why_not | no_files})
        _follow(mechanism, files, exporter, pods, clock, output, control)
        lost = mechanism.lost()
        output.flush()
        if files is not None and files.overflows:
            lost["fanotify"] = [files.overflows]
    return {
        "done": True, "mechanism": mechanism.name, "records": exporter.counts, "dropped": lost,
        "dropped_total": sum(map(sum, lost.values())), "processes_forgotten": tree.forgotten,
        "pods_malformed": pods.malformed,
    }  # fmt: skip


class Lines:
    """Whole lines into a file: each write ends a line, so that several sensors may write into one."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._waiting: list[bytes] = []
        self._size = 0

    def write(self, line: bytes) -> None:
        """Take one line."""
        self._waiting.append(line)
        self._size += len(line)
        if self._size > _MOST_WAITING:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        data, self._waiting, self._size = b"".join(self._waiting), [], 0
        while data:
            data = data[os.write(self._descriptor, data) :]


def _choose(
    options: Options, hierarchy: Hierarchy | None, clock: Clock, take: Callable[[Fact], None]
) -> tuple[Mechanism, dict[str, str]]:
    """The best mechanism that works, and why better ones do not."""
    reasons = available()
    why_not: dict[str, str] = {}
    for name in MECHANISMS if options.mechanism == "auto" else (options.mechanism,):
        reason = reasons.get(name, "")
        if not reason:
            try:
                return _open(name, options, hierarchy, clock, take), why_not
            except (LabError, OSError) as error:
                reason = str(error)
        why_not[name] = reason
    told = "; ".join(f"{name}: {reason}" for name, reason in why_not.items())
    raise LabError(f"no mechanism works here: {told}")


def _open(
    name: str, options: Options, hierarchy: Hierarchy | None, clock: Clock, take: Callable[[Fact], None]
) -> Mechanism:
    from eightysix.lab.kernel.ebpf import RING_BYTES, Ebpf
    from eightysix.lab.kernel.strace import Reader
    from eightysix.lab.kernel.tracefs import Tracefs

    if options.deny and name != "ebpf":
        raise LabError("it can refuse nothing (--deny)")
    if name == "strace":
        if options.trace is None:
            raise LabError("it sees no cgroup, but a command that it wraps (--trace)")
        return Reader(options.trace, clock, take, TRACED)
    if hierarchy is None:
        raise LabError("it needs a cgroup (--cgroup)")
    return (
        Tracefs(hierarchy, take)
        if name == "tracefs"
        else Ebpf(hierarchy, take, options.deny, options.ring or RING_BYTES)
    )


def _seed(hierarchy: Hierarchy, mechanism: Mechanism, take: Callable[[Fact], None]) -> None:
    """Tell of processes that are there already, parents first, as Tetragon does when it starts."""
    seen: dict[int, Exec] = {}
    for number, below in hierarchy.folders():
        for pid in processes_of(hierarchy.folder / below):
            fact = found(pid, number)
            if fact is not None:
                seen[pid] = fact
                mechanism.seeded(pid, number)
    for fact in sorted(seen.values(), key=lambda one: (one.at, one.pid)):
        take(fact)


def processes_of(folder: Path) -> list[int]:
    """Processes of one cgroup."""
    try:
        text = (folder / "cgroup.procs").read_text()
    except OSError:
        return []
    return [int(word) for word in text.split() if word.isdigit() and word != "0"]


def _files() -> tuple[Files | None, dict[str, str]]:
    """Marks on credential files, or why there are none."""
    try:
        return Files(), {}
    except LabError as error:
        return None, {"fanotify": error.what}


def _follow(
    mechanism: Mechanism,
    files: Files | None,
    exporter: Exporter,
    pods: Pods,
    clock: Clock,
    output: Lines,
    control: IO[bytes] | None,
) -> None:
    """Until the end: wait, drain, write."""
    reads, writes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def end(_number: int, _frame: FrameType | None) -> None:
        os.write(writes, b"!")

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    waits = [
        *mechanism.waits,
        *([files.descriptor] if files is not None else []),
        reads,
        *([control.fileno()] if control is not None else []),
    ]
    half = b""
    try:
        ended = False
        while not ended:
            ready, _, _ = select.select(waits, [], [], mechanism.poll_s)
            ended = reads in ready
            if control is not None and control.fileno() in ready:
                data = os.read(control.fileno(), _MOST_INPUT)
                half = _obey(half + data, clock, mechanism)
                ended = ended or not data
            pods.refresh()
            _drain(mechanism, files, exporter)
            output.flush()
        select.select([], [], [], _GRACE_S)
        _drain(mechanism, files, exporter)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reads)
        os.close(writes)


def _drain(mechanism: Mechanism, files: Files | None, exporter: Exporter) -> None:
    """Opened files first and told last: by then the start of whoever opened them is known, and what the better mechanism
    told of the same opening."""
    opened = files.read() if files is not None else []
    mechanism.drain()
    for fact in opened:
        exporter.take(fact)


def _obey(data: bytes, clock: Clock, mechanism: Mechanism | None = None) -> bytes:
    """Do what whole lines ask for; returns the rest. What is no request is left out: this is the lab's own pipe."""
    *lines, rest = data.split(b"\n")
    for line in lines:
        try:
            asked = json.loads(line)
            if "deny" in asked:
                _deny(str(asked["deny"]), mechanism)
                continue
            seconds = float(asked["leap"])
        except (ValueError, TypeError, KeyError, OSError):
            sys.stderr.write("eightysix: a line of the input is no request\n")
            continue
        clock.leap(seconds)
    return rest[:_MOST_INPUT]


def _deny(address: str, mechanism: Mechanism | None) -> None:
    """Refuse connections to an address from now on; ValueError where this mechanism can refuse nothing."""
    from eightysix.lab.kernel.ebpf import Ebpf

    if not isinstance(mechanism, Ebpf):
        raise ValueError("it can refuse nothing")
    mechanism.deny(address)
