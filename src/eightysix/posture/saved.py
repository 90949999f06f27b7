"""A posture as `--format json` wrote it, read again: `posture/v1`, of this release or an older one.

What a later release adds beside is passed over; another version of the schema is refused.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from eightysix.model.errors import StateError, UsageError
from eightysix.model.posture import (
    SCHEMA,
    Architectural,
    Confidence,
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
    Step,
    Vertex,
)

__all__ = ["MAX_BYTES", "is_saved", "read_saved"]

MAX_BYTES: Final = 1 << 30
"""Largest document: 2 million edges are 700 MB."""

_HEAD: Final = 4_096
_FAMILY: Final = b"eightysix/posture/"


class _Proof(Struct, frozen=True):
    object: str
    path: str


class _Edge(Struct, frozen=True):
    type: str
    source: str
    target: str
    evidence: tuple[_Proof, ...] = ()
    confidence: Confidence = Confidence.PROVED
    techniques: tuple[str, ...] = ()
    needs: str = ""
    since: str = ""
    until: str = ""


class _Step(Struct, frozen=True):
    type: str
    source: str
    target: str
    text: str
    evidence: tuple[_Proof, ...]
    confidence: Confidence


class _Path(Struct, frozen=True):
    pod: str
    sink: str
    steps: tuple[_Step, ...]
    probability: float
    since: str = ""
    until: str = ""


class _Past(Struct, frozen=True):
    bindings: tuple[PastBinding, ...] = ()
    edges: tuple[_Edge, ...] = ()
    paths: tuple[_Path, ...] = ()


class _Head(Struct, frozen=True):
    schema: str


class _Document(Struct, frozen=True):
    cluster: str
    taken_at: str
    pods: tuple[PodReach, ...]
    identities: tuple[IdentityUse, ...]
    edges: tuple[_Edge, ...]
    paths: tuple[_Path, ...]
    fixes: tuple[Fix, ...]
    not_seen: tuple[NotSeen, ...]
    vertices: tuple[Vertex, ...] = ()
    rules: str = "default"
    past: _Past = _Past()
    architectural: tuple[Architectural, ...] = ()
    places: tuple[Place, ...] = ()


def is_saved(data: bytes) -> bool:
    """Whether a file that begins so is a posture that was written before."""
    head = data[:_HEAD].lstrip(b"\xef\xbb\xbf \t\r\n")
    return head.startswith(b"{") and _FAMILY in head


def read_saved(data: bytes, name: str) -> Posture:
    """The posture. Raises `UsageError` for another version, `StateError` for what is damaged."""
    try:
        schema = msgspec.json.decode(data, type=_Head).schema
        if schema != SCHEMA:
            raise UsageError(
                f"{name} has the schema {schema[:64]!r}, and this release reads {SCHEMA}",
                "Read it with the release that wrote it, or a newer one.",
            )
        told = msgspec.json.decode(data, type=_Document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StateError(
            f"{name} is damaged: {str(error)[:160]}", "Write it again with --format json."
        ) from error
    return Posture(
        cluster=told.cluster,
        taken_at=told.taken_at,
        pods=told.pods,
        identities=told.identities,
        vertices=told.vertices,
        edges=tuple(map(_edge, told.edges)),
        paths=tuple(map(_path, told.paths)),
        fixes=told.fixes,
        not_seen=told.not_seen,
        rules=told.rules,
        architectural=told.architectural,
        places=told.places,
        past=Past(told.past.bindings, tuple(map(_edge, told.past.edges)), tuple(map(_path, told.past.paths))),
    )


def _proofs(evidence: tuple[_Proof, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((one.object, one.path) for one in evidence)


def _edge(one: _Edge) -> Edge:
    return Edge(
        one.type,
        one.source,
        one.target,
        _proofs(one.evidence),
        one.confidence,
        one.techniques,
        one.needs,
        one.since,
        one.until,
    )


def _path(one: _Path) -> Path:
    steps = tuple(
        Step(step.type, step.source, step.target, step.text, _proofs(step.evidence), step.confidence)
        for step in one.steps
    )
    return Path(one.pod, one.sink, steps, one.probability, one.since, one.until)
