"""What one hint or one answer does to the end of a tag's history, within a transaction that somebody else opened.

Two kinds of knowledge. A webhook is a hint: its events may be lost, repeated, late or made up, so each counts once, by its
own time, and only where nothing newer is known. An answer to HEAD is the truth at the moment of asking: it always counts,
and what contradicted it is kept beside the history. The order of a tag's hints is the registry's clock; hints are set
against answers by our own clock, so where the two differ a hint may wait for the next round of asking, and an answer never
loses to what happened before it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct

from eightysix.model.gate import Channel, Outcome, Reference, RegistryAction, RegistryEvent, TagMove
from eightysix.model.stored import as_json

__all__ = [
    "AHEAD_NS",
    "COLUMNS",
    "MAX_ROWS",
    "OF_TAG",
    "Observation",
    "Recorded",
    "as_move",
    "key_of",
    "observe",
    "place_of",
    "seen_at",
    "take",
    "watch",
]

AHEAD_NS = 300 * 10**9
"""How far a registry's clock may be ahead of ours. What is told of a later time counts as it comes: one event of the year
2100 would make everything after it late for ever. Five minutes is what Kerberos and Azure's tokens tolerate."""

SETTLE_NS = 3 * 10**9
"""Distribution tells of a push before it moves the tag (registry/handlers/manifests.go puts the manifest, which notifies, and
then tags it): an answer so soon after a hint that says otherwise is asked for again."""

LONGEST_ANSWER_NS = 10 * 10**9
"""How long an answer to HEAD may be under way: a question has 5 s, and what follows it a little."""

MAX_ROWS = 10_000
"""Most rows that one query gives, and most tags that one deletion of a digest moves."""

COLUMNS = (
    "sequence, registry, repository, tag, digest, previous, seen_ns, told_ns, channel, event_id, actor, address, agent,"
    " confirmed OR EXISTS (SELECT 1 FROM confirmation WHERE confirmation.sequence = move.sequence)"
)
"""Of `move`, as `as_move` wants them."""
OF_TAG = "repository = ? AND registry = ? AND tag = ?"
_MAX_PROBLEM = 400


class Observation(Struct, frozen=True, kw_only=True):
    """What a registry answered to a HEAD: `digest` is empty where there is no such tag. `asked_ns` is when it was asked, by
    our clock (0: now); `since` the sequence of the tag's last row when it was asked (None: whatever), so that a move
    meanwhile is not undone.
    """

    reference: Reference
    digest: str
    channel: Channel = Channel.RECONCILER
    asked_ns: int = 0
    since: int | None = None
    id: str = ""
    media_type: str = ""
    size: int = 0


class Recorded(Struct, frozen=True):
    """What became of one event or observation, and the rows that it added."""

    outcome: Outcome
    moves: tuple[TagMove, ...] = ()


class _End(Struct):
    """The end of a tag's history: `order_ns` is the latest time that a hint told, `truth_ns` when HEAD was last asked."""

    sequence: int = 0
    digest: str = ""
    order_ns: int = 0
    truth_ns: int = 0


def take(database: sqlite3.Connection, event: RegistryEvent, now: int) -> Recorded:
    """What one event of a webhook does."""
    if event.action not in (RegistryAction.PUSH, RegistryAction.DELETE):
        return Recorded(Outcome.NOTHING)
    content = blake2b(as_json(event), digest_size=16).digest()
    row = database.execute(
        "SELECT content FROM seen WHERE channel = ? AND id = ?", (event.channel, event.id)
    ).fetchone()
    if row is not None:
        return Recorded(Outcome.REPLAYED if bytes(row[0]) == content else Outcome.CONFLICT)
    database.execute("INSERT INTO seen VALUES (?, ?, ?)", (event.channel, event.id, content))
    if event.action is RegistryAction.PUSH:
        _note_artifact(database, event.digest, event.media_type, event.size, now)
    digest = "" if event.action is RegistryAction.DELETE else event.digest
    done = [_hint(database, event, tag, digest, now) for tag in _tags(database, event)]
    moves = tuple(move for each in done for move in each.moves)
    outcomes = [each.outcome for each in done]
    return Recorded(Outcome.MOVED if moves else outcomes[0] if outcomes else Outcome.NOTHING, moves)


