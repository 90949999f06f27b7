"""The inventory: who was who in the cluster at a time, from snapshots of any age and from what telemetry told.

Feed it first (`observe`, `learn`, and `context.inventory.read_inventory`), then ask: answers are worked out once, and
anew after something new was told. Order and repetition do not matter while no bound was hit (`full` says which).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from eightysix.context.addresses import Learnt
from eightysix.context.inventory import observing
from eightysix.context.inventory.kept import Facts
from eightysix.context.inventory.nouns import Federation, Holder, Node, Pod, Pool
from eightysix.context.inventory.working import Index
from eightysix.context.pods import CONTAINER_PREFIX
from eightysix.model.event import Event

__all__ = ["EVERY_POD", "Inventory"]

EVERY_POD = "*"
"""What an operator declares for the identity of the nodes (`context.principals`)."""


class Inventory:
    """Who was who, valid in time."""

    def __init__(self) -> None:
        self.facts = Facts()
        self._worked: Index | None = None
        self._of = -1
        self._everywhere: frozenset[str] = frozenset()

    def declare(self, declared: Mapping[str, frozenset[str]]) -> None:
        """Take what the operator says: cloud identities by service account, as `context.principals` reads them; those of
        `*` are the nodes'."""
        self._everywhere |= {id_.lower() for id_ in declared.get(EVERY_POD, ()) if id_}
        for account, ids in declared.items():
            held = self.facts.account(account) if account != EVERY_POD else None
            if held is not None:
                held.declared |= {id_.lower() for id_ in ids}

    @property
    def full(self) -> tuple[str, ...]:
        """Bounds that were hit: then something is missing, and it may depend on the order of the input what."""
        return tuple(sorted(self.facts.full))

    def observe(self, event: Event) -> None:
        """Take what an event tells of pods, nodes and identities."""
        observing.observe(self.facts, event)

    def learn(self, learnt: Learnt) -> None:
        """Take what audit bodies told beside events."""
        observing.take_learnt(self.facts, learnt)

    @property
    def _index(self) -> Index:
        if self._worked is None or self._of != self.facts.version:
            self._worked, self._of = Index(self.facts), self.facts.version
        return self._worked

    def pods(self) -> tuple[Pod, ...]:
        """All pods, by key."""
        return tuple(self._index.pods[key] for key in sorted(self._index.pods))

    def pod(self, key: str) -> Pod | None:
        """The pod of a uid (or of a `context.pods.named_key`)."""
        return self._index.pods.get(key)

    def named(self, namespace: str, name: str, time_ns: int) -> tuple[Pod, ...]:
        """Pods of this name that may have run then: one after the other had it, so mostly there is one."""
        return self._index.running(self._index.by_name.get(f"{namespace}/{name}", ()), time_ns, time_ns)

    def running_as(self, service_account: str, time_ns: int) -> tuple[Pod, ...]:
        """Pods that may have run then as a service account (`namespace/name`)."""
        return self._index.running(self._index.by_account.get(service_account, ()), time_ns, time_ns)

    def ran_as(self, service_account: str, first_ns: int, last_ns: int) -> tuple[Pod, ...]:
        """Pods that may have run at some time in between as a service account (`namespace/name`)."""
        return self._index.running(self._index.by_account.get(service_account, ()), first_ns, last_ns)

    def of_no_account(self, namespace: str, first_ns: int, last_ns: int) -> tuple[Pod, ...]:
        """Pods of a namespace that may have run in between, and of which nobody tells what they run as: any of its service
        accounts may be theirs."""
        return self._index.running(self._index.by_account.get(f"{namespace}/", ()), first_ns, last_ns)

    def on(self, node: str, time_ns: int) -> tuple[Pod, ...]:
        """Pods that may have run then on a node."""
        return self._index.running(self._index.by_node.get(node, ()), time_ns, time_ns)

    def of_container(self, container_id: str) -> Pod | None:
        """The pod of a container id, or of its first 12 characters; None where none or several are known."""
        found = self._index.by_container.get(container_id[:CONTAINER_PREFIX], ())
        return found[0] if len(found) == 1 else None

    def at_address(self, ip: str, time_ns: int) -> tuple[Holder, ...]:
        """Pods that had an address then. An address goes from one pod to the next; all pods in the network of a node
        share the node's."""
        return self._index.holders(ip, time_ns)

    def nodes_with(self, ip: str) -> tuple[str, ...]:
        """Nodes that had an address."""
        return self._index.by_node_ip.get(ip, ())

    def nodes(self) -> Mapping[str, Node]:
        """All nodes by name, those of which pods alone told among them."""
        return self._index.nodes

    def ids_of(self, service_account: str, time_ns: int) -> frozenset[str]:
        """Cloud identities that a service account stood for then: by its annotations, and as declared."""
        return self._index.ids_of(service_account, time_ns)

    def accounts_of(self, ids: Iterable[str], time_ns: int) -> tuple[str, ...]:
        """Service accounts that stood for a principal then: by annotation, declaration, or as the subject of one of its
        federated credentials."""
        return self._index.accounts_of(self.same(ids), time_ns)

    def same(self, ids: Iterable[str]) -> frozenset[str]:
        """All names of the principal that these are names of: client id, object id, resource id, in small letters."""
        return self._index.same(ids)

    def pool_of(self, ids: Iterable[str]) -> Pool:
        """The machines that an identity is assigned to."""
        known = self.same(ids)
        if known & self._everywhere:
            return Pool(None, told=True)
        return self._index.pool_of(known)

    def is_of(self, node: str, pool: Pool) -> bool:
        """Whether a node may belong to a pool: unless it is known to belong to another one."""
        return pool.places is None or self._index.is_of(node, pool)

    def bound_to(self, ids: Iterable[str], time_ns: int) -> tuple[Pod, ...]:
        """Pods whose labels bind a principal to them (AAD Pod Identity)."""
        known = self.same(ids)
        found = {p.key: p for id_ in known for p in self._index.by_binding.get(id_, ())}
        return self._index.running(tuple(found[key] for key in sorted(found)), time_ns, time_ns)

    def federations(self, credential: str) -> tuple[Federation, ...]:
        """Federated credentials of this id (as sign-in logs have it: an id, a resource id, or a name)."""
        return self._index.federations(credential)

    def federations_of(self, ids: Iterable[str]) -> tuple[Federation, ...]:
        """The federated credentials of a principal."""
        return self._index.federations_of(self.same(ids))

    def cluster_of(self, issuer: str) -> str:
        """The cluster whose tokens have this issuer, empty where nobody told."""
        return self.facts.issuers.get(issuer.rstrip("/"), "")
