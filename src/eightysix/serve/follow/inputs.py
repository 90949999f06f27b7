"""Files, the receiver's spool and standard input as one input, with one wait for all."""

from __future__ import annotations

from collections.abc import Mapping

from eightysix.serve.follow.files import Follower
from eightysix.serve.follow.notify import Wake, wait_for
from eightysix.serve.follow.position import Position
from eightysix.serve.follow.stdin import StdinFollower
from eightysix.sources.lines import Block

__all__ = ["Inputs"]


class Inputs:
    """`files` and `stdin`, each of which may be absent; `wake` ends a wait from other threads."""

    def __init__(self, files: Follower | None, stdin: StdinFollower | None, wake: Wake) -> None:
        self._files = files
        self._stdin = stdin
        self._wake = wake
        self._turn = False

    @property
    def ended(self) -> bool:
        """Whether nothing can come any more: standard input was all there is, and it ended."""
        return self._files is None and (self._stdin is None or self._stdin.ended)

    def poll(self, budget_bytes: int) -> list[Block]:
        """Whole new lines of all inputs. Who comes first changes, so that none starves the other."""
        if self._files is None or self._stdin is None:
            one = self._files or self._stdin
            return one.poll(budget_bytes) if one is not None else []
        self._turn = not self._turn
        first, second = (self._files, self._stdin) if self._turn else (self._stdin, self._files)
        blocks = first.poll(budget_bytes)
        left = budget_bytes - sum(len(block.data) for block in blocks)
        return blocks + second.poll(max(1, left))

    def positions(self) -> dict[str, Position]:
        """What belongs to the blocks that were given out, of all inputs: `Follower` knows its own again."""
        told: dict[str, Position] = {}
        for one in (self._files, self._stdin):
            told |= one.positions() if one is not None else {}
        return told

    def wait(self, timeout_s: float) -> None:
        """Return when any input has something, when the wake is set, or after `timeout_s`."""
        others = self._stdin.descriptors() if self._stdin is not None else ()
        if self._files is not None:
            self._files.wait(timeout_s, others)
        elif self._stdin is not None and not self._stdin.ended:
            self._stdin.wait(timeout_s)
        else:
            wait_for(timeout_s, (), self._wake)

    def lag_bytes(self) -> int:
        """Bytes that are there and were not read."""
        return sum(one.lag_bytes() for one in (self._files, self._stdin) if one is not None)

    def lags(self) -> Mapping[str, int]:
        """The same by input."""
        lags: dict[str, int] = {}
        for one in (self._files, self._stdin):
            lags |= one.lags() if one is not None else {}
        return lags

    def close(self) -> None:
        """Give all descriptors back."""
        for one in (self._files, self._stdin):
            if one is not None:
                one.close()
