"""Which pods a principal of the cloud belongs to, so that what cloud logs tell of it joins their chains.

A cloud log names a principal, never a pod. It is joined where somebody says whose it is: the operator
(`--identity NAMESPACE/SERVICEACCOUNT=ID`), the annotation of a service account in the audit log, or the id that the
pod's own code asked the metadata service for. Such rows confirm and extend; they never contain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from eightysix.detect.state import PodState, merge, step
from eightysix.model.event import Event
from eightysix.model.words import Domain, Grade, Kind, Source

__all__ = ["EVERY_POD", "MAX_SHARED", "join_principals"]

EVERY_POD = "*"
"""The identity of the nodes, which the metadata service gives to every pod that asks."""

MAX_SHARED = 8
"""Pods that one row of a shared principal joins: those that took a cloud credential last before it."""


class _Holder:
    """A pod that a principal may be of. `reaches` are the times at which it took a cloud credential."""

    def __init__(self, key: str, reaches: list[int]) -> None:
        self.key = key
        self.reaches = reaches

    def since(self, time_ns: int) -> int:
        """How long before `time_ns` it last took one; a large number where it never did."""
        before = [time for time in self.reaches if time <= time_ns]
        return time_ns - max(before) if before else 1 << 63


def join_principals(
    joined: dict[str, PodState], clouds: Iterable[PodState], principals: Mapping[str, frozenset[str]]
) -> int:
    """Join the events of `clouds` to the pods in `joined` (in place); the number of those that stay without one."""
    rows = [event for state in clouds for event in state.events()]
    if not rows:
        return 0
    holders = _holders(joined, principals)
    mine: dict[str, PodState] = {}
    lost = 0
    for event in rows:
        found = {h.key: h for principal in event.principals for h in holders.get(principal, ())}
        if not found:
            lost += 1
            continue
        nearest = sorted(found.values(), key=lambda h: (h.since(event.time_ns), h.key))[:MAX_SHARED]
        grade = Grade.D if len(found) == 1 else Grade.E
        for holder in nearest:
            step(mine.setdefault(holder.key, PodState(key=holder.key)), replace(event, grade=grade))
    for key, state in mine.items():
        merged = merge(joined[key], state)
        merged.key = key
        joined[key] = merged
    return lost


def _holders(
    joined: Mapping[str, PodState], principals: Mapping[str, frozenset[str]]
) -> dict[str, list[_Holder]]:
    """Pods by the principals that are theirs."""
    holders: dict[str, list[_Holder]] = {}
    for key in sorted(joined):
        ids: set[str] = set()
        reaches: list[int] = []
        metadata = False
        for event in _events(joined[key]):
            if event.domain is Domain.CLOUD:
                reaches.append(event.time_ns)
                metadata = metadata or event.kind is not Kind.FILE
            ids |= principals.get(_account(event), frozenset())
            if event.source is Source.SENSOR:
                ids.update(event.principals)
        if metadata:
            ids |= principals.get(EVERY_POD, frozenset())
        holder = _Holder(key, reaches)
        for principal in ids:
            holders.setdefault(principal, []).append(holder)
    return holders


def _events(state: PodState) -> Iterable[Event]:
    for bucket in state.buckets.values():
        yield from bucket.events


def _account(event: Event) -> str:
    """`namespace/name` of the service account; the sensor tells the name alone."""
    account = event.service_account
    return account if "/" in account or not account else f"{event.namespace}/{account}"
