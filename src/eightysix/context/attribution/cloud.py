"""What an identity did in the cloud: by the id of the token where the log carries it, else by whoever may hold one.

Logs of storage, vaults and registries name a principal, and rarely a token. Tokens live for a day, so whoever asked in the
day before may act; a missing sign-in clears nobody, because the metadata service hands out tokens that it has kept.
"""

from __future__ import annotations

from eightysix.context.attribution.known import LIFE_NS, Found, Known, nobody, shared
from eightysix.context.inventory import SKEW_NS
from eightysix.model.attribution import Attribution
from eightysix.model.event import Event
from eightysix.model.words import Grade, Origin

__all__ = ["attribute_use", "with_token"]


def with_token(
    known: Known, event: Event, sign_in: Event, base: Attribution, *, managed: bool
) -> Attribution:
    """A use whose token was issued by a known sign-in, which `base` is the attribution of."""
    why = f"its token was issued by the sign-in of that time: {base.why}"
    join_key = f"uti+{base.join_key}"
    pods = [(one, known.inventory.pod(one.uid)) for one in base.candidates]
    found = [Found(pod, one.why) for one, pod in pods if pod is not None]
    later = _served(known, event, sign_in, {f.pod.key for f in found}) if managed else []
    if not later:
        return Attribution(base.grade, base.origin, join_key, base.certain, base.candidates, base.others, why)
    why += "; the metadata service may have handed the same token to others on the node since"
    return shared(base.grade, base.origin, join_key, [*found, *later], unseen=base.others, why=why)


def _served(known: Known, event: Event, sign_in: Event, mine: set[str]) -> list[Found]:
    """Pods on the nodes of those in `mine` that asked the metadata service after the token was issued: they may have got
    the same one."""
    pods = [known.inventory.pod(key) for key in mine]
    nodes = {pod.node for pod in pods if pod is not None}
    asked = known.contacts.metadata(sign_in.time_ns - SKEW_NS, event.time_ns + SKEW_NS)
    keys = {one.key for one in asked if not one.node or one.node in nodes}
    later = {pod.key: pod for key in keys if (pod := known.pod(key, event.time_ns)) is not None}
    return [
        Found(later[key], "asked the metadata service of the same node after it was issued", 1)
        for key in sorted(later)
        if key not in mine and later[key].node in nodes
    ]


def attribute_use(known: Known, event: Event, *, managed: bool) -> Attribution:
    """A use of which the token is not told. `managed` says that the principal is known to be a managed identity."""
    found = {one.pod.key: one for one in _declared(known, event)}
    grade, join_key = Grade.D, "client-id+time"
    if managed or known.inventory.pool_of(event.principals).told:
        for one in _asked(known, event):
            if one.pod.key not in found:
                found[one.pod.key] = one
                grade = Grade.E
    here = known.inventory.at_address(event.source_ip, event.time_ns) if event.source_ip else ()
    at = {holder.pod.key: holder.pod for holder in here}
    both = [found[key] for key in sorted(found.keys() & at.keys())]
    if both:
        why = "held a token of this identity, and had the address that it was used from"
        return shared(grade, Origin.PROVIDER, "client-id+address", both, why=why)
    if at and not found:
        owners = [Found(pod, f"had the address {event.source_ip}") for pod in at.values()]
        return shared(Grade.F, Origin.PROVIDER, "address", owners, why="the address that it was used from")
    if not found:
        return nobody("client-id", "nothing tells which pods can have a token of this identity")
    more = [Found(pod, f"had the address {event.source_ip}, holds no such token", 2) for pod in at.values()]
    why = "the log carries no token id: these pods may hold a token of this identity"
    return shared(grade, Origin.PROVIDER, join_key, [*found.values(), *more], why=why)


def _declared(known: Known, event: Event) -> list[Found]:
    inventory = known.inventory
    found = []
    for account in inventory.accounts_of(event.principals, event.time_ns):
        words = f"runs as {account}, which stands for this identity"
        found += known.running_as(account, event.time_ns - LIFE_NS, event.time_ns, words)
    bound = inventory.bound_to(event.principals, event.time_ns)
    found += [Found(pod, "its label binds this identity to it") for pod in bound]
    return found


def _asked(known: Known, event: Event) -> list[Found]:
    """Pods that asked the metadata service while a token that they got would still be good."""
    pool = known.inventory.pool_of(event.principals)
    window = known.contacts.metadata(event.time_ns - LIFE_NS - SKEW_NS, event.time_ns + SKEW_NS)
    pods, _ = known.of_contacts(window, pool)
    told = [known.inventory.pod(key) for key in pods]
    return [Found(pod, "asked the metadata service in the 24 h before", 1) for pod in told if pod is not None]
