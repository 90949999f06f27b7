"""The counts of a survey: by kind of log, cluster and node, in bounded memory, the same for any order of the records.

Nothing here is judged: `eightysix.reconstruct.coverage` says what the counts mean. What telemetry says (names of clusters,
nodes, pods, hooks) is bounded in number and length, since anybody who writes records chooses it.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

from msgspec import Struct, field

from eightysix.model.timestamps import to_ns
from eightysix.model.visibility import Witness

__all__ = [
    "LATE_BOUNDS",
    "SLOT_S",
    "Census",
    "Late",
    "Place",
    "Pod",
    "PodName",
    "Rhythm",
    "Tally",
    "short",
]

SLOT_S = 10
"""Seconds of the finest slot in which arrival is counted: finer ones tell nothing of a silence that lasts minutes."""

MAX_SLOTS = 8_640
"""Slots of one feed with anything in them, one day of the finest; beyond, slots are made twice as wide, again and again."""

MAX_PLACES = 20_000
"""Feeds at one place that are told apart: 5,000 nodes, the most that Kubernetes supports, with four kinds of record each."""

MAX_PODS = 200_000
"""Pods that are remembered: Kubernetes supports 150,000 in one cluster (kubernetes.io/docs/setup/best-practices)."""

MAX_SEEN = 4_000_000
"""Records whose ids are remembered to tell those that come twice, about 65 bytes each."""

MAX_NAMES = 256
"""Different names (hooks, facts, kinds) that one tally keeps; the rest is counted as `other`."""

LONGEST = 253
"""Characters of a name, Kubernetes' own limit."""

LATE_BOUNDS = (
    0.1,
    0.5,
    1.0,
    2.0,
    5.0,
    10.0,
    30.0,
    60.0,
    120.0,
    300.0,
    600.0,
    900.0,
    1800.0,
    3600.0,
    21600.0,
    86400.0,
)
"""Seconds. What arrives later than a day is counted beyond the last."""

_S = 1_000_000_000


def short(text: str | None) -> str:
    """A name as it is kept."""
    return text[:LONGEST] if text else ""


class Place(NamedTuple):
    """Where records come from: the log (`tetragon`, `kube-audit`, `ManagedIdentitySignInLogs`...), cluster and node; empty
    where no record says."""

    feed: str
    cluster: str
    node: str


class Rhythm(Struct):
    """When records came, by slots of `SLOT_S * 2**wider` seconds since 1970. What it ends in follows from all records
    and not from their order: a slot's number of the wider scale is half of the finer one's."""

    wider: int = 0
    slots: dict[int, int] = field(default_factory=dict)

    def note(self, slot: int, number: int = 1) -> None:
        """Count `number` records in a slot of the finest scale."""
        slot >>= self.wider
        slots = self.slots
        slots[slot] = slots.get(slot, 0) + number
        if len(slots) > MAX_SLOTS:
            self._widen()

    def _widen(self) -> None:
        while len(self.slots) > MAX_SLOTS:
            self.wider += 1
            wide: dict[int, int] = {}
            for slot, number in self.slots.items():
                wide[slot >> 1] = wide.get(slot >> 1, 0) + number
            self.slots = wide

    @property
    def slot_s(self) -> int:
        """Seconds of one slot."""
        return SLOT_S << self.wider


class Late(Struct):
    """How long after its event a record was there, by upper bounds. `early` are those that came before it: clocks differ.
    `between` names the two times that were compared."""

    between: str = ""
    counts: list[int] = field(default_factory=lambda: [0] * (len(LATE_BOUNDS) + 1))
    early: int = 0
    worst_s: float = 0.0

    def note(self, seconds: float) -> None:
        """Count one record."""
        if seconds < 0:
            self.early += 1
            seconds = 0.0
        self.counts[bisect_left(LATE_BOUNDS, seconds)] += 1
        self.worst_s = max(self.worst_s, seconds)


