"""A chain rule as a value: what the rule files are compiled to. Pure; reading YAML is the business of `eightysix.rules`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from eightysix.model.words import Basis, Grade, Stage

__all__ = [
    "Benign",
    "By",
    "Detection",
    "Facts",
    "Join",
    "Maturity",
    "Need",
    "Rule",
    "Severity",
    "Signal",
    "Step",
    "StepMode",
]


class Facts(Protocol):
    """What the engine knows of one event in its pod's context: text, number, bool, None or tuple of texts by field name.
    A plain dict is one."""

    def get(self, name: str, /) -> object:
        """The value of a field, None where it is not told."""
        ...


Possible = Mapping[str, tuple[object, ...]]
"""What is known of facts that are not there yet: by field, every value that it could have (of a field of several texts,
every text). A field that is not named could be anything."""


def _anything(_: Possible) -> bool:
    return True


class Maturity(StrEnum):
    """How much a rule has seen of the world."""

    EXPERIMENTAL = "experimental"
    TEST = "test"
    STABLE = "stable"


class Severity(StrEnum):
    """How bad it is when the rule is right."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class By(StrEnum):
    """What a chain of this rule is kept by."""

    POD = "pod"
    WORKLOAD = "workload"


class Join(StrEnum):
    """What a step must share with the steps before it.

    `pod`: nothing more than the pod. `process`: the process of the step before, or a descendant of it.
    `lineage`: descends from what landed. `token`: the same token id. `window`: time alone, within the rule's `within`.
    """

    POD = "pod"
    PROCESS = "process"
    LINEAGE = "lineage"
    TOKEN = "token"  # noqa: S105 - the name of a join, no secret
    WINDOW = "window"


class StepMode(StrEnum):
    """How many of a step's signals must be there."""

    ANY = "any"
    ALL = "all"
    ABSENT = "absent"


class Need(StrEnum):
    """Telemetry or context that a rule names as needed; `connections` is there when any source brought one."""

    CONNECTIONS = "connections"
    FILES = "files"
    PROCESSES = "processes"
    PROVENANCE = "provenance"
    API_AUDIT = "api-audit"
    CLOUD_LOGS = "cloud-logs"
    BASELINE = "baseline"
    GATE = "gate"


class Detection(Struct, frozen=True):
    """A compiled Sigma `detection`: `matches` decides; `actions` are the values of `action` that it can match
    at all (empty: any), by which the engine finds the few rules worth asking; `source` is the text for `rules show`;
    `could_match` is False only when no facts with the given possible values can match.
    """

    matches: Callable[[Facts], bool]
    actions: frozenset[str]
    source: str
    could_match: Callable[[Possible], bool] = _anything


class Signal(Struct, frozen=True):
    """One kind of evidence that a rule counts. `title` is what a person reads in the timeline and beside the points."""

    name: str
    stage: Stage
    detection: Detection
    title: str
    grade_min: Grade = Grade.E
    points: int = 0
    basis: Basis = Basis.JUDGED


class Step(Struct, frozen=True):
    """One link of the chain: `any`, `all` or `absent` of the named signals, joined to the links before it."""

    mode: StepMode
    names: tuple[str, ...]
    join: Join = Join.POD


class Benign(Struct, frozen=True):
    """Context that makes the chain less alarming: `points` is negative; counts only when told by evidence that the pod
    cannot write (`origin` other than `suspect`)."""

    detection: Detection
    points: int
    why: str


class Rule(Struct, frozen=True):
    """One chain rule. `needs` are alternatives joined by `|` (`connections|provenance`), all of the list are needed.

    `within_s` bounds only joins by `window`; `suspect_at` and `contain_at` are sums of points, `contain_at` None means
    that this rule alone never contains. One that `contributes` has no chain of its own: see `contribute`.
    """

    id: str
    title: str
    maturity: Maturity
    severity: Severity
    attack: tuple[str, ...]
    what: str
    why: str
    blind_spots: str
    respond: tuple[str, ...]
    needs: tuple[tuple[Need, ...], ...]
    by: By
    within_s: float
    signals: Mapping[str, Signal]
    chain: tuple[Step, ...]
    suspect_at: int
    contain_at: int | None
    benign: tuple[Benign, ...] = ()
    origin: str = ""
    contributes: bool = False
