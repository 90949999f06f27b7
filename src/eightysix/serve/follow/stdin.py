"""Follows standard input: what `kubectl logs -f` writes into a pipe is there a moment later, and never waited for."""

from __future__ import annotations

import array
import fcntl
import os
import select
import termios
import time
from collections.abc import Callable, Mapping, Sequence

from eightysix.model.incident import Problem
from eightysix.serve.follow.cutter import Cutter
from eightysix.serve.follow.notify import PACE_S, Wake, wait_for
from eightysix.serve.follow.position import Position
from eightysix.sources.decompress import Limits, first_bytes_tell
from eightysix.sources.lines import Block

__all__ = ["StdinFollower"]


class StdinFollower:
    """Follows one descriptor, called `-`. What was read from a pipe cannot be read again: after a crash it goes on with
    what comes then, so positions only say how much there was.

    The descriptor is asked before each read and never made non-blocking, because that would change it for every other
    process that has it (the shell's terminal, the other end of `tee`).
    """

    def __init__(
        self,
        descriptor: int,
        limits: Limits,
        on_problem: Callable[[Problem], None],
        *,
        wake: Wake | None = None,
        name: str = "-",
    ) -> None:
        self.ended = False
        self._descriptor = descriptor
        self._limits = limits
        self._on_problem = on_problem
        self._wake = wake
        self._cutter = Cutter(name, limits, on_problem)
        self._ready = select.poll()
        self._ready.register(descriptor, select.POLLIN)
        self._behind = False
        self._woken_at = float("-inf")

    def poll(self, budget_bytes: int) -> list[Block]:
        """Whole lines that arrived since the last poll, of at most about `budget_bytes`; at the end also a last one
        without newline."""
        blocks: list[Block] = []
        left = max(1, budget_bytes)
        while left > 0 and not self.ended and self._ready.poll(0):
            try:
                data = os.read(self._descriptor, min(left, self._limits.block_bytes))
            except OSError as error:
                self._end(f"cannot be read on: {error.strerror}")
                break
            if not data:
                self._end("")
                break
            if not self._cutter.end and (what := first_bytes_tell(data[:18])):
                self._end(f"looks like {what}, not like JSON Lines: decompress it on its way here")
                break
            left -= len(data)
            blocks += self._cutter.take(data)
        if self.ended:
            blocks += self._cutter.rest()
        self._behind = left <= 0
        return blocks

    def positions(self) -> Mapping[str, Position]:
        """How much there was."""
        cutter = self._cutter
        return {cutter.name: Position(cutter.name, 0, 0, offset=cutter.offset, line=cutter.line)}

    def wait(self, timeout_s: float, others: Sequence[int] = ()) -> None:
        """Return when there is something to poll, or as `Follower.wait` does."""
        if self._behind:
            return
        pause = min(self._woken_at + PACE_S - time.monotonic(), timeout_s)
        if pause > 0:
            time.sleep(pause)
        own = self.descriptors()
        wait_for(timeout_s - max(0.0, pause), (*own, *others), self._wake)
        self._woken_at = time.monotonic()

    def descriptors(self) -> tuple[int, ...]:
        """What to look at while waiting for something else too."""
        return () if self.ended else (self._descriptor,)

    def lag_bytes(self) -> int:
        """Bytes in the pipe."""
        waiting = array.array("i", [0])
        try:
            fcntl.ioctl(self._descriptor, termios.FIONREAD, waiting)
        except OSError:  # not every kind of descriptor can tell
            return 0
        return max(0, waiting[0])

    def lags(self) -> dict[str, int]:
        """The same by the name that blocks have."""
        return {self._cutter.name: 0 if self.ended else self.lag_bytes()}

    def close(self) -> None:
        """Nothing: the descriptor is the caller's."""

    def __enter__(self) -> StdinFollower:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _end(self, failure: str) -> None:
        self.ended = True
        if failure:
            self._on_problem(Problem(self._cutter.name, self._cutter.line, "unreadable", failure))
