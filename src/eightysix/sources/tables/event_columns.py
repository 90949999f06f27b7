"""Events as rows, many at once: the columns of `events.event_row` and `events.process_row`, value for value.

A dictionary a row costs 6 µs and what a store makes of it another 5; columns cost 2 together (bench/tabulate.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter

from eightysix.model.event import Event
from eightysix.model.table import Columns
from eightysix.model.words import Access, Outcome
from eightysix.sources.tables.events import (
    EVENTS,
    LISTS,
    PLAIN,
    PROCESS,
    PROCESS_CREATED,
    PROCESSES,
    TEXTS,
    artifact_cell,
    distribution_cell,
    workload_cell,
)

__all__ = ["event_columns", "process_columns"]

_Values = Sequence[object]


def _plain(values: _Values) -> _Values:
    return [PLAIN[value] for value in values]  # type: ignore[index]


def _plain_but(nothing: object) -> Callable[[_Values], _Values]:
    return lambda values: [None if value is nothing else PLAIN[value] for value in values]  # type: ignore[index]


def _as_it_is(values: _Values) -> _Values:
    return values


def _said(values: _Values) -> _Values:
    """Empty text and 0 mean that the record does not say."""
    return values if all(values) else [value or None for value in values]


def _listed(cell: Callable[..., object]) -> Callable[[_Values], _Values]:
    return lambda values: [[cell(one) for one in value] if value else None for value in values]  # type: ignore[attr-defined]


_SPECIAL: Mapping[str, tuple[str, Callable[[_Values], _Values]]] = {
    "TimeGenerated": ("time_ns", _as_it_is),
    "EventSource": ("source", _plain),
    "Origin": ("origin", _plain),
    "Grade": ("grade", _plain),
    "Kind": ("kind", _plain),
    "UserId": ("uid", lambda values: [None if value < 0 else value for value in values]),  # type: ignore[operator]
    "InInitTree": ("entrypoint", _as_it_is),
    "ExecProbe": ("exec_probe", _said),
    "FileAccess": ("access", _plain_but(Access.UNKNOWN)),
    "CredentialDomain": ("domain", _plain_but(None)),
    "Outcome": ("outcome", _plain_but(Outcome.UNKNOWN)),
    "Artifacts": ("artifacts", _listed(artifact_cell)),
    "Distributions": ("dists", _listed(distribution_cell)),
}
_ALL: Mapping[str, tuple[str, Callable[[_Values], _Values]]] = {
    **{column: (field, _said) for column, field in TEXTS.items()},
    **_SPECIAL,
    **{column: (field, _listed(lambda one: one)) for column, field in LISTS.items()},
}
_events = attrgetter(*(field for field, _ in _ALL.values()))
_process = attrgetter(*PROCESS.values())


def event_columns(events: Sequence[Event]) -> Columns:
    """The rows of `EightySixEvents_CL` for some events."""
    told = zip(_ALL.items(), zip(*map(_events, events), strict=True), strict=True)
    values = {column: make(found) for (column, (_, make)), found in told if column in _SPECIAL or any(found)}
    return Columns(EVENTS, len(events), _without_empty(values))


def process_columns(starts: Sequence[tuple[Event, str]]) -> Columns:
    """The rows of `CloudProcessEvents` for some starts, each with the pid of who started it."""
    events = [event for event, _ in starts]
    told = zip(PROCESS, zip(*map(_process, events), strict=True), strict=True)
    values: dict[str, _Values] = {column: _said(found) for column, found in told if any(found)}
    parents = [parent or None for _, parent in starts]
    names = [event.binary.rpartition("/")[2] or None for event in events]
    values["TimeGenerated"] = values["Timestamp"] = [event.time_ns for event in events]
    values["ActionType"] = [PROCESS_CREATED] * len(events)
    values["FileName"] = values["ProcessName"] = names
    values["ParentProcessName"] = [event.parent_binary.rpartition("/")[2] or None for event in events]
    values["ParentProcessId"] = values["InitiatingProcessId"] = parents
    values["KubernetesResource"] = [workload_cell(event) if event.workload else None for event in events]
    return Columns(PROCESSES, len(events), _without_empty(values))


def _without_empty(values: Mapping[str, _Values]) -> Mapping[str, _Values]:
    return {name: told for name, told in values.items() if told.count(None) < len(told)}