def _tags(database: sqlite3.Connection, event: RegistryEvent) -> list[str]:
    """The tags that an event moves: the one that it names, or all that point to the digest that was deleted."""
    if event.action is RegistryAction.DELETE and event.digest:
        rows = database.execute(
            "SELECT tag FROM tag WHERE repository = ? AND registry = ? AND digest = ? ORDER BY tag LIMIT ?",
            (event.repository, event.registry, event.digest, MAX_ROWS),
        )
        return [str(row[0]) for row in rows]
    return [event.tag] if event.tag else []


def _hint(database: sqlite3.Connection, event: RegistryEvent, tag: str, digest: str, now: int) -> Recorded:
    """What a webhook says of one tag."""
    reference = Reference(event.registry, event.repository, tag)
    end = _end(database, reference)
    newest = max(end.order_ns, end.truth_ns)
    order = event.told_ns if 0 < event.told_ns <= now + AHEAD_NS else max(now, newest)
    if end.digest == digest:
        end.order_ns = max(end.order_ns, order)
        _put_end(database, reference, end)
        if end.sequence and _names_who(event) and not _names_who(_last(database, end.sequence)):
            _put_stray(database, event, tag, Outcome.SAME, digest, now)  # HEAD was first, and knows nobody
        return Recorded(Outcome.SAME if end.sequence else Outcome.NOTHING)
    if order < newest:
        _put_stray(database, event, tag, Outcome.LATE, end.digest, now)
        return Recorded(Outcome.LATE)
    end.order_ns = order
    move = _added(database, event, tag, digest, end, now, confirmed=False)
    return Recorded(Outcome.MOVED, (move,))


def observe(database: sqlite3.Connection, seen: Observation, now: int) -> Recorded:
    """What one answer to a HEAD does."""
    reference = seen.reference
    end = _end(database, reference)
    watch(database, reference, now, "")
    last = _last(database, end.sequence)
    if end.digest != seen.digest and _overtaken(seen, end, last):
        return Recorded(Outcome.RACED)
    end.truth_ns = seen.asked_ns or now
    if end.digest == seen.digest:
        _put_end(database, reference, end)
        if last is not None and not last.confirmed:
            database.execute("INSERT INTO confirmation VALUES (?, ?)", (end.sequence, seen_at(database, now)))
        return Recorded(Outcome.SAME if end.sequence else Outcome.NOTHING)
    if last is not None and not last.confirmed:
        _put_stray(database, _as_event(last), last.tag, Outcome.OVERRULED, seen.digest, now)
    if seen.digest:
        _note_artifact(database, seen.digest, seen.media_type, seen.size, now)
    event = RegistryEvent(
        id=seen.id or f"head-{seen.asked_ns or now}",
        channel=seen.channel,
        action=RegistryAction.PUSH if seen.digest else RegistryAction.DELETE,
        registry=reference.registry,
        repository=reference.repository,
        tag=reference.tag,
        digest=seen.digest,
    )
    move = _added(database, event, reference.tag, seen.digest, end, now, confirmed=True)
    return Recorded(Outcome.MOVED, (move,))


def _overtaken(seen: Observation, end: _End, last: TagMove | None) -> bool:
    """Whether the tag moved after the registry was asked, as far as a hint told, or is just about to move. A row that is much
    later than the question is of another clock, and stops no answer."""
    if seen.since is not None:
        return end.sequence != seen.since
    if last is None or last.confirmed or not seen.asked_ns:
        return False
    return -SETTLE_NS < last.seen_ns - seen.asked_ns <= LONGEST_ANSWER_NS


