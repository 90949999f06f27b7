"""Counts Tetragon's export: which hooks, namespaces and nodes it has, and which pods run Python.

One decode of a few fields a record, as lean as detection's floor (see `bench/coverage.py`). What these records cannot tell
is how late they are: an event's `time` is when the kernel saw it, and no second time is written down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eightysix.context.destinations import classify
from eightysix.model.incident import Problem
from eightysix.model.timestamps import to_ns
from eightysix.model.visibility import Witness
from eightysix.model.words import Source
from eightysix.sources.interface import Batch
from eightysix.sources.json_text import why
from eightysix.sources.lines import find_newlines
from eightysix.sources.survey.census import MAX_SEEN, SLOT_S, Census, Place, Tally, count, short
from eightysix.sources.survey.tetragon_shapes import (
    Pod,
    Probe,
    Process,
    Record,
    decode_record,
    full,
    glance_at,
    told,
)
from eightysix.sources.tetragon_lenient import FAILURES, KEYS, is_of_another_kind, records_of, rewrite

__all__ = ["TetragonSurvey"]

_SLOT_NS = SLOT_S * 1_000_000_000
_TENS = 18
"""Characters of `YYYY-MM-DDTHH:MM:S`: times with the same beginning are in the same slot of ten seconds."""

_FINE = 27
"""Characters of a time with six digits behind the point: with fewer, two records may have the same."""

_MEMO = 65_536
_MOST_WAITING = 50_000
"""Groups of records that wait to be added up, about 500 bytes each."""

_CREDENTIALS = ("metadata", "wire-server")
_WIRE_PORT = 80
"""The port on which Azure's host agent endpoint counts as a metadata service (`context.destinations`)."""

_Group = tuple[str, str, str, str, bool, str]
"""What, policy, pod's uid (`-` without a pod), whether it is in a container, whether its namespaces are told, program."""

_AGAIN: _Group = ("again", "", "", "", False, "")


class _Seen:
    """What came of one place since its tally was brought up to date: how many records of each group and in each ten
    seconds, and the first and last time as text (right to the second). `elsewhere` is whether a connection went elsewhere
    than to a metadata service."""

    __slots__ = ("elsewhere", "first", "groups", "last", "slots")

    def __init__(self) -> None:
        self.groups: dict[_Group, int] = {}
        self.slots: dict[str, int] = {}
        self.first = self.last = ""
        self.elsewhere = False


