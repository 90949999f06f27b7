"""Tetragon's JSON export: process facts for the tree, events only for what a chain can be made of.

Nearly all records are noise. Most of it is told from its bytes (`tetragon_noise`), most of the rest from a first look
at a few fields (`Glance`), and only lines that matter are decoded in full. This is the hottest code of the project (see
`bench/`); process facts and plain connections go straight to the caller instead of through events.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from operator import attrgetter, itemgetter

import msgspec

from eightysix.context.destinations import address
from eightysix.context.packages import told_path
from eightysix.model.event import Contact, Event, Seen
from eightysix.model.incident import Problem
from eightysix.model.timestamps import to_ns
from eightysix.model.words import Kind, Outcome, Source
from eightysix.sources.interface import Batch
from eightysix.sources.json_text import why
from eightysix.sources.lines import find_newlines
from eightysix.sources.tetragon_events import (
    Fact,
    classify_path,
    event_of,
    fact_of,
    is_landed_command,
    key_of,
    outcome_of,
    plain_destination,
    process_of,
)
from eightysix.sources.tetragon_lenient import (
    FAILURES,
    KEYS,
    decode_leniently,
    is_of_another_kind,
    records_of,
    rewrite,
)
from eightysix.sources.tetragon_noise import MOST, Noise, NoiseCounts
from eightysix.sources.tetragon_programs import LEAF, LOOK, MAYBE, may_matter, program_class
from eightysix.sources.tetragon_records import Glance, GlanceExec, GlanceProcess, Parent, Record

__all__ = ["TetragonDecoder", "Tree", "Trees"]

Tree = dict[str, Fact]
"""Process facts of one pod by exec id."""

Trees = MutableMapping[str, Tree]
"""Trees by pod key, as `context.pods` makes them."""

NOBODY = ("", "")

Look = tuple[Glance, int, bytes]
"""A first look at a line, its number, and its text."""

Contacts = MutableMapping[str, dict[str, Contact]]
"""Plain connections by pod key, and then by process, address and port."""

_ENOUGH = 65_536
"""Connections, paths and programs that are remembered as known noise before starting over."""

_ENOUGH_ARGUMENTS = 4096
"""The same for the arguments of interpreters and shells, most of which come again."""

_MEMORABLE = 256
"""Longest path, and longest arguments, that are remembered: noise is short, and hostile paths have up to 4096 characters."""

_glance = msgspec.json.Decoder(Glance).decode
_decode = msgspec.json.Decoder(Record).decode


class TetragonDecoder:
    """Decodes blocks of Tetragon's export.

    `trees` receives the process facts, `contacts` the plain connections; `first_execs` asks for an event at the first
    start of each program in each pod, which only baselines and rules about program starts need.
    """

    source = Source.TETRAGON

    def __init__(self, trees: Trees, contacts: Contacts, *, first_execs: bool = False) -> None:
        self._trees = trees
        self._contacts = contacts
        self._first_execs = first_execs
        self._programs: dict[str, tuple[str, int]] = {}
        self._paths: dict[str, bool] = {}
        self._harmless: set[str] = set()
        self._started: set[tuple[str, str]] = set()
        self._noise = Noise(leaves=not first_execs)
        self.moved_contacts: dict[str, set[str]] | None = None
        """By pod, the names of plain connections that are new or moved since somebody emptied this; None: nobody asks."""
        self.grown: set[str] = set()
        """Pods whose process trees grew since somebody emptied this."""
        self.connected: set[str] = set()
        """Pods whose plain connections are new or moved since somebody emptied this, where `moved_contacts` is asked for."""

    def recognises(self, record: Mapping[str, object]) -> bool:
        """A record of Tetragon has exactly one of its `process_*` keys on top."""
        return any(key in KEYS for key in record)

    def decode(self, block: bytes, file: str, first_line: int, newlines: Sequence[int] = ()) -> Batch:
        """See `Decoder.decode`."""
        ends = newlines or find_newlines(block)
        if not block.endswith(b"\n"):
            ends = [*ends, len(block)]
        batch = Batch()
        counts = NoiseCounts()
        rest = self._noise.sift(block, ends, counts, file, first_line)
        looks = self._look_at(block, ends, rest, file, first_line, batch)
        matter = self._sift(looks, counts, batch)
        batch.records += len(ends) - len(rest)
        batch.recognised += len(ends) - len(rest)
        batch.kinds = {
            "exec": counts.execs,
            "exit": counts.exits,
            "connect": counts.connects,
            "probe": counts.probes,
        }
        for look in matter:
            glance, line, text = look
            if not self._note_contact(glance, file, line, text):
                self._add(text, glance, file, line, batch)
        if looks:
            self._note_times(looks[0][0].time, looks[-1][0].time, batch)
        if batch.leftover or batch.problems:  # in the order of lines: those that did not decode came first
            batch.leftover.sort(key=itemgetter(0))
            batch.problems.sort(key=attrgetter("line"))
        return batch

    def _look_at(
        self, block: bytes, ends: Sequence[int], rest: list[int], file: str, first_line: int, batch: Batch
    ) -> list[Look]:
        """A first look at each line of `rest`: what it shows, its number and its text. What cannot be read is told."""
        looks: list[Look] = []
        note = looks.append
        for index in rest:
            text = block[ends[index - 1] + 1 if index else 0 : ends[index]]
            try:
                note((_glance(text), first_line + index, text))
            except FAILURES:
                for record in records_of(text):
                    self._look_again(record, looks, file, first_line + index, batch)
        return looks

    def _look_again(self, text: bytes, looks: list[Look], file: str, line: int, batch: Batch) -> None:
        """A second look at what did not decode: one of several records on a line, or one that another exporter wrote."""
        try:
            looks.append((_glance(text), line, text))
            return
        except FAILURES as error:
            reason = _reason(error)
        rewritten = rewrite(text)
        if rewritten:
            looks.append((_glance(rewritten), line, rewritten))
            return
        batch.records += 1
        if is_of_another_kind(text):
            batch.leftover.append((line, text))
        else:
            batch.problems.append(Problem(file, line, "malformed", reason))

    def _sift(self, looks: list[Look], counts: NoiseCounts, batch: Batch) -> list[Look]:
        """Note the process facts of all, and return those that may become events."""
        matter: list[Look] = []
        execs = exits = connects = probes = 0
        for look in looks:
            glance = look[0]
            if glance.process_exec is not None:
                execs += 1
                if not self._exec_matters(glance.process_exec):
                    continue
            elif glance.process_kprobe is not None:
                arguments = glance.process_kprobe.args
                if arguments and arguments[0].sock_arg is not None:
                    connects += 1
                else:
                    probes += 1
                if not self._probe_matters(glance):
                    continue
            elif glance.process_exit is not None:
                exits += 1
                continue
            matter.append(look)
        counts.execs += execs
        counts.exits += exits
        counts.connects += connects
        counts.probes += probes
        batch.records += len(looks)
        batch.recognised += execs + exits + connects + probes
        return matter

    def _exec_matters(self, glance: GlanceExec) -> bool:
        """Note a process in its pod's tree; whether its exec may be more than that."""
        process = glance.process
        binary = process.binary
        told, kind = self._programs.get(binary) or self._learn_program(binary)
        if kind == LEAF and not self._first_execs:
            return False
        pod = process.pod
        if pod is None or not pod.uid:
            return True
        uid, parent = pod.uid, process.parent_exec_id
        tree = self._trees.get(uid)
        if tree is None:
            tree = self._trees[uid] = {}
        self.grown.add(uid)
        tree[process.exec_id] = (
            parent,
            process.pid,
            process.start_time,
            told,
            process.docker,
            process.in_init_tree,
        )
        if parent not in tree and glance.parent is not None:
            _note_forked(tree, process, glance.parent)
        if process.ns is not None and process.ns.mnt is not None and process.ns.mnt.is_host:
            return True
        if kind != MAYBE:
            return kind == LOOK or self._first_execs
        arguments = process.arguments
        return arguments not in self._harmless and (self._learn_arguments(arguments) or self._first_execs)

    def _learn_arguments(self, arguments: str) -> bool:
        """Whether an interpreter or shell with these arguments may be more than a place in the tree."""
        if may_matter(arguments):
            return True
        if len(arguments) <= _MEMORABLE and not self._first_execs:
            if len(self._harmless) >= _ENOUGH_ARGUMENTS:
                self._harmless.clear()
            self._harmless.add(arguments)
        return False

    def _probe_matters(self, glance: Glance) -> bool:
        """Whether what a probe saw is more than known noise."""
        probe = glance.process_kprobe
        if probe is None or not probe.args:
            return True
        target = probe.args[0].file_arg
        if target is None:
            return True
        told = self._paths.get(target.path)
        return self._learn_path(target.path) if told is None else told

    def _learn_program(self, binary: str) -> tuple[str, int]:
        if len(self._programs) >= _ENOUGH:
            self._programs.clear()
        program = (told_path(binary), program_class(binary))
        if len(binary) <= _MEMORABLE:
            self._programs[binary] = program
        return program

    def _learn_path(self, path: str) -> bool:
        """Whether a path could matter at all, however it is touched."""
        if len(self._paths) >= _ENOUGH:
            self._paths.clear()
        told = classify_path(path, written=True) is not None
        if len(path) <= _MEMORABLE:
            self._paths[path] = told
            if not told:
                self._noise.learn_path(path)
        return told

    def _note_contact(self, glance: Glance, file: str, line: int, text: bytes) -> bool:
        """Note a plain connection from the first look alone; False where it takes more to know what it is."""
        probe = glance.process_kprobe
        if probe is None or len(probe.args) != 1:
            return False
        socket = probe.args[0].sock_arg
        if socket is None:
            return False
        exec_id, ip, port = probe.process.exec_id, socket.daddr, socket.dport
        kind = plain_destination(ip, port)
        if not kind:
            self._remember_connection(text, exec_id, ip, port, "", NOBODY)
            return True
        if kind != "plain" or probe.process.pod is None:
            return False
        pod = probe.process.pod.uid
        tree = self._trees.get(pod)
        if tree is None or exec_id not in tree:
            return False
        returned = probe.return_value
        outcome = outcome_of(probe.action, returned.int_arg if returned is not None else None)
        if outcome is _DENIED:
            return False  # a later one may succeed, so this one is told by itself
        name = f"{exec_id}|{ip if ':' not in ip else address(ip)}|{port}"
        try:
            self._keep_contact(pod, name, (to_ns(glance.time), str(outcome), file, line))
        except ValueError:
            return False
        self._remember_connection(text, exec_id, ip, port, glance.time, (pod, name))
        return True

    def _keep_contact(self, pod: str, name: str, seen: Seen) -> None:
        """Keep the earliest and the latest of a contact."""
        contacts = self._contacts.get(pod)
        if contacts is None:
            contacts = self._contacts[pod] = {}
        known = contacts.get(name)
        contacts[name] = (seen, seen) if known is None else (min(seen, known[0]), max(seen, known[1]))
        if self.moved_contacts is not None:
            self.moved_contacts.setdefault(pod, set()).add(name)
            self.connected.add(pod)

    def flush(self) -> None:
        """Bring the latest times of all contacts up to date: while blocks are read, those of noise wait here."""
        waiting, self._noise.waiting = self._noise.waiting, []
        for known in waiting:
            latest, known.latest = known.latest, b""  # taken; what comes later waits again
            pod, name = known.contact
            before = self._contacts.get(pod, {}).get(name)
            if not latest or before is None:
                continue
            try:
                at = to_ns(latest.decode() + "Z")
            except ValueError:
                continue
            self._keep_contact(pod, name, (at, before[0][1], known.file, known.line))

    def _remember_connection(
        self, text: bytes, exec_id: str, ip: str, port: int, time: str, contact: tuple[str, str]
    ) -> None:
        if len(self._noise.connections) >= MOST:
            self.flush()
            self._noise.connections.clear()
        self._noise.learn_connection(text, exec_id, ip, port, time, contact)

    def _add(self, text: bytes, glance: Glance, file: str, line: int, batch: Batch) -> None:
        """Decode one line in full and make at most one event of it."""
        if not _understood(glance):
            batch.leftover.append((line, text))
            return
        try:
            record = decode_leniently(text)
            event = self._event(record, glance, file, line, text)
        except (*FAILURES, ValueError) as error:
            batch.problems.append(Problem(file, line, "malformed", _reason(error)))
            if _is_sifted(glance):
                batch.recognised -= 1
                batch.kinds[_sifted_as(glance)] -= 1
            return
        if not _is_sifted(glance):
            kind = _kind(record)
            batch.recognised += 1
            batch.kinds[kind] = batch.kinds.get(kind, 0) + 1
        elif event is not None and event.kind is Kind.CONNECT and _sifted_as(glance) == "probe":
            batch.kinds["probe"] -= 1  # the address of security_socket_connect is seen only now
            batch.kinds["connect"] = batch.kinds.get("connect", 0) + 1
        if event is not None:
            batch.events.append(event)

    def _event(self, record: Record, glance: Glance, file: str, line: int, text: bytes) -> Event | None:
        """The event of a record, and the process fact where the fast loop had none."""
        process = process_of(record)
        if process is not None and process.exec_id:
            key = key_of(process, record)
            tree = self._trees.setdefault(key, {})
            if process.exec_id not in tree:
                tree[process.exec_id] = fact_of(process, record)
                self.grown.add(key)
            if self._note_contact(glance, file, line, text):
                return None  # only the fact of its process was missing
        event = event_of(record, file, line)
        if event is None:
            return None
        if record.process_exec is not None and process is not None:
            return event if self._is_worth_telling(event, key_of(process, record)) else None
        return event

    def _is_worth_telling(self, event: Event, key: str) -> bool:
        """Whether an exec is more than noise: something lands or has landed, or, where asked for, it is the first of its
        program in the pod."""
        if event.activity in _TOLD or is_landed_command(event):
            return True
        if event.activity == "shell" and " " not in event.command:
            return True  # a terminal's shell: what is started in it, a person starts
        if not self._first_execs or (key, event.binary) in self._started:
            return False
        if len(self._started) >= _ENOUGH:
            self._started.clear()
        self._started.add((key, event.binary))
        return True

    def _note_times(self, first: str, last: str, batch: Batch) -> None:
        """First and last time of a block, from the first and last record that was looked at: exact enough for coverage,
        and free."""
        known = [time for time in map(_ns_or_zero, (first, last)) if time]
        if known:
            batch.first_ns, batch.last_ns = min(known), max(known)


