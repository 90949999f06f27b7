"""Pages of the kernel's trace buffer (`trace_pipe_raw`) as events. The text form is no way to read them: the name of a
program may hold line breaks, and with them whole lines of somebody's own.

Layout: `ring_buffer_event` of include/linux/ring_buffer.h, pages as `events/header_page` tells, fields as each event's
`format` tells. A damaged page ends the page, never the run.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

__all__ = ["Event", "Format", "events_of", "parse_format"]

_PADDING, _EXTEND, _STAMP = 29, 30, 31
_DELTA_BITS = 27
_COMMIT = (1 << 27) - 1
_HEADER = 16

Event = tuple[int, int, bytes]
"""Time (in the clock of the buffer), number of the event's format, and its bytes."""


class Format(Struct, frozen=True):
    """One kind of event: its number, and the fields by name: offset, size, and whether it holds the place of a text."""

    id: int
    fields: Mapping[str, tuple[int, int, bool]]

    def number(self, data: bytes, name: str) -> int:
        """An unsigned field; 0 where there is none."""
        offset, size, _ = self.fields.get(name, (0, 0, False))
        return int.from_bytes(data[offset : offset + size], "little")

    def raw(self, data: bytes, name: str) -> bytes:
        """The bytes of a field."""
        offset, size, _ = self.fields.get(name, (0, 0, False))
        return data[offset : offset + size]

    def text(self, data: bytes, name: str) -> str:
        """A text: its place is in the field (`__data_loc`), or it is the field."""
        offset, size, placed = self.fields.get(name, (0, 0, False))
        if placed:
            place = self.number(data, name)
            offset, size = place & 0xFFFF, place >> 16
        return data[offset : offset + size].split(b"\0", 1)[0].decode("utf-8", "replace")


def parse_format(text: str) -> Format:
    """What a `format` file says. Lines are `field:<type> <name>[<n>];\\toffset:<n>;\\tsize:<n>;...`."""
    number = 0
    fields: dict[str, tuple[int, int, bool]] = {}
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("ID:"):
            number = int(line[3:])
        if not line.startswith("field:"):
            continue
        parts = [part.strip() for part in line[6:].split(";")]
        kind = parts[0]
        name = kind.split()[-1].partition("[")[0].lstrip("*")
        told = dict(part.split(":", 1) for part in parts[1:] if ":" in part)
        fields[name] = (
            int(told.get("offset", "0")),
            int(told.get("size", "0")),
            kind.startswith("__data_loc"),
        )
    return Format(number, fields)


def read_format(folder: Path, event: str) -> Format:
    """The format of an event (`sched/sched_process_exec`) of a trace file system."""
    return parse_format((folder / "events" / event / "format").read_text())


def events_of(page: bytes) -> Iterator[Event]:
    """The events of one page, oldest first."""
    if len(page) < _HEADER:
        return
    at, commit = struct.unpack_from("<QQ", page)
    place, end = _HEADER, min(len(page), _HEADER + (commit & _COMMIT))
    while place + 4 <= end:
        (head,) = struct.unpack_from("<I", page, place)
        kind, delta = head & 31, head >> 5
        place += 4
        word = struct.unpack_from("<I", page, place)[0] if place + 4 <= len(page) else 0
        if kind == _PADDING:
            if delta == 0:
                return
            at += delta
            place += word
        elif kind == _EXTEND:
            at += (word << _DELTA_BITS) + delta
            place += 4
        elif kind == _STAMP:
            at = (at >> 59 << 59) | (word << _DELTA_BITS) + delta  # the five highest bits are not told
            place += 4
        else:
            size = kind * 4
            if kind == 0:
                place += 4
                size = (word - 4 + 3) & ~3 if word >= 4 else 0
            data = page[place : place + size]
            at += delta
            place += size
            if place > end or len(data) < 8:
                return
            yield at, int.from_bytes(data[:2], "little"), data
