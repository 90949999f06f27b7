"""What several formats say of a story in the same words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from eightysix.context.techniques import techniques
from eightysix.model.attribution import Attribution
from eightysix.model.incident import Evidence
from eightysix.model.story import (
    Gap,
    IdentityStory,
    Lane,
    Mark,
    Reconstruction,
    Revocation,
    Sighting,
    Story,
    Use,
)
from eightysix.model.timestamps import to_ns
from eightysix.model.words import Outcome
from eightysix.report.story import clock

__all__ = [
    "LANES",
    "SECONDS",
    "asked_for",
    "at_ms",
    "at_ns",
    "candidates",
    "chain_of",
    "gap_text",
    "identity_name",
    "iso",
    "owner",
    "place",
    "revocable",
    "sighted",
    "stories_of",
    "summary_of",
    "sure",
    "times",
    "use_from",
    "use_text",
    "worst_first",
]

SECONDS = 86.0
"""What the breach took that this tool is named after; drawn as a line through each timeline."""

LANES = {
    Lane.PACKAGE: "package",
    Lane.PROCESS: "process",
    Lane.IDENTITY: "identity",
    Lane.CONTROL_PLANE: "control plane",
}
"""The lanes from left to right, as they are called."""

_AROUND = 4
"""Marks around a chain that do not hide it."""
_ALMOST = 0.99
"""Probability from which no percentage is told: nothing else is known, and it is not certain."""
_KINDS = {"environment": "environment variable"}


def stories_of(reconstruction: Reconstruction) -> list[Story]:
    """The stories in the order of every format, with the techniques of marks whose maker left them out."""
    return [_with_techniques(story) for story in worst_first(reconstruction.stories)]


def _with_techniques(story: Story) -> Story:
    if all(mark.techniques or mark.stage is None for mark in story.marks):
        return story
    kinds = {item.entity: item.kind for item in story.identities}
    marks = (
        replace(mark, techniques=techniques(mark.stage, mark.signal, kinds.get(mark.subject, "")))
        if not mark.techniques and mark.stage is not None
        else mark
        for mark in story.marks
    )
    return replace(story, marks=tuple(marks))


def worst_first(stories: Iterable[Story]) -> list[Story]:
    """The order in which every format tells stories: by verdict, then by time, then by id."""
    return sorted(
        stories, key=lambda story: (-(story.verdict.rank if story.verdict else 0), story.t0, story.id)
    )


def chain_of(marks: Sequence[Mark]) -> list[Mark]:
    """What people read: the steps of the chain, and what surrounds it as long as that is little."""
    around = sum(mark.stage is None for mark in marks)
    return [mark for mark in marks if mark.stage is not None or around <= _AROUND]


def summary_of(story: Story) -> list[str]:
    """The summary without what a timeline below it tells in the same words."""
    return [text for text in story.summary if not (story.marks and text.startswith("T+"))]


def asked_for(story: Story) -> str:
    """What somebody asked for; empty where that was everything, or is what the title says."""
    return "" if story.asked in (story.title, "everything") else story.asked


def owner(story: Story) -> str:
    """Who the story is about, in as few words as name it."""
    pod = story.pod
    if pod is not None and pod.name:
        return f"pod {pod.namespace}/{pod.name}" if pod.namespace else f"pod {pod.name}"
    if pod is not None:
        return f"unknown pod on {pod.node}" if pod.node else "unknown pod"
    return f"workload {story.workload}" if story.workload else story.asked or "no single pod"


def sure(mark: Mark | IdentityStory) -> str:
    """Grade and origin."""
    return f"{mark.grade} {mark.origin}"


def times(count: int) -> str:
    """`×14`, nothing for what happened once."""
    return f"×{count}" if count > 1 else ""


def place(evidence: Evidence) -> str:
    """Where a record can be read up."""
    file = evidence.file or evidence.source
    return f"{file}:{evidence.line}" if evidence.line else file


def identity_name(identity: IdentityStory) -> str:
    """Its kind and name in words."""
    return f"{_KINDS.get(identity.kind, identity.kind.replace('-', ' '))} {identity.name}".strip(" ")


def candidates(attribution: Attribution | None) -> str:
    """Whose it was, as surely as that is known: `certain`, pods with probabilities, or that nothing joins it to one."""
    if attribution is None:
        return ""
    named = attribution.candidates
    if attribution.certain and len(named) == 1:
        return f"certain: {named[0].pod}"
    if not named:
        return "no pod is joined to it"
    pods = [f"{item.pod} {item.probability:.0%}" for item in named]
    if attribution.others > 0:
        pods.append(f"{attribution.others} more")
    if len(pods) > 1:
        return "one of " + ", ".join(pods)
    return f"probably {named[0].pod}" if named[0].probability > _ALMOST else f"maybe {pods[0]}"


def use_text(use: Use) -> str:
    """What was asked of which service."""
    asked = " ".join(filter(None, (use.operation, use.target, times(use.count))))
    refused = " (refused)" if use.outcome is Outcome.DENIED else ""
    return f"{use.service}: {asked}{refused}"


def use_from(use: Use) -> str:
    """From where, and whether that is foreign."""
    if not use.source_ip:
        return "address not told"
    words = {True: "foreign", False: "of the cluster", None: "whose address is not known"}
    return f"from {use.source_ip}, {words[use.foreign]}"


def revocable(revocation: Revocation, brief: bool = False) -> str:
    """Whether tokens that were issued can be taken back, in words, of which `brief` keeps the first sentence; empty where
    there is nothing to say."""
    head = {
        True: "tokens can be revoked",
        False: "tokens cannot be revoked",
        None: "not known whether it can be revoked",
    }
    if revocation.possible is None and not (revocation.how or revocation.until):
        return ""
    until = f"good until {clock(revocation.until)[:16]} UTC at the latest" if revocation.until else ""
    how = revocation.how.partition(". ")[0] if brief else revocation.how
    said = revocation.possible is False and "cannot be revoked" in how
    return " · ".join(filter(None, ("" if said else head[revocation.possible], how.removesuffix("."), until)))


def sighted(sighting: Sighting) -> str:
    """How the same artifact was seen there."""
    same = {True: "the same version", False: "another version", None: "version not told"}
    taken = "an identity was taken there too" if sighting.identity_taken else ""
    return ", ".join(filter(None, (sighting.how, same[sighting.same], taken)))


def gap_text(gap: Gap) -> str:
    """The gap, with its stage where it is about one."""
    return f"{gap.stage}: {gap.text}" if gap.stage else gap.text


def at_ns(text: str) -> int | None:
    """Nanoseconds since 1970, None where `text` is no time."""
    try:
        return to_ns(text)
    except ValueError:
        return None


def at_ms(text: str) -> int | None:
    """Milliseconds since 1970, None where `text` is no time."""
    time_ns = at_ns(text)
    return None if time_ns is None else time_ns // 1_000_000


def iso(time_ns: int, zone: str = "Z") -> str:
    """RFC 3339 in UTC with microseconds; `zone` is how UTC is written."""
    moment = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ns % 1_000_000_000 // 1000:06d}{zone}"
