"""The story of an identity of which no pod's story tells: where it was used, and whose each use may be."""

from __future__ import annotations

from collections.abc import Sequence

from eightysix.detect.digests import digest
from eightysix.detect.wording import rfc3339
from eightysix.model.attribution import Attribution
from eightysix.model.story import Entity, EntityKind, IdentityStory, Lane, Link, LinkKind, Mark, Story, Use
from eightysix.model.words import Grade, IdentityState, Origin
from eightysix.reconstruct.builder import revision_of
from eightysix.reconstruct.gaps import gaps_of
from eightysix.reconstruct.identitylog import UseGroup
from eightysix.reconstruct.names import entity_id
from eightysix.reconstruct.read import Read
from eightysix.reconstruct.revoking import revocation
from eightysix.reconstruct.rotating import rotation
from eightysix.reconstruct.selection import Selection
from eightysix.reconstruct.uses import uses_of

__all__ = ["identity_stories_of"]

_ACCOUNT = "system:serviceaccount:"


def identity_stories_of(read: Read, asked: Selection) -> list[Story]:
    """Every use of the identity that is asked for, with its candidates; none where no record names it. A service account is
    of one cluster: of accounts of one name in several clusters each has its own story."""
    groups = [g for g in read.uses.groups if asked.overlaps(g.event.time_ns, g.last_ns)]
    account = "/" in asked.identity
    ids = () if account else read.uses.principals.of([asked.identity])
    mine = [g for g in groups if _names(g, asked.identity if account else "", ids)]
    if not mine:
        return []
    clusters = sorted({g.event.cluster.lower() for g in mine} - {""}) if account else []
    if len(clusters) < 2:
        return [_story(read, asked, mine, ids)]
    stories = []
    for cluster in (*clusters, ""):
        here = [g for g in mine if g.event.cluster.lower() == cluster]
        if here:
            stories.append(_story(read, asked, here, ids, f"cluster {cluster}" if cluster else _UNNAMED))
    return stories


_UNNAMED = "a cluster that no record names"


def _story(
    read: Read, asked: Selection, mine: Sequence[UseGroup], ids: tuple[str, ...], where: str = ""
) -> Story:
    """The story of uses of one identity; `where` is its cluster, where the identity's name does not say which it is."""
    account = "/" in asked.identity
    called = f"{asked.identity} of {where}" if where else asked.identity
    t0_ns = mine[0].event.time_ns
    kind = "service-account" if account else _kind(mine)
    uses = uses_of(mine, None, None, read.attribute, t0_ns=t0_ns, taken_ns=0)
    key = entity_id(EntityKind.IDENTITY, kind, called)
    state = IdentityState.USED
    identity = IdentityStory(
        entity=key,
        kind=kind,
        name=asked.identity,
        ids=ids,
        domain="cluster" if account else "cloud",
        state=state,
        taken_at="",
        taken_by="",
        grade=Grade.F,
        origin=mine[0].event.origin,
        uses=uses.told,
        other_uses=uses.more + uses.others,
        revocation=revocation(kind, taken_at=""),
        why="no record tells that it was taken; this is where it was used",
    )
    entities = {key: Entity(key, EntityKind.IDENTITY, f"{kind} {called}", str(state))}
    links: dict[tuple[str, str, LinkKind], Link] = {}
    marks = tuple(_mark(key, use, entities, links) for use in uses.told)
    return Story(
        id=digest("identity", called),
        revision=revision_of(marks, (identity,)),
        title=f"Where {called} was used",
        asked=asked.words,
        verdict=None,
        score=0,
        incidents=(),
        pod=None,
        workload="",
        image="",
        service_account=asked.identity if account else "",
        t0=rfc3339(t0_ns),
        first=rfc3339(t0_ns),
        last=rfc3339(max(g.last_ns for g in mine)),
        summary=(
            (
                f"{called} was used {sum(g.count for g in mine)} times between {_clock(t0_ns)} and"
                f" {_clock(max(g.last_ns for g in mine))} UTC."
            ),
        ),
        marks=marks,
        entities=tuple(sorted(entities.values(), key=lambda e: e.id)),
        links=tuple(sorted(links.values(), key=lambda x: (x.at, x.source, x.target, x.kind))),
        domains=(),
        identities=(identity,),
        exposed=(),
        elsewhere=(),
        rotate=rotation(
            pod=None,
            workload="",
            service_account=asked.identity if account else "",
            identities=(identity,),
            exposed=(),
            artifacts=(),
            elsewhere=(),
        ),
        why=(),
        gaps=gaps_of(
            (),
            read.judged.knowledge.sources,
            (),
            (identity,),
            full=read.log.full,
            also=read.gaps,
            cloud=read.cloud,
        ),
        left_out=uses.more,
    )


def _clock(time_ns: int) -> str:
    return rfc3339(time_ns)[:19].replace("T", " ")


def _kind(groups: Sequence[UseGroup]) -> str:
    """A managed identity by its sign-ins, which tell it; else some principal."""
    managed = any(g.event.resource == "sign-in" and g.event.activity == "managed-identity" for g in groups)
    return "managed-identity" if managed else "service-principal"


def _names(group: UseGroup, account: str, ids: tuple[str, ...]) -> bool:
    event = group.event
    if account:
        name = _ACCOUNT + account.replace("/", ":", 1)
        return name in (event.identity, event.impersonated)
    return any(one in ids for one in event.principals)


def _mark(
    identity: str, use: Use, entities: dict[str, Entity], links: dict[tuple[str, str, LinkKind], Link]
) -> Mark:
    target = " ".join(text for text in (use.service, use.target) if text)
    resource = entity_id(EntityKind.RESOURCE, target)
    entities.setdefault(resource, Entity(resource, EntityKind.RESOURCE, target))
    whose: Attribution = use.attribution
    asked = Link(
        identity, resource, LinkKind.ASKED, use.at, whose.grade, whose.origin, whose.join_key, use.evidence
    )
    links.setdefault((identity, resource, LinkKind.ASKED), asked)
    for candidate in whose.candidates[:8]:
        pod = entity_id(EntityKind.POD, candidate.uid or candidate.pod)
        entities.setdefault(pod, Entity(pod, EntityKind.POD, candidate.pod or candidate.uid))
        links.setdefault(
            (pod, identity, LinkKind.USED),
            Link(pod, identity, LinkKind.USED, use.at, whose.grade, Origin(whose.origin), whose.join_key),
        )
    where = f" from {use.source_ip}" if use.source_ip else ""
    return Mark(
        id=digest(identity, use.at, use.service, use.operation, use.target, use.credential_id, use.source_ip),
        at=use.at,
        until=use.until,
        offset_s=use.offset_s,
        lane=Lane.CONTROL_PLANE,
        stage=None,
        title="the identity signs in" if use.service == "sign-in" else "the identity is used",
        detail=f"{use.service} {use.operation} {use.target}".strip() + where,
        grade=whose.grade,
        origin=whose.origin,
        outcome=use.outcome,
        actor=identity,
        subject=resource,
        count=use.count,
        evidence=use.evidence,
        attribution=whose,
    )
