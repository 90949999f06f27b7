"""A posture as rows of a store's tables, and back again without loss.

Nodes and edges are rows of tables of their own, so that hunts can ask for them; everything else stands in `EightySixPosture_CL`
as `posture/v1` tells it, a row each. The head row counts all the others: it is written last, so a snapshot without one was
not saved to its end, and one with fewer rows than it says lost some to retention. Members that an older release did not
write have their defaults.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any, Final

import msgspec
from msgspec import Struct

from eightysix.model.posture import (
    SCHEMA,
    Architectural,
    Confidence,
    Cut,
    Edge,
    Fix,
    IdentityUse,
    NotSeen,
    Past,
    PastBinding,
    Path,
    Place,
    PodReach,
    Posture,
    Vertex,
    VertexKind,
)
from eightysix.model.table import Row
from eightysix.model.timestamps import to_ns

__all__ = [
    "EDGES",
    "NODES",
    "REST",
    "VERSION",
    "Head",
    "assembled",
    "edge_from",
    "head_from",
    "head_of",
    "head_row",
    "node_from",
    "rows_of",
    "snapshot_id",
]

REST: Final = "EightySixPosture_CL"
NODES: Final = "EightySixPostureNodes_CL"
EDGES: Final = "EightySixPostureEdges_CL"

VERSION: Final = 1
"""Of what these rows mean. A higher one is of a newer release, and refused."""

_ID_BYTES: Final = 8

_PARTS: Final[Mapping[str, Any]] = {
    "pod": PodReach,
    "identity": IdentityUse,
    "path": Path,
    "fix": Fix,
    "not-seen": NotSeen,
    "past-binding": PastBinding,
    "past-path": Path,
    "architectural": Architectural,
    "place": Place,
    "cut": Cut,
}


class Head(Struct, frozen=True):
    """What the head row tells: `counts` are rows by part, and of nodes and edges. `saved_ns` is when it was saved."""

    id: str
    cluster: str
    taken_at: str
    rules: str
    schema: str
    version: int
    counts: dict[str, int]
    saved_ns: int = 0


class _Told(Struct, frozen=True):
    schema: str
    taken_at: str
    counts: dict[str, int]


def _parts(posture: Posture) -> dict[str, tuple[Any, ...]]:
    past = posture.past
    return {
        "pod": posture.pods,
        "identity": posture.identities,
        "path": posture.paths,
        "fix": posture.fixes,
        "not-seen": posture.not_seen,
        "past-binding": past.bindings,
        "past-path": past.paths,
        "architectural": posture.architectural,
        "place": posture.places,
        "cut": posture.cuts,
    }


def snapshot_id(posture: Posture) -> str:
    """The name of a posture: 16 hex digits of BLAKE2b over all that it tells."""
    digest = blake2b(digest_size=_ID_BYTES)
    for value in (posture.schema, posture.cluster, posture.taken_at, posture.rules):
        digest.update(_encoded(value))
    for items in (*_parts(posture).values(), posture.vertices, posture.edges, posture.past.edges):
        digest.update(b"%d\n" % len(items))
        for item in items:
            digest.update(_encoded(item))
    return digest.hexdigest()


_encoded = msgspec.msgpack.Encoder(order="deterministic").encode


def head_of(posture: Posture, saved_ns: int) -> Head:
    """What its head row will tell."""
    counts = {part: len(items) for part, items in _parts(posture).items()}
    counts |= {
        "node": len(posture.vertices),
        "edge": len(posture.edges),
        "past-edge": len(posture.past.edges),
    }
    return Head(
        snapshot_id(posture),
        posture.cluster,
        posture.taken_at,
        posture.rules,
        posture.schema,
        VERSION,
        counts,
        saved_ns,
    )


def head_row(head: Head) -> tuple[str, Row]:
    """The row that makes a snapshot one."""
    told = {"schema": head.schema, "taken_at": head.taken_at, "counts": head.counts}
    return REST, {
        **_common(head),
        "Part": "head",
        "Number": 0,
        "Told": told,
        "FormatVersion": head.version,
        "SavedAt": head.saved_ns,
        "Rules": head.rules,
    }


def _common(head: Head) -> dict[str, object]:
    return {"TimeGenerated": to_ns(head.taken_at), "SnapshotId": head.id, "Cluster": head.cluster}


def rows_of(posture: Posture, head: Head) -> Iterator[tuple[str, Row]]:
    """All rows but the head row, each with its table."""
    common = _common(head)
    for part, items in _parts(posture).items():
        for number, item in enumerate(items):
            yield (
                REST,
                {
                    **common,
                    "Part": part,
                    "Number": number,
                    "Name": _name(item),
                    "Told": msgspec.to_builtins(item),
                },
            )
    pods = {pod.id: pod for pod in posture.pods}
    identities = {one.id: one for one in posture.identities}
    for number, vertex in enumerate(posture.vertices):
        yield NODES, {**common, **_node(number, vertex, pods.get(vertex.id), identities.get(vertex.id))}
    for past, edges in ((False, posture.edges), (True, posture.past.edges)):
        for number, edge in enumerate(edges):
            yield EDGES, {**common, **_edge(number, edge, past)}


def _name(item: object) -> str | None:
    for member in ("id", "what", "pod", "object"):
        found = getattr(item, member, None)
        if isinstance(found, str):
            return found
    return None


def _node(number: int, one: Vertex, pod: PodReach | None, life: IdentityUse | None) -> dict[str, object]:
    row: dict[str, object] = {
        "Number": number,
        "NodeId": one.id,
        "NodeKind": str(one.kind),
        "Namespace": one.namespace,
        "NodeName": one.name,
        "Facts": one.facts,
    }
    if pod is not None:
        row |= {"Pods": pod.pods, "Risk": pod.risk, "Density": pod.density}
        row |= {"Domains": list(pod.domains), "Sinks": list(pod.sinks)}
    if life is not None:
        row |= {"LastUsed": to_ns(life.last_used) if life.last_used else None, "Unused": life.unused}
    return row


def _edge(number: int, one: Edge, past: bool) -> dict[str, object]:
    return {
        "Number": number,
        "EdgeType": one.type,
        "SourceNode": one.source,
        "TargetNode": one.target,
        "Confidence": str(one.confidence),
        "Techniques": list(one.techniques),
        "Evidence": [list(proof) for proof in one.evidence],
        "Needs": one.needs,
        "Past": past,
        "Since": one.since,
        "Until": one.until,
    }


def head_from(id_: str, cluster: str, rules: str, version: int, saved_ns: int, told: str) -> Head:
    """The head of a row. Raises `msgspec.MsgspecError` for what is none."""
    found = msgspec.json.decode(told, type=_Told)
    return Head(id_, cluster, found.taken_at, rules, found.schema, version, found.counts, saved_ns)


def node_from(id_: str, kind: str, name: str, namespace: str, facts: str) -> Vertex:
    """A node of a row. Raises `ValueError`."""
    return Vertex(id_, VertexKind(kind), name, namespace, msgspec.json.decode(facts, type=dict[str, str]))


_proofs = msgspec.json.Decoder(tuple[tuple[str, str], ...]).decode
_words = msgspec.json.Decoder(tuple[str, ...]).decode


def edge_from(cells: tuple[str, ...]) -> Edge:
    """An edge of a row: type, source, target, confidence, techniques, evidence, needs, since, until. Raises `ValueError`."""
    type_, source, target, confidence, techniques, evidence, needs, since, until = cells
    return Edge(
        type_,
        source,
        target,
        _proofs(evidence) if evidence else (),
        Confidence(confidence),
        _words(techniques) if techniques else (),
        needs or "",
        since or "",
        until or "",
    )


def assembled(
    head: Head,
    parts: Mapping[str, Iterable[str]],
    nodes: Iterable[Vertex],
    edges: Iterable[Edge],
    past: Iterable[Edge],
) -> Posture:
    """The posture that rows are of. Raises `msgspec.MsgspecError` where one of them is none."""
    found = {
        part: tuple(msgspec.json.decode(text, type=type_) for text in parts.get(part, ()))
        for part, type_ in _PARTS.items()
    }
    return Posture(
        cluster=head.cluster,
        taken_at=head.taken_at,
        pods=found["pod"],
        identities=found["identity"],
        vertices=tuple(nodes),
        edges=tuple(edges),
        paths=found["path"],
        fixes=found["fix"],
        not_seen=found["not-seen"],
        rules=head.rules,
        schema=SCHEMA,
        architectural=found["architectural"],
        places=found["place"],
        cuts=found["cut"],
        past=Past(found["past-binding"], tuple(past), found["past-path"]),
    )
