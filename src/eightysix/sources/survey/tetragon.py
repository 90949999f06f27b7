"""Counts Tetragon's export: which hooks, namespaces and nodes it has, and which pods run Python.

One decode of a few fields a record, as lean as detection's floor (see `bench/coverage.py`). What these records cannot tell
is how late they are: an event's `time` is when the kernel saw it, and no second time is written down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from eightysix.context.destinations import classify
from eightysix.model.incident import Problem
from eightysix.model.timestamps import to_ns
from eightysix.model.visibility import Witness
from eightysix.model.words import Source
from eightysix.sources.interface import Batch
from eightysix.sources.json_text import why
from eightysix.sources.survey.census import SLOT_S, Census, Place, Pod, Tally, count, short
from eightysix.sources.tetragon_lenient import FAILURES, KEYS, is_of_another_kind, records_of, rewrite
from eightysix.sources.tetragon_records import RateLimit

__all__ = ["TetragonSurvey"]

_SLOT_NS = SLOT_S * 1_000_000_000
_TENS = 18
"""Characters of `YYYY-MM-DDTHH:MM:S`: times with the same beginning are in the same slot of ten seconds."""

_FINE = 27
"""Characters of a time with six digits behind the point: with fewer, two records may have the same."""

_MEMO = 65_536
_CREDENTIALS = ("metadata", "wire-server")
_WIRE_PORT = 80
"""The port on which Azure's host agent endpoint counts as a metadata service (`context.destinations`)."""

_LONGEST = 4096

Text = Annotated[str, Meta(max_length=_LONGEST)]


class _Image(Struct, gc=False):
    maybe_exec_probe: bool = False


class _Pod(Struct, gc=False):
    namespace: Text = ""
    name: Text = ""
    uid: Text = ""
    container: _Image | None = None
    workload: Text = ""
    workload_kind: Text = ""


class _Mount(Struct, gc=False):
    is_host: bool = False


class _Namespaces(Struct, gc=False):
    mnt: _Mount | None = None


class _Process(Struct, gc=False):
    exec_id: Text = ""
    binary: Text = ""
    docker: Text = ""
    pod: _Pod | None = None
    ns: _Namespaces | None = None


class _Exec(Struct, gc=False):
    process: _Process


class _Socket(Struct, gc=False):
    daddr: Text = ""


class _Something(Struct, gc=False):
    pass


class _Argument(Struct, gc=False):
    sock_arg: _Socket | None = None
    sockaddr_arg: _Something | None = None


class _Probe(Struct, gc=False):
    process: _Process
    function_name: Text = ""
    policy_name: Text = ""
    args: list[_Argument] = []


class _Throttle(Struct, gc=False):
    type: Text = ""


class _Record(Struct, gc=False):
    process_exec: _Exec | None = None
    process_kprobe: _Probe | None = None
    process_exit: _Exec | None = None
    process_lsm: _Probe | None = None
    process_tracepoint: _Probe | None = None
    process_uprobe: _Probe | None = None
    process_usdt: _Probe | None = None
    process_connect: _Exec | None = None
    process_loader: _Exec | None = None
    process_throttle: _Throttle | None = None
    process_close: _Something | None = None
    process_listen: _Something | None = None
    rate_limit_info: RateLimit | None = None
    node_name: Text = ""
    time: Text = ""
    cluster_name: Text = ""


_decode = msgspec.json.Decoder(_Record).decode


