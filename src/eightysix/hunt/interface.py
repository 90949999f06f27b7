"""The nouns of the hunt: a query with what a hunter must know about it, and what running it gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from eightysix.model.table import Column, Environment

__all__ = ["Analytics", "Query", "QueryKind", "Result"]


class QueryKind(StrEnum):
    """What a query is for."""

    HUNTING = "hunting"
    """A person reads the rows."""
    ANALYTICS = "analytics"
    """A schedule runs it, and a row is an alert."""


class Analytics(Struct, frozen=True, kw_only=True):
    """How an analytics rule is scheduled: minutes, and what its alerts say. See `about.yml` in docs/hunt-pack.md."""

    every: int
    over: int
    severity: str
    entities: Mapping[str, Mapping[str, str]] = {}
    """Entity kind of Sentinel -> identifier -> column."""
    late: int = 15
    """Minutes by which rows may arrive late: the query looks back `over + late`, and keeps what was ingested since it ran."""
    key: tuple[str, ...] = ()
    """Columns by which a finding is one: a rule that puts rows together tells each once, while it is in sight."""


class Query(Struct, frozen=True, kw_only=True):
    """One folder of the pack: `query.kql`, `about.yml`, `fires/*.jsonl`, `quiet/*.jsonl` (rows `{"table": ..., "row": ...}`)."""

    id: str
    title: str
    kind: QueryKind
    question: str
    text: str
    tables: tuple[str, ...]
    environments: tuple[Environment, ...]
    plan: str = ""
    """The least plan of Log Analytics that its tables must have (`hunt.plans`); empty where it is Defender's alone."""
    stages: tuple[str, ...]
    attack: tuple[str, ...]
    """MITRE ATT&CK techniques (T1552.005)."""
    matrix: tuple[str, ...]
    """Microsoft threat matrix for Kubernetes (MS-TA9028): microsoft.github.io/Threat-Matrix-for-Kubernetes."""
    volume: str
    false_positives: tuple[str, ...]
    next: tuple[str, ...]
    parameters: Mapping[str, str] = {}
    """`let` statements at the top of the text that a hunter may set: name -> what it is."""
    analytics: Analytics | None = None


class Result(Struct, frozen=True):
    """What a query gave: columns in order, rows as JSON values (`datetime` as RFC 3339 text with 7 decimals, as Kusto writes)."""

    columns: tuple[Column, ...]
    rows: Sequence[Sequence[object]]
    truncated: bool = False
