"""What one pod sends: its budget, the numbers of its processes, and what is to be told of gaps."""

from __future__ import annotations

from msgspec import Struct

from eightysix.serve.sensors.limits import Counts, Limits
from eightysix.serve.sensors.records import Admitted, admit
from eightysix.serve.sensors.sequence import MAX_JUMP, Numbers, Told

__all__ = ["HEARTBEAT", "Budget", "PodStream"]

HEARTBEAT = "heartbeat"

_Name = tuple[str, int, int]


class Budget(Struct):
    """Two buckets that fill with time: records, and their bytes. Both may go below nothing by one record."""

    limits: Limits
    records: float
    bytes: float
    at: float

    def allows(self, now: float) -> bool:
        """Whether another record may be read."""
        passed, self.at = max(0.0, now - self.at), now
        self.records = min(self.limits.burst, self.records + passed * self.limits.records_s)
        self.bytes = min(self.limits.burst_bytes, self.bytes + passed * self.limits.bytes_s)
        return self.records >= 1 and self.bytes > 0

    def take(self, size: int) -> None:
        """A record of `size` bytes was read. An empty one costs as much work as a small one."""
        self.records -= 1
        self.bytes -= max(size, 64)

    def wait_s(self) -> float:
        """Until there is room for some records again, not for one at a time."""
        records = max(0.0, self.limits.records_s / 10 - self.records) / self.limits.records_s
        return max(0.01, records, -self.bytes / self.limits.bytes_s)


class _Followed(Struct):
    numbers: Numbers
    dropped: int = 0


class PodStream:
    """The state of one endpoint that is no socket."""

    def __init__(self, uid: str, limits: Limits, now: float) -> None:
        self.uid = uid
        self.counts = Counts()
        self.budget = Budget(limits, limits.burst, limits.burst_bytes, now)
        self._limits = limits
        self._processes: dict[_Name, _Followed] = {}
        self._gaps: dict[str, int] = {}
        self._told: dict[str, float] = {}

    def admit(self, data: bytes, now_ns: int, now: float) -> Admitted | None:
        """The record of a datagram, None where it came before; raises `RefusedError` where it is no record."""
        record = admit(data)
        name = (record.boot_id, record.ns_pid, record.start_ticks)
        followed = self._processes.pop(name, None)
        if followed is None:
            followed = _Followed(Numbers())
            self.counts.unheard += min(record.seq, MAX_JUMP)
            while len(self._processes) >= self._limits.processes:
                del self._processes[next(iter(self._processes))]
        self._processes[name] = followed  # the last in the order
        told = followed.numbers.take(record.seq, record.t_ns, data, now_ns, now)
        if told is Told.REPLAYED:
            self.counts.replayed += 1
            return None
        self.counts.stripped += record.stripped
        if told is Told.CONFLICT:
            self.counts.conflicting += 1
            self._note("conflict", 1)
        if record.event == HEARTBEAT:
            self._heartbeat(followed, record)
        return record

    def throttled(self, now: float) -> None:
        """The pod is over its budget."""
        self.counts.throttled += 1
        self._note("flood", 1)

    def repaired(self) -> None:
        """The socket was not in its place."""
        self.counts.repaired += 1
        self._note("endpoint", 1)

    def gaps(self, now: float, now_ns: int, *, last: bool = False) -> list[dict[str, object]]:
        """What is to be told of gaps: at most one record of each kind in a while, and with `last` all that is left."""
        for followed in self._processes.values():
            missing = followed.numbers.overdue(float("inf") if last else now)
            if missing:
                self.counts.missing += missing
                self._note("sequence", missing)
        found: list[dict[str, object]] = []
        for gap, number in list(self._gaps.items()):
            if last or now - self._told.get(gap, float("-inf")) >= self._limits.tell_s:
                self._told[gap] = now
                del self._gaps[gap]
                found.append({"v": 1, "t_ns": now_ns, "event": "gap", "gap": gap, "number": number})
        return found

    def _heartbeat(self, followed: _Followed, record: Admitted) -> None:
        told = record.fields.get("dropped")
        if type(told) is not int or not 0 <= told < 1 << 53:
            return
        more = told - followed.dropped
        followed.dropped = told
        if more > 0:
            self.counts.sender_dropped += more
            self._note("dropped", more)

    def _note(self, gap: str, number: int) -> None:
        self._gaps[gap] = self._gaps.get(gap, 0) + number
