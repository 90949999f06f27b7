"""A posture asked for one pod: which of its workloads the pod is, and what that one could reach.

The names come from telemetry, and a pod may be called as it likes: by its name alone it is taken for a workload's only
where what stands behind the workload's name is what that kind's controller puts there. A posture is of one time and one
cluster; both are told, as what it says was true then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from msgspec import Struct

from eightysix.model.posture import SCHEMA
from eightysix.model.reach import Reach, ReachedIdentity, ReachWay
from eightysix.model.timestamps import to_ns
from eightysix.model.words import IdentityState

__all__ = [
    "MAX_IDENTITIES",
    "MAX_SINKS",
    "MAX_WAYS",
    "Asked",
    "Known",
    "KnownCredential",
    "KnownIdentity",
    "KnownPath",
    "KnownPod",
    "KnownStep",
    "Reaches",
    "State",
]

MAX_WAYS: Final = 8
"""Ways that are told: the best one to each kind of sink, and there are ten kinds."""

MAX_SINKS: Final = 64
"""Sinks that are named; of a cluster that falls whole these are as many as it has namespaces."""

MAX_IDENTITIES: Final = 32
"""Identities within reach that are named, those that were used or taken first, then the nearest."""

_HASHED: Final = frozenset("bcdfghjklmnpqrstvwxz2456789")
"""Letters of the random ends that controllers make (k8s.io/apimachinery/pkg/util/rand)."""

_ACCOUNT: Final = "service-account:"
_IDENTITIES: Final = (_ACCOUNT, "cloud-identity:")
_ENDS: Final[Mapping[str, tuple[str, ...]]] = {
    "Deployment": ("hash", "random"),
    "ReplicaSet": ("random",),
    "DaemonSet": ("random",),
    "Job": ("random",),
    "CronJob": ("number", "random"),
    "StatefulSet": ("number",),
    "ReplicationController": ("random",),
}
"""What stands behind a workload's name in the names of its pods, part by part."""


class KnownCredential(Struct, frozen=True):
    """A credential in a pod; `target` is what it is one of."""

    target: str = ""


class KnownPod(Struct, frozen=True):
    """A workload of a posture."""

    id: str
    namespace: str
    name: str
    kind: str
    density: int
    domains: tuple[str, ...]
    sinks: tuple[str, ...]
    risk: float
    credentials: tuple[KnownCredential, ...] = ()


class KnownStep(Struct, frozen=True):
    """A step of a path."""

    text: str


class KnownPath(Struct, frozen=True):
    """The best way of a workload to a sink."""

    pod: str
    sink: str
    steps: tuple[KnownStep, ...]
    probability: float


class KnownIdentity(Struct, frozen=True):
    """An identity of a posture."""

    id: str
    kind: str
    name: str
    ids: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    unused: bool | None = None


class Known(Struct, frozen=True):
    """As much of a `posture/v1` as a pod's reach is made of."""

    cluster: str
    taken_at: str
    pods: tuple[KnownPod, ...]
    identities: tuple[KnownIdentity, ...] = ()
    paths: tuple[KnownPath, ...] = ()
    unseen: int = 0
    schema: str = SCHEMA


class State(NamedTuple):
    """What records tell of an identity: its state, and in words what is not certain about that."""

    state: IdentityState
    why: str = ""


class Asked(NamedTuple):
    """A pod as telemetry names it; empty text where no record does. `t0` is when its story begins (RFC 3339)."""

    namespace: str
    pod: str = ""
    workload: str = ""
    service_account: str = ""
    cluster: str = ""
    t0: str = ""


Near = Callable[[str], Iterable[tuple[str, int]]]
"""All that a workload's id leads to, each with how many edges away, the nearest first."""


