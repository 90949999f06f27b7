"""What every source offers: bytes of whole lines in, events out, and an account of what could not be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from msgspec import Struct, field

from eightysix.model.event import Event
from eightysix.model.incident import Problem
from eightysix.model.words import Source

__all__ = ["MAX_RECORD_BYTES", "Batch", "Decoder", "ReadsText"]

MAX_RECORD_BYTES = 1 << 20
"""Longest record that is decoded, in bytes. A Tetragon event is 2 KB, an audit event at level RequestResponse at most
1.5 MB (etcd's default request limit); longer lines are counted as oversized and skipped."""


class Batch(Struct):
    """What one block gave.

    `records` counts lines with something in them, `recognised` those that this source understood (whether or not they
    became an event: noise is understood too). `kinds` counts what was understood by kind (`exec`, `exit`, `connect`,
    `file`, ...). `first_ns` and `last_ns` are the earliest and latest times seen, 0 where none. `leftover` are lines
    (line number, bytes) that are JSON but not of this source: the caller offers them to the others.
    """

    events: list[Event] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    leftover: list[tuple[int, bytes]] = field(default_factory=list)
    kinds: dict[str, int] = field(default_factory=dict)
    records: int = 0
    recognised: int = 0
    first_ns: int = 0
    last_ns: int = 0


class Decoder(Protocol):
    """One format. Decoders may keep state between blocks (pending joins), bounded."""

    source: Source

    def recognises(self, record: Mapping[str, object]) -> bool:
        """Tell from one decoded record (any JSON object) whether it is of this format."""
        ...

    def decode(self, block: bytes, file: str, first_line: int, newlines: Sequence[int] = ()) -> Batch:
        """Decode `block`, whole lines each ended by a newline (the last may lack it), none longer than
        `MAX_RECORD_BYTES`; `first_line` is the number of its first line in `file`, from 1, and `newlines` where its
        newlines are (empty: nobody looked).

        Never raises on any bytes: what cannot be used is a `Problem` with place and reason.
        """
        ...


@runtime_checkable
class ReadsText(Protocol):
    """A decoder that knows lines that are no JSON. It leaves over what is not its own, JSON or not."""

    def recognises_text(self, line: bytes) -> bool:
        """Tell whether a line is of this format. Asked only for lines that are no JSON, so it must be strict: a line that it
        takes by mistake is not told as malformed."""
        ...
