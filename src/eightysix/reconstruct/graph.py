"""The graph of a story: what landed, the processes, the identities and what was asked of whom."""

from __future__ import annotations

from eightysix.detect.actions import Action
from eightysix.detect.facts import grade_of
from eightysix.detect.observe import Observation
from eightysix.detect.view import PodView, distribution_name
from eightysix.detect.wording import (
    destination_of,
    evidence_of,
    pod_name,
    rfc3339,
    service_account_of,
    taken_by,
)
from eightysix.model.event import Artifact
from eightysix.model.incident import Identity
from eightysix.model.story import Entity, EntityKind, Link, LinkKind
from eightysix.model.words import Grade, Origin
from eightysix.reconstruct.moments import Moment
from eightysix.reconstruct.names import entity_id
from eightysix.reconstruct.uses import target_of

__all__ = ["MAX_ENTITIES", "Graph", "identity_entity"]

MAX_ENTITIES = 2_000
"""Things in one graph; what comes later in time is left out, and counted."""

_SECRETS = frozenset({"secret", "secret-volume"})


def identity_entity(identity: Identity) -> str:
    """The id of an identity in the graph."""
    return entity_id(
        EntityKind.SECRET if identity.kind in _SECRETS else EntityKind.IDENTITY, identity.kind, identity.name
    )


