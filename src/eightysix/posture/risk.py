"""How bad it is when a pod falls: `risk` from 0 to 10, with the reasons in words. `density` is raw, and no alert.

For each domain, the worst that the pod's credentials and ways of that domain reach: impact of the sink times probability of
the path. Domains join by noisy-or, `10 * (1 - prod(1 - reach / 10))`: one more credential or edge never lowers it.
A way belongs to the domain of the first edge that leaves what is the pod's own: itself, its containers, volumes, Secrets and
service account. Impacts and formula: facts of posture, 7.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from eightysix.model.posture import Credential
from eightysix.model.words import Domain
from eightysix.posture.arrays import np
from eightysix.posture.edges.llm import OF_THE_HOUSE
from eightysix.posture.graph import FACTORS, Graph, Reach
from eightysix.posture.sentences import NAME_COLUMNS, say, sentence
from eightysix.report.inert import inert

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["IMPACTS", "NOTHING", "VERIFIED", "DomainReach", "Risk", "Scores", "density", "impact"]

IMPACTS: Mapping[str, float] = {
    "cluster-admin": 10.0,
    "sub-owner": 10.0,
    "node": 8.0,
    "acr-write": 8.0,
    "model-store-write": 8.0,
    "kv-secrets": 7.0,
    "ns-admin": 7.0,
    "data-read": 5.0,
    "llm-spend": 4.0,
    "registry-read": 3.0,
}
_OTHER_SINK = 5.0  # of no weight of its own: as reading data

NOTHING = 0.5
"""What a credential is worth that reaches nothing known: it still proves who one is."""

VERIFIED = 0.6
"""`exposure` of a pod that loads only what a gate has verified; 1 otherwise."""

_DOMAINS = (Domain.CLUSTER, Domain.DELIVERY, Domain.CLOUD, Domain.LLM)
_CLUSTER, _DELIVERY, _CLOUD, _LLM = range(4)
_TYPES: Mapping[str, int] = {
    "HAS_LLM_KEY": _LLM,
    "HAS_CRED_CICD": _DELIVERY,
    "PULLS_FROM": _DELIVERY,
    "CAN_PUSH": _DELIVERY,
    "RUNNER_JOB_EXEC": _DELIVERY,
    **dict.fromkeys(("IMDS_NODE_ID", "IMDS_OTHER_UAMI", "WI_FEDERATED", "WI_IDENTITY_BINDING"), _CLOUD),
    "STATIC_CLOUD_KEY": _CLOUD,
    "AZURE_JSON": _CLOUD,
    "CSI_KV_ACCESS": _CLOUD,
}
_ENDS: Mapping[str, int] = {
    "cloud-identity": _CLOUD,
    "cloud-role": _CLOUD,
    "cloud-resource": _CLOUD,
    "external": _DELIVERY,
    "artifact": _DELIVERY,
}
_SINK_ENDS: Mapping[str, int] = {
    "sub-owner": _CLOUD,
    "kv-secrets": _CLOUD,
    "data-read": _CLOUD,
    "acr-write": _DELIVERY,
    "model-store-write": _DELIVERY,
    "registry-read": _DELIVERY,
    "llm-spend": _LLM,
}
_OWN = frozenset({"container", "volume", "secret", "credential", "service-account"})
_FACTORS = np.array([*FACTORS.values(), 0.0])  # an edge that is cut leaves nothing


class DomainReach(Struct, frozen=True):
    """The worst that a pod reaches by one domain: `reach` is impact times probability."""

    domain: str
    reach: float
    sink: str
    why: str


class Risk(Struct, frozen=True):
    """A pod's risk and what it is made of, the worst domain first."""

    risk: float
    density: int
    domains: tuple[str, ...]
    reaches: tuple[DomainReach, ...]
    why: tuple[str, ...]


def impact(sink: str) -> float:
    """How bad it is to reach `sink`."""
    return IMPACTS.get(_family(sink), _OTHER_SINK)


