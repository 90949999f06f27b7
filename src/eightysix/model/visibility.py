"""What can be seen of a cluster, by whom, and what closes each gap: `coverage/v1`, as `eightysix coverage` writes it.

Two things are kept apart everywhere: what a source can see by its nature and settings, and what arrived. Nothing is
called seen that no record showed.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct, field

from eightysix.model.incident import Counts, Problem, RuleCoverage
from eightysix.model.words import Grade, Stage

__all__ = [
    "SCHEMA",
    "Cell",
    "Certainty",
    "ClusterSight",
    "Feed",
    "Fix",
    "Gap",
    "Importance",
    "Lateness",
    "Sight",
    "Silence",
    "Visibility",
    "Witness",
]

SCHEMA = "eightysix/coverage/v1"


class Witness(StrEnum):
    """Who tells: the kernel of a node, the sensor inside a process, the audit log of an API server, the cloud's own
    logs, a resolver of names. `LEDGER` is what scans wrote."""

    KERNEL = "kernel"
    SENSOR = "sensor"
    AUDIT = "audit"
    PROVIDER = "provider"
    NAMES = "names"
    LEDGER = "ledger"


class Sight(StrEnum):
    """What a witness sees of a stage here. `WHOLE`: it arrives, and records show what the stage needs; `PART`: of some
    nodes, pods, or acts only; `BLIND`: it arrives and nothing of it shows this stage; `ABSENT`: it could, and nothing of
    it arrives; `NEVER`: it cannot, whatever is switched on."""

    WHOLE = "whole"
    PART = "part"
    BLIND = "blind"
    ABSENT = "absent"
    NEVER = "never"


class Certainty(StrEnum):
    """What is known of a gap. `SHOWN`: records show it; `ABSENT`: nothing of it arrived, so it is off, broken, or was not
    given here; `OPEN`: it looks the same whether nothing happened or nothing was told."""

    SHOWN = "shown"
    ABSENT = "absent"
    OPEN = "open"


class Importance(StrEnum):
    """How much a gap takes away: a stage or rule altogether, a part of what could be seen, or certainty alone."""

    BLIND = "blind"
    PART = "part"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """Order of importance, most important first."""
        return _RANK[self]


_RANK: dict[str, int] = {"blind": 0, "part": 1, "note": 2}


class Lateness(Struct, frozen=True):
    """How long after its event a record was there; each number of seconds is an upper bound, None beyond a day.
    `between` names the two times that the records carry; `early` counts those whose clocks disagree."""

    between: str
    records: int
    median_s: float | None
    p95_s: float | None
    worst_s: float
    early: int


class Silence(Struct, frozen=True):
    """Nothing came from `start` to `end` (RFC 3339), much longer than `usual_s`, the time that 95 of 100 pauses end in.
    `meanwhile` is who told of the same place in that time, and `told` how many records: then it was not quiet there."""

    start: str
    end: str
    seconds: float
    usual_s: float
    meanwhile: str = ""
    told: int = 0


class Feed(Struct, frozen=True):
    """One log of one place. `of` is how many records could have named a pod, `unattributed` how many of them did not;
    `duplicates` came twice and are not in `records`; `rhythm` is whether it came often enough to tell a silence."""

    name: str
    witness: Witness
    cluster: str
    node: str
    records: int
    duplicates: int
    kinds: dict[str, int]
    first: str
    last: str
    per_minute: float
    rhythm: bool
    lateness: Lateness | None = None
    silences: tuple[Silence, ...] = ()
    lost: dict[str, int] = field(default_factory=dict)
    unattributed: int = 0
    of: int = 0


class Cell(Struct, frozen=True):
    """What one witness sees of one stage. `seen` of `nodes` places (nodes for the kernel, pods with Python for the sensor,
    logs for the provider) show it; `grade` is the best that its evidence can have; `why` says what is missing."""

    stage: Stage
    witness: Witness
    sight: Sight
    grade: Grade | None
    seen: int
    nodes: int
    why: str = ""


class ClusterSight(Struct, frozen=True):
    """One cluster: who sees what of which stage. `name` is empty where no record says."""

    name: str
    nodes: tuple[str, ...]
    pods: int
    python_pods: int
    sensor_pods: int
    first: str
    last: str
    cells: tuple[Cell, ...]
    feeds: tuple[Feed, ...]


class Fix(Struct, frozen=True):
    """The one thing that closes a gap: `file` is in this repository's `deploy/` (empty where none is needed), `commands`
    are lines for a shell, one after another, and `instead` what does the same without the file. No text of telemetry is in
    them but names that Kubernetes allows; variables stand for what is not known."""

    what: str
    file: str = ""
    commands: tuple[str, ...] = ()
    instead: tuple[str, ...] = ()


class Gap(Struct, frozen=True):
    """One thing that nobody sees here, or not surely. `places` are nodes, pods or logs; `rules` are those that cannot be
    judged for it; `stages` are those that it takes from."""

    id: str
    importance: Importance
    certainty: Certainty
    cluster: str
    title: str
    detail: str
    stages: tuple[Stage, ...]
    fix: Fix
    places: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()


class Visibility(Struct, frozen=True):
    """Everything that `coverage` tells. `cloud` are logs of the provider, most of them of no single cluster."""

    clusters: tuple[ClusterSight, ...]
    cloud: tuple[Feed, ...]
    gaps: tuple[Gap, ...]
    rules: tuple[RuleCoverage, ...]
    counts: Counts
    baseline: bool
    ledger: bool
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    schema: str = SCHEMA
