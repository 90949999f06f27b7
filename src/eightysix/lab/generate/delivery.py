"""How records reach whoever reads them: late, twice, or not at all, each source's in a file of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from heapq import heappop, heappush
from random import Random

from eightysix.lab.generate.clock import SECOND

__all__ = ["Courier"]

REPEAT_S = 30.0
"""How much later a repetition comes at most: as long as Tetragon's own cache holds an event (15 retries of 2 s)."""


class Courier:
    """Takes lines in any order and hands them on in the order in which they are delivered.

    Each line comes U(0, `late_s`) seconds after its event, again with probability `twice`, and not at all with
    probability `lost`. What is held at any time are the lines of the last `late_s` seconds and whatever was sent ahead of time.
    """

    def __init__(self, random: Random, *, late_s: float, twice: float, lost: float) -> None:
        self._random = random.random
        self._late_s, self._twice, self._lost = late_s, twice, lost
        self._held: list[tuple[int, int, str, bytes]] = []
        self._serial = 0
        self.records: Counter[str] = Counter()
        self.repeated: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()

    def send(self, file: str, time_ns: int, line: bytes, *, sure: bool = False) -> bool:
        """Take a line of `file` about something at `time_ns`; False when it is lost. `sure` lines are not."""
        if self._lost and not sure and self._random() < self._lost:
            self.dropped[file] += 1
            return False
        due = time_ns + self._delay(self._late_s)
        self._hold(due, file, line)
        self.records[file] += 1
        if self._twice and self._random() < self._twice:
            self.repeated[file] += 1
            self._hold(due + self._delay(max(self._late_s, REPEAT_S)), file, line)
        return True

    def until(self, time_ns: int) -> Iterator[tuple[str, bytes]]:
        """File and line of everything that is delivered before `time_ns`; no line about an earlier time may follow."""
        held = self._held
        while held and held[0][0] < time_ns:
            _, _, file, line = heappop(held)
            yield file, line

    def rest(self) -> Iterator[tuple[str, bytes]]:
        """Everything that is still held."""
        held = self._held
        while held:
            _, _, file, line = heappop(held)
            yield file, line

    def _delay(self, most_s: float) -> int:
        return int(self._random() * most_s * SECOND) if most_s else 0

    def _hold(self, due: int, file: str, line: bytes) -> None:
        self._serial += 1
        heappush(self._held, (due, self._serial, file, line))