def density(credentials: Iterable[Credential]) -> tuple[str, ...]:
    """The domains that a pod holds a credential of, in the order of `Domain`."""
    held = {credential.domain for credential in credentials}
    return tuple(str(domain) for domain in _DOMAINS if domain in held)


def _family(sink: str) -> str:
    return sink.removeprefix("sink:").partition("/")[0]


class Scores:
    """What every vertex is worth, once for a graph and its answers; then the risk of each pod."""

    def __init__(self, graph: Graph, reaches: Iterable[Reach]) -> None:
        """`reaches` are taken one by one, and none is kept."""
        self._graph = graph
        self._targets: list[str] = []
        self._value: Floats = np.zeros(len(graph.ids))
        self._which = np.full(len(graph.ids), -1, dtype=np.int32)
        for reach in reaches:
            self._take(reach)
        kinds = [one.partition(":")[0] for one in graph.ids]
        self._own = np.fromiter((kind in _OWN for kind in kinds), bool, len(kinds))
        holder = self._own | np.fromiter((kind == "pod" for kind in kinds), bool, len(kinds))
        factor = _FACTORS[graph.confidence]
        held = holder[graph.sources]
        inside = np.flatnonzero(held & self._own[graph.targets])
        leaving = np.flatnonzero(held & ~self._own[graph.targets])
        self._domain = _edge_domains(graph, kinds)
        worth = factor[leaving] * self._value[graph.targets[leaving]]
        self._by: list[Floats] = []
        self._round: list[NDArray[np.int32]] = []
        for domain in range(len(_DOMAINS)):
            mine = self._domain[leaving] == domain
            values: Floats = np.zeros(len(graph.ids))
            np.maximum.at(values, graph.sources[leaving[mine]], worth[mine])
            self._by.append(values)
            self._round.append(_spread(values, graph.sources[inside], graph.targets[inside], factor[inside]))

    def _take(self, reach: Reach) -> None:
        weight = impact(reach.target.name)
        worth = reach.probabilities() * weight
        now = np.array([impact(one) for one in self._targets] + [0.0])[self._which]
        better = (worth > self._value) | ((worth == self._value) & (worth > 0) & (weight > now))
        self._value[better] = worth[better]
        self._which[better] = len(self._targets)
        self._targets.append(reach.target.name)

    def of(self, pod: str, credentials: Sequence[Credential] = (), exposure: float = 1.0) -> Risk:
        """The risk of `pod`; `exposure` is 1, or `VERIFIED`."""
        found: list[DomainReach] = []
        for code, domain in enumerate(_DOMAINS):
            ways = [self._way(pod, code)]
            ways += [self._credential(one, code) for one in credentials if one.domain == domain]
            worst = max(ways, key=lambda one: (one.reach, one.why))
            if worst.reach:
                found.append(worst)
        found.sort(key=lambda one: (-one.reach, one.domain))
        rest = 1.0
        for one in found:
            rest *= 1 - one.reach / 10
        risk = round(10 * (1 - rest) * exposure, 2)
        domains = density(credentials)
        return Risk(
            risk,
            len(domains),
            domains,
            tuple(found),
            (*(one.why for one in found), _sum(risk, found, exposure)),
        )

    def _way(self, pod: str, code: int) -> DomainReach:
        """The worst by the edges that leave the pod and what is its own."""
        domain, vertex = _DOMAINS[code], self._graph.index.get(pod)
        if vertex is None or not (reach := float(self._by[code][vertex])):
            return DomainReach(domain, 0.0, "", "")
        edge, end = self._leaving_edge(vertex, code)
        if edge < 0:
            return DomainReach(domain, reach, "", f"{domain} {reach:.1f}")
        return DomainReach(
            domain, reach, end, f"{_counted(domain, reach, end)}: {sentence(self._graph.edge(edge))}"
        )

    def _leaving_edge(self, vertex: int, code: int) -> tuple[int, str]:
        graph, values, rounds = self._graph, self._by[code], self._round[code]
        while True:
            edges = graph.leaving(vertex)
            ends = graph.targets[edges]
            own = self._own[ends]
            usable = np.where(own, rounds[ends] < rounds[vertex], self._domain[edges] == code)
            worth = (
                np.where(own, values[ends], self._value[ends]) * _FACTORS[graph.confidence[edges]] * usable
            )
            if not len(worth) or not worth.max():
                return -1, ""
            edge = int(edges[int(worth.argmax())])
            vertex = int(graph.targets[edge])
            if not self._own[vertex]:
                return edge, self._targets[int(self._which[vertex])]

    def _credential(self, credential: Credential, code: int) -> DomainReach:
        """The worst by what a credential opens, whether or not an edge says that the pod has it."""
        factor = FACTORS[credential.confidence]
        vertex = self._graph.index.get(credential.target, -1)
        reach, end = 0.0, ""
        if vertex >= 0 and self._own[vertex]:
            reach = float(self._by[code][vertex])
            end = self._leaving_edge(vertex, code)[1] if reach else ""
        elif vertex >= 0 and self._value[vertex]:
            reach, end = float(self._value[vertex]), self._targets[int(self._which[vertex])]
        spends = code == _LLM and credential.target not in OF_THE_HOUSE
        least = IMPACTS["llm-spend"] if spends else NOTHING
        what = f"{inert(credential.name, NAME_COLUMNS)} ({inert(credential.signal, NAME_COLUMNS)})"
        if reach <= least:
            known = "spending on a model provider" if spends else "nothing known"
            why = f"{credential.domain} {least * factor:.1f}: it holds {what}, which opens {known}"
            return DomainReach(credential.domain, least * factor, "", why)
        worth = reach * factor
        return DomainReach(
            credential.domain, worth, end, f"{_counted(credential.domain, worth, end)}: it holds {what}"
        )


