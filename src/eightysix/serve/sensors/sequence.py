"""The numbers of one process's records: what came twice, what is old, and what never came.

Every process of the pod can claim to be another one of it. So a record is dropped only where it says nothing new: the same
bytes under the same number, or a number that is past with a time that is past. A number that comes again with other
content is handed on and counted, else code beside the sensor could silence it by using its numbers first.
"""

from __future__ import annotations

from enum import StrEnum
from hashlib import blake2b

from msgspec import Struct

__all__ = ["PAST_NS", "REORDER_S", "WINDOW", "Numbers", "Told"]

WINDOW = 128
"""Numbers that are remembered with their content: threads of one process overtake each other by a few."""

REORDER_S = 2.0
"""A number that did not come for so long is missing."""

PAST_NS = 60_000_000_000
"""A record that is older than the newest one by more than this was not sent just now: datagrams of one machine arrive
within milliseconds, and clocks are set back by less."""

MAX_JUMP = 1 << 20
"""Missing numbers that one record can claim; a process does not drop more between two that arrive."""


class Told(StrEnum):
    """What a record's number says of it."""

    NEW = "new"
    CONFLICT = "conflict"
    REPLAYED = "replayed"


class Numbers(Struct):
    """The numbers of one process: of one boot, pid and start."""

    highest: int = -1
    newest_ns: int = 0
    floor_ns: int = 0
    """Before this the program ran that the present one replaced."""
    missing: int = 0
    """Numbers that never came, since somebody asked last."""
    _seen: dict[int, bytes] = {}
    _awaited: dict[int, float] = {}
    _start: bytes = b""

    def take(self, seq: int, t_ns: int, data: bytes, now_ns: int, now_s: float) -> Told:
        """Note a record, and say whether it is to be handed on. `now_ns` is of the receiver's own clock: a time that lies
        ahead of it is no measure for others."""
        mark = blake2b(data, digest_size=8).digest()
        told_ns = min(t_ns, now_ns)
        known = self._seen.get(seq)
        if mark == known or mark == self._start:
            return Told.REPLAYED
        if seq == 0 and not self._is_awaited(seq) and t_ns >= self.newest_ns - PAST_NS:
            self._begin(mark, told_ns)
            told = Told.NEW
        elif t_ns < self.floor_ns:
            return Told.REPLAYED
        elif known is not None:
            told = Told.CONFLICT
        elif seq <= self.highest - WINDOW:
            if t_ns < self.newest_ns - PAST_NS:
                return Told.REPLAYED
            told = Told.CONFLICT
        else:
            told = Told.NEW
            self._advance(seq, now_s)
        self.newest_ns = max(self.newest_ns, told_ns)
        if told is Told.NEW:
            self._remember(seq, mark)
            self._start = self._start or (mark if seq == 0 else b"")
        return told

    def _is_awaited(self, seq: int) -> bool:
        """Whether a first record was overtaken by those after it."""
        return not self._start and 0 <= self.highest < WINDOW and seq not in self._seen

    def overdue(self, now_s: float) -> int:
        """How many numbers never came, since the last call."""
        late = [seq for seq, since in self._awaited.items() if now_s - since > REORDER_S]
        for seq in late:
            del self._awaited[seq]
        found, self.missing = self.missing + len(late), 0
        return found

    def _begin(self, mark: bytes, told_ns: int) -> None:
        """A program begins to count: the first one of the process, or one that replaced another (execve keeps pid and
        start)."""
        self.missing += len(self._awaited)
        self._awaited.clear()
        self._seen.clear()
        self.highest, self._start = 0, mark
        self.floor_ns = told_ns - PAST_NS

    def _advance(self, seq: int, now_s: float) -> None:
        self._awaited.pop(seq, None)
        if seq <= self.highest:
            return
        first = self.highest + 1
        if self.highest >= 0 and seq > first:
            kept = max(first, seq - WINDOW)
            self.missing += min(kept - first, MAX_JUMP)
            self._awaited.update(dict.fromkeys(range(kept, seq), now_s))
        self.highest = seq

    def _remember(self, seq: int, mark: bytes) -> None:
        self._seen[seq] = mark
        while len(self._seen) > WINDOW:
            del self._seen[next(iter(self._seen))]
        if len(self._awaited) > WINDOW:
            for old in sorted(self._awaited)[: len(self._awaited) - WINDOW]:
                del self._awaited[old]
                self.missing += 1
