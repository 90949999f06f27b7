"""The story of an artifact of which no pod's story tells: where it was installed, loaded, or is the image."""

from __future__ import annotations

from collections.abc import Sequence

from eightysix.detect.digests import digest
from eightysix.model.event import Artifact
from eightysix.model.incident import PodRef
from eightysix.model.story import Entity, EntityKind, Lane, Link, LinkKind, Mark, Sighting, Story
from eightysix.model.timestamps import to_ns
from eightysix.model.words import Grade, Origin, Outcome, Stage
from eightysix.reconstruct.builder import revision_of
from eightysix.reconstruct.gaps import gaps_of
from eightysix.reconstruct.names import entity_id
from eightysix.reconstruct.read import Read
from eightysix.reconstruct.rotating import rotation
from eightysix.reconstruct.selection import Selection
from eightysix.reconstruct.sightings import sightings

__all__ = ["artifact_story"]


def artifact_story(read: Read, asked: Selection, raised: Sequence[PodRef] = ()) -> Story | None:
    """Everywhere that the artifact was seen; None where it was not. `raised` are pods that rules raised for something else."""
    wanted = sorted(
        {
            artifact
            for state in read.judged.states
            for bucket in state.buckets.values()
            for event in bucket.events
            for artifact in (*event.artifacts, Artifact("oci", event.image, event.image_digest))
            if asked.names_artifact(artifact)
        },
        key=lambda artifact: (artifact.kind, artifact.name, artifact.version),
    )
    found = tuple(
        s
        for s in sightings(read.places, wanted, exclude=(), taken=read.taken())
        if not s.at or asked.overlaps(to_ns(s.at), to_ns(s.at))
    )
    if not wanted or not found:
        return None
    times = sorted(s.at for s in found if s.at)
    t0 = times[0] if times else ""
    entities: dict[str, Entity] = {}
    links: dict[str, Link] = {}
    marks = tuple(sorted((_mark(s, t0, entities, links) for s in found), key=lambda m: (m.at, m.id)))
    pods = {(s.cluster, s.namespace, s.pod) for s in found}
    name = asked.artifact + (f"=={asked.version}" if asked.version else "")
    return Story(
        id=digest("artifact", name),
        revision=revision_of(marks),
        title=f"Where {name} is",
        asked=asked.words,
        verdict=None,
        score=0,
        incidents=(),
        pod=None,
        workload="",
        image="",
        service_account="",
        t0=t0,
        first=t0,
        last=times[-1] if times else "",
        summary=(
            f"{name} was seen in {len(pods)} pod{'s' if len(pods) != 1 else ''}; {_raised(found, raised)}.",
        ),
        marks=marks,
        entities=tuple(sorted(entities.values(), key=lambda e: e.id)),
        links=tuple(sorted(links.values(), key=lambda x: (x.at, x.source, x.target))),
        domains=(),
        identities=(),
        exposed=(),
        elsewhere=found,
        rotate=rotation(
            pod=None,
            workload="",
            service_account="",
            identities=(),
            exposed=(),
            artifacts=wanted,
            elsewhere=found,
        ),
        why=(),
        gaps=gaps_of((), read.judged.knowledge.sources, read.coverage.rules, (), full=False, also=read.gaps),
    )


def _raised(found: Sequence[Sighting], raised: Sequence[PodRef]) -> str:
    uids = {pod.uid for pod in raised if pod.uid}
    names = {(pod.cluster, pod.namespace, pod.name) for pod in raised if not pod.uid}
    many = {
        (s.cluster, s.namespace, s.pod)
        for s in found
        if s.uid in uids or (s.cluster, s.namespace, s.pod) in names
    }
    if not many:
        return "no rule raised any of them"
    return f"rules raised {len(many)} of them, for something else"


def _mark(s: Sighting, t0: str, entities: dict[str, Entity], links: dict[str, Link]) -> Mark:
    package = entity_id(EntityKind.PACKAGE, s.artifact)
    pod = entity_id(EntityKind.POD, s.uid or f"{s.namespace}/{s.pod}")
    entities.setdefault(package, Entity(package, EntityKind.PACKAGE, s.artifact))
    entities.setdefault(pod, Entity(pod, EntityKind.POD, f"{s.namespace}/{s.pod}"))
    links.setdefault(
        package + pod,
        Link(package, pod, LinkKind.LANDED, s.at, Grade.B, Origin.KERNEL, "pod-uid", s.evidence),
    )
    offset = (to_ns(s.at) - to_ns(t0)) / 1e9 if s.at and t0 else 0.0
    return Mark(
        id=digest(s.artifact, s.cluster, s.namespace, s.pod, s.uid, s.how, s.at),
        at=s.at,
        until="",
        offset_s=round(offset, 3),
        lane=Lane.PACKAGE,
        stage=Stage.LAND,
        title=f"{s.how} in {s.namespace}/{s.pod}",
        detail=s.artifact,
        grade=Grade.B,
        origin=Origin.KERNEL,
        outcome=Outcome.ALLOWED,
        actor=pod,
        subject=package,
        pod=f"{s.namespace}/{s.pod}",
        evidence=s.evidence,
    )
