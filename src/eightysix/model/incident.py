"""A chain that reached a verdict, as `incidents/v1` writes it."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType, field

from eightysix.model.reach import Reach
from eightysix.model.words import Basis, Grade, IdentityState, Origin, Stage, Verdict

__all__ = [
    "SCHEMA",
    "Counts",
    "Coverage",
    "Evidence",
    "Identity",
    "Incident",
    "PodRef",
    "Problem",
    "Reason",
    "Report",
    "RuleCoverage",
    "SourceCoverage",
    "StageEntry",
]

SCHEMA = "eightysix/incidents/v1"


class Evidence(Struct, frozen=True, order=True):
    """Pointer to a raw record: `line` counts from 1 in the decompressed text of `file`."""

    source: str
    file: str
    line: int


class PodRef(Struct, frozen=True):
    """Who the chain belongs to; empty text where no record said."""

    cluster: str
    node: str
    namespace: str
    name: str
    uid: str


class StageEntry(Struct, frozen=True):
    """One line of the story. `at` is RFC 3339 with microseconds; `offset_s` is seconds since T0."""

    stage: Stage
    at: str
    offset_s: float
    title: str
    grade: Grade
    origin: Origin
    evidence: tuple[Evidence, ...]
    signal: str = ""
    process: str = ""
    destination: str = ""
    identity: str = ""


class Identity(Struct, frozen=True):
    """A credential's owner and what became of it. `kind` is `managed-identity`, `service-account`, `secret`, `environment`, or
    the kind of file that held it (`context.credentials`)."""

    kind: str
    name: str
    state: IdentityState
    domain: str = ""


class Reason(Struct, frozen=True):
    """One contribution to the score, in plain words; `points` may be negative (benign context) or 0 (explains)."""

    points: int
    text: str
    basis: Basis


class Incident(Struct, frozen=True):
    """One verdict about one pod (or one rollout, then `pod` is None). `reach` is there where a posture was given and knows the
    pod; nothing is judged by it."""

    id: str
    revision: str
    aliases: tuple[str, ...]
    rule: str
    title: str
    verdict: Verdict
    score: int
    pod: PodRef | None
    workload: str
    image: str
    t0: str
    stages: tuple[StageEntry, ...]
    identities: tuple[Identity, ...]
    why: tuple[Reason, ...]
    gaps: tuple[str, ...]
    next_steps: tuple[str, ...]
    suppressed_by: str = ""
    reach: Reach | UnsetType = UNSET


class Problem(Struct, frozen=True, order=True):
    """Something in the input that could not be used. `kind` is `malformed`, `oversized`, `unrecognised` or `unreadable`."""

    file: str
    line: int
    kind: str
    reason: str


class Counts(Struct):
    """What was read. `events` are records that a source understood; `duplicate` are events seen before."""

    records: int = 0
    events: int = 0
    malformed: int = 0
    oversized: int = 0
    unrecognised: int = 0
    duplicate: int = 0


class SourceCoverage(Struct, frozen=True):
    """What one source brought: `kinds` counts events by kind, `first` and `last` are RFC 3339."""

    source: str
    records: int
    kinds: dict[str, int]
    first: str
    last: str


class RuleCoverage(Struct, frozen=True):
    """Whether a rule could be judged at all; `missing` names the telemetry and `switch_on` what to do."""

    rule: str
    evaluable: bool
    missing: tuple[str, ...] = ()
    switch_on: tuple[str, ...] = ()


class Coverage(Struct, frozen=True):
    """What could be seen and what could not."""

    sources: tuple[SourceCoverage, ...] = ()
    rules: tuple[RuleCoverage, ...] = ()
    unattributed: int = 0
    flooded: tuple[str, ...] = ()
    late: int = 0
    suppressed: tuple[str, ...] = ()
    baseline: str = "none"
    problems: tuple[Problem, ...] = ()


class Report(Struct, frozen=True):
    """Everything that `detect` found: the whole of `incidents/v1`."""

    incidents: tuple[Incident, ...]
    coverage: Coverage
    counts: Counts
    activity: dict[str, int] = field(default_factory=dict)
    schema: str = SCHEMA
