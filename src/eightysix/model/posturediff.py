"""What changed between two postures, as `posture diff` tells it: `posture-diff/v1`.

Everything stands in pairs, before and after, or gained and lost: the difference the other way round is the mirror of it.
"""

from __future__ import annotations

from msgspec import Struct

from eightysix.model.posture import Fix, NotSeen, Step

__all__ = ["SCHEMA", "IdentityChange", "PodChange", "PostureDiff", "Way"]

SCHEMA = "eightysix/posture-diff/v1"


class Way(Struct, frozen=True):
    """A sink that a pod reaches on one side alone. `severity` is `high`, `medium` or `low` as exit codes count it; `steps`
    are the best path there, empty where it was not told, and `because` those steps whose edge the other side lacks."""

    sink: str
    severity: str
    steps: tuple[Step, ...] = ()
    because: tuple[Step, ...] = ()


class PodChange(Struct, frozen=True):
    """A workload whose reach changed. `before` and `after` count its pods, none where it is not there; `rerouted` are sinks
    that it reaches on both sides, by another best path."""

    id: str
    namespace: str
    name: str
    kind: str
    before: int | None
    after: int | None
    risk_before: float
    risk_after: float
    gained: tuple[Way, ...]
    lost: tuple[Way, ...]
    rerouted: tuple[str, ...]
    domains_gained: tuple[str, ...]
    domains_lost: tuple[str, ...]


class IdentityChange(Struct, frozen=True):
    """An identity that came, went, or may do or is reached by something else. `before` and `after` tell whether it is there;
    `unused_before` and `unused_after` what is known of its use."""

    id: str
    kind: str
    name: str
    before: bool
    after: bool
    unused_before: bool | None
    unused_after: bool | None
    roles_gained: tuple[str, ...]
    roles_lost: tuple[str, ...]
    reached_gained: tuple[str, ...]
    reached_lost: tuple[str, ...]


class PostureDiff(Struct, frozen=True):
    """Everything that differs. `fixes_done` are fixes of before of whose edges none is left, `fixes_wanted` fixes of after of
    whose edges none was there. `hidden` was seen before and is not seen any more: what seems lost may only be hidden; `shown`
    is seen now."""

    pods: tuple[PodChange, ...] = ()
    identities: tuple[IdentityChange, ...] = ()
    fixes_done: tuple[Fix, ...] = ()
    fixes_wanted: tuple[Fix, ...] = ()
    hidden: tuple[NotSeen, ...] = ()
    shown: tuple[NotSeen, ...] = ()
    schema: str = SCHEMA
