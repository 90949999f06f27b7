"""What the inventory keeps: facts as they were told, joined so that order and repetition do not matter.

Every member is a union, a minimum or a maximum of what was told. Where two sources say different things of the same pod,
the one that stands nearer to the control plane is believed (`Rank`), and of equals the smaller text.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from msgspec import Struct, field

from eightysix.context.inventory.nouns import Container, Federation

__all__ = [
    "LONGEST",
    "MAX_CONTAINERS",
    "MAX_FACTS",
    "MAX_IPS",
    "MAX_NODES",
    "MAX_PODS",
    "Facts",
    "KnownAccount",
    "KnownNode",
    "KnownPod",
    "Rank",
    "Version",
]

MAX_PODS = 200_000
"""Pods of which facts are kept, over all snapshots: a cluster at its limit has 150,000 (kubernetes.io, considerations for
large clusters)."""

MAX_NODES = 20_000
"""Nodes: four times what one cluster can have."""

MAX_FACTS = 200_000
"""Of accounts, owners, identities, federations and names: each."""

MAX_IPS = 32
"""Addresses kept of one pod or node; one of each family, anew at each restart of the sandbox."""

MAX_CONTAINERS = 128
"""Containers kept of one pod, over all restarts."""

LONGEST = 512
"""Longest text that is kept. Kubernetes names end at 253 characters."""


class Rank(IntEnum):
    """Who told something, the most trusted first."""

    INVENTORY = 0
    CONTROL_PLANE = 1
    KERNEL = 2
    PROVIDER = 3
    SUSPECT = 4


class Version(Struct, frozen=True, gc=False, order=True):
    """What an object said in one of its versions: when it was changed to that, and when it was last asked for (both 0
    where nobody says)."""

    revision: int
    since_ns: int
    until_ns: int
    values: tuple[str, ...]


class KnownPod(Struct):
    """Facts of a pod, each with who told it. `ips` have when they were first and last seen."""

    key: str
    uid: str = ""
    told: dict[str, tuple[int, str]] = field(default_factory=dict)
    made_ns: int = 0
    ended_ns: int = 0
    first_ns: int = 0
    last_ns: int = 0
    ips: dict[str, tuple[int, int]] = field(default_factory=dict)
    host_ips: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)
    containers: dict[str, Container] = field(default_factory=dict)
    latest: tuple[object, ...] = ()
    """What the last event told, so that the next one that tells the same costs little."""

    def tell(self, name: str, rank: Rank, value: str) -> None:
        """Take a fact that has one value."""
        if not value:
            return
        new = (int(rank), value[:LONGEST])
        held = self.told.get(name)
        if held is None or new < held:
            self.told[name] = new

    def get(self, name: str) -> str:
        """What is believed, empty where nobody told."""
        return self.told[name][1] if name in self.told else ""

    def seen(self, time_ns: int) -> None:
        """It was there at this time."""
        if time_ns > 0:
            self.first_ns = min(self.first_ns or time_ns, time_ns)
            self.last_ns = max(self.last_ns, time_ns)

    def address(self, ip: str, first_ns: int, last_ns: int) -> bool:
        """It had this address; False where too many are known."""
        held = self.ips.get(ip)
        if held is None:
            if len(self.ips) >= MAX_IPS:
                return False
            self.ips[ip] = (first_ns, last_ns)
        else:
            self.ips[ip] = (min(first_ns, held[0]), max(last_ns, held[1]))
        return True


class KnownNode(Struct):
    """Facts of a node."""

    name: str
    provider_ids: set[str] = field(default_factory=set)
    ips: set[str] = field(default_factory=set)
    made_ns: int = 0
    ended_ns: int = 0
    last_ns: int = 0


class KnownAccount(Struct):
    """What a service account's annotations said, version by version. `declared` are ids without a time."""

    versions: set[Version] = field(default_factory=set)
    declared: set[str] = field(default_factory=set)


class Facts:
    """Everything that was told. `full` names what was not kept because a bound was hit."""

    def __init__(self) -> None:
        self.pods: dict[str, KnownPod] = {}
        self.nodes: dict[str, KnownNode] = {}
        self.accounts: dict[str, KnownAccount] = {}
        self.owners: dict[str, tuple[str, str]] = {}
        self.made: dict[str, set[int]] = {}
        self.same: dict[str, set[str]] = {}
        self.assigned: dict[str, set[str]] = {}
        self.federations: dict[str, set[Federation]] = {}
        self.bound: dict[str, set[str]] = {}
        self.bound_ids: dict[str, set[str]] = {}
        self.issuers: dict[str, str] = {}
        self.full: set[str] = set()
        self.version = 0

    def pod(self, key: str, uid: str = "") -> KnownPod | None:
        """The facts of a pod, new or known; None where there are too many."""
        self.version += 1
        held = self.pods.get(key)
        if held is None:
            if len(self.pods) >= MAX_PODS:
                self.full.add(f"more than {MAX_PODS} pods")
                return None
            held = self.pods[key] = KnownPod(key, uid)
        return held

    def node(self, name: str) -> KnownNode | None:
        """The facts of a node, new or known; None where there are too many."""
        self.version += 1
        name = name[:LONGEST]
        held = self.nodes.get(name)
        if held is None:
            if not name or len(self.nodes) >= MAX_NODES:
                if name:
                    self.full.add(f"more than {MAX_NODES} nodes")
                return None
            held = self.nodes[name] = KnownNode(name)
        return held

    def account(self, name: str) -> KnownAccount | None:
        """The facts of a service account, new or known; None where there are too many."""
        self.version += 1
        held = self.accounts.get(name)
        if held is None:
            if len(self.accounts) >= MAX_FACTS:
                self.full.add(f"more than {MAX_FACTS} service accounts")
                return None
            held = self.accounts[name] = KnownAccount()
        return held

    def note(self, table: dict[str, set[str]], key: str, values: Iterable[str]) -> None:
        """Add to a table of sets."""
        self.version += 1
        held = table.get(key)
        if held is None:
            if not key or len(table) >= MAX_FACTS:
                self.full.add(f"more than {MAX_FACTS} facts of one kind")
                return
            held = table[key] = set()
        for value in values:
            if value and len(held) < MAX_FACTS:
                held.add(value[:LONGEST])

    def alias(self, ids: Iterable[str]) -> None:
        """All of these name one principal of the cloud."""
        found = tuple(dict.fromkeys(id_.lower()[:LONGEST] for id_ in ids if id_))
        for one in found:
            self.note(self.same, one, (other for other in found if other != one))
