"""Events out of a store, for who tells the story of one pod: its own rows, those of the identities that it has, of what it
made, and of the seconds in which an identity was handed out.

A store keeps events as rows of `EightySixEvents_CL`, and what control planes and clouds wrote in tables of their own. The
latter are given to the readers that read their exports, so that a row means what it means in a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from eightysix.detect.wording import rfc3339
from eightysix.model.event import Event
from eightysix.model.words import Origin
from eightysix.sources.lines import Block
from eightysix.sources.tables.events import event_of
from eightysix.store.columns import quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["CLOUD", "EVENTS", "MAX_ROWS", "Where", "blocks_of", "events_of", "facts_of"]

EVENTS: Final = "EightySixEvents_CL"

CLOUD: Final = (
    "AADManagedIdentitySignInLogs",
    "AADServicePrincipalSignInLogs",
    "AzureActivity",
    "AZKVAuditLogs",
    "StorageBlobLogs",
    "ContainerRegistryLoginEvents",
    "ContainerRegistryRepositoryEvents",
)
"""Tables that tell what identities of the cloud did."""

MAX_ROWS: Final = 2_000_000
"""Rows that are taken out of one table for one story."""

_BATCH: Final = 8_192

Where = tuple[str, Sequence[object]]
"""A condition of SQL and the values of its `?`."""


def events_of(
    connection: DuckDBPyConnection, where: Where, note: Callable[[str], None]
) -> Iterator[list[Event]]:
    """Events of `EightySixEvents_CL`, by time. Rows that no event could have made are told to `note` and left out."""
    condition, values = where
    times = ", ".join(f"epoch_ns({quoted(name)}) AS {quoted(name)}" for name in _times(connection, EVENTS))
    cursor = connection.execute(
        f"SELECT * REPLACE ({times}) FROM {quoted(EVENTS)}"  # noqa: S608
        f" WHERE {condition} ORDER BY TimeGenerated, EventId LIMIT {MAX_ROWS}",
        list(values),
    )
    names = [column[0] for column in cursor.description or ()]
    while rows := cursor.fetchmany(_BATCH):
        events = []
        for cells in rows:
            row = {name: value for name, value in zip(names, cells, strict=True) if value is not None}
            try:
                events.append(event_of(row))
            except (ValueError, TypeError, RecursionError) as error:
                note(f"{EVENTS}: {error}")
        yield events


def facts_of(
    events: Iterable[Event],
) -> Iterator[tuple[str, str, tuple[str, int, str, str, str, bool | None]]]:
    """Process facts (pod uid, exec id, fact) as the readers of exports keep them in the engine's trees: what the kernel tells.
    A process that the pod's own code tells of is no place in a tree."""
    for event in events:
        if event.origin is Origin.KERNEL and event.exec_id and event.pod_uid and event.binary:
            fact = (
                event.parent_exec_id,
                event.pid,
                _time(event.process_started_ns),
                event.binary,
                event.container_id[:_PREFIX],
                event.entrypoint,
            )
            yield event.pod_uid, event.exec_id, fact


def blocks_of(connection: DuckDBPyConnection, table: str, where: Where) -> Iterator[Block]:
    """Rows of another table as the lines of an export, by time: `Type` names the table, times are RFC 3339."""
    condition, values = where
    replaced = ", ".join(
        f"strftime({quoted(name)}, '%Y-%m-%dT%H:%M:%S.%fZ') AS {quoted(name)}"
        for name in _times(connection, table)
    )
    cursor = connection.execute(
        f"SELECT to_json(told) FROM (SELECT '{table}' AS \"Type\", * REPLACE ({replaced})"  # noqa: S608 - our own names
        f" FROM {quoted(table)} WHERE {condition} ORDER BY TimeGenerated LIMIT {MAX_ROWS}) AS told",
        list(values),
    )
    line = 1
    while rows := cursor.fetchmany(_BATCH):
        data = b"".join(_plain(text) + b"\n" for (text,) in rows)
        yield Block(table, line, data)
        line += len(rows)


def _times(connection: DuckDBPyConnection, table: str) -> list[str]:
    """The columns that are moments."""
    columns = connection.execute(f"DESCRIBE {quoted(table)}").fetchall()
    return [name for name, kind, *_ in columns if kind.startswith("TIMESTAMP")]


def _plain(text: str) -> bytes:
    """A row as exports have it: what is null is not there."""
    row: Any = msgspec.json.decode(text)
    return msgspec.json.encode({name: value for name, value in row.items() if value is not None})


_PREFIX: Final = 12


def _time(time_ns: int) -> str:
    return rfc3339(time_ns) if time_ns else ""
