"""What all rungs of the ladder look things up in, and how a list of pods becomes an attribution."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct, field

from eightysix.context.attribution.contacts import MINUTE_NS, Asked, Contacts
from eightysix.context.attribution.tokens import Tokens
from eightysix.context.inventory import Inventory, Pod, Pool
from eightysix.model.attribution import MAX_CANDIDATES, Attribution, Candidate
from eightysix.model.words import Grade, Origin

__all__ = ["LIFE_NS", "Found", "Known", "nobody", "of_cluster", "shared"]

LIFE_NS = 86_400_000_000_000
"""Tokens of managed identities live, and are cached, for up to 24 h (learn.microsoft.com/entra/identity/
managed-identities-azure-resources/managed-identity-best-practice-recommendations): for as long, whoever asked may act."""


class Found(Struct, frozen=True, gc=False):
    """A pod that a use may be of, and why. Those with a smaller `place` are told first; it says nothing of probability."""

    pod: Pod
    why: str
    place: int = 0


class Known(Struct, frozen=True):
    """The inventory, contacts and tokens. `memo` holds answers, for whoever clears it when something new is told."""

    inventory: Inventory
    contacts: Contacts
    tokens: Tokens
    memo: dict[object, list[str]] = field(default_factory=dict)

    def pod(self, key: str, time_ns: int) -> Pod | None:
        """The pod that a key of `context.pods` stands for at a time; None where none is known or it is not clear."""
        inventory = self.inventory
        if key[1:2] != ":":
            return inventory.pod(key)
        if key.startswith("c:"):
            return inventory.of_container(key.rpartition("/")[2])
        if key.startswith("n:"):
            namespace, _, name = key[2:].partition("/")
            found = inventory.named(namespace, name, time_ns)
            return found[0] if len(found) == 1 else inventory.pod(key)
        if key.startswith("i:"):
            holders = inventory.at_address(key[2:], time_ns)
            return holders[0].pod if len(holders) == 1 and holders[0].certain else None
        return None

    def running_as(self, account: str, first_ns: int, last_ns: int, why: str) -> list[Found]:
        """Pods that may have run as a service account in between: those that are known to, and those of its namespace of
        which nobody tells what they run as."""
        inventory = self.inventory
        told = [Found(pod, why) for pod in inventory.ran_as(account, first_ns, last_ns)]
        other = inventory.of_no_account(account.partition("/")[0], first_ns, last_ns)
        return [*told, *(Found(pod, "nobody tells what it runs as", 3) for pod in other)]

    def unseen_nodes(self, pool: Pool, time_ns: int) -> list[str]:
        """Nodes that an identity may be had on, and whose kernel nobody looked at then (to the minute)."""
        key = (pool.places, time_ns // MINUTE_NS)
        held = self.memo.get(key)
        if held is None:
            first, last = key[1] * MINUTE_NS, (key[1] + 1) * MINUTE_NS
            held = self.memo[key] = [
                name
                for name, node in self.inventory.nodes().items()
                if node.start_ns <= last
                and first <= node.end_ns
                and self.inventory.is_of(name, pool)
                and not self.contacts.is_covered(name, time_ns)
            ]
        return held

    def of_contacts(self, asked: Iterable[Asked], pool: Pool) -> tuple[dict[str, list[Asked]], set[str]]:
        """Contacts by the key of their pod, and the places of those that no pod can be found for."""
        pods: dict[str, list[Asked]] = {}
        strangers: set[str] = set()
        for one in asked:
            pod = self.pod(one.key, one.time_ns)
            node = one.node or (pod.node if pod is not None else "")
            if node and not self.inventory.is_of(node, pool):
                continue
            if pod is None:
                strangers.add(one.key)
            else:
                pods.setdefault(pod.key, []).append(one)
        return pods, strangers


def shared(
    grade: Grade,
    origin: Origin,
    join_key: str,
    found: Sequence[Found],
    *,
    unseen: int = 0,
    certain: bool = False,
    why: str = "",
) -> Attribution:
    """An attribution to all of `found` alike, and to `unseen` others that nobody can name. It is certain where the caller
    says so and one pod alone is there."""
    by_key: dict[str, Found] = {}
    for one in sorted(found, key=lambda f: (f.place, f.why)):
        by_key.setdefault(one.pod.key, one)
    order = sorted(by_key.values(), key=lambda f: (f.place, f.pod.called, f.pod.uid))
    each = 1_000_000 // max(1, len(order) + unseen) / 1_000_000
    named = tuple(Candidate(f.pod.called, f.pod.uid, each, f.why) for f in order[:MAX_CANDIDATES])
    return Attribution(
        grade,
        origin,
        join_key,
        certain=certain and len(order) == 1 and not unseen,
        candidates=named,
        others=len(order) - len(named) + unseen,
        why=why,
    )


def of_cluster(found: Sequence[Found], cluster: str) -> list[Found]:
    """Of pods that a name alone joins to a request, those of the request's cluster: two clusters have the same names. Where
    no pod is of a cluster of that name all stay, as an exporter may call a cluster otherwise than its audit log does."""
    wanted = cluster.lower()
    if not wanted or not any(one.pod.cluster.lower() == wanted for one in found):
        return list(found)
    return [one for one in found if one.pod.cluster.lower() in (wanted, "")]


def nobody(join_key: str, why: str, origin: Origin = Origin.PROVIDER) -> Attribution:
    """Nothing joins it to a pod, which clears nobody."""
    return Attribution(Grade.F, origin, join_key, certain=False, why=why)
