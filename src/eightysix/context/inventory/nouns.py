"""What the inventory answers with: pods, nodes and federations as they were at one time."""

from __future__ import annotations

from msgspec import Struct

__all__ = [
    "AFTER_NS",
    "BEFORE_NS",
    "SKEW_NS",
    "Container",
    "Federation",
    "Holder",
    "Node",
    "Pod",
    "Pool",
]

SKEW_NS = 2_000_000_000
"""Clocks of nodes, of the control plane and of the provider differ by up to 2 s (judged: NTP on virtual machines keeps them
within some ms, time stamps with whole seconds add one)."""

BEFORE_NS = 0
AFTER_NS = 1 << 62
"""Times before and after all others."""


class Container(Struct, frozen=True, gc=False):
    """A container of a pod, as its status tells it. Times are 0 where not told; the id is without the runtime's scheme."""

    name: str
    container_id: str = ""
    image: str = ""
    digest: str = ""
    started_ns: int = 0
    finished_ns: int = 0


class Pod(Struct, frozen=True, gc=False):
    """A pod with what is known of it. `uid` is empty where records name it alone.

    `start_ns` is when it was made where that is told (`started` True), else when it was first seen; `end_ns` is when it was
    over, `AFTER_NS` where nobody told. `bindings` are cloud identities (client ids, small letters) that its labels bind to it.
    """

    key: str
    uid: str
    namespace: str
    name: str
    cluster: str = ""
    node: str = ""
    service_account: str = ""
    workload: str = ""
    workload_kind: str = ""
    host_network: bool | None = None
    workload_identity: bool | None = None
    ips: tuple[str, ...] = ()
    host_ips: tuple[str, ...] = ()
    bindings: tuple[str, ...] = ()
    containers: tuple[Container, ...] = ()
    start_ns: int = 0
    started: bool = False
    end_ns: int = AFTER_NS
    last_ns: int = 0

    @property
    def called(self) -> str:
        """`namespace/name`; the uid where nobody tells the name."""
        return f"{self.namespace}/{self.name}" if self.name else self.uid or self.namespace

    def may_run_at(self, time_ns: int) -> bool:
        """Whether nothing that is known says that it did not run at `time_ns`, clocks being what they are."""
        return self.may_run_between(time_ns, time_ns)

    def may_run_between(self, first_ns: int, last_ns: int) -> bool:
        """The same for some time in between."""
        if self.started and last_ns < self.start_ns - SKEW_NS:
            return False
        return first_ns <= self.end_ns + SKEW_NS


class Holder(Struct, frozen=True, gc=False):
    """A pod that had an address. `certain` is False where several may have had it, or it is the address of a node."""

    pod: Pod
    certain: bool


class Node(Struct, frozen=True, gc=False):
    """A node. `pool` is the resource id of its scale set or machine in small letters, `guessed` whether that comes from the
    node's name alone (then it is the scale set's bare name)."""

    name: str
    pool: str = ""
    guessed: bool = False
    ips: tuple[str, ...] = ()
    start_ns: int = 0
    end_ns: int = AFTER_NS


class Pool(Struct, frozen=True, gc=False):
    """Where an identity can be had from the metadata service: resource ids of scale sets and machines, and of resource
    groups with a slash at their end. None where nobody told, or every node has it: `told` says which."""

    places: frozenset[str] | None
    told: bool


class Federation(Struct, frozen=True, gc=False, order=True):
    """A federated credential: tokens of `issuer` for `subject` are exchanged for tokens of `identity` (a resource id, in
    small letters; empty for credentials of an application)."""

    issuer: str
    subject: str
    identity: str = ""
    name: str = ""

    @property
    def service_account(self) -> str:
        """`namespace/name`, empty where the subject is no service account."""
        head, _, rest = self.subject.partition("system:serviceaccount:")
        namespace, _, name = rest.partition(":")
        return f"{namespace}/{name}" if not head and namespace and name and ":" not in name else ""