class Tally(Struct):
    """What one log told of one place. `facts` count what the records show of how the log is configured, under names of
    ours; `hooks` are `policy/function` of Tetragon's probes; `lost` is what the source itself says it dropped, by who says
    so. `unattributed` are records of a container, or of a service account, that name no pod; `of` is among how many."""

    witness: Witness
    source: str
    records: int = 0
    duplicates: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    first_ns: int = 0
    last_ns: int = 0
    rhythm: Rhythm = field(default_factory=Rhythm)
    late: Late = field(default_factory=Late)
    lost: dict[str, int] = field(default_factory=dict)
    unattributed: int = 0
    of: int = 0
    facts: dict[str, int] = field(default_factory=dict)
    hooks: dict[str, int] = field(default_factory=dict)

    def at(self, time_ns: int) -> None:
        """Note when a record's event was."""
        self.first_ns = min(self.first_ns or time_ns, time_ns)
        self.last_ns = max(self.last_ns, time_ns)
        self.rhythm.note(time_ns // (SLOT_S * _S))

    def arrived(self, event_ns: int, arrival: str | None, between: str) -> None:
        """Note how late a record was, where it carries both times."""
        if not arrival or not event_ns:
            return
        try:
            seconds = (to_ns(arrival) - event_ns) / _S
        except ValueError:
            return
        self.late.between = between
        self.late.note(seconds)


def count(counts: dict[str, int], name: str, number: int = 1) -> None:
    """Add to one of at most `MAX_NAMES` counters."""
    if name not in counts and len(counts) >= MAX_NAMES:
        name = "other"
    counts[name] = counts.get(name, 0) + number


class PodName(NamedTuple):
    """How a pod is known: by its uid where one is told, else by node and name."""

    cluster: str
    key: str


class Pod(Struct):
    """A pod that some record names. `python` is whether the kernel saw an interpreter of Python in it."""

    namespace: str = ""
    name: str = ""
    node: str = ""
    workload: str = ""
    workload_kind: str = ""
    kernel: bool = False
    python: bool = False
    sensor: bool = False


class Census(Struct):
    """Everything that a survey counted. `alive` is when the API server heard a node's kubelet, which is what tells a node
    that is silent from one that is gone; `agents` is the worst that metrics of agents say;
    `crowded` counts what found no room in the bounds above."""

    tallies: dict[Place, Tally] = field(default_factory=dict)
    pods: dict[PodName, Pod] = field(default_factory=dict)
    alive: dict[tuple[str, str], Rhythm] = field(default_factory=dict)
    crowded: dict[str, int] = field(default_factory=dict)
    agents: dict[str, int] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    ledger: bool = False
    gate: bool = False
    full: bool = False

    def tally(self, place: Place, witness: Witness, source: str) -> Tally:
        """The counts of one place."""
        found = self.tallies.get(place)
        if found is None:
            if len(self.tallies) >= MAX_PLACES:
                count(self.crowded, "places")
                place = Place(place.feed, "", "")
                found = self.tallies.get(place)
            if found is None:
                found = self.tallies[place] = Tally(witness, source)
        return found

    def is_new(self, key: int) -> bool:
        """Whether a record with this id did not come before. Beyond `MAX_SEEN` records nothing more is remembered."""
        if key in self.seen:
            return False
        if len(self.seen) < MAX_SEEN:
            self.seen.add(key)
        else:
            self.full = True
        return True

    def pod(self, cluster: str, key: str) -> Pod | None:
        """A pod by its uid, or by `node/namespace/name`; None where there is no room for one more."""
        name = PodName(cluster, key)
        found = self.pods.get(name)
        if found is None:
            if len(self.pods) >= MAX_PODS:
                count(self.crowded, "pods")
                return None
            found = self.pods[name] = Pod()
        return found

    def heard(self, cluster: str, node: str, time_ns: int) -> None:
        """The API server heard this node's kubelet."""
        key = (cluster, node)
        rhythm = self.alive.get(key)
        if rhythm is None:
            if len(self.alive) >= MAX_PLACES:
                count(self.crowded, "nodes")
                return
            rhythm = self.alive[key] = Rhythm()
        rhythm.note(time_ns // (SLOT_S * _S))
