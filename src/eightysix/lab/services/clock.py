"""The clock of a run: real time plus the leaps that the script of a scenario asked for.

Everything that the services write is stamped by it, so that an hour of waiting costs no hour. It never goes back.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

__all__ = ["MOST_LEAP_S", "Clock", "rfc3339"]

MOST_LEAP_S = 400 * 86_400.0
"""All leaps together: longer than any baseline that detection keeps."""

_SECOND = 1_000_000_000


class Clock:
    """Nanoseconds since the epoch, moved on by `leap`. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ahead_ns = 0
        self._last_ns = 0

    def now_ns(self) -> int:
        """The time now; a later call never gives an earlier time, also when the machine's clock is set back."""
        with self._lock:
            self._last_ns = max(self._last_ns, time.time_ns() + self._ahead_ns)
            return self._last_ns

    def __call__(self) -> int:
        """As `now_ns`: what takes a callable takes the clock itself."""
        return self.now_ns()

    def now(self) -> int:
        """Whole seconds, as tokens tell them."""
        return self.now_ns() // _SECOND

    def leap(self, seconds: float) -> int:
        """Be `seconds` later from now on; returns nanoseconds that the clock is ahead of the machine's."""
        if not 0 <= seconds <= MOST_LEAP_S:
            raise ValueError(f"a leap is of 0 to {MOST_LEAP_S:.0f} seconds")
        with self._lock:
            if self._ahead_ns + int(seconds * _SECOND) > MOST_LEAP_S * _SECOND:
                raise ValueError(f"all leaps together are of {MOST_LEAP_S:.0f} seconds at most")
            self._ahead_ns += int(seconds * _SECOND)
            return self._ahead_ns


def rfc3339(time_ns: int, digits: int = 7) -> str:
    """`2026-11-23T14:20:51.1234567Z`: seven digits as Azure writes them."""
    seconds, rest = divmod(time_ns, _SECOND)
    whole = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{rest:09d}"[: len(whole) + 1 + digits] + "Z"
