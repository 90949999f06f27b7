"""What a pod could reach, beside what it did: the part of a posture that an incident and a story tell.

It is what was possible, and says nothing about what happened: no score and no verdict looks at it.
"""

from __future__ import annotations

from msgspec import Struct

from eightysix.model.words import IdentityState

__all__ = ["Reach", "ReachWay", "ReachedIdentity"]


class ReachWay(Struct, frozen=True):
    """The best way to one sink, a sentence each step. `probability` is the product of what its edges are worth."""

    sink: str
    steps: tuple[str, ...]
    probability: float


class ReachedIdentity(Struct, frozen=True):
    """An identity within reach, `hops` edges away. `state` is `exposed` where no record tells that it was taken or used;
    `unused` whether nobody uses it at all (None: not known); `why` what else is known of it."""

    kind: str
    name: str
    state: IdentityState
    hops: int
    roles: int
    unused: bool | None = None
    why: str = ""


class Reach(Struct, frozen=True):
    """What the pods of `workload` could reach. `matched_by` says how the pod was found in the posture: `workload`, `pod` (by
    its name) or `service-account`. `taken_at` is when the posture was collected, empty where nobody says, and `age_s` the
    seconds from the beginning of the story to then (None: not known). `density` counts the domains that it holds a
    credential of; `sinks` come worst first; `more` counts what is left out by a bound; `unseen` what the posture could not look
    at."""

    workload: str
    matched_by: str
    taken_at: str
    age_s: float | None
    density: int
    domains: tuple[str, ...]
    risk: float
    sinks: tuple[str, ...]
    ways: tuple[ReachWay, ...] = ()
    identities: tuple[ReachedIdentity, ...] = ()
    more: int = 0
    unseen: int = 0
