"""What `contain` means, whatever a rule's points say (DESIGN.md, decision 7). No rule and no exception goes around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from eightysix.detect.actions import Action
from eightysix.detect.observe import Observation
from eightysix.model.words import Domain

if TYPE_CHECKING:
    from eightysix.detect.search import Told
    from eightysix.detect.view import PodView

__all__ = ["SKEW_NS", "Gate", "contain_gate"]

SKEW_NS = 2_000_000_000
"""Clocks of node and control plane are taken to agree within 2 s (NTP); within that, order means nothing."""

_LANDING = frozenset(
    {Action.INSTALL, Action.STARTUP_FILE, Action.WRITE, Action.NEW_DIGEST, Action.HELD_DIGEST}
)


class Gate(Struct, frozen=True):
    """Whether containment may be spoken, and which of its conditions is missing where not."""

    open: bool
    missing: tuple[str, ...]


def contain_gate(
    view: PodView, landing: Observation | None, taker: str, takes: list[Told], told: Sequence[Told]
) -> Gate:
    """Check the conditions of `contain` for the chain of `taker` after `landing`.

    A landing in this container; after it, credentials of two domains taken (not merely asked for and denied) by one
    process or its descendants at grade A or B; then use of the Kubernetes API after its token was taken, or a
    destination new to the workload after the second credential; and not on the word of the pod alone.
    """
    missing: list[str] = []
    if landing is None or landing.action not in _LANDING or landing.by:
        missing.append("nothing landed in this container")
    sure = [t for t in takes if t.grade <= "B" and not t.observation.denied]
    here = [t for t in sure if _same_container(landing, t.observation)]
    first: dict[Domain, int] = {}
    for t in here:
        if t.observation.domain is not None:
            first.setdefault(t.observation.domain, t.observation.time_ns)
    if len(first) < 2:
        missing.append("credentials of two domains taken by one process at grade A or B")
    uses = _uses(view, taker, first, told)
    if not uses:
        missing.append(
            "use of the API after its token, or a destination new to the workload after the second credential"
        )
    elif all(o.told_by_pod_only for o in [*(t.observation for t in here), *uses]):
        missing.append("a witness other than the pod itself")
    return Gate(not missing, tuple(missing))


def _same_container(landing: Observation | None, other: Observation) -> bool:
    if landing is None:
        return False
    mine, theirs = landing.event.container_id[:12], other.event.container_id[:12]
    return not mine or not theirs or mine == theirs


def _uses(view: PodView, taker: str, first: dict[Domain, int], told: Sequence[Told]) -> list[Observation]:
    """What was done with the credentials: the API after the cluster token, a new destination after the second domain."""
    found: list[Observation] = []
    refused = _all_refused(told)
    token = first.get(Domain.CLUSTER)
    second = sorted(first.values())[1] if len(first) > 1 else None
    for t in told:
        o = t.observation
        by_taker = bool(o.actor) and view.lineage.descends(o.actor, taker) if taker else True
        if o.denied:
            continue
        if token is not None and o.action is Action.API_CONNECT:
            if by_taker and o.time_ns >= token and not refused:
                found.append(o)
        if token is not None and o.action is Action.API and o.time_ns >= token - SKEW_NS:
            found.append(o)
        if second is not None and o.time_ns >= second and o.action is Action.CONNECT and by_taker:
            if t.facts.get("novelty.workload") == "new":
                found.append(o)
    return found


def _all_refused(told: Sequence[Told]) -> bool:
    """Whether the audit log tells of requests, and of refused ones only: then a connection to the API is no use of it."""
    requests = [t.observation for t in told if t.observation.action is Action.API]
    return bool(requests) and all(o.denied for o in requests)
