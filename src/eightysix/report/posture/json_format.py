"""`posture/v1` as JSON: everything, lossless, the same bytes for the same objects in whatever order they came."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from eightysix.model.posture import (
    Confidence,
    Fix,
    IdentityUse,
    NotSeen,
    Path,
    PodReach,
    Posture,
    Vertex,
)
from eightysix.report.interface import RenderOptions
from eightysix.report.json_text import indented

__all__ = ["FORMAT", "JsonFormat"]


class _Proof(msgspec.Struct, frozen=True):
    object: str
    path: str


class _Edge(msgspec.Struct, frozen=True):
    """An edge, its evidence by name."""

    type: str
    source: str
    target: str
    evidence: tuple[_Proof, ...]
    confidence: Confidence
    techniques: tuple[str, ...]
    needs: str


class _Document(msgspec.Struct, frozen=True):
    """The order of the keys at the top."""

    schema: str
    cluster: str
    taken_at: str
    rules: str
    pods: tuple[PodReach, ...]
    identities: tuple[IdentityUse, ...]
    edges: tuple[_Edge, ...]
    paths: tuple[Path, ...]
    fixes: tuple[Fix, ...]
    not_seen: tuple[NotSeen, ...]
    vertices: tuple[Vertex, ...]


class JsonFormat:
    """Pretty-printed JSON, two spaces deep, ending with a newline. `options` change nothing."""

    name = "json"

    def write(self, posture: Posture, options: RenderOptions) -> Iterator[str]:
        """One piece, because the encoder needs the whole document."""
        p = posture
        edges = tuple(
            _Edge(
                edge.type,
                edge.source,
                edge.target,
                tuple(_Proof(*proof) for proof in edge.evidence),
                edge.confidence,
                edge.techniques,
                edge.needs,
            )
            for edge in p.edges
        )
        yield indented(
            _Document(
                p.schema,
                p.cluster,
                p.taken_at,
                p.rules,
                p.pods,
                p.identities,
                edges,
                p.paths,
                p.fixes,
                p.not_seen,
                p.vertices,
            )
        )


FORMAT = JsonFormat()
