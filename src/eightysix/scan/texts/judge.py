"""One walk over a document, and whoever has something to say about a place in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eightysix.scan.agent import lc, legacy
from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Scan
from eightysix.scan.texts import hub, importers, notebook
from eightysix.scan.texts.tree import Built, Doubled, Place, shown, walk

__all__ = ["NEEDLES", "judge_document"]

Judge = Callable[[Place, Artifact, Scan], None]

JUDGES: tuple[tuple[frozenset[str], Judge], ...] = (
    (frozenset(("lc",)), lc.judge_lc),
    (hub.TRIGGERS, hub.judge_hub),
    (importers.TRIGGERS, importers.judge_imports),
    (legacy.TRIGGERS, legacy.judge_legacy),
)
"""Who is asked about a mapping that has one of these keys."""

TRIGGERS = frozenset().union(*(keys for keys, _judge in JUDGES))

DECIDING = TRIGGERS | {"type", "id", "kwargs", "method"}
"""Keys that decide what a loader does: written twice with two values, two parsers see two documents."""

_QUOTED = frozenset(("lc", "()", "type", "target", "provider", "_type"))
"""Keys that are also ordinary words: looked for with their quotes."""

NEEDLES: tuple[bytes, ...] = (
    *(f'"{key}"'.encode() if key in _QUOTED else key.encode() for key in sorted(TRIGGERS - {"type"})),
    b'"init_parameters"',
    b'"idx"',
    b'"cells"',
    b'"source_code"',
)
"""A document without any of these bytes holds nothing that any judge would look at."""


def judge_document(root: Any, artifact: Artifact, scan: Scan) -> None:
    """Have every part of a parsed document judged. Raises `OverBudgetError` where it is too much."""
    hub.judge_root(root, artifact, scan)
    notebook.judge_notebook(root, artifact, scan)
    for place in walk(root, scan.budget):
        node = place.node
        if isinstance(node, dict):
            if type(node) is Doubled:
                _doubled(place, node, artifact, scan)
            for keys, judge in JUDGES:
                if not keys.isdisjoint(node):
                    judge(place, artifact, scan)
        elif isinstance(node, Built):
            _built(place, node, artifact, scan)


def _doubled(place: Place, node: Doubled, artifact: Artifact, scan: Scan) -> None:
    twice = sorted({key for key, value in node.earlier if key in DECIDING and value != node[key]})
    acts = not TRIGGERS.isdisjoint(node)
    if twice and acts:
        told = ", ".join(shown(key) for key in twice)
        scan.report(
            "duplicate-keys",
            artifact,
            f"{place.way or 'the document'}: {told} is written twice with two values",
        )


def _built(place: Place, node: Built, artifact: Artifact, scan: Scan) -> None:
    methods = [node.method] if node.method else []
    lc.judge_call(f"{node.module}.{node.name}", methods, place.way or "the document", artifact, scan)
