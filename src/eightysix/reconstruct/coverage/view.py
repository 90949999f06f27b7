"""Puts together what `coverage` tells: clusters, logs, gaps in order of importance, rules that cannot be judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from eightysix.detect.needs import account, met_needs
from eightysix.detect.rule import Need, Rule
from eightysix.detect.wording import rfc3339
from eightysix.model.incident import Counts, Problem
from eightysix.model.visibility import (
    ClusterSight,
    Feed,
    Gap,
    Importance,
    Lateness,
    Visibility,
)
from eightysix.reconstruct.coverage.estate import Cluster, Counted, Estate, estate_of, kinds_of
from eightysix.reconstruct.coverage.gaps_kernel import kernel_gaps
from eightysix.reconstruct.coverage.gaps_logs import audit_gaps, cloud_gaps, name_gaps, sensor_gaps
from eightysix.reconstruct.coverage.gaps_rest import (
    agent_gaps,
    late_gaps,
    operator_gaps,
    silent_gaps,
    unread_gaps,
)
from eightysix.reconstruct.coverage.rhythm import KUBELETS, has_rhythm, silences
from eightysix.reconstruct.coverage.sight import cells, python_pods
from eightysix.sources.survey.census import LATE_BOUNDS, Census, Late, Rhythm

__all__ = ["Given", "visibility"]

_CLOSES: Mapping[Need, tuple[str, ...]] = {
    Need.CONNECTIONS: ("kernel-absent", "connections-unseen"),
    Need.FILES: ("kernel-absent", "files-unseen"),
    Need.PROCESSES: ("kernel-absent", "programs-unseen"),
    Need.PROVENANCE: ("sensor-absent",),
    Need.API_AUDIT: ("audit-absent",),
    Need.CLOUD_LOGS: ("activity-absent",),  # any of the logs meets it: this one tells most
    Need.BASELINE: ("baseline-absent",),
    Need.GATE: (),  # not every cluster has a gate: no gap of its own
}
"""Which gaps a need that is not met stands for: closing any one of them meets it."""

_OF_THE_CLOUD = frozenset((*_CLOSES[Need.CLOUD_LOGS], *_CLOSES[Need.BASELINE]))

_ORDER = {
    name: place
    for place, name in enumerate(
        "kernel-absent nodes-untold connections-unseen files-unseen programs-unseen audit-absent"
        " policies-failed agents-lost tetragon-drops"
        " falco-drops silence audit-admin-only audit-no-reads sensor-absent sensor-missing sensor-loss host-unseen"
        " connections-metadata-only unattributed sign-ins-absent activity-absent key-vault-absent"
        " registry-absent storage-absent defender-no-network baseline-absent unread".split()
    )
}
"""Among gaps of one importance: what takes most first, as judged."""


class Given(Struct, frozen=True):
    """What is known beside the census: how the reading went, and what the operator has."""

    counts: Counts = field(default_factory=Counts)
    problems: tuple[Problem, ...] = ()
    baseline: bool = False
    ledger: bool = False
    notes: tuple[str, ...] = ()
    until_ns: int = 0
    """When watching ended, where that is later than the last record (0: it is not known)."""


def visibility(census: Census, rules: Sequence[Rule], given: Given) -> Visibility:
    """Everything that `coverage` tells."""
    estate = estate_of(census)
    ledger = given.ledger or census.ledger
    clusters = tuple(_cluster(one, estate, given.until_ns) for one in estate.clusters)
    cloud = tuple(_feed(one, {}, 0, 0) for one in estate.cloud)
    everything = [*estate.cloud, *(item for one in estate.clusters for item in one.counted)]
    gate = frozenset({Need.GATE} if census.gate else ())
    told = account(rules, met_needs(kinds_of(everything), baseline=given.baseline) | gate)
    found = [*_gaps(estate, clusters, cloud, given, ledger=ledger), *agent_gaps(census.agents)]
    found = [_with_rules(one, estate, rules, given.baseline, gate) for one in found]
    found.sort(
        key=lambda one: (
            one.importance.rank,
            _ORDER.get(one.id, len(_ORDER)),
            one.id,
            one.cluster,
            one.places,
        )
    )
    notes = [*given.notes]
    if estate.joined:
        notes.append(f"counted to the only cluster, as no record names one: {', '.join(estate.joined)}")
    notes += [
        f"{number:,} {what} beyond what is kept apart" for what, number in sorted(census.crowded.items())
    ]
    if census.full:
        notes.append("so many records that later ones were not compared: some may have been counted twice")
    return Visibility(
        clusters=clusters,
        cloud=cloud,
        gaps=tuple(found),
        rules=told,
        counts=given.counts,
        baseline=given.baseline,
        ledger=ledger,
        notes=tuple(notes),
        problems=given.problems,
    )


def _cluster(cluster: Cluster, estate: Estate, until_ns: int) -> ClusterSight:
    pods, having = python_pods(cluster)
    end = max(cluster.last_ns, until_ns)
    others = _others(cluster)
    return ClusterSight(
        name=cluster.name,
        nodes=cluster.nodes,
        pods=len(cluster.pods),
        python_pods=pods,
        sensor_pods=having,
        first=_time(cluster.first_ns),
        last=_time(cluster.last_ns),
        cells=cells(cluster, estate.cloud),
        feeds=tuple(_feed(one, others, cluster.first_ns, end) for one in cluster.counted),
    )


_Others = Mapping[str, Mapping[str, list[Rhythm]]]
"""By node (empty: the whole cluster), who tells of it and when."""


def _others(cluster: Cluster) -> _Others:
    found: dict[str, dict[str, list[Rhythm]]] = {}
    for one in cluster.counted:
        for node in {one.place.node, ""}:
            found.setdefault(node, {}).setdefault(one.place.feed, []).append(one.tally.rhythm)
    for node, rhythm in cluster.alive.items():
        found.setdefault(node, {}).setdefault(KUBELETS, []).append(rhythm)
    return found


def _feed(one: Counted, others: _Others, first_ns: int, last_ns: int) -> Feed:
    place, tally = one.place, one.tally
    seconds = max((tally.last_ns - tally.first_ns) / 1e9, 1.0)
    meanwhile = {name: told for name, told in others.get(place.node, {}).items() if name != place.feed}
    return Feed(
        name=place.feed,
        witness=tally.witness,
        cluster=place.cluster,
        node=place.node,
        records=tally.records,
        duplicates=tally.duplicates,
        kinds=dict(sorted(tally.kinds.items())),
        first=_time(tally.first_ns),
        last=_time(tally.last_ns),
        per_minute=round(60 * tally.records / max(seconds, 60.0), 2),
        rhythm=has_rhythm(tally.rhythm),
        lateness=_lateness(tally.late),
        silences=silences(tally.rhythm, first_ns or tally.first_ns, last_ns or tally.last_ns, meanwhile),
        lost=dict(sorted(tally.lost.items())),
        unattributed=tally.unattributed,
        of=tally.of,
    )


def _time(time_ns: int) -> str:
    return rfc3339(time_ns) if time_ns else ""


def _lateness(late: Late) -> Lateness | None:
    total = sum(late.counts)
    if not total:
        return None
    return Lateness(
        late.between,
        total,
        _quantile(late, total, 0.5),
        _quantile(late, total, 0.95),
        round(late.worst_s, 3),
        late.early,
    )


def _quantile(late: Late, total: int, part: float) -> float | None:
    """The bound that this part of the records does not exceed; None beyond the last."""
    below = 0
    for index, number in enumerate(late.counts):
        below += number
        if below >= part * total:
            return LATE_BOUNDS[index] if index < len(LATE_BOUNDS) else None
    return None


def _gaps(
    estate: Estate, clusters: Sequence[ClusterSight], cloud: Sequence[Feed], given: Given, *, ledger: bool
) -> Iterator[Gap]:
    for one in estate.clusters or [Cluster("")]:
        yield from kernel_gaps(one)
        yield from sensor_gaps(one)
        yield from audit_gaps(one)
        yield from name_gaps(one)
    yield from cloud_gaps(estate.cloud, estate.clusters)
    for sight in clusters:
        yield from silent_gaps(sight)
    yield from late_gaps([*cloud, *(feed for sight in clusters for feed in sight.feeds)])
    yield from operator_gaps(baseline=given.baseline, ledger=ledger)
    yield from unread_gaps(given.counts, given.problems)


def _with_rules(
    one: Gap, estate: Estate, rules: Sequence[Rule], baseline: bool, gate: frozenset[Need]
) -> Gap:
    """The gap with the rules that cannot be judged for it, in its cluster or, of the cloud's logs, in any."""
    names: set[str] = set()
    for cluster in estate.clusters or [Cluster("")]:
        if one.cluster != cluster.name and one.id not in _OF_THE_CLOUD:
            continue
        met = met_needs(kinds_of([*cluster.counted, *estate.cloud]), baseline=baseline) | gate
        for rule in rules:
            missing = [need for need in rule.needs if not met.intersection(need)]
            if any(one.id in _CLOSES[alternative] for need in missing for alternative in need):
                names.add(rule.id)
    if not names:
        return one
    return replace(one, rules=tuple(sorted(names)), importance=Importance.BLIND)
