"""What of a posture a team acts on, one finding each: a way to a sink, a choke point, an idle identity, a GPU operand.

Every finding has an id that stays while its subject does: the workload and the kind of sink, not the path between them, so
that a finding whose path was only changed is the same finding. Of the members of a family of sinks (`ns-admin/NAME`) the best
path stands for all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from msgspec import Struct

from eightysix.model.posture import Architectural, Confidence, Fix, IdentityUse, Path, PodReach, Posture
from eightysix.report.posture.words import plural, sink_word

__all__ = ["FULL", "Finding", "family", "findings"]

FULL = frozenset({"cluster-admin", "sub-owner"})
"""Sinks that are everything."""

_GIVERS = frozenset({"Role", "ClusterRole"})
"""What a binding gives is evidence too; what is changed is the binding."""
_OPERAND = "GPU_PRIV_OPERAND"


class Finding(Struct, frozen=True):
    """`rule` is `reaches-FAMILY`, `choke-point`, `unused-identity` or `gpu-operand`; `objects` are what to look at, the first
    one first; `paths` how it comes about."""

    rule: str
    id: str
    level: str
    text: str
    objects: tuple[str, ...]
    paths: tuple[Path, ...] = ()
    techniques: tuple[str, ...] = ()
    properties: Mapping[str, object] = {}


def family(sink: str) -> str:
    """`sink:ns-admin/ml` is of `ns-admin`."""
    return sink.removeprefix("sink:").partition("/")[0]


def _id(cluster: str, *parts: str) -> str:
    # NOTE: lengths, so that no name with a separator in it is taken for two
    data = "".join(f"{len(part)}:{part}" for part in (cluster, *parts))
    return hashlib.sha256(data.encode("utf-8", "backslashreplace")).hexdigest()[:32]


def findings(posture: Posture) -> Iterator[Finding]:
    """All findings: choke points, then workloads the worst first, node pools of GPUs once each, then identities."""
    techniques = {(edge.type, edge.source, edge.target): edge.techniques for edge in posture.edges}
    evidence = {(edge.type, edge.source, edge.target): edge.evidence for edge in posture.edges}
    paths: dict[str, dict[str, list[Path]]] = {}
    for path in posture.paths:
        paths.setdefault(path.pod, {}).setdefault(family(path.sink), []).append(path)
    for fix in posture.fixes:
        yield _fix(fix, posture, evidence, techniques)
    cuts = {key: cut.what for cut in posture.cuts for key in cut.edges}
    for pod in posture.pods:
        if pod.architectural:
            continue
        for name, several in paths.get(pod.id, {}).items():
            yield _way(pod, name, several, posture.cluster, techniques, cuts)
    for pool in posture.architectural:
        yield _pool(pool, posture)
    pods = {pod.id: pod for pod in posture.pods}
    for one in posture.identities:
        if one.unused and one.pods:
            yield _idle(one, posture.cluster, pods)


_Key = tuple[str, str, str]


def _fix(
    fix: Fix,
    posture: Posture,
    evidence: Mapping[_Key, tuple[tuple[str, str], ...]],
    techniques: Mapping[_Key, tuple[str, ...]],
) -> Finding:
    objects = sorted(
        {thing for key in fix.edges for thing, _ in evidence.get(key, ())},
        key=lambda thing: (thing.partition("/")[0] in _GIVERS, thing),
    )
    text = f"{fix.what}: {fix.why}."
    if fix.command:
        text += f"\n{fix.command}"
    elif fix.patch:
        text += f"\n{fix.patch}"
    return Finding(
        rule="choke-point",
        id=_id(posture.cluster, "choke-point", fix.what),
        level="warning",
        text=text,
        objects=tuple(objects)[:20],
        techniques=tuple(sorted({one for key in fix.edges for one in techniques.get(key, ())})),
        properties={
            "order": fix.order,
            "pods": fix.pods,
            "sinks": list(fix.sinks),
            "command": fix.command,
            "patch": fix.patch,
            "edges": len(fix.edges),
        },
    )


def _way(
    pod: PodReach,
    name: str,
    several: list[Path],
    cluster: str,
    techniques: Mapping[_Key, tuple[str, ...]],
    cuts: Mapping[_Key, str],
) -> Finding:
    best = max(several, key=lambda path: path.probability)
    assumed = all(step.confidence is Confidence.ASSUMED for step in best.steps)
    level = "note" if assumed else "error" if name in FULL and best.probability >= 1 else "warning"
    keys = [(step.type, step.source, step.target) for step in best.steps]
    rest = f" and {len(several) - 1} more of its kind" if len(several) > 1 else ""
    text = (
        f"{pod.kind} {pod.namespace}/{pod.name} ({plural(pod.pods, 'pod')}) reaches {sink_word(best.sink)}{rest} in"
        f" {plural(len(best.steps), 'step')}, probability {best.probability:.2f}."
    )
    ways = list(dict.fromkeys(cuts[key] for key in keys if key in cuts))
    if ways:
        text += " What cuts it: " + "; or: ".join(ways[:3]) + "."
    return Finding(
        rule=f"reaches-{name}",
        id=_id(cluster, "reaches", pod.id, name),
        level=level,
        text=text,
        objects=tuple(dict.fromkeys(thing for step in best.steps for thing, _ in step.evidence))[:20],
        paths=tuple(several),
        techniques=tuple(sorted({one for key in keys for one in techniques.get(key, ())})),
        properties={
            "workload": f"{pod.namespace}/{pod.kind}/{pod.name}",
            "pods": pod.pods,
            "risk": pod.risk,
            "density": pod.density,
            "sinks": [path.sink for path in several],
            "probability": best.probability,
        },
    )


def _pool(pool: Architectural, posture: Posture) -> Finding:
    operands = set(pool.operands)
    edges = [edge for edge in posture.edges if edge.type == _OPERAND and edge.source in operands]
    where = f"node pool {pool.pool}" if pool.pool else "nodes of no known pool"
    held = [plural(len(pool.nodes), "node")] if pool.nodes else []
    held += [plural(len(pool.neighbours), "other workload")] if pool.neighbours else []
    held += [f"{len(pool.identities)} of its machines' identities"] if pool.identities else []
    names = ", ".join(one.removeprefix("pod:") for one in pool.operands[:3])
    text = (
        f"The GPUs of {where} need {plural(len(pool.operands), 'privileged workload')} ({names})."
        " Whoever breaks into one is root on its node, and no fix changes that."
        + (f" Within reach there: {', '.join(held)}." if held else "")
        + " Keep identities and other pods off such nodes."
    )
    return Finding(
        rule="gpu-operand",
        id=_id(posture.cluster, "gpu-operand", pool.pool),
        level="note",
        text=text,
        objects=tuple(dict.fromkeys(thing for edge in edges for thing, _ in edge.evidence))[:20],
        techniques=tuple(sorted({one for edge in edges for one in edge.techniques})),
        properties={
            "architectural": True,
            "pool": pool.pool,
            "operands": list(pool.operands),
            "identities": list(pool.identities),
            "neighbours": list(pool.neighbours[:100]),
            "pods": pool.pods,
            "sinks": list(pool.sinks),
        },
    )


def _idle(one: IdentityUse, cluster: str, pods: Mapping[str, PodReach]) -> Finding:
    reaching = [pods[id_] for id_ in one.reached_by if id_ in pods]
    holding = [
        credential.object for pod in reaching for credential in pod.credentials if credential.target == one.id
    ] or [credential.object for pod in reaching for credential in pod.credentials[:1]]
    when = f"last used {one.last_used}" if one.last_used else f"never used since {one.since}"
    text = (
        f"Nobody uses {one.kind.replace('-', ' ')} {one.name} ({when}), and {plural(one.pods, 'pod')} can reach it:"
        " removing it costs nothing."
    )
    if one.roles:
        text += f" It holds {plural(len(one.roles), 'role')}: {'; '.join(one.roles[:5])}."
    account = f"ServiceAccount/{one.name}" if one.kind == "service-account" else ""
    return Finding(
        rule="unused-identity",
        id=_id(cluster, "unused-identity", one.id),
        level="warning" if one.roles else "note",
        text=text,
        objects=tuple(dict.fromkeys([*([account] if account else []), *holding]))[:20],
        properties={"identity": one.id, "pods": one.pods, "roles": list(one.roles), "ids": list(one.ids)},
    )
