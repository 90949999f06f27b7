"""The in-process Python sensor: records of version 1, and those of its prototype.

The sensor tells what the kernel cannot: which distribution's code acts, and the path of a request. It runs inside the
process that it watches, so everything here is of origin `suspect`. `pod`, `node` and the host's pid are believed because
the receiver writes them over whatever the sender claims; the prototype's records lack them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b

import msgspec
from msgspec import Struct

from eightysix.model.event import Event, EventId
from eightysix.model.incident import Problem
from eightysix.model.words import Grade, Kind, Origin, Source
from eightysix.sources.interface import Batch
from eightysix.sources.json_text import read_value, why
from eightysix.sources.sensor_acts import READERS
from eightysix.sources.sensor_provenance import chain_of, cut, dists_of, entry_of, text_of
from eightysix.sources.sensor_records import Pod, Record

__all__ = ["ABSENT", "GAP", "SensorDecoder", "SensorGap"]

VERSION = 1
"""The version of the sensor record that is read. Records of another one are told, not guessed at."""

GAP = "gap"
"""The event of a record that the receiver itself writes: it tells what it could not hand on of one pod. It takes none from
a sender."""

ABSENT = ("withdrawn", "start_failed")
"""Events by which a sensor itself says that it stays away from a process: its program keeps dying, or it could not start.
They tell of no act. Whoever is in the pod can send them, so they explain, and count against the pod at most."""

MAX_GAPS = 10_000
"""Gaps that wait to be taken, and pods whose losses are summed up."""

_LATEST_NS = 1 << 63
_KINDS: Mapping[str, Kind] = {
    "sensor_start": Kind.START,
    "start": Kind.START,
    "exec_child": Kind.SPAWN,
    "spawn": Kind.SPAWN,
    "connect": Kind.CONNECT,
    "resolve": Kind.RESOLVE,
    "http": Kind.HTTP,
    "open": Kind.FILE,
    "file": Kind.FILE,
    "dist": Kind.FILE,
    "import": Kind.IMPORT,
    "pickle_global": Kind.PICKLE,
    "pickle": Kind.PICKLE,
    "lc_revive": Kind.REVIVE,
    "revive": Kind.REVIVE,
}
"""What the sensor calls things, and what they are. Any other record is understood as `other` and makes no event."""

OnRecord = Callable[[Record, bytes, str, int], None]
"""Who counts records instead of judging them: the record, its bytes, what it is counted as, and its time."""

_decode = msgspec.json.Decoder(Record).decode
_encode = msgspec.json.encode


class SensorGap(Struct, frozen=True):
    """What is missing of the records of one pod: `gap` is the kind, `number` how many. Its receiver tells, or the sensor
    itself (`ABSENT`)."""

    pod_uid: str
    time_ns: int
    gap: str
    number: int


class SensorDecoder:
    """Decodes blocks of sensor records; keeps what receivers told of gaps, and nothing else.

    `gaps` are for whoever watches, and to be taken; `lost` sums them up by pod and kind. `unvouched` says which files hold
    records that no receiver of ours wrote: whose they say that they are is not believed. `on_record` is told of every
    record, and then none becomes an event.

    Line by line, because `decode_lines` takes any white space between values and so cannot tell which line a value is on;
    sensors write tens of records a second, not thousands.
    """

    source = Source.SENSOR

    def __init__(self, *, on_record: OnRecord | None = None) -> None:
        self._on_record = on_record
        self.gaps: list[SensorGap] = []
        self.lost: dict[str, dict[str, int]] = {}
        self.unvouched: Callable[[str], bool] = frozenset[str]().__contains__

    def recognises(self, record: Mapping[str, object]) -> bool:
        """Version 1 has `v` and `t_ns`, the prototype `"sensor": "py"` and `time`; both name their `event`."""
        if not isinstance(record.get("event"), str):
            return False
        version = record.get("v")
        if isinstance(version, int) and not isinstance(version, bool) and "t_ns" in record:
            return True
        return record.get("sensor") == "py" and "time" in record

    def decode(self, block: bytes, file: str, first_line: int, newlines: Sequence[int] = ()) -> Batch:
        """See `Decoder.decode`."""
        batch = Batch()
        unvouched = self.unvouched(file)
        for line, text in enumerate(block.split(b"\n"), first_line):
            try:
                record = _decode(text)
            except (ValueError, RecursionError) as error:
                repaired = self._unusable(text, error, file, line, batch)
                if repaired is None:
                    continue
                record = repaired
            else:
                batch.records += 1
            if not _is_ours(record):
                batch.leftover.append((line, text))
                continue
            if unvouched:
                _forget_whose(record)
            elif record.event == GAP:
                self._note_gap(record, text_of(record.gap), min(record.number or 0, 1 << 53))
            elif record.event in ABSENT:
                self._note_gap(record, record.event, 1)
            problem = _add(record, text, file, line, batch, self._on_record)
            if problem:
                kind, reason = problem
                batch.problems.append(Problem(file, line, kind, reason))
        return batch

    def _note_gap(self, record: Record, kind: str, number: int) -> None:
        gap = SensorGap(text_of(_pod(record).uid), record.t_ns or 0, kind, number)
        if record.v != VERSION or not gap.pod_uid or not gap.gap:
            return
        if len(self.gaps) < MAX_GAPS:
            self.gaps.append(gap)
        if gap.pod_uid in self.lost or len(self.lost) < MAX_GAPS:
            of_pod = self.lost.setdefault(gap.pod_uid, {})
            of_pod[gap.gap] = of_pod.get(gap.gap, 0) + gap.number

    def _unusable(self, text: bytes, error: Exception, file: str, line: int, batch: Batch) -> Record | None:
        """Account for a line that did not decode; of one that only has broken text in it, return the record.

        Names of files can be any bytes, and a sensor writes what is no UTF-8 as lone surrogates: code with such a name
        must not become invisible by it.
        """
        if not text.strip():
            return None
        batch.records += 1
        repaired = _repaired(text)
        if repaired is not None:
            return repaired
        try:
            value = read_value(text)
        except ValueError as reason:
            batch.problems.append(Problem(file, line, "malformed", str(reason)))
            return None
        if isinstance(value, dict) and self.recognises(value):
            batch.problems.append(Problem(file, line, "malformed", why(error)))
        else:
            batch.leftover.append((line, text))
        return None


def _forget_whose(record: Record) -> None:
    """Take off what only a receiver writes: these records came from nobody knows whom. A pid beside the one in the container
    would be read as the node's."""
    record.pod = record.node = record.namespace = record.pod_uid = record.container_id = record.cluster = None
    record.host_pid = None
    record.pid = record.ns_pid or record.pid
    if record.event == GAP:
        record.event = "other"


