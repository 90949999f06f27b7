"""The matrix: what each witness sees of each stage of a cluster, and what is missing where it does not see all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eightysix.model.visibility import Cell, Sight, Witness
from eightysix.model.words import Grade, Stage
from eightysix.reconstruct.coverage.estate import Cluster, Counted, of_cluster
from eightysix.reconstruct.coverage.shown import Shown, shown
from eightysix.sources.survey.azure import (
    ACTIVITY,
    KEY_VAULT,
    LOGINS,
    MANAGED,
    PRINCIPALS,
    REPOSITORY,
    STORAGE,
)

__all__ = ["PROCESS_TABLES", "cells", "python_pods"]

PROCESS_TABLES = ("CloudProcessEvents", "DeviceProcessEvents")

_KERNEL: dict[Stage, tuple[frozenset[Shown], str]] = {
    Stage.LAND: (frozenset({Shown.PROGRAMS, Shown.FILES}), ""),
    Stage.RUN: (frozenset({Shown.PROGRAMS}), "what a running process imports is invisible to the kernel"),
    Stage.REACH: (frozenset({Shown.CONNECTIONS, Shown.FILES}), ""),
    Stage.PIVOT: (frozenset({Shown.CONNECTIONS, Shown.FILES}), ""),
    Stage.LEAVE: (frozenset({Shown.CONNECTIONS}), ""),
}
"""By stage, what a node's kernel must tell, and why that is never all of the stage (empty where it is)."""

_SENSOR: dict[Stage, tuple[frozenset[Shown], str]] = {
    Stage.LAND: (frozenset({Shown.CODE}), "what no Python process writes or starts is not told"),
    Stage.RUN: (frozenset({Shown.CODE}), ""),
    Stage.REACH: (frozenset({Shown.CONNECTIONS, Shown.FILES}), ""),
    Stage.PIVOT: (frozenset({Shown.CONNECTIONS, Shown.FILES}), ""),
    Stage.LEAVE: (frozenset({Shown.CONNECTIONS}), ""),
}

_PROVIDER: dict[Stage, tuple[tuple[str, ...], str]] = {
    Stage.LAND: ((REPOSITORY, "CloudProcessEvents"), "pushes and install commands alone"),
    Stage.RUN: (("CloudProcessEvents",), "programs that start alone"),
    Stage.REACH: ((MANAGED,), "that a token was issued, and to no pod"),
    Stage.PIVOT: ((PRINCIPALS, LOGINS), "that an identity was used, and by no pod"),
    Stage.LEAVE: ((ACTIVITY, STORAGE, KEY_VAULT), "an identity's use from outside, not what left"),
    Stage.USE: ((ACTIVITY, KEY_VAULT, STORAGE, LOGINS), ""),
}

_AUDIT: dict[Stage, str] = {
    Stage.REACH: "tokens that are asked for at the API alone",
    Stage.PIVOT: "",
    Stage.LEAVE: "tokens that are used from elsewhere alone",
    Stage.USE: "",
}


def cells(cluster: Cluster, cloud: Sequence[Counted]) -> tuple[Cell, ...]:
    """One cell for each stage and witness, in the order of the story."""
    cloud = of_cluster(cloud, cluster)
    return tuple(
        cell
        for stage in Stage
        for cell in (
            _kernel(stage, cluster),
            _sensor(stage, cluster),
            _audit(stage, cluster),
            _provider(stage, cloud),
            _names(stage, cluster),
        )
    )


def _never(stage: Stage, witness: Witness) -> Cell:
    return Cell(stage, witness, Sight.NEVER, None, 0, 0)


def _judged(whole: int, some: int, of: int, limit: str) -> Sight:
    """What `whole` places that show all and `some` that show a part amount to."""
    if not whole and not some:
        return Sight.BLIND
    return Sight.PART if limit or whole < of else Sight.WHOLE


