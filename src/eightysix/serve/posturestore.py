"""Snapshots of a posture in a store: saved, listed, and read again.

A snapshot is whole or not there: its head row is committed when all other rows are on the disk. What a kill leaves behind is
in no list, and saving the same again completes it. What retention took of one is noticed by the head's counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

from eightysix.detect.wording import rfc3339
from eightysix.model.errors import StateError, UsageError
from eightysix.model.incident import Problem
from eightysix.model.posture import SCHEMA, Posture
from eightysix.model.timestamps import to_ns
from eightysix.posture.rows import (
    EDGES,
    NODES,
    REST,
    VERSION,
    Head,
    assembled,
    edge_from,
    head_from,
    head_of,
    head_row,
    node_from,
    rows_of,
)
from eightysix.serve.ingest import ingest
from eightysix.store.events.hot import Hot
from eightysix.store.events.sealing import seal
from eightysix.store.events.view import open_view

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["OLD_NS", "Saved", "Stored", "age_word", "load", "save", "snapshots"]

OLD_NS: Final = 86_400_000_000_000
"""Age from which a snapshot is called old. Judged: pods of a cluster that is worked on change many times a day."""

_MOST: Final = 100_000
_BATCH: Final = 8_192
_HEX: Final = frozenset("0123456789abcdef")
_SHORTEST_ID: Final = 4

_HEADS: Final = (
    f"SELECT SnapshotId, Cluster, Rules, FormatVersion, epoch_ns(SavedAt), CAST(Told AS VARCHAR) FROM {REST}"  # noqa: S608
    f" WHERE Part = 'head' ORDER BY TimeGenerated DESC, SavedAt DESC, SnapshotId LIMIT {_MOST}"
)


class Saved(Struct, frozen=True):
    """What became of saving: the snapshot's id, how many rows it has, and whether it was there already."""

    id: str
    rows: int
    again: bool


class Stored(Struct, frozen=True):
    """A stored snapshot."""

    head: Head
    posture: Posture


def save(
    folder: str,
    posture: Posture,
    *,
    now_ns: int | None = None,
    on_problem: Callable[[Problem], None] = lambda problem: None,
    then: Callable[[Hot], None] = lambda hot: None,
) -> Saved:
    """Keep a posture in the store in `folder`, which is made where there is none. One that says not when it was taken is
    stamped with now. `then` is called with the store before it is closed. Raises `StateError`."""
    now_ns = time.time_ns() if now_ns is None else now_ns
    if not posture.taken_at:
        posture = msgspec.structs.replace(posture, taken_at=rfc3339(now_ns))
    head = head_of(posture, now_ns)
    with Hot(folder, create=True, name="eightysix posture", on_problem=on_problem) as hot:
        with hot.reading() as cursor:
            heads = [one for one in _heads(cursor, on_problem) if one.id == head.id]
            again = bool(heads) and not _missing(cursor, heads[0])
        if not again:
            ingest(hot, rows_of(posture, head))
            if not heads:
                table, row = head_row(head)
                hot.append(table, [row])
                seal(hot, now_ns)
        if hot.total.refused:
            raise StateError(
                f"{hot.total.refused} rows of the snapshot {head.id} could not be kept",
                "Was it taken between 2015 and 2100?",
            )
        then(hot)
    return Saved(head.id, sum(head.counts.values()), again)


def snapshots(folder: str, *, on_problem: Callable[[Problem], None] = lambda problem: None) -> list[Head]:
    """All that were saved to their end, the latest first. Raises `StateError`, `UsageError` where there is no store."""
    with open_view(folder, on_problem=on_problem) as connection:
        return _heads(connection, on_problem)


def load(
    folder: str, which: str = "last", *, on_problem: Callable[[Problem], None] = lambda problem: None
) -> Stored:
    """A snapshot: `last`, `last~2` (the third last), the beginning of an id, or the last one at a time (RFC 3339). Raises
    `UsageError` where there is none, `StateError` where it is not whole or of a newer release."""
    with open_view(folder, on_problem=on_problem) as connection:
        head = _chosen(_heads(connection, on_problem), which, folder)
        if head.version > VERSION or head.schema != SCHEMA:
            raise StateError(
                f"the snapshot {head.id} is of a newer eightysix ({head.schema}, version {head.version})",
                "Read it with that one.",
            )
        missing = _missing(connection, head)
        if missing:
            raise StateError(
                f"{missing:,} rows of the snapshot {head.id} of {head.taken_at} are not there any more",
                "Retention took them, or it is being read without its owner: choose another one.",
            )
        try:
            return Stored(head, _read(connection, head))
        except (ValueError, TypeError) as error:
            raise StateError(
                f"the snapshot {head.id} cannot be read: {str(error)[:160]}",
                "eightysix store verify tells what is damaged",
            ) from error


