"""What stands below the timeline in the plain format: identities and where they went, other pods, what to do, gaps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from eightysix.context.shell import fold
from eightysix.model.story import IdentityStory, Rotation, Sighting, Story, Use
from eightysix.model.words import IdentityState, Outcome
from eightysix.report.inert import columns, inert, shorten
from eightysix.report.interface import RenderOptions
from eightysix.report.layout import Ink, Line, flow, row
from eightysix.report.notes import count
from eightysix.report.posture.words import sink_word
from eightysix.report.reach import collected, counted, holds, reached_identity, unseen, worst
from eightysix.report.reconstruction.telling import (
    at_ns,
    candidates,
    gap_text,
    identity_name,
    place,
    revocable,
    sighted,
    sure,
    times,
    use_from,
)
from eightysix.report.story import MARGIN, clock, heading, offset, some, why

__all__ = ["sections"]

_ITEMS = 12
_USES = (5, 3)
_SERVICE = 10
_SENTENCES = 2
_WAYS = 2
_LONGEST_COMMAND = 40_000
"""Columns of a command line: it is shown whole, or it would be another command."""
_INKS = {
    IdentityState.USED: Ink.RED,
    IdentityState.TAKEN: Ink.YELLOW,
    IdentityState.EXPOSED: Ink.BLUE,
}
_LABEL = 8
_INDENT: Line = (MARGIN, MARGIN)


def sections(story: Story, commands: Mapping[int, Sequence[str]], options: RenderOptions) -> Iterator[Line]:
    """All of them that have something to say. Texts of `story` are inert; `commands`, by position of their rotation,
    are as they were made."""
    if story.domains:
        head: Line = (MARGIN, ("domains taken  ", Ink.BOLD))
        yield from row(head, " · ".join(story.domains), options.width)
        yield ()
    yield from _identities(story, options)
    yield from _elsewhere(story.elsewhere, options)
    yield from _reach(story, options)
    yield from _exposed(story.exposed, options)
    yield from _rotate(story.rotate, commands, options, raised=story.verdict is not None)
    yield from why(story.why, options)
    yield from _gaps(story, options)


def _identities(story: Story, options: RenderOptions) -> Iterator[Line]:
    if not story.identities:
        return
    yield heading("identities")
    shown, more = some(story.identities, options, _ITEMS)
    above = ""
    for item in shown:
        yield from _identity(item, story.t0, above, options)
        above = revocable(item.revocation, brief=not options.verbose)
    yield from more
    yield ()


def _taken_at(at: str, t0: str) -> str:
    """Since T0, as in the timeline, or the time where one of the two is none."""
    taken, start = at_ns(at), at_ns(t0)
    return offset((taken - start) / 1e9) if taken is not None and start is not None else clock(at)[:19]


def _identity(item: IdentityStory, t0: str, told_above: str, options: RenderOptions) -> Iterator[Line]:
    head: Line = (*_INDENT, (f"{item.state:<{_LABEL}}", _INKS[item.state]))
    yield from row(head, identity_name(item), options.width, Ink.BOLD, right=item.domain)
    if item.taken_at or item.taken_by:
        when = _taken_at(item.taken_at, t0)
        told = " ".join(filter(None, ("taken", when, f"by {item.taken_by}" if item.taken_by else "")))
        yield from row(_below(), told, options.width, right=sure(item))
    if item.why:
        yield from row(_below(), item.why, options.width, Ink.DIM)
    if options.verbose and item.ids:
        yield from row(_below(), "ids " + ", ".join(item.ids), options.width, Ink.DIM)
    yield from _uses(item, options)
    tokens = revocable(item.revocation, brief=not options.verbose)
    if tokens and (tokens != told_above or options.verbose):
        ink = Ink.YELLOW if item.revocation.possible is False else Ink.PLAIN
        yield from row(_below(), tokens, options.width, ink)
    if options.verbose and item.revocation.source:
        yield from row(_below(), item.revocation.source, options.width, Ink.DIM)


def _below(label: str = "", ink: Ink = Ink.DIM) -> Line:
    return (*_INDENT, (" " * _LABEL + label, ink))


def _uses(item: IdentityStory, options: RenderOptions) -> Iterator[Line]:
    """Each use after it was taken; where the line above tells whose and from where, that is left out."""
    uses = item.uses if options.verbose else [use for use in item.uses if use.after]
    first, last = _USES
    hidden = 0 if options.verbose else max(len(uses) - first - last, 0)
    hidden = hidden if hidden > 1 else 0
    shown = [*uses[:first], *uses[first + hidden :]]
    wide = max((len(offset(use.offset_s)) for use in shown), default=0)
    services = min(max((columns(use.service) for use in shown), default=0), _SERVICE)
    above = ""
    for index, use in enumerate(shown):
        if hidden and index == first:
            yield from row(
                _below(" " * (wide + 2)), f"… {hidden} more (-v shows them)", options.width, Ink.DIM
            )
        yield from _use(use, wide, services, options)
        told = _whose(use)
        if told != above or options.verbose:
            yield from row(_below(" " * (wide + 2)), told, options.width, _foreign_ink(use))
        above = told
    before = len(item.uses) - len(uses)
    rest = [
        f"{count(before, 'uses')} before it was taken (-v shows them)" if before else "",
        f"{count(item.other_uses, 'uses')} that are not listed" if item.other_uses > 0 else "",
    ]
    for told in filter(None, rest):
        yield from row(_below(), f"… and {told}", options.width, Ink.DIM)


def _use(use: Use, wide: int, services: int, options: RenderOptions) -> Iterator[Line]:
    service = shorten(use.service, services)
    head: Line = (
        *_below(),
        (f"{offset(use.offset_s):>{wide}}  ", Ink.PLAIN),
        (service + " " * (services - columns(service) + 2), Ink.CYAN),
    )
    refused = "refused" if use.outcome is Outcome.DENIED else ""
    asked = " ".join(filter(None, (use.operation, use.target, times(use.count))))
    yield from row(head, asked, options.width, right=refused, right_ink=Ink.YELLOW)
    if options.verbose:
        facts = [use.user_agent, use.credential_id, *map(place, use.evidence)]
        yield from flow(facts, options.width, 4 + _LABEL + wide + 2, Ink.DIM)


def _whose(use: Use) -> str:
    return f"{use_from(use)} · {use.attribution.grade} {candidates(use.attribution)}"


def _foreign_ink(use: Use) -> Ink:
    return Ink.RED if use.foreign else Ink.DIM


def _elsewhere(sightings: Sequence[Sighting], options: RenderOptions) -> Iterator[Line]:
    if not sightings:
        return
    yield heading("the same artifact elsewhere")
    shown, more = some(sightings, options, _ITEMS)
    several = len({item.artifact for item in sightings}) > 1
    for item in shown:
        name = "/".join(filter(None, (item.namespace, item.pod))) or item.node or item.uid or "unknown pod"
        told = f"{item.artifact} {sighted(item)}" if several or options.verbose else sighted(item)
        where = f"{item.cluster} " if item.cluster and options.verbose else ""
        ink = Ink.RED if item.identity_taken else Ink.DIM
        yield from row(_INDENT, where + name, options.width, right=clock(item.at)[:16] if item.at else "")
        yield from row((*_INDENT, MARGIN), told, options.width, ink)
        if options.verbose:
            facts = [item.node, item.uid, *map(place, item.evidence)]
            yield from flow(facts, options.width, 6, Ink.DIM)
    yield from more
    yield ()


def _reach(story: Story, options: RenderOptions) -> Iterator[Line]:
    """What was possible, beside what happened."""
    reach = story.reach
    if not reach:
        return
    yield heading("within its reach, by the posture")
    for text in (holds(reach), collected(reach), unseen(reach)):
        if text:
            yield from row(_INDENT, text, options.width, Ink.DIM)
    if not reach.sinks:
        yield from row(_INDENT, worst(reach), options.width)
    for way in reach.ways if options.verbose else reach.ways[:_WAYS]:
        right = f"probability {way.probability:.2f}" if way.probability < 1 else ""
        yield from row(_INDENT, sink_word(way.sink), options.width, Ink.BOLD, right=right)
        for number, step in enumerate(way.steps, 1):
            yield from row((*_INDENT, (f"{number:3}. ", Ink.DIM)), step, options.width, Ink.DIM)
    left = len(reach.ways) - _WAYS
    if left > 0 and not options.verbose:
        yield from row(_INDENT, f"… {left} more ways (-v shows them)", options.width, Ink.DIM)
    shown, more = some(reach.identities, options, _ITEMS)
    for item in shown:
        head: Line = (*_INDENT, (f"{item.state:<{_LABEL}}", _INKS[item.state]))
        yield from row(head, reached_identity(item), options.width, right=counted(item.hops, "step"))
        if item.why:
            yield from row(_below(), item.why, options.width, Ink.DIM)
    yield from more
    yield ()


def _exposed(identities: Sequence[IdentityStory], options: RenderOptions) -> Iterator[Line]:
    if not identities:
        return
    yield heading("only exposed")
    shown, more = some(identities, options, _ITEMS)
    for item in shown:
        yield from row(_INDENT, identity_name(item), options.width, right=item.domain)
        if item.why:
            yield from row((*_INDENT, MARGIN), item.why, options.width, Ink.DIM)
    yield from more
    yield ()


def _rotate(
    rotate: Sequence[Rotation],
    commands: Mapping[int, Sequence[str]],
    options: RenderOptions,
    *,
    raised: bool,
) -> Iterator[Line]:
    if not rotate:
        return
    yield heading("what to do, in this order" if raised else "what to do if this is a breach")
    shown, more = some(rotate, options, _ITEMS)
    wide = len(str(len(shown)))
    for number, item in enumerate(shown):
        head = f"{number + 1:>{wide}}. "
        below: Line = (*_INDENT, (" " * len(head), Ink.PLAIN))
        yield from row((*_INDENT, (head, Ink.PLAIN)), item.what, options.width)
        if item.why:
            reason = item.why if options.verbose else _sentences(item.why, _SENTENCES)
            yield from row(below, reason, options.width, Ink.DIM)
        for command in filter(None, commands.get(number, ())):
            safe = inert(command, _LONGEST_COMMAND)
            for line in fold(safe, options.width - 4 - len(head)):
                yield (*below, (line, Ink.CYAN))
    yield from more
    yield ()


def _sentences(text: str, most: int) -> str:
    """The first sentences of `text`; an ellipsis says that there are more."""
    parts = text.split(". ")
    return text if len(parts) <= most else ". ".join(parts[:most]) + ". …"


def _gaps(story: Story, options: RenderOptions) -> Iterator[Line]:
    if not story.gaps:
        return
    yield heading("could not be seen")
    shown, more = some(story.gaps, options, _ITEMS)
    for gap in shown:
        yield from row((*_INDENT, ("- ", Ink.PLAIN)), gap_text(gap), options.width)
        if gap.close:
            yield from row((*_INDENT, MARGIN, ("→ ", Ink.PLAIN)), gap.close, options.width, Ink.DIM)
    yield from more
    yield ()