class Reaches:
    """A posture by workload. `near` walks its edges, `paths` tells the best ways of one workload where the posture itself does
    not list them."""

    def __init__(
        self,
        known: Known,
        near: Near | None = None,
        paths: Callable[[str], Sequence[KnownPath]] | None = None,
    ) -> None:
        self.known = known
        self._near = near
        self._paths = paths
        self._spaces: dict[str, list[KnownPod]] = {}
        self._accounts: dict[str, list[KnownPod]] = {}
        for pod in known.pods:
            self._spaces.setdefault(pod.namespace, []).append(pod)
            for account in {one.target for one in pod.credentials if one.target.startswith(_ACCOUNT)}:
                self._accounts.setdefault(account, []).append(pod)
        self._ways: dict[str, list[KnownPath]] = {}
        for path in known.paths:
            self._ways.setdefault(path.pod, []).append(path)
        self._identities = {one.id: one for one in known.identities}

    def is_other_cluster(self, asked: Asked) -> bool:
        """Whether the pod is surely of another cluster than the posture."""
        mine, its = _last(self.known.cluster), _last(asked.cluster)
        return bool(mine and its and mine != its)

    def of(self, asked: Asked, states: Callable[[KnownIdentity], State | None] | None = None) -> Reach | None:
        """What the pod could reach; None where the posture does not know it. `states` says what became of an identity."""
        pod, how = self._find(asked)
        if pod is None:
            return None
        ways, hidden = self._ways_of(pod)
        identities, more = self._identities_of(pod, states)
        return Reach(
            workload=f"{pod.namespace}/{pod.name}"
            if pod.kind == "Pod"
            else f"{pod.namespace}/{pod.kind}/{pod.name}",
            matched_by=how,
            taken_at=self.known.taken_at,
            age_s=_age(asked.t0, self.known.taken_at),
            density=pod.density,
            domains=pod.domains,
            risk=pod.risk,
            sinks=pod.sinks[:MAX_SINKS],
            ways=ways,
            identities=identities,
            more=more + hidden + max(len(pod.sinks) - MAX_SINKS, 0),
            unseen=self.known.unseen,
        )

    def _find(self, asked: Asked) -> tuple[KnownPod | None, str]:
        if self.is_other_cluster(asked):
            return None, ""
        here = self._spaces.get(asked.namespace, ())
        workload = asked.workload.rpartition("/")[2]
        named = [pod for pod in here if workload and pod.name == workload]
        if named:
            return _surest(named, asked.pod), "workload"
        made = [pod for pod in here if asked.pod and _made_by(pod, asked.pod)]
        if made and not workload:
            longest = max(len(pod.name) for pod in made)
            return _surest([pod for pod in made if len(pod.name) == longest], asked.pod), "pod"
        # What no name finds reaches at least what all that run as the same account reach.
        mine = asked.service_account.startswith(f"{asked.namespace}/")  # another's may be one that it took
        alike = self._accounts.get(f"{_ACCOUNT}{asked.service_account}", ()) if mine else ()
        least = min(alike, key=lambda pod: (pod.risk, len(pod.sinks), pod.id), default=None)
        return least, "service-account"

    def _ways_of(self, pod: KnownPod) -> tuple[tuple[ReachWay, ...], int]:
        """The best way to each kind of sink, in the order of the sinks, and how many more there are."""
        found = self._ways.get(pod.id) or (list(self._paths(pod.id)) if self._paths is not None else [])
        best: dict[str, KnownPath] = {}
        for path in found:
            kind = _kind(path.sink)
            known = best.get(kind)
            if known is None or (path.probability, -len(path.steps)) > (known.probability, -len(known.steps)):
                best[kind] = path
        order = list(dict.fromkeys(_kind(sink) for sink in pod.sinks))
        told = [best[kind] for kind in order if kind in best]
        ways = tuple(
            ReachWay(path.sink, tuple(step.text for step in path.steps), path.probability)
            for path in told[:MAX_WAYS]
        )
        return ways, max(len(told) - MAX_WAYS, 0)

    def _identities_of(
        self, pod: KnownPod, states: Callable[[KnownIdentity], State | None] | None
    ) -> tuple[tuple[ReachedIdentity, ...], int]:
        """Identities that may do anything or that records tell of, and how many more such there are."""
        if self._near is None:
            return (), 0
        found: list[tuple[int, ReachedIdentity]] = []
        for id_, hops in self._near(pod.id):
            one = self._identities.get(id_) if id_.startswith(_IDENTITIES) else None
            if one is None:
                continue
            told = states(one) if states is not None else None
            if told is None and not one.roles:
                continue  # it opens nothing that is known
            state, why = told or State(IdentityState.EXPOSED)
            reached = ReachedIdentity(one.kind, one.name, state, hops, len(one.roles), one.unused, why)
            found.append((_ORDER[state], reached))
        found.sort(key=lambda item: (item[0], not item[1].why, item[1].hops, item[1].kind, item[1].name))
        return tuple(one for _, one in found[:MAX_IDENTITIES]), max(len(found) - MAX_IDENTITIES, 0)


_ORDER: Final = {IdentityState.USED: 0, IdentityState.TAKEN: 1, IdentityState.EXPOSED: 2}


def _kind(sink: str) -> str:
    return sink.partition("/")[0]


def _last(cluster: str) -> str:
    """What a cluster is called, of a name or of a resource id."""
    return cluster.rstrip("/").rpartition("/")[2].lower()


def _surest(pods: Sequence[KnownPod], name: str) -> KnownPod:
    """Of workloads that are called alike the one whose pods are called so, else the first."""
    return next((pod for pod in pods if _made_by(pod, name)), pods[0])


def _made_by(pod: KnownPod, name: str) -> bool:
    """Whether a pod called `name` is called as those of `pod` are."""
    ends = _ENDS.get(pod.kind)
    if ends is None:
        return name == pod.name
    if not name.startswith(f"{pod.name}-"):
        return False
    parts = name[len(pod.name) + 1 :].split("-")
    if pod.kind == "Job" and len(parts) == 2 and parts[0].isdecimal():
        parts = parts[1:]  # an indexed Job's pods have their index before the random end
    return len(parts) == len(ends) and all(_is_end(part, end) for part, end in zip(parts, ends, strict=True))


def _is_end(part: str, end: str) -> bool:
    if end == "number":
        return part.isdecimal() and part.isascii()
    least, most = (5, 5) if end == "random" else (1, 10)
    return least <= len(part) <= most and _HASHED.issuperset(part)


def _age(t0: str, taken_at: str) -> float | None:
    try:
        return (to_ns(taken_at) - to_ns(t0)) / 1e9 if t0 and taken_at else None
    except ValueError:
        return None
