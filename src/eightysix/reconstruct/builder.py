"""From what was read to stories: pure, the same for any order and repetition of the same records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import UNSET

from eightysix.context.techniques import techniques
from eightysix.detect.actions import Action
from eightysix.detect.chain import Chain
from eightysix.detect.combine import Case
from eightysix.detect.digests import digest
from eightysix.detect.facts import grade_of
from eightysix.detect.observe import Observation
from eightysix.detect.story import STRENGTH
from eightysix.detect.view import PodView
from eightysix.detect.wording import (
    destination_of,
    evidence_in_order,
    pod_name,
    pod_of,
    process_of,
    rfc3339,
    service_account_of,
    taken_by,
)
from eightysix.model.event import Artifact
from eightysix.model.incident import Identity
from eightysix.model.story import EntityKind, IdentityStory, Lane, Mark, Sighting, Story, Use
from eightysix.model.words import Grade, IdentityState, Stage
from eightysix.reconstruct.exposing import exposures
from eightysix.reconstruct.gaps import gaps_of
from eightysix.reconstruct.graph import Graph, identity_entity
from eightysix.reconstruct.identities import identity_stories
from eightysix.reconstruct.moments import Moment, lane_of, moments_of
from eightysix.reconstruct.names import entity_id
from eightysix.reconstruct.reaching import gap_of, reach_of, reach_sentence
from eightysix.reconstruct.read import Read
from eightysix.reconstruct.rotating import rotation
from eightysix.reconstruct.selection import Selection
from eightysix.reconstruct.sightings import find_sightings
from eightysix.reconstruct.summary import summary_of
from eightysix.reconstruct.uses import is_use

__all__ = ["pod_story", "revision_of"]


def pod_story(read: Read, view: PodView, cases: Sequence[Case], asked: Selection) -> Story:
    """The story of one pod: of its incidents, or of what it did where no rule raised any."""
    chains = [chain for case in cases for chain in case.chains if chain.view.key == view.key]
    moments, left_out = moments_of(view, chains, asked.since_ns, asked.until_ns)
    t0_ns = _t0(chains, moments)
    graph = Graph(view)
    marks = [_mark(view, graph, moment, t0_ns) for moment in moments]
    identities = _identities(view, cases, moments)
    pods = _pods(view)
    lost = [i for i in identities if i.state is not IdentityState.EXPOSED]
    told = identity_stories(view, chains, lost, read.uses, read.attribute, pods=pods, t0_ns=t0_ns)
    states = {one.entity: one.state for one in told}
    for identity in (*identities, *_new(told, identities)):
        state = states.get(identity_entity(identity), identity.state)
        graph.identity(msgspec.structs.replace(identity, state=state))
    marks += _use_marks(told, graph, marks, pods)
    marks.sort(key=lambda mark: (mark.at, mark.id))
    for one in told:
        if one.ids:
            graph.call(one.entity, f"{one.kind} {one.name}")
        if one.kind == "service-principal":
            graph.used(one.entity, one.uses[0].at if one.uses else one.taken_at, one.grade, one.origin)
    exposed = exposures(view, [i.name for i in lost])
    for one in exposed:
        graph.identity(Identity(one.kind, one.name, one.state, one.domain))
    artifacts = _landed(moments)
    found, more = find_sightings(
        read.places,
        artifacts,
        exclude={view.key},
        taken=read.taken(),
        scans=read.judged.knowledge.scans,
    )
    entities, links = graph.told()
    lead = cases[0].incident if cases else None
    covered = _covered(cases)
    domains = tuple(sorted({i.domain for i in told if i.domain}))
    pod = pod_of(view)
    account = service_account_of(view)
    t0 = rfc3339(t0_ns) if t0_ns else ""
    reaches = read.reaches()
    reach = None
    if reaches is not None:
        reach = reach_of(reaches, pod, view.who.workload, account, t0, (*told, *exposed))
    return Story(
        id=lead.id if lead is not None else digest("story", view.key),
        revision=revision_of(marks, told, _seen(found)),
        title=lead.title if lead is not None else f"What {pod_name(view)} did",
        asked=asked.words,
        verdict=lead.verdict if lead is not None else None,
        score=lead.score if lead is not None else 0,
        incidents=tuple(case.incident.id for case in cases),
        pod=pod,
        workload=f"{view.who.namespace}/{view.who.workload}" if view.who.workload else "",
        image=f"{view.who.image}@{view.who.image_digest}" if view.who.image_digest else view.who.image,
        service_account=account if "/" in account and " " not in account else "",
        t0=t0,
        first=marks[0].at if marks else "",
        last=max((mark.until or mark.at for mark in marks), default=""),
        summary=(
            *summary_of(
                pod_name(view),
                rfc3339(t0_ns),
                _landed_text(artifacts),
                [mark for mark in marks if mark.stage],
                told,
                domains,
                found,
                raised=lead is not None,
                covered=covered,
            ),
            *([reach_sentence(reach)] if reach is not None else []),
        ),
        marks=tuple(marks),
        entities=entities,
        links=links,
        domains=domains,
        identities=told,
        exposed=exposed,
        elsewhere=found,
        rotate=rotation(
            pod=pod,
            workload=view.who.workload,
            service_account=account,
            identities=told,
            exposed=exposed,
            artifacts=artifacts,
            elsewhere=found,
            node=pod.node,
            reach=reach,
        ),
        why=lead.why if lead is not None else (),
        gaps=(
            *gaps_of(
                [case.incident for case in cases],
                read.judged.knowledge.sources,
                read.coverage.rules,
                told,
                full=read.log.full,
                searched=read.searched,
                also=read.gaps,
                cloud=read.cloud,
            ),
            *([gap_of(reaches, pod)] if reaches is not None and reach is None else []),
        ),
        suppressed_by=covered,
        left_out=left_out + graph.left_out + more,
        reach=UNSET if reach is None else reach,
    )


def _covered(cases: Sequence[Case]) -> str:
    """The exceptions that cover all of the incidents, empty where one of them raises somebody."""
    names = [case.incident.suppressed_by for case in cases]
    return ", ".join(dict.fromkeys(names)) if all(names) else ""


def revision_of(
    marks: Iterable[Mark], identities: Iterable[IdentityStory] = (), seen: Iterable[str] = ()
) -> str:
    """What a story rests on, as a text that is another one when evidence is added, a repetition of what was there aside."""
    return digest(
        *(f"{mark.id} {mark.count} {mark.until}" for mark in marks),
        *(f"{i.entity} {i.other_uses} {sum(use.count for use in i.uses)}" for i in identities),
        *seen,
    )


def _t0(chains: Sequence[Chain], moments: Sequence[Moment]) -> int:
    """T0: the landing that the leading chain starts from; where it starts from none the latest landing before the first
    credential, else what the chain starts from, or the first moment."""
    if chains and chains[0].landing is not None:
        return chains[0].t0_ns
    staged = [m for m in moments if m.stage is not None]
    reach = next((m.time_ns for m in staged if m.stage is Stage.REACH), None)
    lands = [m.time_ns for m in staged if m.stage is Stage.LAND and (reach is None or m.time_ns <= reach)]
    if lands:
        return lands[-1]
    if chains:
        return chains[0].t0_ns
    first = staged or list(moments)
    return first[0].time_ns if first else 0


def _pods(view: PodView) -> frozenset[str]:
    """The pod by uid and by name."""
    pod = pod_of(view)
    return frozenset(name for name in (pod.uid, f"{pod.namespace}/{pod.name}" if pod.name else "") if name)


def _identities(view: PodView, cases: Sequence[Case], moments: Sequence[Moment]) -> list[Identity]:
    """The identities of the incidents, strongest state of each; without one, those that the pod's moments take."""
    found: dict[tuple[str, str], Identity] = {}
    told = [i for case in cases for i in case.incident.identities]
    if not cases:
        told = [
            identity
            for moment in moments
            if moment.stage is not None
            for o in moment.all
            if (identity := taken_by(view, o)) is not None
        ]
    for identity in told:
        known = found.get((identity.kind, identity.name))
        if known is None or STRENGTH[known.state] < STRENGTH[identity.state]:
            found[identity.kind, identity.name] = identity
    return list(found.values())