def _is_ours(record: Record) -> bool:
    """`SensorDecoder.recognises`, for a decoded record."""
    if record.event is None:
        return False
    return (record.v is not None and record.t_ns is not None) or (
        record.sensor == "py" and bool(bytes(record.time))
    )


def _repaired(text: bytes) -> Record | None:
    """The record of a line whose only fault is text that is no Unicode, None where it has others."""
    try:
        value = json.loads(text.decode(errors="replace"))
        clean = json.dumps(value).encode()
        if b"\\ud" in clean:
            clean = json.dumps(value, ensure_ascii=False).encode(errors="replace")
        return _decode(clean)
    except (ValueError, RecursionError):
        return None


def _add(
    record: Record, text: bytes, file: str, line: int, batch: Batch, on_record: OnRecord | None = None
) -> tuple[str, str] | None:
    """Add what `record` tells to `batch`; kind and reason of a problem where it cannot be used."""
    if record.v not in (None, VERSION):
        return "unrecognised", "sensor record of another version"
    time_ns = (
        record.t_ns if record.v is not None and record.t_ns is not None else _seconds(bytes(record.time))
    )
    if not 0 < time_ns < _LATEST_NS:
        return "malformed", "no usable time"
    kind = _KINDS.get(record.event or "")
    name = str(kind) if kind is not None else GAP if record.event == GAP else "other"
    batch.recognised += 1
    batch.kinds[name] = batch.kinds.get(name, 0) + 1
    batch.first_ns = min(batch.first_ns or time_ns, time_ns)
    batch.last_ns = max(batch.last_ns, time_ns)
    if on_record is not None:
        on_record(record, text, name, time_ns)
    elif kind is not None:
        what = READERS[kind](record)
        if what is not None:
            batch.events.append(_event(record, text, file, line, time_ns, kind, what))
    return None


