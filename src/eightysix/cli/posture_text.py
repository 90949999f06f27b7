"""Answers to `posture why` and `posture simulate`, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from shlex import quote
from typing import TYPE_CHECKING

from eightysix.model.errors import UsageError
from eightysix.model.posture import SCHEMA, Path
from eightysix.posture.risk import IMPACTS
from eightysix.report.inert import inert
from eightysix.report.json_text import indented
from eightysix.report.layout import Ink, Line, paint, row
from eightysix.report.posture.json_format import past_path_rows, path_rows
from eightysix.report.posture.words import plural, sink_word

if TYPE_CHECKING:
    from eightysix.posture.changes import Changes
    from eightysix.posture.graph import EdgeKey
    from eightysix.posture.judge import World

__all__ = ["edge_of", "simulation", "sink_of", "why"]

_SINK = "sink:"
_MOST = 40


def sink_of(world: World, name: str) -> str:
    """The id of a sink by its name. Raises `UsageError`."""
    there = world.graph.sinks()
    wanted = name if name.startswith(_SINK) else f"{_SINK}{name}"
    if wanted in there or any(
        one.startswith(wanted.removesuffix("*")) and wanted.endswith("/*") for one in there
    ):
        return wanted
    family, slash, _ = wanted.removeprefix(_SINK).partition("/")
    if family in IMPACTS and (slash or family != "ns-admin"):
        return wanted  # a sink that nothing leads to: no pod reaches it
    told = ", ".join(one.removeprefix(_SINK) for one in there[:8])
    raise UsageError(
        f"nothing leads to {name}",
        f"What something leads to: {told}" if told else "No edge leads to any sink.",
    )


def why(world: World, pod: str, sink: str, format_: str, width: int, changes: Changes | None = None) -> str:
    """The best path, with the evidence of each step; where there is none now, the one that `changes` tell there was."""
    from eightysix.posture.past import past_of

    there = sink in world.graph.index or sink.endswith("/*")
    path = world.why(pod, sink) if there else None
    past: list[Path] = []
    if path is None and changes is not None:
        found = past_of(world, changes)[0].paths
        past = [
            one for one in found if one.pod == pod and sink in (one.sink, f"{one.sink.partition('/')[0]}/*")
        ]
    if format_ == "json":
        told = {"paths": [path_rows(path)] if path else [], "past": [past_path_rows(one) for one in past]}
        return indented({"schema": SCHEMA, "pod": pod, "sink": sink, **told})
    lines = [*_path(world, pod, sink, path, width), *(line for one in past for line in _past(one, width))]
    return "".join(paint(line, colour=False) + "\n" for line in lines)


def _past(path: Path, width: int) -> Iterator[Line]:
    yield from row((), f"It did reach {inert(sink_word(path.sink))}, and does not now:", width)
    yield from _steps(path, width)


def _path(world: World, pod: str, sink: str, path: Path | None, width: int) -> Iterator[Line]:
    name = inert(pod.removeprefix("pod:"))
    if path is None:
        yield from row((), f"{name} does not reach {inert(sink_word(sink))}, as far as is seen.", width)
        vertex = world.graph.index[pod]
        others = [inert(sink_word(one.target.name)) for one in world.reaches if one.level[vertex] >= 0]
        if others:
            yield from row((), f"It reaches: {', '.join(others)}.", width)
        return
    right = f"probability {path.probability:.2f}"
    yield from row((), f"{name} reaches {inert(sink_word(path.sink))}", width, Ink.BOLD, right)
    yield from _steps(path, width)
    yield ()
    cuts = " ".join(f"--without {quote(inert(key))}" for key in _beside(world, path))
    yield (("cut the first:", Ink.DIM),)
    yield (
        (f"  eightysix posture simulate {cuts} PATH...", Ink.DIM),
    )  # whole: a broken line could not be copied


def _beside(world: World, path: Path) -> list[str]:
    """The first edge of a path, and those that lead from and to the same: cut alone, each leaves the others."""
    first = path.steps[0]
    graph = world.graph
    keys = [graph.key(int(one)) for one in graph.leaving(graph.index[first.source])]
    types = sorted(
        {key.type for key in keys if key.target == first.target}, key=lambda one: one != first.type
    )
    return [f"{type_}:{first.source}:{first.target}" for type_ in types]


def _steps(path: Path, width: int) -> Iterator[Line]:
    for number, step in enumerate(path.steps, 1):
        yield from row(((f"{number:3}. ", Ink.DIM),), step.text, width)
        told = [" ".join(filter(None, (inert(what), inert(where)))) for what, where in step.evidence]
        proof = "; ".join(told) or "by how Kubernetes works"
        yield from row(((" " * 5, Ink.PLAIN),), f"{step.confidence}: {proof}", width, Ink.DIM)


def edge_of(world: World, text: str) -> EdgeKey:
    """The edge that `TYPE:SOURCE:TARGET` names; colons in the ids are no matter. Raises `UsageError`."""
    from eightysix.posture.graph import EdgeKey

    type_, _, rest = text.partition(":")
    at = rest.find(":")
    while at >= 0:
        key = EdgeKey(type_, rest[:at], rest[at + 1 :])
        if world.graph.find(key):
            return key
        at = rest.find(":", at + 1)
    raise UsageError(
        f"there is no edge {text}", "Take type, source and target as `posture --format json` names them."
    )


def simulation(world: World, without: Sequence[str], format_: str, width: int) -> str:
    """What pods lose, the most losing first."""
    keys = [edge_of(world, text) for text in without]
    told = world.simulate(keys)
    changed = sorted(
        (one for one in told.changes if one.lost), key=lambda one: (-len(one.lost), -one.pods, one.pod)
    )
    if format_ == "json":
        return indented(
            {
                "schema": SCHEMA,
                "without": [key._asdict() for key in keys],
                "changes": [
                    {"pod": one.pod, "pods": one.pods, "lost": one.lost, "kept": one.kept}
                    for one in told.changes
                ],
            }
        )
    return "".join(
        paint(line, colour=False) + "\n"
        for line in _changes(
            [(one.pod, one.pods, one.lost, one.kept) for one in changed], len(told.changes), width
        )
    )


_Row = tuple[str, int, tuple[str, ...], tuple[str, ...]]


def _changes(changed: Sequence[_Row], before: int, width: int) -> Iterator[Line]:
    if not changed:
        yield from row(
            (),
            f"Nothing changes: {plural(before, 'workload')} reach what they reached, by other ways.",
            width,
        )
        return
    pods = sum(one[1] for one in changed)
    yield from row(
        (),
        f"{plural(pods, 'pod')} of {len(changed)} of {plural(before, 'workload')} lose something",
        width,
        Ink.BOLD,
    )
    for pod, count, lost, kept in changed[:_MOST]:
        words = f"loses {', '.join(inert(sink_word(sink)) for sink in lost)}"
        if kept:
            words += f"; keeps {', '.join(inert(sink_word(sink)) for sink in kept)}"
        yield from row(((f"{count:6}  ", Ink.PLAIN),), f"{inert(pod.removeprefix('pod:'))} {words}", width)
    if len(changed) > _MOST:
        yield from row(
            (), f"… and {plural(len(changed) - _MOST, 'workload')} more (--format json)", width, Ink.DIM
        )
