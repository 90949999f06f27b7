"""What one compromised pod can reach, as `posture` tells it: `posture/v1`."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct, field

__all__ = [
    "SCHEMA",
    "Architectural",
    "Confidence",
    "Credential",
    "Cut",
    "Edge",
    "Fix",
    "IdentityUse",
    "NotSeen",
    "Past",
    "PastBinding",
    "Path",
    "Place",
    "PodReach",
    "Posture",
    "Step",
    "Vertex",
    "VertexKind",
]

SCHEMA = "eightysix/posture/v1"


class Confidence(StrEnum):
    """How surely an edge is there: an object says so; it follows from what objects say and a documented default; or from
    a name or a default alone."""

    PROVED = "proved"
    INFERRED = "inferred"
    ASSUMED = "assumed"


class VertexKind(StrEnum):
    """What a thing in the graph is. Hubs (`NAMESPACE`, `CLUSTER`, `NODE`) stand for all that lies in them, so that edges stay
    as many as objects."""

    ARTIFACT = "artifact"
    POD = "pod"  # a workload's template, or a pod that nobody owns
    CONTAINER = "container"
    VOLUME = "volume"
    NODE = "node"
    SERVICE_ACCOUNT = "service-account"
    SUBJECT = "subject"  # a user or group
    PERMISSION_SET = "permission-set"  # one role by one binding
    ENDPOINT = "endpoint"
    NAMESPACE = "namespace"
    CLUSTER = "cluster"
    SECRET = "secret"  # noqa: S105 - a word
    CREDENTIAL = "credential"
    CLOUD_IDENTITY = "cloud-identity"
    CLOUD_ROLE = "cloud-role"
    CLOUD_RESOURCE = "cloud-resource"
    EXTERNAL = "external"  # a forge, a hub, a provider of models
    SINK = "sink"  # what an attacker wants: cluster-admin, ns-admin:NAME, node, sub-owner, acr-write...


class Vertex(Struct, frozen=True):
    """A thing. `id` is `kind:namespace/name` (hostile text: data in every output); `name` what people and KubeHound call it."""

    id: str
    kind: VertexKind
    name: str
    namespace: str = ""
    facts: dict[str, str] = field(default_factory=dict)


class Edge(Struct, frozen=True):
    """What lets whoever holds `source` hold `target`. `evidence` are an object's name and the JSON path in it; `techniques`
    are ids of ATT&CK and of the Microsoft threat matrix for Kubernetes. With `since` it was there only from then until
    `until`, and is no more."""

    type: str
    source: str
    target: str
    evidence: tuple[tuple[str, str], ...] = ()
    confidence: Confidence = Confidence.PROVED
    techniques: tuple[str, ...] = ()
    needs: str = ""
    since: str = ""
    until: str = ""


class Credential(Struct, frozen=True):
    """A credential in a pod. `domain` is one of `model.words.Domain`; `signal` says by what it is known."""

    domain: str
    name: str
    signal: str
    object: str
    path: str
    confidence: Confidence
    target: str = ""


class Step(Struct, frozen=True):
    """One edge of a path, as a sentence."""

    type: str
    source: str
    target: str
    text: str
    evidence: tuple[tuple[str, str], ...]
    confidence: Confidence


class Path(Struct, frozen=True):
    """How a pod reaches a sink. `probability` is the product of its edges' confidences (proved 1, inferred 0.8, assumed
    0.5). With `since` it did so only from then until `until`, and does no more."""

    pod: str
    sink: str
    steps: tuple[Step, ...]
    probability: float
    since: str = ""
    until: str = ""


class PodReach(Struct, frozen=True):
    """One workload's pods: `density` is how many domains they hold a credential of (0 to 4, raw, no alert by itself),
    `risk` 0 to 10."""

    id: str
    namespace: str
    name: str
    kind: str
    pods: int
    density: int
    domains: tuple[str, ...]
    credentials: tuple[Credential, ...]
    sinks: tuple[str, ...]
    risk: float
    why: tuple[str, ...]
    architectural: bool = False


class IdentityUse(Struct, frozen=True):
    """An identity and its life: `last_used` is empty where no record tells one, `since` from when records reach back.
    `reached_by` are ids of workloads whose pods reach it, those of the most pods first and not all where they are many.
    `used_by` are its last callers: `NAMESPACE/POD`, `from ADDRESS`, or who acted in its name."""

    id: str
    kind: str
    name: str
    ids: tuple[str, ...]
    last_used: str
    used_by: tuple[str, ...]
    since: str
    pods: int
    roles: tuple[str, ...]
    unused: bool | None
    reached_by: tuple[str, ...] = ()


class Fix(Struct, frozen=True):
    """What to change, and what it gains: `pods` lose `sinks` when the edges are cut."""

    order: int
    what: str
    why: str
    edges: tuple[tuple[str, str, str], ...]
    pods: int
    sinks: tuple[str, ...]
    patch: str = ""
    command: str = ""


class Architectural(Struct, frozen=True):
    """A node pool whose GPUs need privileged pods (`operands`): no fix takes that away, so it is told once. Whoever breaks into
    an operand is root on a node, and holds what that has: `identities` of its machines, the credentials of its `neighbours`
    (`pods` of them in all), and `sinks` through these. `pool` is empty where nobody tells what a node is of."""

    pool: str
    operands: tuple[str, ...]
    nodes: tuple[str, ...]
    identities: tuple[str, ...]
    neighbours: tuple[str, ...]
    pods: int
    sinks: tuple[str, ...]


class Cut(Struct, frozen=True):
    """One action that takes edges of told paths away, whatever it gains. Fixes are the few that gain the most."""

    what: str
    edges: tuple[tuple[str, str, str], ...]
    patch: str = ""
    command: str = ""


class Place(Struct, frozen=True):
    """Where an object of evidence was read: a file, and the line on which the object begins there."""

    object: str
    file: str
    line: int


class NotSeen(Struct, frozen=True, order=True):
    """What could not be looked at, and what that leaves unknown."""

    what: str
    why: str
    close: str = ""


class PastBinding(Struct, frozen=True):
    """A binding that was made and taken away again, as the audit log tells: `times` alike ones, the last from `since` until
    `until` (empty where nobody saw it go: before the objects were collected). `maker` made it."""

    object: str
    role: str
    subjects: tuple[str, ...]
    since: str
    until: str
    times: int
    maker: str
    confidence: Confidence


class Past(Struct, frozen=True):
    """What was and is no more: bindings, edges that were there because of them, and what pods reached by these alone."""

    bindings: tuple[PastBinding, ...] = ()
    edges: tuple[Edge, ...] = ()
    paths: tuple[Path, ...] = ()


class Posture(Struct, frozen=True):
    """Everything that `posture` tells."""

    cluster: str
    taken_at: str
    pods: tuple[PodReach, ...]
    identities: tuple[IdentityUse, ...]
    vertices: tuple[Vertex, ...]
    edges: tuple[Edge, ...]
    paths: tuple[Path, ...]
    fixes: tuple[Fix, ...]
    not_seen: tuple[NotSeen, ...]
    rules: str = "default"
    schema: str = SCHEMA
    architectural: tuple[Architectural, ...] = ()
    cuts: tuple[Cut, ...] = ()
    places: tuple[Place, ...] = ()
    past: Past = field(default_factory=Past)