def _kernel(stage: Stage, cluster: Cluster) -> Cell:
    if stage not in _KERNEL:
        return _never(stage, Witness.KERNEL)
    needed, limit = _KERNEL[stage]
    told = cluster.of(Witness.KERNEL)
    nodes = max(len(cluster.nodes), 1)
    if not any(one.tally.records for one in told):
        return Cell(stage, Witness.KERNEL, Sight.ABSENT, Grade.B, 0, nodes)
    by_node: dict[str, list[Counted]] = {}
    for one in told:
        by_node.setdefault(one.place.node, []).append(one)
    seen = [shown(places) & needed for places in by_node.values()]
    whole = sum(has == needed for has in seen)
    some = sum(bool(has) and has != needed for has in seen)
    missing = needed - frozenset().union(*seen)
    why = limit
    if missing:
        why = "no record of " + " or ".join(sorted(missing))
    elif whole < nodes:
        why = f"on {whole} of {nodes} nodes"
    return Cell(stage, Witness.KERNEL, _judged(whole, some, nodes, limit), Grade.B, whole, nodes, why)


def python_pods(cluster: Cluster) -> tuple[int, int]:
    """How many pods with Python are known, and how many of them have a sensor."""
    having = sum(pod.sensor for pod in cluster.pods)
    return sum(pod.python or pod.sensor for pod in cluster.pods), having


def _sensor(stage: Stage, cluster: Cluster) -> Cell:
    if stage not in _SENSOR:
        return _never(stage, Witness.SENSOR)
    needed, limit = _SENSOR[stage]
    told = cluster.of(Witness.SENSOR)
    known, having = python_pods(cluster)
    if not any(one.tally.records for one in told):
        return Cell(stage, Witness.SENSOR, Sight.ABSENT, Grade.A, 0, known)
    has = shown(told) & needed
    why = limit
    if has != needed:
        why = "no record of " + " or ".join(sorted(needed - has))
    elif having < known:
        why = f"in {having} of {known} pods with Python"
    elif not cluster.of(Witness.KERNEL):
        limit = why = limit or "without the kernel nobody knows which pods have Python and no sensor"
    sight = _judged(int(has == needed and having == known), int(bool(has)), 1, limit)
    return Cell(stage, Witness.SENSOR, sight, Grade.A, having, known, why)


def _audit(stage: Stage, cluster: Cluster) -> Cell:
    if stage not in _AUDIT:
        return _never(stage, Witness.AUDIT)
    told = cluster.of(Witness.AUDIT)
    if not any(one.tally.kinds.get("api") for one in told):
        return Cell(stage, Witness.AUDIT, Sight.ABSENT, Grade.C, 0, 1)
    limit = _AUDIT[stage]
    if not limit and not reads(cluster):
        limit = "no get and no list in it: reads of secrets are not told"
    return Cell(stage, Witness.AUDIT, _judged(1, 0, 1, limit), Grade.C, 1, 1, limit)


def reads(cluster: Cluster) -> bool:
    """Whether its audit log tells of reading."""
    return any(
        one.tally.facts.get(f"verb {verb}") for one in cluster.of(Witness.AUDIT) for verb in ("get", "list")
    )


def _provider(stage: Stage, cloud: Sequence[Counted]) -> Cell:
    if stage not in _PROVIDER:
        return _never(stage, Witness.PROVIDER)
    names, limit = _PROVIDER[stage]
    arriving = {one.place.feed for one in cloud if one.tally.records}
    seen = sum(name in arriving for name in names)
    if not seen:
        return Cell(stage, Witness.PROVIDER, Sight.ABSENT, Grade.F, 0, len(names))
    missing = [name for name in names if name not in arriving]
    why = limit or ("nothing of " + ", ".join(missing) if missing else "")
    return Cell(stage, Witness.PROVIDER, _judged(seen, 0, len(names), limit), Grade.F, seen, len(names), why)


def _names(stage: Stage, cluster: Cluster) -> Cell:
    if stage is not Stage.LEAVE:
        return _never(stage, Witness.NAMES)
    told = cluster.of(Witness.NAMES)
    answers = sum(one.tally.kinds.get("answer", 0) for one in told)
    if not any(one.tally.records for one in told):
        return Cell(stage, Witness.NAMES, Sight.ABSENT, Grade.C, 0, 1)
    why = "names of destinations alone" if answers else "questions alone: no answer says which address it was"
    return Cell(stage, Witness.NAMES, Sight.PART, Grade.C if answers else Grade.F, 1, 1, why)


def arriving(cloud: Sequence[Counted]) -> Iterator[str]:
    """The cloud's logs of which anything came."""
    yield from sorted({one.place.feed for one in cloud if one.tally.records})
