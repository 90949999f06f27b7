"""Marks and uses as one table by time, for analysts who put it beside other tables (Timesketch, CSV)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from eightysix.model.story import IdentityStory, Mark, Story, Use
from eightysix.report.reconstruction.telling import (
    at_ns,
    candidates,
    identity_name,
    iso,
    owner,
    place,
    use_from,
    use_text,
)

__all__ = ["Row", "rows"]

_EVIDENCE = 20


class Row(Struct, frozen=True):
    """One mark (`what` is `mark`) or one use of an identity (`use`). Empty text where there is nothing to say."""

    at_ns: int
    datetime: str
    until: str
    offset_s: float
    what: str
    lane: str
    stage: str
    title: str
    detail: str
    outcome: str
    grade: str
    origin: str
    whose: str
    count: int
    signal: str
    techniques: str
    identity: str
    identity_state: str
    service: str
    source_ip: str
    foreign: str
    user_agent: str
    credential_id: str
    after_taken: str
    cluster: str
    node: str
    namespace: str
    pod: str
    verdict: str
    story: str
    evidence: str
    time_known: bool


def rows(stories: Iterable[Story]) -> Iterator[Row]:
    """The rows of each story by time; those of the same time in the order of the story, marks before uses."""
    for story in stories:
        names = {item.entity: identity_name(item) for item in (*story.identities, *story.exposed)}
        told = [_mark(story, mark, names) for mark in story.marks]
        for identity in story.identities:
            told += [_use(story, identity, use) for use in identity.uses]
        yield from sorted(told, key=lambda row: row.at_ns)


def _moment(story: Story, text: str) -> tuple[int, bool, str]:
    """The time of something, or that of its story where it has none: a row must have one."""
    own = at_ns(text)
    for time_ns in (own, at_ns(story.t0), at_ns(story.first), 0):
        if time_ns is not None:
            return time_ns, own is not None, iso(time_ns, "+00:00")
    raise AssertionError("0 is a time")


def _until(text: str) -> str:
    time_ns = at_ns(text)
    return "" if time_ns is None else iso(time_ns, "+00:00")


def _mark(story: Story, mark: Mark, names: Mapping[str, str]) -> Row:
    time_ns, known, text = _moment(story, mark.at)
    return Row(
        at_ns=time_ns,
        time_known=known,
        datetime=text,
        until=_until(mark.until),
        offset_s=mark.offset_s,
        what="mark",
        lane=str(mark.lane),
        stage=str(mark.stage or ""),
        title=mark.title,
        detail=mark.detail,
        outcome=str(mark.outcome),
        grade=str(mark.grade),
        origin=str(mark.origin),
        whose=candidates(mark.attribution),
        count=mark.count,
        signal=mark.signal,
        techniques=" ".join(mark.techniques),
        identity=names.get(mark.subject, ""),
        identity_state="",
        service="",
        source_ip="",
        foreign="",
        user_agent="",
        credential_id="",
        after_taken="",
        **_story(story),
        evidence=_places(mark),
    )


def _use(story: Story, identity: IdentityStory, use: Use) -> Row:
    time_ns, known, text = _moment(story, use.at)
    return Row(
        at_ns=time_ns,
        time_known=known,
        datetime=text,
        until=_until(use.until),
        offset_s=use.offset_s,
        what="use",
        lane="control-plane",
        stage="use" if use.after else "",
        title=use_text(use),
        detail=use_from(use),
        outcome=str(use.outcome),
        grade=str(use.attribution.grade),
        origin=str(use.attribution.origin),
        whose=candidates(use.attribution),
        count=use.count,
        signal="",
        techniques="",
        identity=identity_name(identity),
        identity_state=str(identity.state),
        service=use.service,
        source_ip=use.source_ip,
        foreign={True: "yes", False: "no", None: "unknown"}[use.foreign],
        user_agent=use.user_agent,
        credential_id=use.credential_id,
        after_taken="yes" if use.after else "no",
        **_story(story),
        evidence=_places(use),
    )


def _story(story: Story) -> dict[str, str]:
    pod = story.pod
    return {
        "cluster": pod.cluster if pod else "",
        "node": pod.node if pod else "",
        "namespace": pod.namespace if pod else "",
        "pod": pod.name if pod else owner(story),
        "verdict": str(story.verdict or "asked"),
        "story": story.id,
    }


def _places(item: Mark | Use) -> str:
    more = f" +{len(item.evidence) - _EVIDENCE}" if len(item.evidence) > _EVIDENCE else ""
    return " ".join(place(evidence) for evidence in item.evidence[:_EVIDENCE]) + more
