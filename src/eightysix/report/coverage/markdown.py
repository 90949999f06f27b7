"""Markdown for a ticket or a wiki: the same as the plain format, with tables.

Text from telemetry is inert there too: every punctuation character is escaped, so that no name becomes a link, a tag, a
heading, or a cell of its own; an at sign is written out, since sites read mentions behind the escape.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eightysix.model.visibility import ClusterSight, Gap, Visibility
from eightysix.model.words import Stage
from eightysix.report.coverage.words import CERTAINTY, SIGHT, WITNESS, latest, plural, rows, summary
from eightysix.report.inert import inert_copy
from eightysix.report.interface import RenderOptions

__all__ = ["FORMAT", "MarkdownFormat", "escaped"]

_LIMIT = 2_000
_PUNCTUATION = frozenset('!"#$&*+<=>?[\\]^_`{|}~')
"""What begins something in Markdown within a line; the rest of ASCII's punctuation does at the start of one, where no name
from telemetry stands, or in a link."""

_IN_LINKS = frozenset(".:/")
_LINKS = ("://", "www.")
"""What GitHub makes a link of by itself."""

_PLACES = 20


class MarkdownFormat:
    """GitHub's flavour of CommonMark."""

    name = "markdown"

    def write(self, visibility: Visibility, options: RenderOptions) -> Iterator[str]:
        """One piece a line."""
        for line in _lines(inert_copy(visibility, _LIMIT)):
            yield line + "\n"


FORMAT = MarkdownFormat()


def escaped(text: str) -> str:
    """Inert `text` as Markdown that shows it and does nothing else."""
    lower = text.lower()
    special = _PUNCTUATION | _IN_LINKS if any(link in lower for link in _LINKS) else _PUNCTUATION
    return "".join(
        "(at)" if character == "@" else f"\\{character}" if character in special else character
        for character in text
    )


def _lines(visibility: Visibility) -> Iterator[str]:
    yield "# Coverage"
    yield ""
    yield escaped(" · ".join(summary(visibility)))
    for note in visibility.notes:
        yield ""
        yield escaped(note)
    for cluster in visibility.clusters:
        yield from _matrix(cluster)
    yield from _arriving(visibility)
    yield ""
    yield f"## {plural(len(visibility.gaps), 'gap')}"
    for one in visibility.gaps:
        yield from _gap(one)
    blind = [rule for rule in visibility.rules if not rule.evaluable]
    if blind:
        yield ""
        yield "## Rules that cannot be judged"
        yield ""
        for rule in blind:
            yield f"- {escaped(rule.rule)}: needs {escaped(' and '.join(rule.missing))}"


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> Iterator[str]:
    yield ""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for cells in body:
        yield f"| {' | '.join(cells)} |"


def _matrix(cluster: ClusterSight) -> Iterator[str]:
    yield ""
    yield f"## {escaped(cluster.name) or 'A cluster without a name'}"
    witnesses = len(cluster.cells) // len(Stage)
    body = [
        [
            WITNESS[cluster.cells[number].witness],
            *(SIGHT[cell.sight] for cell in cluster.cells[number::witnesses]),
        ]
        for number in range(witnesses)
    ]
    yield from _table(["", *Stage], body)


def _arriving(visibility: Visibility) -> Iterator[str]:
    body = [
        [
            escaped(name),
            escaped(one.name),
            f"{one.places}",
            f"{one.records:,}",
            latest(one.last),
            one.late,
            one.lost,
            one.unattributed,
        ]
        for name, feeds in [*((one.name, one.feeds) for one in visibility.clusters), ("", visibility.cloud)]
        for one in rows(feeds)
    ]
    yield ""
    yield "## What arrives"
    yield from _table(["cluster", "log", "nodes", "records", "until (UTC)", "late", "lost", "no pod"], body)


def _gap(one: Gap) -> Iterator[str]:
    yield ""
    cluster = f" ({escaped(one.cluster)})" if one.cluster else ""
    yield f"### {one.importance}: {escaped(one.title)}{cluster}"
    yield ""
    yield f"`{one.id}`, {CERTAINTY[one.certainty]}. {escaped(one.detail)}"
    if one.rules:
        yield ""
        yield f"Not to be judged: {escaped(', '.join(one.rules))}."
    if one.places:
        more = f" and {len(one.places) - _PLACES:,} more" if len(one.places) > _PLACES else ""
        yield ""
        yield f"Where: {escaped(', '.join(one.places[:_PLACES]))}{more}."
    yield ""
    yield f"Close it: {escaped(one.fix.what)}" + (f" (`{one.fix.file}`)." if one.fix.file else ".")
    for commands in (one.fix.commands, one.fix.instead):
        if commands:
            yield ""
            yield "```sh"
            yield from commands
            yield "```"
