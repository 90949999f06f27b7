"""Nanoseconds since boot as the time of day, once and for all of a run, plus what was injected since."""

from __future__ import annotations

import time
from bisect import bisect_right

__all__ = ["Clock", "rfc3339"]

_SECOND = 1_000_000_000


class Clock:
    """The time of day at boot is read once: a clock that is set while a run lasts moves no record. `leap` makes everything
    from then on later; what happened before stays."""

    def __init__(self, boot_ns: int | None = None, offset_s: float = 0.0) -> None:
        self.boot_ns = _read() if boot_ns is None else boot_ns
        self._from: list[int] = [0]
        self._offsets: list[int] = [round(offset_s * _SECOND)]

    @staticmethod
    def now() -> int:
        """Nanoseconds since boot, suspended time included, as the kernel's `bpf_ktime_get_boot_ns` counts."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def leap(self, seconds: float, at: int | None = None) -> None:
        """Everything from `at` (since boot; now) on is `seconds` later."""
        self._from.append(max(self.now() if at is None else at, self._from[-1]))
        self._offsets.append(self._offsets[-1] + round(seconds * _SECOND))

    def wall_ns(self, at: int) -> int:
        """Nanoseconds since 1970 of a time since boot."""
        return self.boot_ns + at + self._offsets[max(bisect_right(self._from, at) - 1, 0)]

    def text(self, at: int) -> str:
        """The same as Tetragon writes it."""
        return rfc3339(self.wall_ns(at))

    def boot_of(self, wall_ns: int) -> int:
        """The time since boot of a time of day that was read on this machine, so without what was injected."""
        return wall_ns - self.boot_ns


def _read() -> int:
    """The difference of both clocks, from the quickest of a few pairs of readings: nothing came between those two."""
    pairs: list[tuple[int, int]] = []
    for _ in range(16):
        before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        wall = time.time_ns()
        after = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        pairs.append((after - before, wall - (before + after) // 2))
    return min(pairs)[1]


def rfc3339(wall_ns: int) -> str:
    """RFC 3339 in UTC with nine digits."""
    seconds, fraction = divmod(wall_ns, _SECOND)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{fraction:09d}Z"
