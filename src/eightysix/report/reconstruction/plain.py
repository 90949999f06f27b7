"""The plain format: a story on a terminal, by lanes; then what was taken, where it went, and what to do about it.

Laid out for at least 40 columns and at most 100. Text from telemetry is inert; without colour nothing is lost.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from eightysix.model.incident import Report
from eightysix.model.story import Reconstruction, Story
from eightysix.report.inert import columns, inert, inert_copy, shorten, wrap
from eightysix.report.interface import RenderOptions
from eightysix.report.layout import Ink, Line, flow, paint, row
from eightysix.report.notes import count, coverage, input_read
from eightysix.report.reconstruction.marking import unlogged
from eightysix.report.reconstruction.sections import sections
from eightysix.report.reconstruction.telling import asked_for, owner, stories_of, summary_of
from eightysix.report.reconstruction.timeline import timeline
from eightysix.report.story import MARGIN, VERDICT_INK, clock, heading, short_digest

__all__ = ["FORMAT", "PlainFormat"]

_NARROWEST, _WIDEST = 40, 100
_STORIES = 3
_LINES = 20
_LIMIT = 2_000
"""Columns of one text: what to do and why are told in whole sentences, and lists bound how many there are."""


class PlainFormat:
    """Plain text for people; it may change."""

    name = "plain"

    def write(self, reconstruction: Reconstruction, options: RenderOptions) -> Iterator[str]:
        """One piece a line."""
        options = replace(options, width=min(max(options.width, _NARROWEST), _WIDEST))
        for line in _lines(reconstruction, options):
            yield unlogged(paint(line, options.colour)) + "\n"


FORMAT = PlainFormat()


def _lines(reconstruction: Reconstruction, options: RenderOptions) -> Iterator[Line]:
    stories = stories_of(reconstruction)
    report = Report((), reconstruction.coverage, reconstruction.counts)
    yield from input_read(report, options)
    yield ()
    if not stories:
        text = "Nothing here belongs to a story: no chain began in the time that is told, and nothing was asked for that"
        text += " the records know."
        yield from row((), text, options.width)
        yield ()
    told = len(stories) if options.verbose or len(stories) == _STORIES + 1 else _STORIES
    for story in stories[:told]:
        yield from _story(story, options)
    yield from _table(stories[told:], options)
    yield from coverage(report, options)
    yield from _tally(reconstruction, stories, options)


def _story(story: Story, options: RenderOptions) -> Iterator[Line]:
    orders = [replace(item, commands=()) for item in story.rotate]
    commands = {index: item.commands for index, item in enumerate(story.rotate)}
    summary = story.summary if options.verbose else tuple(summary_of(story))
    rest = replace(story, summary=summary, rotate=tuple(orders), records=(), entities=(), links=(), marks=())
    safe = inert_copy(rest, _LIMIT)
    yield from _header(safe, options)
    yield ()
    drawn = list(timeline(story, options))
    if drawn:
        yield from drawn
        yield ()
    yield from sections(safe, commands, options)


def _header(story: Story, options: RenderOptions) -> Iterator[Line]:
    name = f"{story.verdict}:" if story.verdict else "asked:"
    ink = VERDICT_INK[story.verdict] if story.verdict else Ink.BLUE
    title = wrap(story.title or owner(story), options.width - columns(name) - 1)
    yield ((name, ink), (f" {title[0]}", Ink.BOLD))
    for piece in title[1:]:
        yield ((" " * (columns(name) + 1), Ink.PLAIN), (piece, Ink.BOLD))
    who = [owner(story), f"score {story.score}" if story.verdict else ""]
    longest = options.width - 2
    yield from flow([shorten(fact, longest) for fact in who], options.width, 2)
    pod = story.pod
    facts = (
        f"workload {story.workload}" if story.workload and pod else "",
        f"node {pod.node}" if pod and pod.node and pod.name else "",
        f"cluster {pod.cluster}" if pod and pod.cluster else "",
        f"service account {story.service_account}" if story.service_account else "",
        f"image {short_digest(story.image)}" if story.image else "",
        f"T0 {clock(story.t0)} UTC" if story.t0 else "",
        f"asked for {asked_for(story)}" if asked_for(story) else "",
        *([f"story {story.id}", f"revision {story.revision}", *story.incidents] if options.verbose else ()),
    )
    yield from flow([shorten(fact, longest) for fact in facts], options.width, 2, Ink.DIM)
    if story.summary:
        yield ()
    for text in story.summary:
        yield from row((MARGIN,), text, options.width)


def _table(stories: list[Story], options: RenderOptions) -> Iterator[Line]:
    if not stories:
        return
    yield heading(f"{len(stories)} more (-v tells each story)")
    for story in stories[:_LINES]:
        told = f"{story.verdict or 'asked':<9}"
        when = "  " + clock(inert(story.t0, 40))[:16] if options.width >= 64 and story.t0 else ""
        title = inert(story.title or owner(story))
        yield from row(
            (MARGIN, (told, VERDICT_INK[story.verdict] if story.verdict else Ink.BLUE)),
            shorten(title, options.width - 13 - columns(when)),
            options.width,
            right=when,
        )
    if len(stories) > _LINES:
        rest = f"… and {len(stories) - _LINES} more (--format json has all of them)"
        yield from row((MARGIN,), rest, options.width, Ink.DIM)
    yield ()


def _tally(reconstruction: Reconstruction, stories: list[Story], options: RenderOptions) -> Iterator[Line]:
    marks = sum(len(story.marks) + story.left_out for story in stories)
    identities = sum(len(story.identities) for story in stories)
    seen = reconstruction.counts
    parts = [
        count(len(stories), "stories"),
        count(marks, "marks"),
        count(identities, "identities"),
        count(seen.events, "events"),
        count(len(reconstruction.coverage.sources), "sources"),
        f"{seen.malformed} malformed",
        f"{seen.oversized} oversized" if seen.oversized else "",
        f"{seen.unrecognised} unrecognised" if seen.unrecognised else "",
    ]
    yield from flow(parts, options.width, ink=Ink.BOLD, separator=", ")
