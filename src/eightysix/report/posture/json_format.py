"""`posture/v1` as JSON: everything, lossless, the same bytes for the same objects in whatever order they came."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from eightysix.model.posture import Confidence, Edge, Path, Posture
from eightysix.report.interface import RenderOptions
from eightysix.report.json_text import indented, one_line

__all__ = ["FORMAT", "JsonFormat", "past_path_rows", "path_rows"]


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


class _PastEdge(_Edge, frozen=True):
    """One that was."""

    since: str
    until: str


class _Step(msgspec.Struct, frozen=True):
    type: str
    source: str
    target: str
    text: str
    evidence: tuple[_Proof, ...]
    confidence: Confidence


class _Path(msgspec.Struct, frozen=True):
    pod: str
    sink: str
    steps: tuple[_Step, ...]
    probability: float


class _PastPath(_Path, frozen=True):
    since: str
    until: str


class JsonFormat:
    """Pretty-printed JSON, two spaces deep, ending with a newline. `options` change nothing."""

    name = "json"

    def write(self, posture: Posture, options: RenderOptions) -> Iterator[str]:
        """One piece for each thing that is told: a large cluster's edges are 100 MB."""
        head = {
            "schema": posture.schema,
            "cluster": posture.cluster,
            "taken_at": posture.taken_at,
            "rules": posture.rules,
        }
        yield "{"
        for key, value in head.items():
            yield f'\n  "{key}": {one_line(value)},'
        lists: tuple[tuple[str, Iterable[object]], ...] = (
            ("pods", posture.pods),
            ("identities", posture.identities),
            ("edges", map(_edge, posture.edges)),
            ("paths", map(path_rows, posture.paths)),
            ("fixes", posture.fixes),
            ("not_seen", posture.not_seen),
            ("vertices", posture.vertices),
            ("architectural", posture.architectural),
            ("places", posture.places),
        )
        for number, (key, items) in enumerate(lists):
            yield f'{"," if number else ""}\n  "{key}": ['
            yield from _items(items, "  ")
        yield ',\n  "past": {'
        past = posture.past
        gone: tuple[tuple[str, Iterable[object]], ...] = (
            ("bindings", past.bindings),
            ("edges", map(_past_edge, past.edges)),
            ("paths", map(past_path_rows, past.paths)),
        )
        for number, (key, items) in enumerate(gone):
            yield f'{"," if number else ""}\n    "{key}": ['
            yield from _items(items, "    ")
        yield "\n  }\n}\n"


FORMAT = JsonFormat()


def _items(items: Iterable[object], margin: str) -> Iterator[str]:
    """The members of a list that was begun, and its end."""
    comma, begin = "", f"\n{margin}  "
    for item in items:
        yield comma + begin + indented(item).rstrip("\n").replace("\n", begin)
        comma = ","
    yield f"\n{margin}]" if comma else "]"


def _past_edge(edge: Edge) -> _PastEdge:
    one = _edge(edge)
    return _PastEdge(
        one.type,
        one.source,
        one.target,
        one.evidence,
        one.confidence,
        one.techniques,
        one.needs,
        edge.since,
        edge.until,
    )


def past_path_rows(path: Path) -> object:
    """A path that was, with when."""
    one = _path(path)
    return _PastPath(one.pod, one.sink, one.steps, one.probability, path.since, path.until)


def _edge(edge: Edge) -> _Edge:
    return _Edge(
        edge.type,
        edge.source,
        edge.target,
        _proofs(edge.evidence),
        edge.confidence,
        edge.techniques,
        edge.needs,
    )


def path_rows(path: Path) -> object:
    """A path as JSON tells it, evidence by name."""
    return _path(path)


def _path(path: Path) -> _Path:
    steps = (
        _Step(one.type, one.source, one.target, one.text, _proofs(one.evidence), one.confidence)
        for one in path.steps
    )
    return _Path(path.pod, path.sink, tuple(steps), path.probability)


def _proofs(evidence: tuple[tuple[str, str], ...]) -> tuple[_Proof, ...]:
    return tuple(_Proof(*proof) for proof in evidence)
