"""Tetragon's JSON export: process facts for the tree, events only for what a chain can be made of.

Nearly all records are noise, so each block is decoded twice: once for a first look at a few fields (`Glance`), which is
all that noise costs, and then the few lines that matter in full. The loop over first looks is the hottest code of the
project (see `bench/`); process facts go straight into the trees of the caller instead of through events.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping

import msgspec

from eightysix.context.commands import program_kind
from eightysix.model.event import Contact, Event
from eightysix.model.incident import Problem
from eightysix.model.timestamps import to_ns
from eightysix.model.words import Source
from eightysix.sources.interface import Batch
from eightysix.sources.lines import count_newlines
from eightysix.sources.tetragon_events import (
    TEMPORARY,
    Fact,
    classify_path,
    event_of,
    fact_of,
    is_landed_command,
    key_of,
    plain_destination,
    process_of,
)
from eightysix.sources.tetragon_records import Glance, Record

__all__ = ["TetragonDecoder", "Tree", "Trees"]

Tree = dict[str, Fact]
"""Process facts of one pod by exec id."""

Trees = MutableMapping[str, Tree]
"""Trees by pod key, as `context.pods` makes them."""

Contacts = MutableMapping[str, dict[str, Contact]]
"""Plain connections by pod key, and then by process, address and port."""

EINPROGRESS = -115
"""A non-blocking connect that is under way (errno.h): not a failure."""

_ENOUGH = 65_536
"""Connections, paths and programs that are remembered as known noise before starting over."""

_LEAVES = frozenset(
    f"/{folder}/{name}"
    for folder in ("bin", "usr/bin")
    for name in (
        "arch basename cat cksum cmp comm cp cut date dd df dirname du echo expr false free grep egrep fgrep head hostname"
        " id kill ln ls lscpu lsblk md5sum mkdir mktemp mv nproc nvidia-smi od paste pidof printenv printf ps pwd readlink"
        " realpath rm rmdir sed sha256sum sleep sort stat stty sync tail tee test touch tr true tty uname uniq uptime"
        " users wc who whoami yes"
    ).split()
)
"""Programs of coreutils, procps, util-linux and the GPU driver that start no other: their execs are no links of a tree.
Whoever replaces one of these files loses its descendants to the tree, not their own records, which name their parent."""

_NOISE, _LOOK, _MAYBE, _LEAF = 0, 1, 2, 3

_KEYS = frozenset(name for name in Glance.__struct_fields__ if name != "time")
_glance_lines = msgspec.json.Decoder(Glance).decode_lines
_glance = msgspec.json.Decoder(Glance).decode
_decode = msgspec.json.Decoder(Record).decode
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_FAILURES = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class TetragonDecoder:
    """Decodes blocks of Tetragon's export.

    `trees` receives the process facts, `contacts` the plain connections; `first_execs` asks for an event at the first start of each program in each pod,
    which only baselines and rules about program starts need.
    """

    source = Source.TETRAGON

    def __init__(self, trees: Trees, contacts: Contacts, *, first_execs: bool = False) -> None:
        self._trees = trees
        self._contacts = contacts
        self._first_execs = first_execs
        self._programs: dict[str, tuple[str, int]] = {}
        self._connections: dict[tuple[str, str, int], str] = {}
        self._paths: dict[str, bool] = {}
        self._started: set[tuple[str, str]] = set()

    def recognises(self, record: Mapping[str, object]) -> bool:
        """A record of Tetragon has exactly one of its `process_*` keys on top."""
        return any(key in _KEYS for key in record)

    def decode(self, block: bytes, file: str, first_line: int, lines: int = 0) -> Batch:
        """See `Decoder.decode`."""
        try:
            glances = _glance_lines(block)
        except _FAILURES:
            return self._decode_each(block, file, first_line)
        batch = Batch()
        interesting = self._sift(glances, batch)
        if interesting or batch.recognised != len(glances):
            lines = lines or count_newlines(block) + (not block.endswith(b"\n"))
            if lines != len(glances) or not self._add_all(
                glances, interesting, block, file, first_line, batch
            ):
                return self._decode_each(block, file, first_line)
        self._note_times(glances, batch)
        return batch

    def _sift(self, glances: list[Glance], batch: Batch) -> list[int]:
        """Note the process facts of all, and return the indexes of those that may become events."""
        trees, programs, connections, paths = self._trees, self._programs, self._connections, self._paths
        first_execs = self._first_execs
        interesting: list[int] = []
        keep = interesting.append
        execs = exits = connects = probes = others = 0
        for index, glance in enumerate(glances):
            execution = glance.process_exec
            if execution is not None:
                execs += 1
                process = execution.process
                binary = process.binary
                program = programs.get(binary)
                if program is None:
                    program = self._learn_program(binary)
                kind = program[1]
                if kind == _LEAF and not first_execs:
                    continue
                pod = process.pod
                if pod is None or not pod.uid:
                    keep(index)
                    continue
                tree = trees.get(pod.uid)
                if tree is None:
                    tree = trees[pod.uid] = {}
                if first_execs or kind == _LOOK or (kind == _MAYBE and _may_matter(process.arguments)):
                    keep(index)
                tree[process.exec_id] = (
                    process.parent_exec_id, process.pid, process.start_time, program[0], process.docker, process.in_init_tree
                )  # fmt: skip
                continue
            probe = glance.process_kprobe
            if probe is not None:
                probes += 1
                arguments = probe.args
                if arguments:
                    socket = arguments[0].sock_arg
                    if socket is not None:
                        connects += 1
                        known = connections.get((probe.process.exec_id, socket.daddr, socket.dport))
                        if known is not None and known <= glance.time:
                            continue
                    else:
                        target = arguments[0].file_arg
                        if target is not None:
                            told = paths.get(target.path)
                            if told is None:
                                told = self._learn_path(target.path)
                            if not told:
                                continue
                keep(index)
                continue
            if glance.process_exit is not None:
                exits += 1
                continue
            others += 1
            keep(index)
        batch.records = len(glances)
        batch.recognised = execs + probes + exits
        batch.kinds = {"exec": execs, "exit": exits, "connect": connects, "probe": probes - connects}
        return interesting

    def _learn_program(self, binary: str) -> tuple[str, int]:
        if len(self._programs) >= _ENOUGH:
            self._programs.clear()
        program = self._programs[binary] = (binary, _program_class(binary))
        return program

    def _learn_path(self, path: str) -> bool:
        """Whether a path could matter at all, however it is touched."""
        if len(self._paths) >= _ENOUGH:
            self._paths.clear()
        told = self._paths[path] = classify_path(path, written=True) is not None
        return told

    def _add_all(
        self,
        glances: list[Glance],
        interesting: list[int],
        block: bytes,
        file: str,
        first_line: int,
        batch: Batch,
    ) -> bool:
        """Make events of the interesting lines of `block`, one record a line. False when a line turns out to be another
        record than the one that was looked at: then lines and records do not go together."""
        find = block.find
        start = at = 0
        for index in interesting:
            glance = glances[index]
            if self._note_contact(glance, file, first_line + index):
                continue
            while at < index:
                start = find(b"\n", start) + 1
                at += 1
            end = find(b"\n", start)
            text = block[start : end if end >= 0 else len(block)]
            if not self._add(text, glance, file, first_line + index, batch):
                return False
        return True

    def _note_contact(self, glance: Glance, file: str, line: int) -> bool:
        """Note a plain connection from the first look alone; False where it takes more to know what it is."""
        probe = glance.process_kprobe
        if probe is None or not probe.args or probe.process.pod is None:
            return False
        socket = probe.args[0].sock_arg
        if socket is None or plain_destination(socket.daddr, socket.dport) != "plain":
            return False
        exec_id, pod = probe.process.exec_id, probe.process.pod.uid
        tree = self._trees.get(pod)
        if tree is None or exec_id not in tree:
            return False
        ip, port = socket.daddr, socket.dport
        returned = probe.return_value.int_arg if probe.return_value is not None else None
        outcome = "unknown"
        if returned is not None:
            outcome = "denied" if returned < 0 and returned != EINPROGRESS else "allowed"
        try:
            contact = (to_ns(glance.time), outcome, file, line)
        except ValueError:
            return False
        contacts = self._contacts.get(pod)
        if contacts is None:
            contacts = self._contacts[pod] = {}
        name = f"{exec_id}|{ip}|{port}"
        known = contacts.get(name)
        if known is None or contact < known:
            contacts[name] = contact
        self._remember_connection(exec_id, ip, port, glance.time)
        return True

    def _remember_connection(self, exec_id: str, ip: str, port: int, time: str) -> None:
        if len(self._connections) >= _ENOUGH:
            self._connections.clear()
        self._connections[(exec_id, ip, port)] = time

    def _add(self, text: bytes, glance: Glance, file: str, line: int, batch: Batch) -> bool:
        """Decode one line in full and make at most one event of it; False when it is not the record of `glance`."""
        try:
            record = _decode(text)
        except _FAILURES as error:
            if isinstance(error, msgspec.DecodeError) and "trailing" in str(error):
                return False
            batch.problems.append(Problem(file, line, "malformed", _reason(error)))
            batch.recognised -= _is_sifted(glance)
            return True
        if record.time != glance.time:
            return False
        if not _understood(glance):
            batch.leftover.append((line, text))
            return True
        try:
            event = self._event(record, file, line)
        except ValueError as error:
            batch.problems.append(Problem(file, line, "malformed", f"time: {error}"))
            batch.recognised -= _is_sifted(glance)
            return True
        if not _is_sifted(glance):
            kind = _other_kind(record)
            batch.recognised += 1
            batch.kinds[kind] = batch.kinds.get(kind, 0) + 1
        if event is not None:
            batch.events.append(event)
        return True

    def _event(self, record: Record, file: str, line: int) -> Event | None:
        """The event of a record, and the process fact where the fast loop had none."""
        process = process_of(record)
        if process is not None and process.exec_id:
            tree = self._trees.setdefault(key_of(process, record), {})
            if process.exec_id not in tree:
                tree[process.exec_id] = fact_of(process, record)
        event = event_of(record, file, line)
        if event is None:
            return None
        if record.process_exec is not None and process is not None:
            return event if self._is_worth_telling(event, key_of(process, record)) else None
        if (
            event.dst_ip
            and event.domain is None
            and plain_destination(event.dst_ip, event.dst_port) == "plain"
        ):
            self._remember_connection(event.exec_id, event.dst_ip, event.dst_port, record.time)
        return event

    def _is_worth_telling(self, event: Event, key: str) -> bool:
        """Whether an exec is more than noise: something lands or has landed, or, where asked for, it is the first of its
        program in the pod."""
        if event.activity in ("install", "download", "build-hook") or is_landed_command(event):
            return True
        if not self._first_execs or (key, event.binary) in self._started:
            return False
        if len(self._started) >= _ENOUGH:
            self._started.clear()
        self._started.add((key, event.binary))
        return True

    def _decode_each(self, block: bytes, file: str, first_line: int) -> Batch:
        """Decode line by line, so that one bad line loses nothing else and every line has its own number."""
        batch = Batch()
        for offset, text in enumerate(block.split(b"\n")):
            if not text.strip():
                continue
            line = first_line + offset
            try:
                glance = _glance(text)
            except _FAILURES as error:
                batch.records += 1
                if _is_json_of_another_kind(text):
                    batch.leftover.append((line, text))
                else:
                    batch.problems.append(Problem(file, line, "malformed", _reason(error)))
                continue
            one = Batch()
            if self._sift([glance], one) and not self._note_contact(glance, file, line):
                self._add(text, glance, file, line, one)
            self._note_times([glance], one)
            merge_batches(batch, one)
        return batch

    def _note_times(self, glances: list[Glance], batch: Batch) -> None:
        """First and last time of a block, from its first and last record: exact enough for coverage, and free."""
        times = [_ns_or_zero(glance.time) for glance in (glances[:1] + glances[-1:])]
        known = [time for time in times if time]
        if known:
            batch.first_ns, batch.last_ns = min(known), max(known)


def merge_batches(into: Batch, other: Batch) -> None:
    """Add `other` to `into`."""
    into.events += other.events
    into.problems += other.problems
    into.leftover += other.leftover
    into.records += other.records
    into.recognised += other.recognised
    for kind, count in other.kinds.items():
        into.kinds[kind] = into.kinds.get(kind, 0) + count
    if other.first_ns and (not into.first_ns or other.first_ns < into.first_ns):
        into.first_ns = other.first_ns
    into.last_ns = max(into.last_ns, other.last_ns)


def _program_class(binary: str) -> int:
    """What an exec of `binary` needs: nothing, not even a place in the tree; nothing; a look at its arguments only when
    they hold a telling word; a look in any case."""
    if binary in _LEAVES:
        return _LEAF
    if binary.startswith(TEMPORARY):
        return _LOOK
    # A wrapper (env, timeout) starts the installer as a process of its own.
    return {"tool": _LOOK, "interpreter": _MAYBE, "shell": _MAYBE}.get(program_kind(binary), _NOISE)


def _may_matter(arguments: str) -> bool:
    """A first look at the arguments of an interpreter or shell, written out because it runs for every start of one:
    could it install something, or run a script that may have landed?"""
    return (
        "install" in arguments
        or "download" in arguments
        or "setup.py" in arguments
        or "_in_process" in arguments
        or "pip" in arguments
        or "npm" in arguments
        or "conda" in arguments
        or "poetry" in arguments
        or "pdm" in arguments
        or "yarn" in arguments
        or "clone" in arguments
        or (("/tmp/" in arguments or "/dev/shm/" in arguments) and not arguments.startswith("-c"))  # noqa: S108
    )


def _is_sifted(glance: Glance) -> bool:
    return (
        glance.process_exec is not None
        or glance.process_kprobe is not None
        or glance.process_exit is not None
    )


def _understood(glance: Glance) -> bool:
    return _is_sifted(glance) or any(getattr(glance, key) is not None for key in _KEYS)


def _other_kind(record: Record) -> str:
    if record.process_lsm is not None or record.process_tracepoint is not None:
        return "probe"
    if record.process_connect is not None:
        return "connect"
    if record.process_loader is not None:
        return "load"
    return "dropped" if record.rate_limit_info is not None else "other"


def _is_json_of_another_kind(text: bytes) -> bool:
    """A line that fails as Tetragon's but is a JSON object without any of its keys belongs to somebody else."""
    try:
        return not any(key in _KEYS for key in _decode_object(text))
    except _FAILURES:
        return False


def _reason(error: Exception) -> str:
    """The decoder's own words, which name a place in the record and never quote its values."""
    return "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)[:200]


def _ns_or_zero(text: str) -> int:
    try:
        return to_ns(text) if text else 0
    except ValueError:
        return 0
