"""What the gate of registries tells, as JSON Lines (`eightysix/gate-event/v1`, `model.gate.GateEvent`): a tag moved, or a
digest was held or let pass.

The operator's gate writes it, so its origin is `control-plane`; who pushed (actor, address, agent) is what a registry or a
client told it. It tells of digests, so it is of no pod: which pod runs one, other sources tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from eightysix.context.gated import is_image_digest
from eightysix.model.event import Event, EventId
from eightysix.model.gate import EVENT_SCHEMA, GateEventKind, Ruling
from eightysix.model.incident import Problem
from eightysix.model.timestamps import to_ns
from eightysix.model.words import Grade, Kind, Origin, Outcome, Source
from eightysix.sources.interface import Batch
from eightysix.sources.json_text import read_value, why

__all__ = ["GateDecoder"]

_FAMILY = EVENT_SCHEMA.rpartition("/v")[0]

_Host = Annotated[str, Meta(min_length=1, max_length=259)]
"""253 of a name (RFC 1035), and a port."""
_Repository = Annotated[str, Meta(min_length=1, max_length=255)]
"""distribution/reference: the longest path of a repository."""
_Tag = Annotated[str, Meta(max_length=128)]
_Digest = Annotated[str, Meta(max_length=135)]
_Rule = Annotated[str, Meta(min_length=1, max_length=64)]
_Rules = Annotated[tuple[_Rule, ...], Meta(max_length=64)]
"""The gate has some forty rules; each of them is told once."""
_Word = Annotated[str, Meta(max_length=32)]
_Time = Annotated[str, Meta(min_length=20, max_length=40)]

_MAX_TEXT = 256
"""Characters that are kept of what a client said of itself (judged: enough to know it again)."""


class _Line(Struct, gc=False):
    """The fields of `GateEvent` that detection uses; `why` is the gate's to tell."""

    schema: str
    id: Annotated[str, Meta(min_length=1, max_length=128)]
    kind: GateEventKind
    time: _Time
    registry: _Host
    repository: _Repository
    tag: _Tag
    digest: _Digest
    previous: _Digest = ""
    ruling: _Word = ""
    mode: _Word = ""
    held_for: _Rules = ()
    told_of: _Rules = ()
    signed: _Word = ""
    actor: str = ""
    address: str = ""
    agent: str = ""
    channel: _Word = ""


_decode = msgspec.json.Decoder(_Line).decode


class GateDecoder:
    """Decodes blocks of the gate's lines; keeps no state. Line by line: a gate tells little."""

    source = Source.GATE

    def recognises(self, record: Mapping[str, object]) -> bool:
        """By its schema, of whatever version."""
        schema = record.get("schema")
        return isinstance(schema, str) and schema.rpartition("/v")[0] == _FAMILY

    def decode(self, block: bytes, file: str, first_line: int, newlines: Sequence[int] = ()) -> Batch:
        """See `Decoder.decode`."""
        batch = Batch()
        for line, text in enumerate(block.split(b"\n"), first_line):
            if not text.strip():
                continue
            batch.records += 1
            try:
                told = _decode(text)
            except (ValueError, RecursionError) as error:
                self._unusable(text, error, file, line, batch)
                continue
            problem = _add(told, text, file, line, batch)
            if problem is not None:
                batch.problems.append(problem)
        return batch

    def _unusable(self, text: bytes, error: Exception, file: str, line: int, batch: Batch) -> None:
        """Account for a line that is no line of this version: another one's, somebody else's, or damaged."""
        try:
            value = read_value(text)
        except ValueError as reason:
            batch.problems.append(Problem(file, line, "malformed", str(reason)))
            return
        if not isinstance(value, dict) or not self.recognises(value):
            batch.leftover.append((line, text))
        elif value["schema"] != EVENT_SCHEMA:
            batch.problems.append(_of_another_version(file, line))
        else:
            batch.problems.append(Problem(file, line, "malformed", why(error)))


def _add(told: _Line, text: bytes, file: str, line: int, batch: Batch) -> Problem | None:
    """Add what a line tells to `batch`; the problem where it cannot be used."""
    if told.schema != EVENT_SCHEMA:
        if told.schema.rpartition("/v")[0] == _FAMILY:
            return _of_another_version(file, line)
        batch.leftover.append((line, text))
        return None
    if not all(not digest or is_image_digest(digest) for digest in (told.digest, told.previous)):
        return Problem(file, line, "malformed", "a digest is no digest of an image")
    if told.kind is GateEventKind.DECISION and told.ruling not in (Ruling.ALLOW, Ruling.HOLD):
        return Problem(file, line, "malformed", "a decision without ruling")
    try:
        time_ns = to_ns(told.time)
    except ValueError as reason:
        return Problem(file, line, "malformed", f"time: {reason}")
    if time_ns <= 0:
        return Problem(file, line, "malformed", "time: before 1970")
    batch.recognised += 1
    kind = told.kind.value
    batch.kinds[kind] = batch.kinds.get(kind, 0) + 1
    batch.first_ns = min(batch.first_ns or time_ns, time_ns)
    batch.last_ns = max(batch.last_ns, time_ns)
    batch.events.append(_event(told, time_ns, text, file, line))
    return None


def _event(told: _Line, time_ns: int, text: bytes, file: str, line: int) -> Event:
    ruling, outcome = "", Outcome.UNKNOWN
    if told.kind is GateEventKind.DECISION:
        enforced = told.mode != "audit"
        ruling = told.ruling if enforced or told.ruling == Ruling.ALLOW else "would-hold"
        outcome = Outcome.DENIED if ruling == Ruling.HOLD else Outcome.ALLOWED
    return Event(
        event_id=EventId(blake2b(b"gate\0" + text, digest_size=16).hexdigest()),
        time_ns=time_ns,
        source=Source.GATE,
        origin=Origin.CONTROL_PLANE,
        grade=Grade.F,
        kind=Kind.GATE,
        file=file,
        line=line,
        activity=told.kind.value,
        verb=ruling,
        outcome=outcome,
        image=f"{told.registry}/{told.repository}",
        image_digest=told.digest,
        object_name=told.tag,
        digest=told.previous,
        chain=told.held_for,
        exposes=told.told_of,
        resource=told.signed,
        subresource=told.channel,
        identity=told.actor[:_MAX_TEXT],
        source_ip=told.address[:_MAX_TEXT],
        user_agent=told.agent[:_MAX_TEXT],
    )


def _of_another_version(file: str, line: int) -> Problem:
    return Problem(file, line, "unrecognised", "events of the gate of another version")