def _added(
    database: sqlite3.Connection,
    event: RegistryEvent,
    tag: str,
    digest: str,
    end: _End,
    now: int,
    *,
    confirmed: bool,
) -> TagMove:
    (last,) = database.execute("SELECT coalesce(max(sequence), 0) FROM move").fetchone()
    move = TagMove(
        sequence=last + 1,
        registry=event.registry,
        repository=event.repository,
        tag=tag,
        digest=digest,
        previous=end.digest,
        seen_ns=seen_at(database, now),
        told_ns=event.told_ns,
        channel=event.channel,
        event_id=event.id,
        actor=event.actor,
        address=event.address,
        agent=event.agent,
        confirmed=confirmed,
    )
    row = msgspec.structs.astuple(move)
    database.execute(f"INSERT INTO move VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608
    end.sequence, end.digest = move.sequence, digest
    _put_end(database, Reference(event.registry, event.repository, tag), end)
    return move


def seen_at(database: sqlite3.Connection, now: int) -> int:
    """Our own time, which never runs back in the history."""
    row = database.execute("SELECT seen_ns FROM move ORDER BY sequence DESC LIMIT 1").fetchone()
    return max(now, int(row[0])) if row else now


def _end(database: sqlite3.Connection, reference: Reference) -> _End:
    query = f"SELECT sequence, digest, order_ns, truth_ns FROM tag WHERE {OF_TAG}"  # noqa: S608
    row = database.execute(query, key_of(reference)).fetchone()
    return _End(*row) if row else _End()


def _put_end(database: sqlite3.Connection, reference: Reference, end: _End) -> None:
    database.execute(
        "INSERT OR REPLACE INTO tag VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            reference.registry,
            reference.repository,
            reference.tag,
            end.sequence,
            end.digest,
            end.order_ns,
            end.truth_ns,
        ),
    )


def _note_artifact(database: sqlite3.Connection, digest: str, media_type: str, size: int, now: int) -> None:
    database.execute(
        "INSERT INTO artifact VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (digest, media_type, size, b"[]", b"{}", seen_at(database, now)),
    )


def _put_stray(
    database: sqlite3.Connection, event: RegistryEvent, tag: str, outcome: Outcome, current: str, now: int
) -> None:
    database.execute(
        "INSERT INTO stray SELECT coalesce(max(n), 0) + 1, ?, ?, ?, ?, ?, ?, ? FROM stray",
        (event.registry, event.repository, tag, outcome, current, seen_at(database, now), as_json(event)),
    )


def watch(database: sqlite3.Connection, reference: Reference, now: int, problem: str) -> None:
    """Note how asking for a tag went: `problem` is empty where it was answered."""
    database.execute(
        "INSERT INTO watch VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET asked_ns = excluded.asked_ns,"
        " problem = excluded.problem, answered_ns = max(answered_ns, excluded.answered_ns)",
        (
            reference.registry,
            reference.repository,
            reference.tag,
            now,
            0 if problem else now,
            problem[:_MAX_PROBLEM],
        ),
    )


def _names_who(told: RegistryEvent | TagMove | None) -> bool:
    return told is not None and bool(told.actor or told.address or told.agent)


def _last(database: sqlite3.Connection, sequence: int) -> TagMove | None:
    row = database.execute(f"SELECT {COLUMNS} FROM move WHERE sequence = ?", (sequence,)).fetchone()  # noqa: S608
    return as_move(row) if row else None


def _as_event(move: TagMove) -> RegistryEvent:
    return RegistryEvent(
        id=move.event_id,
        channel=move.channel,
        action=RegistryAction.PUSH if move.digest else RegistryAction.DELETE,
        registry=move.registry,
        repository=move.repository,
        tag=move.tag,
        digest=move.digest,
        told_ns=move.told_ns,
        actor=move.actor,
        address=move.address,
        agent=move.agent,
    )


def as_move(row: Sequence[Any]) -> TagMove:
    """The row that `COLUMNS` selected."""
    return TagMove(
        sequence=row[0],
        registry=row[1],
        repository=row[2],
        tag=row[3],
        digest=row[4],
        previous=row[5],
        seen_ns=row[6],
        told_ns=row[7],
        channel=Channel(row[8]),
        event_id=row[9],
        actor=row[10],
        address=row[11],
        agent=row[12],
        confirmed=bool(row[13]),
    )


def key_of(reference: Reference) -> tuple[str, str, str]:
    """The values of `OF_TAG`."""
    return reference.repository, reference.registry, reference.tag


def place_of(reference: Reference) -> tuple[str, tuple[object, ...]]:
    """What selects a tag's rows, or a repository's."""
    if reference.tag:
        return OF_TAG, key_of(reference)
    return "repository = ? AND registry = ?", (reference.repository, reference.registry)