def _landed(moments: Iterable[Moment]) -> list[Artifact]:
    """What landed, in the order in which it did."""
    return list(
        dict.fromkeys(a for m in moments if m.stage is Stage.LAND for o in m.all for a in o.artifacts)
    )


def _new(told: Sequence[IdentityStory], known: Sequence[Identity]) -> list[Identity]:
    """Identities that came up in the cloud's logs alone."""
    names = {identity_entity(identity) for identity in known}
    return [Identity(i.kind, i.name, i.state, i.domain) for i in told if i.entity not in names]


def _seen(found: Sequence[Sighting]) -> list[str]:
    """Sightings as texts that do not depend on where they are written."""
    return [f"{s.artifact} {s.cluster} {s.namespace}/{s.pod} {s.uid} {s.how} {s.at}" for s in found]


def _landed_text(artifacts: Sequence[Artifact]) -> str:
    """What landed, in a few words."""
    more = f" and {len(artifacts) - 3} more" if len(artifacts) > 3 else ""
    return ", ".join(str(artifact) for artifact in artifacts[:3]) + more


def _mark(view: PodView, graph: Graph, moment: Moment, t0_ns: int) -> Mark:
    observation = moment.observation
    event = observation.event
    taken = taken_by(view, observation)
    actor, subject = graph.moment(moment) if moment.stage is not None else ("", "")
    last = max(o.time_ns for o in moment.all)
    places = dict.fromkeys(place for o in moment.all[:_PLACES] for place in evidence_in_order(view, o))
    return Mark(
        id=digest(event.event_id, moment.signal, str(observation.time_ns)),
        at=rfc3339(observation.time_ns),
        until=rfc3339(last) if last != observation.time_ns else "",
        offset_s=round((observation.time_ns - t0_ns) / 1e9, 3),
        lane=lane_of(observation),
        stage=moment.stage,
        title=moment.title,
        detail=_detail(view, observation),
        grade=Grade(grade_of(observation)),
        origin=event.origin,
        outcome=event.outcome,
        actor=actor,
        subject=subject,
        pod=pod_name(view),
        signal=moment.signal,
        techniques=techniques(moment.stage, moment.signal, taken.kind if taken is not None else ""),
        also=tuple(sorted(moment.also, key=list(Stage).index)),
        count=len(moment.all),
        evidence=tuple(places)[:_PLACES],
    )


