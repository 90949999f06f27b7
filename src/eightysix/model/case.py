"""What people made of an incident: the case, and what was said in it."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from eightysix.model.incident import Incident
from eightysix.model.words import Verdict

__all__ = ["SCHEMA", "Act", "Case", "CaseState", "Entry"]

SCHEMA = "eightysix/cases/v1"


class Act(StrEnum):
    """What somebody did. `REOPEN` is also what the tool does when a closed incident gets worse."""

    ACK = "ack"
    CLOSE = "close"
    NOTE = "note"
    REOPEN = "reopen"


class CaseState(StrEnum):
    """Where an incident stands with its analysts."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


class Entry(Struct, frozen=True):
    """One thing that was said; `revision` and `verdict` are what the incident was then. `at` is RFC 3339 in UTC."""

    at: str
    who: str
    what: Act
    text: str
    revision: str
    verdict: Verdict


class Case(Struct, frozen=True):
    """An incident as it is now, since when and until when it was seen, and everything that was said about it."""

    state: CaseState
    first_seen: str
    last_seen: str
    incident: Incident
    entries: tuple[Entry, ...] = ()