def age_word(head: Head, now_ns: int) -> str:
    """How old it is, in words."""
    seconds = max(now_ns - to_ns(head.taken_at), 0) // 1_000_000_000
    for size, word in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"{count:,} {word}{'' if count == 1 else 's'} old"
    return "just taken"


def _heads(connection: DuckDBPyConnection, on_problem: Callable[[Problem], None]) -> list[Head]:
    found: dict[str, Head] = {}
    for id_, cluster, rules, version, saved, told in connection.execute(_HEADS).fetchall():
        try:
            head = head_from(
                id_ or "", cluster or "", rules or "default", version or 0, saved or 0, told or ""
            )
            to_ns(head.taken_at)
        except ValueError as error:
            on_problem(Problem(REST, 0, "malformed", f"a head row: {str(error)[:160]}"))
            continue
        found.setdefault(head.id, head)
    return list(found.values())


def _chosen(heads: Sequence[Head], which: str, folder: str) -> Head:
    if not heads:
        raise UsageError(f"no snapshot is in {folder}", "eightysix posture PATH... --save-to DIR keeps one")
    name, tilde, back = which.partition("~")
    if name in ("", "last") and (not tilde or (back.isascii() and back.isdigit() and len(back) < 7)):
        number = int(back) if tilde else 0
        if number >= len(heads):
            raise UsageError(f"there are {len(heads)} snapshots, and {which} is none of them", _LIST)
        return heads[number]
    if len(which) >= _SHORTEST_ID and _HEX.issuperset(which):
        found = [one for one in heads if one.id.startswith(which)]
        if len(found) > 1:
            raise UsageError(f"{len(found)} snapshots begin with {which}", "Give more of the id.")
        if found:
            return found[0]
    try:
        at = to_ns(which)
    except ValueError:
        raise UsageError(f"no snapshot is called {which}", _LIST) from None
    for one in heads:
        if to_ns(one.taken_at) <= at:
            return one
    raise UsageError(f"no snapshot is as old as {which}", _LIST)


_LIST: Final = "eightysix posture snapshots --store DIR lists them; last, last~1, an id or a time name one"


def _missing(connection: DuckDBPyConnection, head: Head) -> int:
    """How many rows of a snapshot are not there."""
    rows = connection.execute(
        f"SELECT Part, count(DISTINCT Number) FROM {REST} WHERE SnapshotId = ? GROUP BY Part"  # noqa: S608
        f" UNION ALL SELECT 'node', count(DISTINCT Number) FROM {NODES} WHERE SnapshotId = ?"
        " UNION ALL SELECT CASE WHEN Past THEN 'past-edge' ELSE 'edge' END, count(DISTINCT Number)"
        f" FROM {EDGES} WHERE SnapshotId = ? GROUP BY 1",
        [head.id] * 3,
    ).fetchall()
    there = dict(rows)
    return sum(max(count - there.get(part, 0), 0) for part, count in head.counts.items())


def _rows(connection: DuckDBPyConnection, sql: str, values: list[Any]) -> Any:
    cursor = connection.execute(sql, values)
    while rows := cursor.fetchmany(_BATCH):
        yield from rows


def _read(connection: DuckDBPyConnection, head: Head) -> Posture:
    parts: dict[str, list[str]] = {}
    told = f"SELECT Part, CAST(Told AS VARCHAR) FROM {REST} WHERE SnapshotId = ? AND Part <> 'head' ORDER BY Part, Number"  # noqa: S608
    for part, text in _rows(connection, told, [head.id]):
        parts.setdefault(part, []).append(text)
    nodes = (
        "SELECT NodeId, NodeKind, coalesce(NodeName, ''), coalesce(Namespace, ''), coalesce(CAST(Facts AS VARCHAR), '{}')"  # noqa: S608
        f" FROM {NODES} WHERE SnapshotId = ? ORDER BY Number"
    )
    edges = (
        "SELECT EdgeType, SourceNode, TargetNode, Confidence, CAST(Techniques AS VARCHAR), CAST(Evidence AS VARCHAR), Needs,"  # noqa: S608
        f" Since, Until FROM {EDGES} WHERE SnapshotId = ? AND Past = ? ORDER BY Number"
    )
    return assembled(
        head,
        parts,
        [node_from(*cells) for cells in _rows(connection, nodes, [head.id])],
        [edge_from(cells) for cells in _rows(connection, edges, [head.id, False])],
        [edge_from(cells) for cells in _rows(connection, edges, [head.id, True])],
    )