_PLACES = 8
"""Places told of one mark: the earliest records, so that it does not depend on what files are called."""


def _detail(view: PodView, observation: Observation) -> str:
    """Who did it and to what, in one line."""
    process, destination = process_of(view, observation), destination_of(view, observation)
    if observation.action is Action.EXEC:
        return process
    return " → ".join(text for text in (process, destination) if text)


def _use_marks(
    identities: Sequence[IdentityStory], graph: Graph, marks: Sequence[Mark], pods: frozenset[str]
) -> list[Mark]:
    """Uses of taken identities that no mark tells yet."""
    told = {place for mark in marks for place in mark.evidence}
    found: list[Mark] = []
    for identity in identities:
        for use in identity.uses:
            if any(place in told for place in use.evidence):
                continue
            told.update(use.evidence)
            stage = Stage.USE if is_use(identity.kind, use, pods) else None
            target = " ".join(t for t in (use.service, use.target) if t)
            subject = (
                graph.asked(
                    identity.entity,
                    target,
                    use.at,
                    use.attribution.grade,
                    use.attribution.origin,
                    use.attribution.join_key,
                )
                if stage is not None
                else entity_id(EntityKind.RESOURCE, target)
            )
            found.append(_use_mark(identity, use, stage, subject))
    return found


def _use_mark(identity: IdentityStory, use: Use, stage: Stage | None, subject: str) -> Mark:
    where = f" from {use.source_ip}" if use.source_ip else ""
    outside = ", outside of the cluster" if use.foreign else ""
    return Mark(
        id=digest(
            identity.entity, use.at, use.service, use.operation, use.target, use.credential_id, use.source_ip
        ),
        at=use.at,
        until=use.until,
        offset_s=use.offset_s,
        lane=Lane.CONTROL_PLANE,
        stage=stage,
        title=f"{identity.kind.replace('-', ' ')} signs in"
        if use.service == "sign-in"
        else f"{identity.kind.replace('-', ' ')} is used",
        detail=f"{use.service} {use.operation} {use.target}".strip() + where + outside,
        grade=use.attribution.grade,
        origin=use.attribution.origin,
        outcome=use.outcome,
        actor=identity.entity,
        subject=subject,
        techniques=techniques(stage, "", identity.kind),
        count=use.count,
        evidence=use.evidence,
        attribution=use.attribution,
    )
