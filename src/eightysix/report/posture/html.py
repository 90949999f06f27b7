"""The posture as one page: which pods, which identities, which fixes; each pod's paths drawn; `page_data` is what it carries.

`report.html.page` is the house style; `posture.js` and `posture.css` are built from `web/report` by `make web`. The page
carries less than JSON, and packed: edges that no told path crosses stay out (two million of them are 400 MB), and each text
stands once, in `texts`, to which everything else points by number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eightysix.context.threats import NAMES
from eightysix.model.posture import Edge, Path, Posture, Step
from eightysix.report.html.page import load, write_page
from eightysix.report.interface import RenderOptions
from eightysix.report.posture.words import plural

__all__ = ["FORMAT", "MAX_PATHS", "HtmlFormat", "page_data"]

MAX_PATHS = 20_000
"""Paths in a page. As many as a posture tells; kept here too, so that no other maker of postures makes a page of a gigabyte."""

MAX_NEIGHBOURS = 50
"""Workloads beside a GPU operand that are named."""
MAX_PAST = 500
"""Bindings that were and are no more."""

_PLAIN = (
    "This page draws by a script, which this browser does not run. "
    "The same as text: eightysix posture PATH --format plain"
)


class HtmlFormat:
    """A page for people. `options` change nothing: same posture, same bytes."""

    name = "html"

    def write(self, posture: Posture, options: RenderOptions) -> Iterator[str]:
        """The page in pieces; never raises because of what a string in it holds."""
        where = f" of {posture.cluster}" if posture.cluster else ""
        title = f"eightysix: posture{where}, {plural(sum(max(pod.pods, 1) for pod in posture.pods), 'pod')}"
        yield from write_page(title, load("posture"), page_data(posture), plain=_PLAIN)


FORMAT = HtmlFormat()


class _Texts:
    """Texts by number."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        return self.numbers.setdefault(text, len(self.numbers))

    def all(self, texts: Iterable[str]) -> list[int]:
        return [self(text) for text in texts]


def page_data(posture: Posture) -> dict[str, object]:
    """What the page carries: `eightysix/posture-page/v1`, field by field as `web/report/src/posture/model.ts` reads it."""
    texts = _Texts()
    paths = posture.paths[:MAX_PATHS]
    known = {(step.type, step.source, step.target): step for path in paths for step in path.steps}
    numbers = {key: number for number, key in enumerate(known)}
    edges = {
        (edge.type, edge.source, edge.target): edge
        for edge in posture.edges
        if (edge.type, edge.source, edge.target) in known
    }
    places = {place.object: (place.file, place.line) for place in posture.places}
    told: set[str] = set()
    rows = {
        "pods": [
            [
                texts(pod.id),
                texts(pod.namespace),
                texts(pod.name),
                texts(pod.kind),
                pod.pods,
                pod.density,
                pod.risk,
                int(pod.architectural),
                [
                    [
                        *texts.all((one.domain, one.name, one.signal, one.object, one.path)),
                        texts(one.confidence),
                    ]
                    for one in pod.credentials
                ],
                texts.all(pod.sinks),
                texts.all(pod.why),
            ]
            for pod in posture.pods
        ],
        "edges": [_edge(known[key], edges.get(key), texts, told) for key in numbers],
        "paths": [_path(path, numbers, texts) for path in paths],
        "identities": [
            [
                *texts.all((one.id, one.kind, one.name)),
                texts.all(one.ids),
                *texts.all((one.last_used, one.since)),
                texts.all(one.used_by),
                one.pods,
                texts.all(one.roles),
                one.unused,
                texts.all(one.reached_by),
            ]
            for one in posture.identities
        ],
        "fixes": [
            {
                "order": fix.order,
                "what": fix.what,
                "why": fix.why,
                "pods": fix.pods,
                "sinks": fix.sinks,
                "patch": fix.patch,
                "command": fix.command,
                "edges": [numbers[key] for key in fix.edges if key in numbers],
                "cut": len(fix.edges),
            }
            for fix in posture.fixes
        ],
        "pools": [
            [
                texts(one.pool),
                texts.all(one.operands),
                len(one.nodes),
                texts.all(one.identities),
                texts.all(one.neighbours[:MAX_NEIGHBOURS]),
                len(one.neighbours),
                one.pods,
                texts.all(one.sinks),
            ]
            for one in posture.architectural
        ],
        "cuts": [
            [texts(cut.what), texts(cut.patch), texts(cut.command), [numbers[key] for key in cut.edges if key in numbers]]
            for cut in posture.cuts
        ],
    }  # fmt: skip
    seen = {pair[0] for step in known.values() for pair in step.evidence}
    seen |= {one.object for pod in posture.pods for one in pod.credentials}
    return {
        "schema": "eightysix/posture-page/v1",
        "cluster": posture.cluster,
        "taken_at": posture.taken_at,
        "rules": posture.rules,
        "counts": {"edges": len(posture.edges), "paths": len(posture.paths)},
        "not_seen": posture.not_seen,
        "past": posture.past.bindings[:MAX_PAST],
        **rows,
        "techniques": {id_: NAMES.get(id_, "") for id_ in sorted(told)},
        "places": [
            [texts(thing), texts(places[thing][0]), places[thing][1]]
            for thing in sorted(seen)
            if thing in places
        ],
        "texts": list(texts.numbers),
    }


def _edge(step: Step, edge: Edge | None, texts: _Texts, told: set[str]) -> list[object]:
    techniques = edge.techniques if edge is not None else ()
    told.update(techniques)
    return [
        *texts.all((step.type, step.source, step.target, step.text, step.confidence)),
        [texts.all(pair) for pair in step.evidence],
        texts.all(techniques),
        texts(edge.needs if edge is not None else ""),
    ]


def _path(path: Path, numbers: dict[tuple[str, str, str], int], texts: _Texts) -> list[object]:
    steps = [numbers[step.type, step.source, step.target] for step in path.steps]
    return [texts(path.pod), texts(path.sink), steps, path.probability]