def _counted(domain: str, reach: float, sink: str) -> str:
    weight = impact(sink)
    return f"{domain} {reach:.1f}: reaches {say(sink)} (impact {weight:g}, probability {reach / weight:.2f})"


def _sum(risk: float, found: Sequence[DomainReach], exposure: float) -> str:
    if not found:
        return "risk 0: it reaches nothing and holds nothing"
    product = " × ".join(f"{1 - one.reach / 10:.2f}" for one in found)
    times = "" if exposure == 1 else f" × {exposure:g}, as what it loads was verified"
    return f"risk {risk:g} = 10 × (1 − {product}){times}"  # noqa: RUF001 - a minus


def _edge_domains(graph: Graph, kinds: Sequence[str]) -> NDArray[np.int8]:
    """The domain of each edge by its type, else by what it leads to."""
    by_type = np.array([_TYPES.get(one, -1) for one in graph.types], dtype=np.int8)
    ends = (
        _SINK_ENDS.get(_family(one), _CLUSTER) if kind == "sink" else _ENDS.get(kind, _CLUSTER)
        for kind, one in zip(kinds, graph.ids, strict=True)
    )
    by_end = np.fromiter(ends, np.int8, len(kinds))
    if not len(by_type):
        return np.zeros(0, dtype=np.int8)
    typed = by_type[graph.kinds]
    return np.where(typed >= 0, typed, by_end[graph.targets])


def _spread(
    values: Floats, sources: NDArray[np.int32], targets: NDArray[np.int32], factor: Floats
) -> NDArray[np.int32]:
    """Raise `values` along edges until nothing changes; the round in which each was raised last."""
    last = np.zeros(len(values), dtype=np.int32)
    turn = 0
    while True:
        turn += 1
        raised = values.copy()
        np.maximum.at(raised, sources, factor * values[targets])
        changed = raised > values
        if not changed.any():
            return last
        last[changed] = turn
        values[:] = raised
