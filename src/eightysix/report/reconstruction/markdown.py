"""Markdown for a ticket: what happened, what was taken, what to do, with tables and lists that each tracker knows.

Text from telemetry is inert and stands in code spans (`marking`). The same reconstruction gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

from eightysix.model.story import IdentityStory, Reconstruction, Story, Use
from eightysix.model.words import Outcome
from eightysix.report.interface import RenderOptions
from eightysix.report.notes import count
from eightysix.report.posture.words import sink_word
from eightysix.report.reach import collected, holds, reached_identity, unseen, worst
from eightysix.report.reconstruction.marking import block, prose, row, span
from eightysix.report.reconstruction.telling import (
    LANES,
    SECONDS,
    asked_for,
    candidates,
    chain_of,
    identity_name,
    owner,
    place,
    revocable,
    sighted,
    stories_of,
    summary_of,
    sure,
    times,
    use_from,
)
from eightysix.report.reconstruction.timeline import Act, acts
from eightysix.report.story import clock, offset

__all__ = ["FORMAT", "MarkdownFormat"]

_MARKS = 80
_CELL = 200
_ITEMS = 100
_USES = 40
_STORIES = 50
"""Trackers take no more: GitHub 65,536 characters in a body (docs.github.com), Jira 32,767 in a description unless set
otherwise. What is left out is said."""


class MarkdownFormat:
    """One section a story, worst first."""

    name = "markdown"

    def write(self, reconstruction: Reconstruction, options: RenderOptions) -> Iterator[str]:
        """One piece a section."""
        stories = stories_of(reconstruction)
        for story in stories[:_STORIES]:
            yield from _story(story)
        if len(stories) > _STORIES:
            yield f"{count(len(stories) - _STORIES, 'stories')} more: `--format json` has all of them.\n\n"
        if not stories:
            yield "# Nothing to tell\n\nNo chain began in these records, and nothing was asked for that they know.\n\n"
        seen = reconstruction.coverage
        sources = ", ".join(f"{span(item.source, 40)} {item.records}" for item in seen.sources)
        read = f"Read: {count(reconstruction.counts.events, 'events')}"
        yield read + (f" from {sources}" if sources else "") + ".\n"


FORMAT = MarkdownFormat()


def _story(story: Story) -> Iterator[str]:
    told = f"**{story.verdict}**" if story.verdict else "asked for"
    yield f"# {prose(story.title or owner(story))}\n\n"
    yield "".join(f"{prose(text, 2000)}\n\n" for text in summary_of(story))
    yield row(("", "")) + row(("---", "---"))
    yield row(("Verdict", f"{told}, score {story.score}" if story.verdict else told))
    pod = story.pod
    facts = (
        ("Asked", asked_for(story)),
        ("Pod", f"{pod.namespace}/{pod.name}" if pod and pod.name else ""),
        ("Pod uid", pod.uid if pod else ""),
        ("Node", pod.node if pod else ""),
        ("Cluster", pod.cluster if pod else ""),
        ("Workload", story.workload),
        ("Service account", story.service_account),
        ("Image", story.image),
        ("T0", f"{clock(story.t0)} UTC" if story.t0 else ""),
        ("Story", f"{story.id}, revision {story.revision}"),
    )
    yield "".join(row((name, span(value))) for name, value in facts if value) + "\n"
    yield from _timeline(story)
    yield from _identities(story)
    yield from _elsewhere(story)
    yield from _reach(story)
    yield from _rotate(story)
    yield from _gaps(story)


def _timeline(story: Story) -> Iterator[str]:
    if not story.marks:
        return
    yield "## What happened\n\n"
    yield row(("T+", "Lane", "Stage", "What", "Sure", "Record"))
    yield row(("---:", "---", "---", "---", "---", "---"))
    chain = chain_of(story.marks)
    told = list(acts(chain))
    hidden = max(len(told) - _MARKS, 0)
    told = [*told[: _MARKS // 2], *told[_MARKS // 2 + hidden :]]
    drawn = not any(act.mark.stage for act in told)
    for act in told:
        if not drawn and act.mark.offset_s > SECONDS:
            drawn = True
            yield row((f"**{offset(SECONDS)}**", "", "", "**86 seconds**", "", ""))
        yield _act(act)
    yield "\n"
    around = len(story.marks) - len(chain)
    left = (
        f"{count(hidden + max(story.left_out, 0), 'steps')} left out" if hidden or story.left_out > 0 else "",
        f"{count(around, 'marks')} around the chain left out" if around else "",
    )
    rest = ", ".join(filter(None, left))
    if rest:
        yield f"{rest}: `--format json` has them.\n\n"


def _act(act: Act) -> str:
    mark = act.mark
    seen = max(item.count for item in act.marks)
    refused = " (refused)" if mark.outcome is Outcome.DENIED else ""
    count_of = f" {times(seen)}" if seen > 1 else ""
    what = [prose(mark.title, _CELL) + count_of + refused, span(mark.detail, _CELL) if mark.detail else ""]
    if mark.attribution is not None and not mark.attribution.certain:
        what.append(prose(candidates(mark.attribution)))
    evidence = [item for told in act.marks for item in told.evidence]
    more = f" +{len(evidence) - 1}" if len(evidence) > 1 else ""
    record = span(place(evidence[0]), 120) + more if evidence else ""
    return row(
        (
            offset(mark.offset_s),
            LANES[mark.lane],
            str(mark.stage or ""),
            " · ".join(filter(None, what)),
            act.sure,
            record,
        )
    )


def _identities(story: Story) -> Iterator[str]:
    if story.domains:
        yield f"**Domains taken:** {', '.join(map(span, story.domains))}\n\n"
    if story.identities:
        yield "## Identities\n\n"
    for item in story.identities[:_ITEMS]:
        yield from _identity(item)
    yield from _rest(len(story.identities) - _ITEMS)
    if story.exposed:
        yield "## Only exposed\n\n"
    for item in story.exposed[:_ITEMS]:
        why = f": {prose(item.why)}" if item.why else ""
        yield f"- {span(identity_name(item))}{why}\n"
    yield from _rest(len(story.exposed) - _ITEMS)
    if story.exposed:
        yield "\n"


def _identity(item: IdentityStory) -> Iterator[str]:
    domain = f", {span(item.domain)}" if item.domain else ""
    yield f"### {span(identity_name(item))}: {item.state}{domain}\n\n"
    if item.taken_at or item.taken_by:
        when = f" {span(clock(item.taken_at))} UTC" if item.taken_at else ""
        by = f" by {span(item.taken_by)}" if item.taken_by else ""
        yield f"- taken{when}{by} ({sure(item)})\n"
    if item.ids:
        yield f"- ids {', '.join(span(text) for text in item.ids[:_ITEMS])}\n"
    if item.why:
        yield f"- {prose(item.why)}\n"
    tokens = revocable(item.revocation)
    if tokens:
        yield f"- {prose(tokens, 2000)}\n"
    if item.revocation.source:
        yield f"- see {span(item.revocation.source)}\n"
    yield "\n"
    yield from _uses(item)


def _uses(item: IdentityStory) -> Iterator[str]:
    uses = [use for use in item.uses if use.after]
    if uses:
        yield row(("T+", "Service", "Asked", "From", "Whose")) + row(("---:", "---", "---", "---", "---"))
    for use in uses[:_USES]:
        yield _use(use)
    if uses:
        yield "\n"
    before = len(item.uses) - len(uses)
    told = [
        f"{count(before, 'uses')} before it was taken" if before else "",
        f"{count(len(uses) - _USES, 'uses')} more" if len(uses) > _USES else "",
        f"{count(item.other_uses, 'uses')} not listed" if item.other_uses > 0 else "",
    ]
    rest = ", ".join(filter(None, told))
    if rest:
        yield f"And {rest}.\n\n"


def _use(use: Use) -> str:
    asked = " ".join(filter(None, (use.operation, use.target, times(use.count))))
    refused = " (refused)" if use.outcome is Outcome.DENIED else ""
    where = prose(use_from(use))
    return row(
        (
            offset(use.offset_s),
            span(use.service),
            span(asked) + refused,
            f"**{where}**" if use.foreign else where,
            f"{use.attribution.grade}, {prose(candidates(use.attribution))}",
        )
    )


def _reach(story: Story) -> Iterator[str]:
    reach = story.reach
    if not reach:
        return
    yield "## Within its reach, by the posture\n\n"
    for text in filter(None, (holds(reach), worst(reach), collected(reach), unseen(reach))):
        yield f"- {prose(text, 1000)}\n"
    yield "\n"
    for way in reach.ways:
        yield f"### {prose(sink_word(way.sink))}, probability {way.probability:.2f}\n\n"
        for number, step in enumerate(way.steps, 1):
            yield f"{number}. {prose(step, 1000)}\n"
        yield "\n"
    for one in reach.identities:
        why = f": {prose(one.why)}" if one.why else ""
        yield f"- {one.state}: {span(reached_identity(one))}{why}\n"
    if reach.identities:
        yield "\n"


def _elsewhere(story: Story) -> Iterator[str]:
    if not story.elsewhere:
        return
    yield "## The same artifact elsewhere\n\n"
    yield row(("Artifact", "Cluster", "Node", "Pod", "When", "How"))
    yield row(("---", "---", "---", "---", "---", "---"))
    for item in story.elsewhere[:_ITEMS]:
        pod = "/".join(filter(None, (item.namespace, item.pod)))
        when = clock(item.at)
        yield row((*map(span, (item.artifact, item.cluster, item.node, pod, when)), prose(sighted(item))))
    yield "\n"
    yield from _rest(len(story.elsewhere) - _ITEMS)


def _rotate(story: Story) -> Iterator[str]:
    if not story.rotate:
        return
    unless = "" if story.verdict is not None else " if this is a breach"
    yield f"## What to do{unless}, in this order\n\n"
    for number, item in enumerate(story.rotate[:_ITEMS], 1):
        head = f"{number}. "
        yield f"{head}{prose(item.what)}\n"
        if item.why:
            yield f"\n   {' ' * (len(head) - 3)}{prose(item.why, 2000)}\n"
        if any(item.commands):
            yield "\n" + _indented(block(item.commands), len(head)) + "\n"
    yield "\n"
    yield from _rest(len(story.rotate) - _ITEMS)


def _indented(text: str, columns: int) -> str:
    return "".join(f"{' ' * columns}{line}\n" for line in text.splitlines())


def _gaps(story: Story) -> Iterator[str]:
    if not story.gaps:
        return
    yield "## Could not be seen\n\n"
    for gap in story.gaps[:_ITEMS]:
        stage = f"{span(gap.stage)}: " if gap.stage else ""
        close = f" → {span(gap.close, 1000)}" if gap.close else ""
        yield f"- {stage}{prose(gap.text, 1000)}{close}\n"
    yield "\n"
    yield from _rest(len(story.gaps) - _ITEMS)


def _rest(number: int) -> Iterator[str]:
    if number > 0:
        yield f"{number} more: `--format json` has all of them.\n\n"
