"""What lay within reach of the code that landed, and was not seen to be taken: credentials in the environment of its
processes, files that others in the pod read, the token that every pod has, and the node's other pods where the chain
left its own.

Not seen is not untouched. Each says whether the telemetry would have shown a read; where it would not, it may have been read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from eightysix.context.credentials import credential_at, normalise_path, variable_domain
from eightysix.context.kubelet import volume_at
from eightysix.detect.actions import Action
from eightysix.detect.blast import other_volume
from eightysix.detect.descent import at_import_of, lineage_of, root_of
from eightysix.detect.facts import grade_of, rule_action
from eightysix.detect.loads import loads_of
from eightysix.detect.observe import Observation
from eightysix.detect.taint import taint_root
from eightysix.detect.view import PodView
from eightysix.detect.wording import pod_name, service_account_of, taken_by
from eightysix.model.event import Event
from eightysix.model.incident import Identity
from eightysix.model.story import IdentityStory
from eightysix.model.words import Domain, Grade, IdentityState, Kind, Origin, Source
from eightysix.reconstruct.graph import identity_entity
from eightysix.reconstruct.revoking import revocation

__all__ = ["MAX_EXPOSED", "exposures"]

MAX_EXPOSED: Final = 64
"""Exposed credentials that are told, by kind and name."""

_ENTRIES: Final = frozenset({"host-entry", "made-host-entry"})
_LANDED: Final = frozenset(
    {"installer", "landed-file", "landed-package", "fresh-code", "startup-hook", "load"}
)

_ENVIRONMENT_ACTED: Final = (
    "It lies in the environment of a process that ran what landed. A process reads its own environment without a trace, so"
    " it may have been read."
)
_ENVIRONMENT_NEAR: Final = (
    "It lies in the environment of a process of this pod; {who} ran in the same container, and can have started or"
    " read that process (/proc). It may have been read."
)
_LANDED_CODE: Final = "what landed"
_TAKER: Final = "the code that took a credential"
"""Whom the credentials were exposed to, where nobody saw anything land."""

_MOUNTED: Final = "Every pod has one mounted unless that is switched off, and no record tells that it was."


def exposures(view: PodView, taken: Collection[str]) -> tuple[IdentityStory, ...]:
    """What was only exposed in the pod of `view`. `taken` are the names of identities that the story tells as taken or
    used; a path stands for its file however it is written. Where nothing landed and nothing was taken, nobody was there to
    expose a pod's credentials to."""
    known = {normalise_path(name) for name in taken} | set(taken)
    acting = {o.actor for o in view.observations if _acts(view, o)}
    stories = [*_nodes(view)]
    if view.landings or acting or taken:
        who = _LANDED_CODE if view.landings or acting else _TAKER
        stories += [
            *_environment(view, who, acting),
            *_files(view, who),
            *_token(view, who),
            *_metadata(view, who),
        ]
    found: dict[tuple[str, str], IdentityStory] = {}
    for story in stories:
        if story.name not in known:
            found.setdefault((story.kind, story.name), story)
    ordered = sorted(found.values(), key=lambda story: (story.kind != "node", story.kind, story.name))
    return tuple(ordered[:MAX_EXPOSED])


def _story(kind: str, name: str, why: str, grade: str, origin: Origin, domain: str = "") -> IdentityStory:
    return IdentityStory(
        entity=identity_entity(Identity(kind, name, IdentityState.EXPOSED)),
        kind=kind,
        name=name,
        ids=(),
        domain=domain,
        state=IdentityState.EXPOSED,
        taken_at="",
        taken_by="",
        grade=Grade(grade),
        origin=origin,
        uses=(),
        other_uses=0,
        revocation=revocation(kind, taken_at=""),
        why=why,
    )


def _acts(view: PodView, observation: Observation) -> bool:
    """Whether what landed acts: by the call chain, by how the process came to be, or inside of a load."""
    if root_of(view, observation) == "fresh" or at_import_of(view, observation).startswith("fresh"):
        return True
    if loads_of(view).of(observation) in ("unpickle", "remote-code", "revive"):
        return True
    actor = observation.actor
    return bool(actor) and (
        bool(taint_root(view, actor)) or not _LANDED.isdisjoint(lineage_of(view, observation))
    )


