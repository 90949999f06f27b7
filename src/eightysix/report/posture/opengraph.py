"""BloodHound's OpenGraph: the whole graph, to be uploaded into BloodHound and asked by Cypher.

The rules are those of BloodHound's own schemas of nodes, edges and metadata, and of its pages for developers
(bloodhound.specterops.io/opengraph): at most three kinds a node; kinds have a prefix of ours, as those of BloodHound must not be
used, and are letters, digits and underscores; names of properties are small letters; values are texts, numbers, booleans or lists
of one of these; `metadata` has `source_kind` alone. Ids are unique in all of BloodHound's database, so the cluster's name
is part of ours: give one (`--cluster`) where several clusters go into one BloodHound.

An edge that only says what lies in a hub is nobody's act. It takes the techniques of what leads into that hub: who may read the
Secrets of a namespace reads this Secret by the same act. Where nothing leads into it, what would is known by what it holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from eightysix.context.threats import NAMES, split
from eightysix.model.posture import Edge, IdentityUse, PodReach, Posture, Vertex
from eightysix.report.interface import RenderOptions
from eightysix.report.json_text import one_line
from eightysix.report.sarif_text import unlogged_json

__all__ = ["FORMAT", "PREFIX", "SOURCE_KIND", "OpenGraphFormat", "edge_kind", "node_kind"]

PREFIX = "E86"
"""What kinds begin with (BloodHound asks for one, and an underscore after it)."""

SOURCE_KIND = f"{PREFIX}_Posture"
"""The kind that BloodHound adds to every node of ours: `MATCH (n:E86_Posture)`, and by which all of them can be deleted."""

_STRUCTURE = frozenset({"CONTAINS", "MEMBER_OF"})
_ROUNDS = 8
"""Hubs within hubs (a cluster's, a namespace's, a kind's) are three."""

Json = dict[str, object]


class OpenGraphFormat:
    """One document; a line a node and a line an edge. `options` change nothing."""

    name = "opengraph"

    def write(self, posture: Posture, options: RenderOptions) -> Iterator[str]:
        """One piece for each node and edge: a large cluster's edges are 100 MB."""
        pods = {pod.id: pod for pod in posture.pods}
        identities = {one.id: one for one in posture.identities}
        yield f'{{\n"metadata": {{"source_kind": {one_line(SOURCE_KIND)}}},\n"graph": {{\n"nodes": ['
        comma = ""
        for vertex in posture.vertices:
            facts = _facts(vertex, pods.get(vertex.id), identities.get(vertex.id))
            yield f"{comma}\n{unlogged_json(one_line(_node(vertex, posture.cluster, facts)))}"
            comma = ","
        yield '\n],\n"edges": ['
        comma = ""
        inherited = _inherited(posture)
        for edge in posture.edges:
            yield f"{comma}\n{unlogged_json(one_line(_edge(edge, posture.cluster, inherited)))}"
            comma = ","
        yield "\n]\n}\n}\n"


FORMAT = OpenGraphFormat()


def node_kind(kind: str) -> str:
    """The kind of a node: `service-account` as `E86_ServiceAccount`."""
    return f"{PREFIX}_{''.join(word.capitalize() for word in kind.split('-'))}"


def edge_kind(type_: str) -> str:
    """The kind of an edge: `SA_TOKEN_MOUNTED` as `E86_SaTokenMounted`. What is neither letter nor digit is left out."""
    words = "".join(one if one.isascii() and one.isalnum() else " " for one in type_).split()
    return f"{PREFIX}_{''.join(word.capitalize() for word in words) or 'Unknown'}"


def _id(vertex: str, cluster: str) -> str:
    """The id in BloodHound; of what is in the cloud or outside, and so the same from every cluster, without the cluster."""
    if not cluster or vertex.startswith(_EVERYWHERE):
        return f"e86/{vertex}"
    return f"e86/{cluster.replace('%', '%25').replace('/', '%2F')}/{vertex}"


_EVERYWHERE = (
    "cloud-identity:/",
    "cloud-role:",
    "cloud-resource:",
    "external:",
    "artifact:",
    "sink:sub-owner",
)


def _node(vertex: Vertex, cluster: str, facts: Json) -> Json:
    name = f"{vertex.namespace}/{vertex.name}" if vertex.namespace else vertex.name
    properties: Json = {
        "name": name,
        "displayname": vertex.name,
        "kind": vertex.kind,
        "vertex": vertex.id,
        **({"namespace": vertex.namespace} if vertex.namespace else {}),
        **({"cluster": cluster} if cluster else {}),
    }
    for key, value in vertex.facts.items():
        properties.setdefault(_property(key), value)
    return {
        "id": _id(vertex.id, cluster),
        "kinds": [node_kind(vertex.kind)],
        "properties": {**properties, **facts},
    }


def _property(name: str) -> str:
    """A property's name as BloodHound wants it. `objectid` is BloodHound's own."""
    told = "".join(one if one.isascii() and one.isalnum() else "_" for one in name).lower()
    return "fact_" + told if told in ("", "objectid", "id", "kinds", "lastseen") else told


def _facts(vertex: Vertex, pod: PodReach | None, identity: IdentityUse | None) -> Json:
    if pod is not None:
        return {
            "risk": pod.risk,
            "pods": pod.pods,
            "density": pod.density,
            "domains": list(pod.domains),
            "architectural": pod.architectural,
        }
    if identity is not None:
        told: Json = {"reached_by_pods": identity.pods, "roles": list(identity.roles)}
        if identity.last_used:
            told["last_used"] = identity.last_used
        if identity.unused is not None:
            told["unused"] = identity.unused
        return told
    return {"crown_jewel": True} if vertex.kind == "sink" else {}


def _inherited(posture: Posture) -> Mapping[str, tuple[str, ...]]:
    """For each hub from which edges without techniques lead, the techniques of what leads into it."""
    lacking = {edge.source for edge in posture.edges if not edge.techniques}
    found: dict[str, dict[str, None]] = {}
    inner: list[Edge] = []
    for edge in posture.edges:
        if edge.target in lacking:
            if edge.techniques:
                found.setdefault(edge.target, {}).update(dict.fromkeys(edge.techniques))
            else:
                inner.append(edge)
    for _ in range(_ROUNDS):
        changed = False
        for edge in inner:
            here, above = found.setdefault(edge.target, {}), found.get(edge.source, {})
            if not above.keys() <= here.keys():
                here.update(above)
                changed = True
        if not changed:
            break
    return {hub: tuple(sorted(told)) for hub, told in found.items()}


def _usual(hub: str) -> tuple[str, ...]:
    """The techniques by which all that lies in a hub is had."""
    what = hub.partition(":")[2].rpartition("/")[2]
    return _HELD.get(what, _ALL)


_ALL = ("T1078.003", "MS-TA9019")
_HELD: Mapping[str, tuple[str, ...]] = {
    "pods": ("T1609", "MS-TA9006"),
    "secrets": ("T1552.007", "MS-TA9025"),
    "service-accounts": ("T1528", "MS-TA9016"),
    "workloads": ("T1610", "MS-TA9008"),
}
"""By the last word of the hub's id; full control of all else."""


def _edge(edge: Edge, cluster: str, inherited: Mapping[str, tuple[str, ...]]) -> Json:
    attack, matrix = split(edge.techniques or inherited.get(edge.source) or _usual(edge.source))
    return {
        "kind": edge_kind(edge.type),
        "start": {"match_by": "id", "value": _id(edge.source, cluster)},
        "end": {"match_by": "id", "value": _id(edge.target, cluster)},
        "properties": {
            "type": edge.type,
            "confidence": edge.confidence,
            "structure": edge.type in _STRUCTURE,
            "attack": list(attack),
            "attack_names": [NAMES.get(one, one) for one in attack],
            "threat_matrix": list(matrix),
            "threat_matrix_names": [NAMES.get(one, one) for one in matrix],
            "evidence": [f"{thing} {path}" for thing, path in edge.evidence],
            **({"needs": edge.needs} if edge.needs else {}),
        },
    }
