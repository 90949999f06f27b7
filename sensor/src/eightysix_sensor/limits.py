"""Bounds of what the sensor takes and sends: records a second, and sets that do not grow."""

from __future__ import annotations

from time import monotonic

from eightysix_sensor.own import BUILTINS as __builtins__  # type: ignore[no-redef]  # noqa: F401
from eightysix_sensor.own import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Dict

ORDINARY = (200.0, 1000.0)
IMPORTANT = (100.0, 500.0)
"""Records a second and at once (judged): a server of models writes some hundreds while it starts and a few a second
later. What takes credentials, starts programs or hides has a bucket of its own, so a flood of the rest displaces none."""


class Bucket:
    """A token bucket. Two threads may take the same token: the bound is soft by the number of threads."""

    __slots__ = ("_burst", "_left", "_rate", "_then")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._then = monotonic()

    def take(self, now: float) -> bool:
        """Whether one more may pass."""
        left = min(self._burst, self._left + max(0.0, now - self._then) * self._rate)
        self._then = now
        if left < 1.0:
            self._left = left
            return False
        self._left = left - 1.0
        return True


class Recent:
    """What was told a moment ago. Forgets everything when it is full, so a flood makes it tell more, never less."""

    __slots__ = ("_most", "_until")

    def __init__(self, most: int) -> None:
        self._most = most
        self._until: Dict[Any, float] = {}

    def left(self, key: Any, now: float, seconds: float) -> float:
        """For how long `key` still counts as told; 0 where it does not, and from now on it does."""
        until = self._until.get(key, 0.0)
        if until > now:
            return until - now
        if len(self._until) >= self._most:
            self._until.clear()
        self._until[key] = now + seconds
        return 0.0

    def forget(self) -> None:
        """Nothing was told."""
        self._until.clear()