class TetragonSurvey:
    """A decoder that counts into `census` and gives no events."""

    source = Source.TETRAGON

    def __init__(self, census: Census) -> None:
        self._census = census
        self._slots: dict[str, int] = {}
        self._known: dict[tuple[str, str], Pod | None] = {}
        self._place: tuple[str, str] | None = None
        self._tally = Tally(Witness.KERNEL, "tetragon")

    def recognises(self, record: Mapping[str, object]) -> bool:
        """See `TetragonDecoder.recognises`."""
        return any(key in KEYS for key in record)

    def decode(self, block: bytes, file: str, first_line: int, newlines: Sequence[int] = ()) -> Batch:
        """See `Decoder.decode`."""
        batch = Batch()
        view, find, decode, take = memoryview(block), block.find, _decode, self._take
        start, size, line = 0, len(block), first_line
        while start < size:
            end = find(b"\n", start)
            end = size if end < 0 else end
            try:
                record = decode(view[start:end])
            except FAILURES:
                for text in records_of(block[start:end]):
                    self._again(text, file, line, batch)
            else:
                batch.records += 1
                if not take(record, view[start:end], batch):
                    batch.leftover.append((line, block[start:end]))
            start = end + 1
            line += 1
        return batch

    def _again(self, text: bytes, file: str, line: int, batch: Batch) -> None:
        """One of several records on a line, or one that another exporter wrote."""
        batch.records += 1
        try:
            record = _decode(text)
        except FAILURES as error:
            rewritten = rewrite(text)
            if not rewritten:
                if is_of_another_kind(text):
                    batch.leftover.append((line, text))
                else:
                    batch.problems.append(Problem(file, line, "malformed", why(error)))
                return
            try:
                record = _decode(rewritten)
            except FAILURES:
                batch.problems.append(Problem(file, line, "malformed", why(error)))
                return
        if not self._take(record, memoryview(text), batch):
            batch.leftover.append((line, text))

    def _take(self, record: _Record, text: memoryview, batch: Batch) -> bool:
        """Count one record; False where it is none of Tetragon's."""
        kind, what, process, probe = _told(record)
        if not kind:
            return False
        batch.recognised += 1
        batch.kinds[kind] = batch.kinds.get(kind, 0) + 1
        place = (record.cluster_name, record.node_name)
        if place != self._place:
            self._place = place
            cluster, node = map(short, place)
            self._tally = self._census.tally(Place("tetragon", cluster, node), Witness.KERNEL, "tetragon")
        tally = self._tally
        time = record.time
        exec_id = process.exec_id if process is not None else ""
        fine = len(time) >= _FINE and exec_id
        key = hash((exec_id, time, what)) if fine else hash(bytes(text))
        if not self._census.is_new(key):
            tally.duplicates += 1
            return True
        tally.records += 1
        tally.kinds[kind] = tally.kinds.get(kind, 0) + 1
        self._note_time(tally, time, batch)
        if probe is not None:
            name = f"{probe.policy_name}/{probe.function_name}"
            hooks = tally.hooks
            if name in hooks:
                hooks[name] += 1
            else:
                count(hooks, name[:512])
            if kind == "connect" and "elsewhere" not in tally.facts:
                _note_destination(tally, probe)
        elif kind == "dropped":
            _note_loss(tally, record)
        if process is not None:
            self._note_process(tally, process, place)
        return True

    def _note_time(self, tally: Tally, time: str, batch: Batch) -> None:
        """Note when it was: exactly at both ends, by slots between them."""
        slot = self._slots.get(time[:_TENS]) if time.endswith("Z") else None
        if slot is None:
            try:
                time_ns = to_ns(time)
            except ValueError:
                count(tally.facts, "no-time")
                return
            slot = time_ns // _SLOT_NS
            if len(self._slots) >= _MEMO:
                self._slots.clear()
            if time.endswith("Z"):
                self._slots[time[:_TENS]] = slot
        rhythm = tally.rhythm
        if slot >> rhythm.wider in rhythm.slots:
            rhythm.slots[slot >> rhythm.wider] += 1
        else:
            rhythm.note(slot)
        # Only what is in the first or the last slot can be the first or the last.
        if not tally.first_ns or slot * _SLOT_NS <= tally.first_ns or (slot + 1) * _SLOT_NS > tally.last_ns:
            try:
                time_ns = to_ns(time)
            except ValueError:
                return
            tally.first_ns = min(tally.first_ns or time_ns, time_ns)
            tally.last_ns = max(tally.last_ns, time_ns)
            batch.first_ns = min(batch.first_ns or time_ns, time_ns)
            batch.last_ns = max(batch.last_ns, time_ns)

    def _note_process(self, tally: Tally, process: _Process, place: tuple[str, str]) -> None:
        """Note whose record it is."""
        facts, pod = tally.facts, process.pod
        inside = process.ns is not None and process.ns.mnt is not None and not process.ns.mnt.is_host
        if process.ns is not None:
            facts["namespaces"] = facts.get("namespaces", 0) + 1
        if pod is None:
            if process.docker or inside:
                tally.of += 1
                tally.unattributed += 1
            else:
                facts["host"] = facts.get("host", 0) + 1
            return
        tally.of += 1
        if pod.namespace == "kube-system":
            facts["kube-system"] = facts.get("kube-system", 0) + 1
        if pod.container is not None and pod.container.maybe_exec_probe:
            facts["exec-probe"] = facts.get("exec-probe", 0) + 1
        key = (pod.uid or f"{place[1]}/{pod.namespace}/{pod.name}", process.binary)
        if key not in self._known:
            if len(self._known) >= _MEMO:
                self._known.clear()
            self._known[key] = None
            self._note_pod(pod, key, place)

    def _note_pod(self, pod: _Pod, key: tuple[str, str], place: tuple[str, str]) -> None:
        known = self._census.pod(short(place[0]), short(key[0]))
        if known is None:
            return
        known.kernel = True
        known.namespace, known.name = short(pod.namespace), short(pod.name)
        known.node = short(place[1])
        known.workload = short(pod.workload) or known.workload
        known.workload_kind = short(pod.workload_kind) or known.workload_kind
        known.python = known.python or _is_python(key[1])


def _told(record: _Record) -> tuple[str, str, _Process | None, _Probe | None]:
    """What a record is counted as, what tells it from others of the same process and moment, its process and its probe."""
    if record.process_exec is not None:
        return "exec", "exec", record.process_exec.process, None
    probe = record.process_kprobe
    if probe is None and record.process_exit is not None:
        return "exit", "exit", record.process_exit.process, None
    if probe is None:
        probe = (
            record.process_lsm or record.process_tracepoint or record.process_uprobe or record.process_usdt
        )
    if probe is not None:
        args = probe.args
        connects = any(a.sock_arg is not None or a.sockaddr_arg is not None for a in args)
        kind = "connect" if connects else "probe"
        return kind, f"{probe.policy_name}/{probe.function_name}", probe.process, probe
    if record.process_connect is not None:
        return "connect", "connect", record.process_connect.process, None
    if record.process_loader is not None:
        return "load", "load", record.process_loader.process, None
    if record.rate_limit_info is not None or record.process_throttle is not None:
        return "dropped", "dropped", None, None
    known = record.process_close is not None or record.process_listen is not None
    return "other" if known else "", "", None, None


def _note_destination(tally: Tally, probe: _Probe) -> None:
    """Whether a connection went elsewhere than to a metadata service: then not only those are told."""
    for argument in probe.args:
        if (
            argument.sock_arg is not None
            and classify(argument.sock_arg.daddr, _WIRE_PORT) not in _CREDENTIALS
        ):
            tally.facts["elsewhere"] = 1


def _note_loss(tally: Tally, record: _Record) -> None:
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