class Graph:
    """Collects entities and links; each once, links from their earliest time."""

    def __init__(self, view: PodView) -> None:
        self.view = view
        self.entities: dict[str, Entity] = {}
        self.links: dict[tuple[str, str, LinkKind], Link] = {}
        self.left_out = 0
        who = view.who
        self.pod = self._entity(
            EntityKind.POD,
            (who.pod_uid or view.key,),
            pod_name(view),
            uid=who.pod_uid,
            node=who.node,
            cluster=who.cluster,
            image=who.image,
            digest=who.image_digest,
        )
        self._account: str | None = None

    def moment(self, moment: Moment) -> tuple[str, str]:
        """Take one moment of the story; the ids of who acted and of what was acted on (empty where none is known)."""
        observation = moment.observation
        if observation.told_as == "made-pod":
            made = self._entity(EntityKind.POD, (observation.by,), observation.by)
            self._link(self.pod, made, LinkKind.MADE, observation)
            return self.pod, made
        actor = self._process(observation)
        subject = self._subject(observation, actor)
        return actor or self._caller(observation), subject

    def identity(self, identity: Identity, **facts: str) -> str:
        """An identity of the story, with what became of it."""
        kind = EntityKind.SECRET if identity.kind in _SECRETS else EntityKind.IDENTITY
        name = identity.name if kind is EntityKind.SECRET else f"{identity.kind} {identity.name}"
        key = self._entity(kind, (identity.kind, identity.name), name, **facts)
        known = self.entities.get(key)
        if known is not None:
            self.entities[key] = Entity(key, known.kind, known.name, str(identity.state), known.facts | facts)
        return key

    def call(self, key: str, name: str) -> None:
        """Give an entity the name that was found out for it."""
        known = self.entities.get(key)
        if known is not None:
            self.entities[key] = Entity(key, known.kind, name, known.state, known.facts)

    def used(self, identity: str, at: str, grade: Grade, origin: Origin) -> None:
        """That an identity was used from the pod, as far as the cloud's logs tell."""
        self._add(Link(self.pod, identity, LinkKind.USED, at, grade, origin, "address"))

    def asked(self, identity: str, name: str, at: str, grade: Grade, origin: Origin, join_key: str) -> str:
        """What an identity was used on, beyond the pod's own requests."""
        resource = self._entity(EntityKind.RESOURCE, (name,), name)
        self._add(Link(identity, resource, LinkKind.ASKED, at, grade, origin, join_key))
        return resource

    def _subject(self, observation: Observation, actor: str) -> str:
        action, event = observation.action, observation.event
        if action in (Action.INSTALL, Action.NEW_DIGEST, Action.STARTUP_FILE, Action.WRITE):
            landed = [self._package(artifact) for artifact in observation.artifacts or event.artifacts]
            if not landed and event.file_path:
                landed = [self._package(Artifact("file", event.file_path))]
            for package in landed:
                self._link(package, self.pod, LinkKind.LANDED, observation)
            return landed[0] if landed else self.pod
        if action in (Action.RUN, Action.LOAD_FILE, Action.STARTED):
            package = self._behind(observation) or (
                self._package(Artifact("file", event.file_path or event.module))
                if event.file_path or event.module
                else ""
            )
            if package and actor:
                self._link(package, actor, LinkKind.RAN, observation)
            return package
        taken = taken_by(self.view, observation)
        if taken is not None:
            key = self.identity(taken)
            self._link(actor or self._caller(observation), key, LinkKind.TOOK, observation)
            if actor:
                package = self._behind(observation)
                if package:
                    self._link(package, actor, LinkKind.RAN, observation)
            return key
        if action in (Action.API, Action.CLOUD):
            resource = self._entity(EntityKind.RESOURCE, (target_of(event),), target_of(event) or event.verb)
            self._link(self._caller(observation) or actor, resource, LinkKind.ASKED, observation)
            return resource
        if action is Action.API_CONNECT:
            account = self._service_account()
            self._link(actor or self.pod, account, LinkKind.USED, observation)
            return account
        place = destination_of(self.view, observation)
        if action is Action.CONNECT and place:
            name = observation.name or event.dst_name or event.dst_ip
            key = self._entity(EntityKind.DESTINATION, (name, str(event.dst_port)), place)
            self._link(actor or self.pod, key, LinkKind.SENT, observation)
            return key
        return ""

    def _caller(self, observation: Observation) -> str:
        """The identity that asks a control plane."""
        event = observation.event
        if observation.action is Action.API:
            name = event.identity.removeprefix("system:serviceaccount:")
            if name != event.identity:
                return self._entity(
                    EntityKind.IDENTITY,
                    ("service-account", name.replace(":", "/", 1)),
                    f"service-account {name.replace(':', '/', 1)}",
                )
            return self._entity(EntityKind.IDENTITY, ("user", event.identity), event.identity or "anonymous")
        if observation.action is Action.CLOUD and event.principals:
            return self._entity(EntityKind.IDENTITY, ("principal", event.principals[0]), event.principals[0])
        return self.pod

    def _service_account(self) -> str:
        if self._account is None:
            name = service_account_of(self.view)
            self._account = self._entity(
                EntityKind.IDENTITY, ("service-account", name), f"service-account {name}"
            )
        return self._account

    def _process(self, observation: Observation) -> str:
        actor = observation.actor
        if not actor:
            return ""
        lineage = self.view.lineage
        name = lineage.command(actor) or lineage.binary(actor) or observation.event.binary or "process"
        key = self._entity(
            EntityKind.PROCESS,
            (self.view.key, actor),
            name,
            pid=str(observation.event.pid or ""),
            binary=lineage.binary(actor) or observation.event.binary,
        )
        self._link(self.pod, key, LinkKind.RAN, observation)
        return key

    def _behind(self, observation: Observation) -> str:
        """The package whose code acted, as the sensor knows."""
        told = observation.provenance
        for entry in (told.at_import, told.root):
            entry = entry.partition("pth:")[2] or entry
            if distribution_name(entry):
                name, _, version = entry.partition("==")
                return self._package(Artifact("pypi", name, version))
        return ""

    def _package(self, artifact: Artifact) -> str:
        return self._entity(
            EntityKind.PACKAGE,
            (artifact.kind, artifact.name, artifact.version),
            str(artifact),
            type=artifact.kind,
            version=artifact.version,
        )

    def _entity(self, kind: EntityKind, names: tuple[str, ...], name: str, **facts: str) -> str:
        key = entity_id(kind, *names)
        if key not in self.entities:
            if len(self.entities) >= MAX_ENTITIES:
                self.left_out += 1
                return key
            self.entities[key] = Entity(key, kind, name, "", {k: v for k, v in facts.items() if v})
        return key

    def _link(self, source: str, target: str, kind: LinkKind, observation: Observation) -> None:
        self._add(
            Link(
                source,
                target,
                kind,
                rfc3339(observation.time_ns),
                Grade(grade_of(observation)),
                observation.event.origin,
                "exec-id" if observation.actor else "",
                evidence_of(self.view, observation),
            )
        )

    def _add(self, link: Link) -> None:
        if not link.source or not link.target or link.source == link.target:
            return
        if link.source not in self.entities or link.target not in self.entities:
            return
        key = (link.source, link.target, link.kind)
        known = self.links.get(key)
        if known is None or (link.at, link.evidence) < (known.at, known.evidence):
            self.links[key] = link

    def told(self) -> tuple[tuple[Entity, ...], tuple[Link, ...]]:
        """Everything, in an order that depends on the story alone."""
        links = tuple(sorted(self.links.values(), key=lambda x: (x.at, x.source, x.target, x.kind)))
        return tuple(sorted(self.entities.values(), key=lambda e: e.id)), links