class TetragonSurvey:
    """A decoder that counts into `census` and gives no events."""

    source = Source.TETRAGON

    def __init__(self, census: Census) -> None:
        self._census = census
        self._slots: dict[str, int] = {}
        self._known: set[tuple[str, ...]] = set()
        self._kinds: dict[str, str] = {}
        self._places: dict[tuple[str, str], _Seen] = {}
        self._waiting = 0

    def recognises(self, record: Mapping[str, object]) -> bool:
        """See `TetragonDecoder.recognises`."""
        return any(key in KEYS for key in record)

    def decode(self, block: bytes, file: str, first_line: int, newlines: Sequence[int] = ()) -> Batch:
        """See `Decoder.decode`. Counts are in the census after `flush`."""
        batch = Batch()
        ends = newlines or find_newlines(block)
        if not block.endswith(b"\n"):
            ends = [*ends, len(block)]
        for index in self._count(block, ends, batch):
            text = block[ends[index - 1] + 1 if index else 0 : ends[index]]
            for part in records_of(text):
                self._again(part, file, first_line + index, batch)
        if self._waiting > _MOST_WAITING:
            self.flush()
        return batch

    def _count(self, block: bytes, ends: Sequence[int], batch: Batch) -> list[int]:  # noqa: PLR0915 - the hot loop
        """Count the lines of `block` by a first look; the indexes of those that need a second one."""
        view, glance, census, places = memoryview(block), glance_at, self._census, self._places
        known, room, kinds = census.seen, MAX_SEEN - len(census.seen), self._kinds
        rest: list[int] = []
        start = counted = 0
        for index, end in enumerate(ends):
            begin, start = start, end + 1
            try:
                record = glance(view[begin:end])
            except FAILURES:
                rest.append(index)
                continue
            policy = ""
            if record.process_exec is not None:
                what, process = "exec", record.process_exec.process
            elif (probe := record.process_kprobe) is not None:
                what, policy, process = "/" + probe.function_name, probe.policy_name, probe.process
            elif record.process_exit is not None:
                what, process = "exit", record.process_exit.process
            else:
                rest.append(index)
                continue
            time = record.time
            if len(time) < _FINE or time[-1] != "Z" or not process.exec_id:
                rest.append(index)
                continue
            place = (record.cluster_name, record.node_name)
            seen = places.get(place)
            if seen is None:
                seen = self._enter(place)
            counted += 1
            key = hash((process.exec_id, time, what, policy))
            if key in known:
                seen.groups[_AGAIN] = seen.groups.get(_AGAIN, 0) + 1
                continue
            if room > 0:
                known.add(key)
                room -= 1
            pod, ns = process.pod, process.ns
            inside = process.docker or (ns is not None and ns.mnt is not None and not ns.mnt.is_host)
            group: _Group = (
                what,
                policy,
                "-" if pod is None else pod.uid,
                "in" if inside else "",
                ns is not None,
                process.binary,
            )
            number = seen.groups.get(group)
            if number is None:
                self._introduce(group, block[begin:end], place)
                number = 0
            seen.groups[group] = number + 1
            if not seen.elsewhere and policy + what in kinds and kinds[policy + what] == "connect":
                seen.elsewhere = _goes_elsewhere(block[begin:end])
            slots, tens = seen.slots, time[:_TENS]
            slots[tens] = slots.get(tens, 0) + 1
            if time > seen.last:
                seen.last = time
            if time < seen.first or not seen.first:
                seen.first = time
        batch.records += counted
        batch.recognised += counted
        census.full |= room <= 0
        return rest

    def _enter(self, place: tuple[str, str]) -> _Seen:
        """A place that is new since the last flush."""
        self._waiting += 1
        seen = self._places[place] = _Seen()
        seen.elsewhere = "elsewhere" in self._tally(place).facts
        return seen

    def _tally(self, place: tuple[str, str]) -> Tally:
        cluster, node = map(short, place)
        return self._census.tally(Place("tetragon", cluster, node), Witness.KERNEL, "tetragon")

    def _introduce(self, group: _Group, sample: bytes, place: tuple[str, str]) -> None:
        """A group that is new since the last flush, with its first record: what a hook's records are, and which pod it is.
        A hook has the same arguments always."""
        self._waiting += 1
        what, policy, uid, _, _, binary = group
        hook = policy + what
        new_hook = what[:1] == "/" and hook not in self._kinds
        new_pod = uid != "-" and (not uid or (uid, binary, *place) not in self._known)
        if not new_hook and not new_pod:
            return
        record = full(sample)
        kind, _, process, _ = told(record) if record is not None else ("", "", None, None)
        if new_hook:
            if len(self._kinds) >= _MEMO:
                self._kinds.clear()
            self._kinds[hook] = kind or "probe"
        if new_pod and process is not None and process.pod is not None:
            self._note_pod(self._tally(place), process.pod, binary, place)

    def flush(self) -> None:
        """Bring the census up to date: while blocks are read, counts wait here."""
        places, self._places, self._waiting = self._places, {}, 0
        for place, seen in places.items():
            tally = self._tally(place)
            for time in filter(None, (seen.first, seen.last)):
                _note_end(tally, time)
            for tens, number in seen.slots.items():
                slot = self._slot(tens)
                if slot is None:
                    count(tally.facts, "no-time", number)
                else:
                    tally.rhythm.note(slot, number)
            for group, number in seen.groups.items():
                self._add(tally, group, number)
            if seen.elsewhere:
                tally.facts["elsewhere"] = 1

    def _add(self, tally: Tally, group: _Group, number: int) -> None:
        """Add a group's records to the tally of its place."""
        what, policy, uid, inside, namespaces, _ = group
        if group == _AGAIN:
            tally.duplicates += number
            return
        kind = what if what[:1] != "/" else self._kinds.get(policy + what, "probe")
        tally.records += number
        tally.kinds[kind] = tally.kinds.get(kind, 0) + number
        if what[:1] == "/":
            count(tally.hooks, (policy + what)[:512], number)
        if namespaces:
            count(tally.facts, "namespaces", number)
        if uid == "-" and not inside:
            count(tally.facts, "host", number)
            return
        tally.of += number
        tally.unattributed += number if uid == "-" else 0

    def _slot(self, tens: str) -> int | None:
        """The slot of times that begin with this, None where there is no such time."""
        slot = self._slots.get(tens)
        if slot is None:
            try:
                slot = to_ns(f"{tens}0Z") // _SLOT_NS
            except ValueError:
                return None
            if len(self._slots) >= _MEMO:
                self._slots.clear()
            self._slots[tens] = slot
        return slot

    def _again(self, text: bytes, file: str, line: int, batch: Batch) -> None:
        """One of several records on a line, or one that another exporter wrote."""
        batch.records += 1
        try:
            record = decode_record(text)
        except FAILURES as error:
            rewritten = rewrite(text)
            if not rewritten:
                if is_of_another_kind(text):
                    batch.leftover.append((line, text))
                else:
                    batch.problems.append(Problem(file, line, "malformed", why(error)))
                return
            try:
                record = decode_record(rewritten)
            except FAILURES:
                batch.problems.append(Problem(file, line, "malformed", why(error)))
                return
        if not self._take(record, memoryview(text), batch):
            batch.leftover.append((line, text))

    def _take(self, record: Record, text: memoryview, batch: Batch) -> bool:
        """Count one record; False where it is none of Tetragon's."""
        kind, what, process, probe = told(record)
        if not kind:
            return False
        batch.recognised += 1
        place = (record.cluster_name, record.node_name)
        cluster, node = map(short, place)
        tally = self._census.tally(Place("tetragon", cluster, node), Witness.KERNEL, "tetragon")
        time = record.time
        exec_id = process.exec_id if process is not None else ""
        fine = len(time) >= _FINE and time[-1] == "Z" and exec_id
        policy = probe.policy_name if probe is not None else ""
        if not self._census.is_new(hash((exec_id, time, what, policy)) if fine else hash(bytes(text))):
            tally.duplicates += 1
            return True
        tally.records += 1
        tally.kinds[kind] = tally.kinds.get(kind, 0) + 1
        slot = _note_end(tally, time)
        if slot is None:
            count(tally.facts, "no-time")
        else:
            tally.rhythm.note(slot)
        if probe is not None:
            count(tally.hooks, (policy + what)[:512])
            if kind == "connect" and _is_elsewhere(probe):
                tally.facts["elsewhere"] = 1
        elif kind == "dropped":
            _note_loss(tally, record)
        if process is not None:
            self._note_process(tally, process, place)
        return True

    def _note_process(self, tally: Tally, process: Process, place: tuple[str, str]) -> None:
        """Note whose record it is."""
        pod = process.pod
        inside = process.docker or (
            process.ns is not None and process.ns.mnt is not None and not process.ns.mnt.is_host
        )
        if process.ns is not None:
            count(tally.facts, "namespaces")
        if pod is None and not inside:
            count(tally.facts, "host")
            return
        tally.of += 1
        if pod is None:
            tally.unattributed += 1
        elif not pod.uid or (pod.uid, process.binary, *place) not in self._known:
            self._note_pod(tally, pod, process.binary, place)

    def _note_pod(self, tally: Tally, pod: Pod, binary: str, place: tuple[str, str]) -> None:
        """Note a pod, and what it runs."""
        if len(self._known) >= _MEMO:
            self._known.clear()
        self._known.add((pod.uid, binary, *place))
        if pod.namespace == "kube-system":
            count(tally.facts, "kube-system")
        cluster, node = map(short, place)
        known = self._census.pod(
            cluster, short(pod.uid) or f"{node}/{short(pod.namespace)}/{short(pod.name)}"
        )
        if known is None:
            return
        known.kernel = True
        known.namespace, known.name, known.node = short(pod.namespace), short(pod.name), node
        known.workload = short(pod.workload) or known.workload
        known.workload_kind = short(pod.workload_kind) or known.workload_kind
        known.python = known.python or _is_python(binary)


