"""The scan ledger as JSON Lines (`eightysix/ledger/v1`): what bytes came to, and which file of which host held them.

    {"schema": "eightysix/ledger/v1", "digest", "size", "verdict", "rules_version", "at", "expires"}
    {"schema": "eightysix/ledger/v1", "host", "dev", "ino", "size", "mtime_ns", "digest", "at"}

Times are seconds since 1970, but for `mtime_ns`. The operator's host writes it, so its origin is `control-plane`; it
tells of files, so it is of no pod: which pod loaded one, only the sensor tells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from eightysix.context.ledger import file_id
from eightysix.model.event import Event, EventId
from eightysix.model.finding import FileVerdict
from eightysix.model.incident import Problem
from eightysix.model.words import Grade, Kind, Origin, Source
from eightysix.sources.interface import Batch
from eightysix.sources.json_text import read_value, why

__all__ = ["SCHEMA", "LedgerDecoder"]

SCHEMA = "eightysix/ledger/v1"
"""Name and version of a line; the fields of version 1 keep their meaning, new ones may be added."""

_FAMILY = SCHEMA.rpartition("/v")[0]

_Seconds = Annotated[int, Meta(ge=1, le=0xFFFF_FFFF)]
_Size = Annotated[int, Meta(ge=0)]
_Nanoseconds = Annotated[int, Meta(ge=-0x7FFF_FFFF_FFFF_FFFF, le=0x7FFF_FFFF_FFFF_FFFF)]
_Digest = Annotated[str, Meta(min_length=32, max_length=128)]
_Host = Annotated[str, Meta(min_length=1, max_length=253)]
"""The longest name of a node (kubernetes.io/docs/concepts/overview/working-with-objects/names)."""

_KEEP_MOST_S = 366 * 86_400
"""A verdict counts for a year at most, whatever the line says: no line makes one that never ends (judged)."""


class _Line(Struct, gc=False):
    """A line of either kind: one with `host` is about a file, any other about bytes."""

    schema: str
    digest: _Digest
    size: _Size
    at: _Seconds
    # about bytes
    verdict: FileVerdict | None = None
    expires: _Seconds | None = None
    # about a file
    host: _Host | None = None
    dev: _Size | None = None
    ino: _Size | None = None
    mtime_ns: _Nanoseconds | None = None


_decode = msgspec.json.Decoder(_Line).decode


class LedgerDecoder:
    """Decodes blocks of ledger lines; keeps no state. Line by line, as the sensor's: a ledger is small."""

    source = Source.LEDGER

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
        elif value["schema"] != SCHEMA:
            batch.problems.append(_of_another_version(file, line))
        else:
            batch.problems.append(Problem(file, line, "malformed", why(error)))


def _add(told: _Line, text: bytes, file: str, line: int, batch: Batch) -> Problem | None:
    """Add what a line tells to `batch`; the problem where it cannot be used."""
    if told.schema != SCHEMA:
        if told.schema.rpartition("/v")[0] == _FAMILY:
            return _of_another_version(file, line)
        batch.leftover.append((line, text))
        return None
    if not (told.digest.isascii() and told.digest.isalnum()):
        return Problem(file, line, "malformed", "the digest is no hexadecimal text")
    event = _event(told, text, file, line)
    if event is None:
        return Problem(
            file, line, "malformed", "neither verdict and expires, nor host, dev, ino and mtime_ns"
        )
    batch.recognised += 1
    kind = "file" if event.file_id else "verdict"
    batch.kinds[kind] = batch.kinds.get(kind, 0) + 1
    batch.first_ns = min(batch.first_ns or event.time_ns, event.time_ns)
    batch.last_ns = max(batch.last_ns, event.time_ns)
    batch.events.append(event)
    return None


def _event(told: _Line, text: bytes, file: str, line: int) -> Event | None:
    fields: dict[str, object]
    if told.host is not None:
        if told.dev is None or told.ino is None or told.mtime_ns is None:
            return None
        identity = file_id(told.dev, told.ino, told.size, told.mtime_ns)
        if not identity:
            return None
        fields = {"node": told.host, "file_id": identity}
    elif told.verdict is not None and told.expires is not None:
        lasts = min(max(0, told.expires - told.at), _KEEP_MOST_S)
        fields = {"activity": str(told.verdict), "ttl_s": lasts}
    else:
        return None
    return Event(
        event_id=EventId(blake2b(b"ledger\0" + text, digest_size=16).hexdigest()),
        time_ns=told.at * 1_000_000_000,
        source=Source.LEDGER,
        origin=Origin.CONTROL_PLANE,
        grade=Grade.F,
        kind=Kind.SCAN,
        file=file,
        line=line,
        digest=told.digest.lower(),
        **fields,  # type: ignore[arg-type]
    )


def _of_another_version(file: str, line: int) -> Problem:
    return Problem(file, line, "unrecognised", "ledger of another version")