def _seconds(text: bytes) -> int:
    """Nanoseconds of a JSON number of seconds, from its digits where it is written plainly; 0 where it is no time."""
    whole, _, fraction = text.partition(b".")
    if whole.isdigit() and len(whole) <= 10 and (fraction.isdigit() or not fraction):
        return int(whole) * 1_000_000_000 + int(fraction[:9].ljust(9, b"0"))
    try:
        seconds = float(text)
    except ValueError:
        return 0
    return int(seconds * 1e9) if 0 < seconds < 1e10 else 0


def _event(
    record: Record, text: bytes, file: str, line: int, time_ns: int, kind: Kind, what: dict[str, object]
) -> Event:
    """Assemble the event: who, where and whose code from `record`, what it did from `what`."""
    pod = _pod(record)
    node = text_of(record.node)
    in_container = record.ns_pid or record.pid or 0
    host = record.host_pid or (record.pid or 0 if record.ns_pid and record.ns_pid != record.pid else 0)
    chain = chain_of(record)
    image, _, digest = text_of(pod.image).partition("@")
    fields: dict[str, object] = {
        "cluster": text_of(pod.cluster),
        "node": node,
        "namespace": text_of(pod.namespace),
        "pod": text_of(pod.name),
        "pod_uid": text_of(pod.uid),
        "container_id": text_of(pod.container_id).rpartition("/")[2],
        "container": text_of(pod.container),
        "workload": text_of(pod.workload),
        "workload_kind": text_of(pod.workload_kind),
        "image": image,
        "image_digest": digest,
        "service_account": text_of(pod.service_account),
        "exec_id": _process_key(record, pod, node, in_container),
        "parent_exec_id": f"sensor::{record.ppid}" if record.v is None and (record.ppid or 0) > 0 else "",
        "pid": host,
        "tid": record.tid or 0,
        "ns_pid": in_container,
        "chain": chain,
        "root": entry_of(cut(record.root)) or (chain[-1] if chain else ""),
        "at_import": entry_of(cut(record.at_import)),
        "dists": dists_of(record),
        **what,
    }
    return Event(
        event_id=EventId(blake2b(b"sensor\0" + text, digest_size=16).hexdigest()),
        time_ns=time_ns,
        source=Source.SENSOR,
        origin=Origin.SUSPECT,
        grade=Grade.A,
        kind=kind,
        file=file,
        line=line,
        **fields,  # type: ignore[arg-type]
    )


def _pod(record: Record) -> Pod:
    """The pod as the receiver told it: an object, or a name beside `namespace` and `pod_uid`."""
    pod = record.pod
    if isinstance(pod, Pod):
        return pod
    return Pod(record.cluster, record.namespace, pod, record.pod_uid, record.container_id)


def _process_key(record: Record, pod: Pod, node: str, in_container: int) -> str:
    """A key for the process that no other shares: pids repeat, so boot, pod and start time go in as far as they are known."""
    if record.v is None:
        return f"sensor::{in_container}"
    machine = text_of(record.boot_id)[:64] or node
    who = text_of(pod.uid) or f"{text_of(pod.namespace)}/{text_of(pod.name)}"
    return f"sensor:{machine}/{who}:{in_container}:{record.start_ticks or 0}"
