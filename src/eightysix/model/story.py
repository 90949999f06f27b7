"""The whole story of a breach, as `reconstruct` tells it: `reconstruction/v1`.

One `Story` for each origin pod (or for each identity or artifact that was asked for and that no pod can be joined to).
Its parts point to each other by `Entity.id`, so that every format draws the same things: marks on lanes by time, a graph
of entities and links, identities with what became of them.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import UNSET, Struct, UnsetType, field

from eightysix.model.attribution import Attribution
from eightysix.model.incident import Counts, Coverage, Evidence, PodRef, Reason
from eightysix.model.reach import Reach
from eightysix.model.words import Grade, IdentityState, Origin, Outcome, Stage, Verdict

__all__ = [
    "SCHEMA",
    "Entity",
    "EntityKind",
    "Gap",
    "IdentityStory",
    "Lane",
    "Link",
    "LinkKind",
    "Mark",
    "Reconstruction",
    "Record",
    "Revocation",
    "Rotation",
    "Sighting",
    "Story",
    "Use",
]

SCHEMA = "eightysix/reconstruction/v1"


class Lane(StrEnum):
    """Who acts: what landed, a process (with its connections), an identity, or a control plane that was asked."""

    PACKAGE = "package"
    PROCESS = "process"
    IDENTITY = "identity"
    CONTROL_PLANE = "control-plane"


class EntityKind(StrEnum):
    """What a thing in the graph is."""

    POD = "pod"
    PROCESS = "process"
    PACKAGE = "package"  # also a model, a file, a new image: what landed
    IDENTITY = "identity"
    SECRET = "secret"  # noqa: S105  (a word, no secret)
    RESOURCE = "resource"  # what a control plane was asked about
    DESTINATION = "destination"


class LinkKind(StrEnum):
    """What one thing did to another, read from source to target."""

    LANDED = "landed"  # package -> pod
    RAN = "ran"  # package -> process, or pod -> process
    TOOK = "took"  # process -> identity or secret
    USED = "used"  # process or pod -> identity
    ASKED = "asked"  # identity -> resource
    SENT = "sent"  # process -> destination
    MADE = "made"  # identity or pod -> pod (or token) that it made


class Entity(Struct, frozen=True):
    """A thing of the story. `id` is `kind:` and a digest or a name, the same for the same input; `name` is as telemetry has it
    (hostile: data in every output); `facts` are further words about it (`version`, `namespace`, `client id`...)."""

    id: str
    kind: EntityKind
    name: str
    state: str = ""
    facts: dict[str, str] = field(default_factory=dict)


class Link(Struct, frozen=True):
    """What one entity did to another, first at `at` (RFC 3339). `join_key` are the fields that joined the two."""

    source: str
    target: str
    kind: LinkKind
    at: str
    grade: Grade
    origin: Origin
    join_key: str = ""
    evidence: tuple[Evidence, ...] = ()


class Mark(Struct, frozen=True):
    """One thing that happened. `stage` is None for what surrounds the chain and is no part of it; `count` is how many
    records it stands for, from `at` to `until` (empty where it is one moment). `actor` and `subject` are entity ids;
    `techniques` are ids of ATT&CK (`context.techniques`); `also` are stages that further chains see in the same act."""

    id: str
    at: str
    until: str
    offset_s: float
    lane: Lane
    stage: Stage | None
    title: str
    detail: str
    grade: Grade
    origin: Origin
    outcome: Outcome
    actor: str = ""
    subject: str = ""
    pod: str = ""
    signal: str = ""
    count: int = 1
    evidence: tuple[Evidence, ...] = ()
    attribution: Attribution | None = None
    techniques: tuple[str, ...] = ()
    also: tuple[Stage, ...] = ()


class Use(Struct, frozen=True):
    """One use of an identity at a control plane. `service` is `kubernetes`, `sign-in`, `activity`, `storage`,
    `key-vault` or `registry`; `after` whether it was after the identity was taken; `foreign` whether its address is
    none that the cluster's pods have (None: not known)."""

    at: str
    offset_s: float
    service: str
    operation: str
    target: str
    source_ip: str
    user_agent: str
    outcome: Outcome
    after: bool
    foreign: bool | None
    credential_id: str
    attribution: Attribution
    evidence: tuple[Evidence, ...] = ()
    count: int = 1
    until: str = ""


class Revocation(Struct, frozen=True):
    """Whether tokens that were issued can still be taken back. `possible` is None where nobody can say; `until` is when
    the last of them runs out at the latest (RFC 3339, empty where not known); `source` is the documentation."""

    possible: bool | None
    how: str
    until: str
    source: str


class IdentityStory(Struct, frozen=True):
    """An identity of the story and what became of it. `ids` are its client, object and principal ids, token ids not among
    them; `entity` is its id in the graph; `taken_at` is empty where it was only exposed."""

    entity: str
    kind: str
    name: str
    ids: tuple[str, ...]
    domain: str
    state: IdentityState
    taken_at: str
    taken_by: str
    grade: Grade
    origin: Origin
    uses: tuple[Use, ...]
    other_uses: int
    revocation: Revocation
    why: str = ""


class Sighting(Struct, frozen=True):
    """The same artifact somewhere else. `how` is `installed`, `image`, `loaded` or `scanned`; `same` whether version or
    digest are the same (None: not told)."""

    artifact: str
    cluster: str
    node: str
    namespace: str
    pod: str
    uid: str
    how: str
    at: str
    same: bool | None
    identity_taken: bool
    evidence: tuple[Evidence, ...] = ()


class Rotation(Struct, frozen=True):
    """One thing to do, in this order. `commands` are lines for a shell, inert: whatever of them comes from telemetry is
    quoted; `for_entity` is the entity that it is about."""

    order: int
    what: str
    why: str
    commands: tuple[str, ...] = ()
    for_entity: str = ""


class Gap(Struct, frozen=True, order=True):
    """A part that nobody could see. `stage` is empty where it is about all of them; `close` is what to switch on."""

    stage: str
    text: str
    close: str = ""


class Record(Struct, frozen=True, order=True):
    """A raw record that evidence points to, credentials replaced by fingerprints; `cut` bytes were left out at its end."""

    evidence: Evidence
    text: str
    cut: int = 0


class Story(Struct, frozen=True):
    """One story. `verdict` is None where no rule raised it and somebody asked; `asked` is the question in words; `suppressed_by`
    is the exception that covers all of its incidents, empty where any of them raises somebody; `reach` is there where a posture
    was given and knows the pod."""

    id: str
    revision: str
    title: str
    asked: str
    verdict: Verdict | None
    score: int
    incidents: tuple[str, ...]
    pod: PodRef | None
    workload: str
    image: str
    service_account: str
    t0: str
    first: str
    last: str
    summary: tuple[str, ...]
    marks: tuple[Mark, ...]
    entities: tuple[Entity, ...]
    links: tuple[Link, ...]
    domains: tuple[str, ...]
    identities: tuple[IdentityStory, ...]
    exposed: tuple[IdentityStory, ...]
    elsewhere: tuple[Sighting, ...]
    rotate: tuple[Rotation, ...]
    why: tuple[Reason, ...]
    gaps: tuple[Gap, ...]
    records: tuple[Record, ...] = ()
    left_out: int = 0
    suppressed_by: str = ""
    reach: Reach | UnsetType = UNSET


class Reconstruction(Struct, frozen=True):
    """Everything that `reconstruct` tells."""

    stories: tuple[Story, ...]
    coverage: Coverage
    counts: Counts
    schema: str = SCHEMA