def _note_end(tally: Tally, time: str) -> int | None:
    """Note a time that may be the first or the last; its slot, None where it is no time."""
    try:
        time_ns = to_ns(time)
    except ValueError:
        return None
    tally.first_ns = min(tally.first_ns or time_ns, time_ns)
    tally.last_ns = max(tally.last_ns, time_ns)
    return time_ns // _SLOT_NS


def _goes_elsewhere(sample: bytes) -> bool:
    """Whether this connection goes elsewhere than to a metadata service."""
    record = full(sample)
    probe = told(record)[3] if record is not None else None
    return probe is not None and _is_elsewhere(probe)


def _is_elsewhere(probe: Probe) -> bool:
    return any(
        argument.sock_arg is not None and classify(argument.sock_arg.daddr, _WIRE_PORT) not in _CREDENTIALS
        for argument in probe.args
    )


def _note_loss(tally: Tally, record: Record) -> None:
    if record.rate_limit_info is not None:
        number = record.rate_limit_info.number_of_dropped_process_events
        if isinstance(number, str):
            number = int(number) if number.isdigit() and len(number) < 20 and number.isascii() else 1
        count(tally.lost, "the export's rate limit", min(max(number, 0), 1 << 53))
    elif record.process_throttle is not None and not record.process_throttle.type.endswith("STOP"):
        count(tally.lost, "throttled control groups", 1)


def _is_python(binary: str) -> bool:
    name = binary.rpartition("/")[2]
    return name.startswith(("python", "pypy")) or name in ("uvicorn", "gunicorn")
