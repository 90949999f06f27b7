"""Sign-ins of managed identities: the identity is the nodes', and any pod on them can ask for it.

A row has no address and no pod. What is left is who connected to the metadata service just before. One pod alone is
certain where every node that has the identity was looked at; several stay candidates alike.
"""

from __future__ import annotations

from eightysix.context.attribution.contacts import Asked
from eightysix.context.attribution.known import Found, Known, nobody, shared
from eightysix.context.inventory import SKEW_NS, Pod, Pool
from eightysix.model.attribution import Attribution
from eightysix.model.event import Event
from eightysix.model.words import Grade, Origin

__all__ = ["ASKED_BEFORE_NS", "attribute_managed", "said_so"]

ASKED_BEFORE_NS = 5_000_000_000
"""A sign-in follows the connection that caused it within 5 s (judged: the metadata service answers in well under a second
and is given up on after some; clocks come on top)."""

_NAMED = 3


def attribute_managed(known: Known, event: Event) -> Attribution:
    """Which pods a sign-in of a managed identity may be of."""
    pool = known.inventory.pool_of(event.principals)
    window = known.contacts.metadata(event.time_ns - ASKED_BEFORE_NS - SKEW_NS, event.time_ns + SKEW_NS)
    seen, strangers = known.of_contacts((asked for asked in window if asked.said is None), pool)
    said, _ = known.of_contacts((asked for asked in window if asked.said is not None), pool)
    # Where the kernel was looked at and saw no connection of a pod, what that says of itself is not what happened.
    claims = {
        key: told for key, told in said.items() if key not in seen and not _was_looked_at(known, key, event)
    }
    unseen = known.unseen_nodes(pool, event.time_ns)
    if seen or strangers:
        return _by_contacts(known, event, seen, claims, said, len(strangers), unseen)
    if claims:
        found = _found(known, event, claims, claims)
        why = "the pods say so themselves" + _of_nodes(unseen)
        return shared(Grade.A, Origin.SUSPECT, "client-id+time", found, why=why)
    return _by_declaration(known, event, pool, unseen)


def _was_looked_at(known: Known, key: str, event: Event) -> bool:
    pod = known.inventory.pod(key)
    return pod is not None and known.contacts.is_covered(pod.node, event.time_ns)


def _by_contacts(
    known: Known,
    event: Event,
    seen: dict[str, list[Asked]],
    claims: dict[str, list[Asked]],
    said: dict[str, list[Asked]],
    strangers: int,
    unseen: list[str],
) -> Attribution:
    found = [*_found(known, event, seen, said), *_found(known, event, claims, claims)]
    why = "who connected to the metadata service within 5 s before" + _of_nodes(unseen)
    if strangers:
        why += "; a process of a node that belongs to no known pod did, too"
    told = any(said_so(known, event, asked) for asked in said.values())
    join_key = "metadata-connection+time+client-id" if told else "metadata-connection+time"
    return shared(
        Grade.E, Origin.KERNEL, join_key, found, unseen=strangers, certain=not unseen and not claims, why=why
    )


def _found(
    known: Known, event: Event, keys: dict[str, list[Asked]], said: dict[str, list[Asked]]
) -> list[Found]:
    found = []
    for key, contacts in keys.items():
        pod = known.inventory.pod(key)
        if pod is None:
            continue
        nearest = min(abs(event.time_ns - asked.time_ns) for asked in contacts) / 1e9
        kernel = contacts[0].said is None
        why = f"{'connected' if kernel else 'says that it connected'} to the metadata service {nearest:.1f} s apart"
        told = said_so(known, event, said.get(key, ()))
        if told:
            why += "; its own code says that it asked for this identity"
        found.append(Found(pod, why, 0 if told else 1))
    return found


def said_so(known: Known, event: Event, contacts: tuple[Asked, ...] | list[Asked]) -> bool:
    """Whether a pod's own code says that it asked for this principal."""
    told = [asked for asked in contacts if asked.said]
    if not told:
        return False
    ids = known.inventory.same(event.principals)
    return any(ids & {id_.lower() for id_ in asked.said or ()} for asked in told)


def _of_nodes(unseen: list[str]) -> str:
    if not unseen:
        return ""
    more = f" and {len(unseen) - _NAMED} more" if len(unseen) > _NAMED else ""
    return f"; nobody looked at the kernel of {', '.join(unseen[:_NAMED])}{more} then"


def _by_declaration(known: Known, event: Event, pool: Pool, unseen: list[str]) -> Attribution:
    """Without any contact: those whom the identity is declared for, else all on the machines that have it."""
    time_ns, inventory = event.time_ns, known.inventory
    declared: dict[str, Found] = {}
    for account in inventory.accounts_of(event.principals, time_ns):
        words = f"runs as {account}, which stands for this identity"
        for one in known.running_as(account, time_ns, time_ns, words):
            declared.setdefault(one.pod.key, one)
    for pod in inventory.bound_to(event.principals, time_ns):
        declared[pod.key] = Found(pod, "its label binds this identity to it")
    looked = "no connection to the metadata service was seen in the 5 s before" + _of_nodes(unseen)
    there = _on_pool(known, pool, time_ns) if pool.places is not None else []
    if declared:
        others = sum(1 for pod in there if pod.key not in declared)
        why = f"{looked}; any pod on the nodes can ask for it"
        return shared(
            Grade.D, Origin.CONTROL_PLANE, "client-id", list(declared.values()), unseen=others, why=why
        )
    if there:
        found = [Found(pod, f"ran on {pod.node}, which has this identity") for pod in there]
        return shared(Grade.E, Origin.PROVIDER, "node-pool", found, why=looked)
    return nobody("client-id", f"{looked}, and nothing tells which machines have this identity")


def _on_pool(known: Known, pool: Pool, time_ns: int) -> list[Pod]:
    inventory = known.inventory
    return [
        pod
        for node in inventory.nodes()
        if inventory.is_of(node, pool)
        for pod in inventory.on(node, time_ns)
    ]