def _environment(view: PodView, who: str, acting: Collection[str]) -> Iterator[IdentityStory]:
    """Credentials in environments, those of processes that ran what landed first."""
    near: list[IdentityStory] = []
    for observation in view.observations:
        mine = bool(observation.actor) and observation.actor in acting
        for event in observation.evidence:
            for name in event.exposes:
                domain = variable_domain(name)
                why = _ENVIRONMENT_ACTED if mine else _ENVIRONMENT_NEAR.format(who=who)
                story = _story("environment", name, why, event.grade, event.origin, str(domain or ""))
                if mine:
                    yield story
                else:
                    near.append(story)
    yield from near


def _files(view: PodView, who: str) -> Iterator[IdentityStory]:
    """Files with credentials that were read in this pod by others than what landed: they are there, so it could read
    them too."""
    seen = _shows_reads(view, who)
    for observation in view.observations:
        event = observation.event
        if observation.action is not Action.CREDENTIAL or event.kind is not Kind.FILE or observation.denied:
            continue
        identity = taken_by(view, observation)
        if identity is None or other_volume(view, observation) is not None:
            continue
        credential = credential_at(event.file_path)
        reader = event.command or event.binary or "a process of the pod"
        name = identity.name if identity.kind == "service-account" else normalise_path(identity.name)
        why = f"{reader} reads it, so it lies in this pod" + (
            f" ({credential.identity})." if credential is not None else "."
        )
        yield _story(
            identity.kind, name, f"{why} {seen}", grade_of(observation), event.origin, identity.domain
        )


def _shows_reads(view: PodView, who: str) -> str:
    """Whether a read by what landed would have been seen."""
    every = [event for o in view.observations for event in o.evidence]
    if any(e.kind is Kind.FILE and e.origin is Origin.KERNEL for e in every):
        return (
            f"The kernel's agent tells of files that are opened in this pod, and of no read by {who}; one through a process"
            " that had it open already would not be seen."
        )
    if any(e.source is Source.SENSOR for e in every):
        return (
            "Only the sensor inside of Python would have told of a read, and other programs and native code pass it by:"
            " it may have been read."
        )
    return "No source here tells of files that are opened: it may have been read."


def _token(view: PodView, who: str) -> Iterator[IdentityStory]:
    """The service account token that lies in every pod."""
    if not (view.who.pod or view.who.pod_uid):
        return
    yield _story(
        "service-account",
        service_account_of(view),
        f"{_MOUNTED} {_shows_reads(view, who)}",
        Grade.D,
        view.who.origin,
        str(Domain.CLUSTER),
    )


def _metadata(view: PodView, who: str) -> Iterator[IdentityStory]:
    """The identity that the metadata service gives, where somebody in the pod got one there."""
    for observation in view.observations:
        event = observation.event
        if observation.action is not Action.CREDENTIAL or event.kind is Kind.FILE or observation.denied:
            continue
        if observation.domain is Domain.CLOUD:
            yield _story(
                "managed-identity",
                f"of {pod_name(view)} by metadata service",
                f"Other code of this pod gets it from the metadata service, which asks for no secret: {who} could, too. "
                + _shows_connections(view.observations, who),
                grade_of(observation),
                event.origin,
                str(Domain.CLOUD),
            )
            return


def _shows_connections(observations: Iterable[Observation], who: str) -> str:
    every: list[Event] = [event for o in observations for event in o.evidence]
    if any(e.kind is Kind.CONNECT and e.origin is Origin.KERNEL for e in every):
        return (
            f"The kernel's agent tells of connections in this pod, and of none to it by {who}; one through a connection of"
            " other code in the same process would not be told apart."
        )
    return "No source here tells of all connections: it may have been taken."


def _nodes(view: PodView) -> Iterator[IdentityStory]:
    """The nodes whose pods are exposed, because the chain left its own."""
    for observation in (*view.observations, *view.made):
        event = observation.event
        entered = rule_action(view, observation) in _ENTRIES and not observation.denied
        if not entered and other_volume(view, observation) is None:
            continue
        volume = volume_at(event.file_path) if event.file_path else None
        how = (
            "read another pod's volume in the kubelet's folder" if volume is not None else "entered the node"
        )
        where = event.node or "(not named)"
        yield _story(
            "node",
            f"every pod on {where}",
            f"A process of this pod {how}. Who is there reads the tokens and secrets of every pod on the node; only reads from"
            " this pod's own processes are told, so any of them may have been read.",
            grade_of(observation),
            event.origin,
        )
