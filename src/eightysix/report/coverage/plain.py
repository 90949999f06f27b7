"""The plain format: who sees what, what arrives, and each gap with what closes it, in 80 columns.

Text from telemetry is inert; without colour nothing is lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from eightysix.context.shell import fold
from eightysix.model.visibility import Cell, ClusterSight, Fix, Gap, Importance, Sight, Visibility
from eightysix.model.words import Stage
from eightysix.report.coverage.words import (
    CERTAINTY,
    LEGEND,
    SIGHT,
    WITNESS,
    Row,
    latest,
    plural,
    rows,
    summary,
)
from eightysix.report.inert import inert_copy, shorten
from eightysix.report.interface import RenderOptions
from eightysix.report.layout import Ink, Line, flow, paint, row

__all__ = ["FORMAT", "PlainFormat"]

_NARROWEST, _WIDEST = 66, 100
_LIMIT = 2_000
"""Columns of one text before its middle is left out: sentences with names of telemetry in them, shortened where made."""

_CLUSTERS = 5
_PLACES = 6
_STAGE = 7
_NAME = 12
_INDENT = "  "

_INKS = {
    Sight.WHOLE: Ink.PLAIN,
    Sight.PART: Ink.YELLOW,
    Sight.BLIND: Ink.RED,
    Sight.ABSENT: Ink.RED,
    Sight.NEVER: Ink.DIM,
}
_GAP_INKS = {Importance.BLIND: Ink.RED, Importance.PART: Ink.YELLOW, Importance.NOTE: Ink.BLUE}


class PlainFormat:
    """Plain text, laid out for at least 66 columns and at most 100."""

    name = "plain"

    def write(self, visibility: Visibility, options: RenderOptions) -> Iterator[str]:
        """One piece a line."""
        options = replace(options, width=min(max(options.width, _NARROWEST), _WIDEST))
        for line in _lines(inert_copy(visibility, _LIMIT), options):
            yield paint(line, options.colour) + "\n"


FORMAT = PlainFormat()


def _lines(visibility: Visibility, options: RenderOptions) -> Iterator[Line]:
    yield from flow(summary(visibility), options.width)
    for note in visibility.notes:
        yield from row((), note, options.width, Ink.DIM)
    yield ()
    yield from _matrix(visibility.clusters, options)
    yield from _arriving(visibility, options)
    yield from _gaps(visibility, options)
    yield from _rules(visibility, options)
    yield from _tally(visibility, options)


def _matrix(clusters: Sequence[ClusterSight], options: RenderOptions) -> Iterator[Line]:
    """Who sees what of each stage."""
    if not clusters:
        yield from row((), "No record is of a cluster: nobody sees any stage.", options.width, Ink.RED)
        yield ()
        return
    yield (
        ("who sees what".ljust(2 + _NAME), Ink.BOLD),
        ("".join(stage.ljust(_STAGE) for stage in Stage), Ink.DIM),
    )
    shown = clusters if options.verbose else clusters[:_CLUSTERS]
    for cluster in shown:
        told = [
            shorten(cluster.name or _unnamed(cluster), options.width // 2),
            plural(len(cluster.nodes), "node"),
            f"a sensor in {cluster.sensor_pods} of {plural(cluster.python_pods, 'pod')} with Python",
        ]
        yield from flow(told, options.width)
        for number in range(len(cluster.cells) // len(Stage)):
            yield _witness(cluster.cells[number :: len(cluster.cells) // len(Stage)])
        if options.verbose:
            yield from _why(cluster.cells, options)
    if len(clusters) > len(shown):
        yield from row((), f"… and {len(clusters) - len(shown)} more clusters (-v)", options.width, Ink.DIM)
    yield ()
    legend = [f"{word}: {meaning}" for word, meaning in LEGEND]
    yield from flow(legend, options.width, indent=2, ink=Ink.DIM)
    yield ()


def _unnamed(cluster: ClusterSight) -> str:
    return "a cluster without a name" if cluster.feeds else "nothing of a cluster arrives"


def _witness(cells: Sequence[Cell]) -> Line:
    spans = [(_INDENT + WITNESS[cells[0].witness].ljust(_NAME), Ink.PLAIN)]
    spans += [(SIGHT[cell.sight].ljust(_STAGE), _INKS[cell.sight]) for cell in cells]
    return tuple(spans)


def _why(cells: Sequence[Cell], options: RenderOptions) -> Iterator[Line]:
    """What is missing of each cell."""
    for cell in cells:
        if cell.why and cell.sight is not Sight.NEVER:
            grade = f", grade {cell.grade} at best" if cell.grade else ""
            prefix = f"{_INDENT}{cell.stage:<6} {WITNESS[cell.witness]:<11}"
            yield from row(((prefix, Ink.DIM),), f"{cell.why}{grade}", options.width)


def _arriving(visibility: Visibility, options: RenderOptions) -> Iterator[Line]:
    """What arrives: how much, until when, how late, how much of it lost or without a pod."""
    groups = [(one.name, rows(one.feeds)) for one in visibility.clusters]
    groups.append(("", rows(visibility.cloud)))
    groups = [(name, found) for name, found in groups if found]
    if not groups:
        return
    name_columns = options.width - 50
    yield (
        ("what arrives".ljust(name_columns), Ink.BOLD),
        (_columns("nodes", "records", "until UTC", "late", "lost", "no pod"), Ink.DIM),
    )
    shown = groups if options.verbose else groups[:_CLUSTERS] + groups[_CLUSTERS:][-1:]
    for name, found in shown:
        if len(visibility.clusters) > 1:
            yield ((shorten(name or "of the cloud", options.width), Ink.PLAIN),)
        for one in found:
            yield _row(one, name_columns)
    yield ()


def _columns(places: str, records: str, last: str, late: str, lost: str, without: str) -> str:
    return f"{places:>5} {records:>10} {last:>11} {late:>8} {lost:>5} {without:>6}"


def _row(one: Row, name_columns: int) -> Line:
    name = shorten(_INDENT + one.name, name_columns - 1).ljust(name_columns)
    lost = one.lost if len(one.lost) <= 5 else "many"
    text = _columns(
        f"{one.places or '-'}",
        f"{one.records:,}",
        latest(one.last)[5:],
        one.late,
        "-" if lost == "0" else lost,
        one.unattributed,
    )
    return ((name, Ink.PLAIN), (text, Ink.PLAIN))


def _gaps(visibility: Visibility, options: RenderOptions) -> Iterator[Line]:
    """Each gap, the most important first; notes in a line each unless all is asked for."""
    gaps = visibility.gaps
    if len(visibility.clusters) <= 1:  # which cluster it is about goes without saying
        gaps = tuple(replace(one, cluster="") for one in gaps)
    told = [one for one in gaps if options.verbose or one.importance is not Importance.NOTE]
    notes = [one for one in gaps if one not in told]
    for one in told:
        yield from _gap(one, options)
    if notes:
        yield (("also (-v tells what and why)", Ink.BOLD),)
        for one in notes:
            place = one.fix.file or one.fix.what
            yield from row(((f"{_INDENT}note ", Ink.BLUE),), _titled(one), options.width, right=place)
        yield ()


def _titled(one: Gap) -> str:
    return f"{shorten(one.cluster, 40)}: {one.title}" if one.cluster else one.title


def _gap(one: Gap, options: RenderOptions) -> Iterator[Line]:
    head: Line = ((f"{one.importance}[{one.id}]", _GAP_INKS[one.importance]), (": ", Ink.PLAIN))
    certain = CERTAINTY[one.certainty]
    yield from row(head, _titled(one), options.width, Ink.BOLD, right=certain)
    margin: Line = ((_INDENT, Ink.PLAIN),)
    yield from row(margin, one.detail, options.width)
    if one.stages and len(one.stages) < len(Stage):
        yield from row(((f"{_INDENT}stages  ", Ink.DIM),), ", ".join(one.stages), options.width)
    if one.rules:
        yield from row(
            ((f"{_INDENT}rules   ", Ink.DIM),), f"not to be judged: {', '.join(one.rules)}", options.width
        )
    if one.places and options.verbose:
        more = f" and {len(one.places) - _PLACES:,} more" if len(one.places) > _PLACES else ""
        yield from row(
            ((f"{_INDENT}where   ", Ink.DIM),), ", ".join(one.places[:_PLACES]) + more, options.width
        )
    yield from _fix(one.fix, options)
    yield ()


def _fix(fix: Fix, options: RenderOptions) -> Iterator[Line]:
    what = (
        f"{fix.what} ({fix.file})"
        if fix.file and not any(fix.file in line for line in fix.commands)
        else fix.what
    )
    yield from row(((f"{_INDENT}close   ", Ink.DIM),), what, options.width)
    for commands, before in ((fix.commands, ""), (fix.instead, "# or, the same without that file:")):
        if commands and before:
            yield ((f"{_INDENT}  {before}", Ink.DIM),)
        for command in commands:
            for line in fold(command, options.width - 4, json=True):
                yield ((f"{_INDENT}  {line}", Ink.CYAN),)


def _rules(visibility: Visibility, options: RenderOptions) -> Iterator[Line]:
    """Which rules cannot be judged on all of this."""
    blind = [rule for rule in visibility.rules if not rule.evaluable]
    if not blind:
        return
    yield ((f"{len(blind)} of {plural(len(visibility.rules), 'rule')} cannot be judged on this", Ink.BOLD),)
    for rule in blind:
        yield from row(
            ((f"{_INDENT}{rule.rule:<22} ", Ink.PLAIN),), "needs " + " and ".join(rule.missing), options.width
        )
    yield ()


def _tally(visibility: Visibility, options: RenderOptions) -> Iterator[Line]:
    """One line that counts everything."""
    counts = {kind: sum(one.importance is kind for one in visibility.gaps) for kind in Importance}
    told = [plural(len(visibility.gaps), "gap")] + [
        f"{number} {kind}" for kind, number in counts.items() if number
    ]
    unread = visibility.counts.malformed + visibility.counts.oversized
    if unread:
        told.append(f"{unread:,} unread")
    if visibility.counts.unrecognised:
        told.append(f"{visibility.counts.unrecognised:,} of no known source")
    yield from flow(told, options.width)
