"""The gate's history as one thing to open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from eightysix.store.history.judged import Judged
from eightysix.store.history.known import Known
from eightysix.store.history.moves import Moves

__all__ = ["GateHistory"]


class GateHistory(Moves, Judged, Known):
    """An open history: `GateHistory.open(path, clock)`, as a context manager, for any threads."""

    @classmethod
    def open(cls, path: Path, clock: Callable[[], int], *, read_only: bool = False) -> GateHistory:
        """Open the history in the file at `path`; `clock` gives nanoseconds since 1970. To be written it is made where it
        is missing; other processes may read and write it at the same time."""
        return cls(path, clock, read_only=read_only)