def _note_forked(tree: Tree, process: GlanceProcess, parent: Parent) -> None:
    """Note a parent that was forked and started no program (a worker, a subshell): nothing else tells whose child it is.
    One of another container is the runtime, which is no part of the pod."""
    if (
        parent.exec_id == process.parent_exec_id
        and parent.parent_exec_id
        and parent.docker == process.docker != ""
    ):
        tree[parent.exec_id] = (
            parent.parent_exec_id,
            parent.pid,
            parent.start_time,
            told_path(parent.binary),
            parent.docker,
            process.in_init_tree,
        )


_DENIED = Outcome.DENIED

_TOLD = frozenset({"install", "download", "build-hook", "publish", "host-entry"})
"""Activities of which every exec is an event."""


def _is_sifted(glance: Glance) -> bool:
    return (
        glance.process_exec is not None
        or glance.process_kprobe is not None
        or glance.process_exit is not None
    )


def _understood(glance: Glance) -> bool:
    return _is_sifted(glance) or any(getattr(glance, key) is not None for key in KEYS)


def _sifted_as(glance: Glance) -> str:
    """How the fast loop counted a record."""
    if glance.process_exec is not None:
        return "exec"
    probe = glance.process_kprobe
    if probe is None:
        return "exit"
    return "connect" if probe.args and probe.args[0].sock_arg is not None else "probe"


def _kind(record: Record) -> str:
    probe = record.process_kprobe or record.process_lsm or record.process_tracepoint
    if record.process_exec is not None:
        return "exec"
    if probe is not None:
        connects = any(a.sock_arg is not None or a.sockaddr_arg is not None for a in probe.args)
        return "connect" if connects else "probe"
    if record.process_connect is not None:
        return "connect"
    if record.process_loader is not None:
        return "load"
    return "dropped" if record.rate_limit_info is not None else "other"


def _reason(error: Exception) -> str:
    """Why a record cannot be used, without any of its content."""
    return why(error) if isinstance(error, FAILURES) else f"time: {error}"


def _ns_or_zero(text: str) -> int:
    try:
        return to_ns(text) if text else 0
    except ValueError:
        return 0
