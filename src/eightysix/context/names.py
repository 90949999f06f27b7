"""What an address was called when a pod connected to it: names from answers of the cluster's resolver, with their time.

One name stands for many addresses and one address for many names (accounts of one storage stamp, sites behind one CDN). So
a pod's own answers alone count, each from when it was given until it ran out, and where several names fit a moment all of
them are told: whoever judges what is new must find each of them known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from eightysix.context.pods import address_key, named_key
from eightysix.model.event import Event
from eightysix.model.words import Kind

__all__ = [
    "ASKED_NS",
    "FLOOR_NS",
    "MAX_NAMES",
    "NameIndex",
    "Names",
    "Validity",
    "bound_names",
    "merge_names",
    "names_of",
    "note_name",
]

FLOOR_NS = 300_000_000_000
"""An answer holds for 5 min at least (judged): programs and their libraries keep addresses longer than a TTL of seconds."""

EARLY_NS = 1_000_000_000
"""Connection and answer are told by two agents on one node: the answer may seem up to 1 s late."""

ASKED_NS = 5_000_000_000
"""A look-up whose answer nobody told belongs to a connection within 5 s, which is the timeout of resolv.conf(5)."""

MAX_NAMES = 512
"""Pairs of address and name kept of one pod, half from the beginning, half from the end."""

Validity = tuple[int, int]
"""When an address was first told for a name, and when the latest such answer ran out (ns)."""

Names = Mapping[str, Mapping[str, Validity]]
"""By pod key (`context.pods`), validities by `address|name`."""

_HINT = "?"


def note_name(
    names: dict[str, Validity], address: str, name: str, time_ns: int, ttl_s: int, *, hint: bool = False
) -> bool:
    """Keep one answer; empty `address`: a question of which the answer is not known. `hint`: a name that an agent put beside
    a flow, good for showing and never for judging. True when others had to go."""
    key = f"{address}|{_HINT if hint else ''}{name}"
    until = time_ns + max(FLOOR_NS, min(ttl_s, 86_400) * 1_000_000_000)
    known = names.get(key)
    names[key] = (time_ns, until) if known is None else (min(time_ns, known[0]), max(until, known[1]))
    return len(names) > MAX_NAMES and bound_names(names)


def merge_names(left: Mapping[str, Validity], right: Mapping[str, Validity]) -> dict[str, Validity]:
    """What both know."""
    merged = dict(left)
    for key, validity in right.items():
        known = merged.get(key, validity)
        merged[key] = (min(validity[0], known[0]), max(validity[1], known[1]))
    return merged


def bound_names(names: dict[str, Validity]) -> bool:
    """Keep the earliest and the latest `MAX_NAMES` halves; True when some had to go."""
    if len(names) <= MAX_NAMES:
        return False
    order = sorted(names, key=lambda key: (names[key][0], key))
    for key in order[MAX_NAMES // 2 : -MAX_NAMES // 2]:
        del names[key]
    return True


class NameIndex:
    """The names of one pod, by address."""

    def __init__(self, names: Mapping[str, Validity]) -> None:
        self._by_address: dict[str, list[tuple[int, int, str]]] = {}
        for key, (first, until) in names.items():
            address, _, name = key.partition("|")
            self._by_address.setdefault(address, []).append((first, until, name))
        for told in self._by_address.values():
            told.sort(reverse=True)

    def at(self, address: str, time_ns: int) -> tuple[str, ...]:
        """The names that fit, the one first told latest before all others: what is newest is told, not what is best known."""
        return tuple(n for n in self._fitting(address, time_ns) if not n.startswith(_HINT))

    def hint(self, address: str, time_ns: int) -> str:
        """A name for showing, where no answer is known."""
        return next((n[1:] for n in self._fitting(address, time_ns) if n.startswith(_HINT)), "")

    def asked(self, time_ns: int) -> tuple[str, ...]:
        """Names that were asked for shortly before, with answers that nobody told."""
        told = self._by_address.get("", ())
        return tuple(
            sorted(
                name
                for first, until, name in told
                if first - EARLY_NS <= time_ns <= until - FLOOR_NS + ASKED_NS
            )
        )

    def _fitting(self, address: str, time_ns: int) -> list[str]:
        told = self._by_address.get(address, ()) if address else ()
        return [name for first, until, name in told if first - EARLY_NS <= time_ns <= until]


def names_of(events: Iterable[Event], told: Names, own: Mapping[str, Validity]) -> NameIndex:
    """The names of the pod that `events` are of: told to the pod of that name, or to the address that it connects from (an
    address is used by one pod after the other, and by all pods in the network of one node: of it, questions alone count)."""
    if not told and not own:
        return NameIndex({})
    names = dict(own)
    for namespace, pod in {(event.namespace, event.pod) for event in events if event.pod}:
        names = merge_names(names, told.get(named_key(namespace, pod), {}))
    for address in {event.source_ip for event in events if event.source_ip and event.kind is Kind.CONNECT}:
        asked = told.get(address_key(address), {})
        names = merge_names(names, {key: validity for key, validity in asked.items() if key.startswith("|")})
    return NameIndex(names)
