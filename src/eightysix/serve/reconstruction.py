"""A run over files for `reconstruct`: what `Replay` reads, and beside it every use of an identity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from eightysix.detect.rule import Rule
from eightysix.model.story import Reconstruction
from eightysix.reconstruct.builder import Read
from eightysix.reconstruct.identitylog import IdentityLog
from eightysix.reconstruct.selection import Selection
from eightysix.reconstruct.tell import tell
from eightysix.reconstruct.uses import attribution_of
from eightysix.serve.replay import Replay, ReplayOptions

__all__ = ["Reconstructing"]


class Reconstructing:
    """One reconstruction over some inputs."""

    def __init__(self, rules: Sequence[Rule], options: ReplayOptions) -> None:
        self.replay = Replay(rules, options)
        self._log = IdentityLog()

    def read(self, paths: Sequence[str], stdin: BinaryIO | None, asked: Selection) -> Reconstruction:
        """Read everything and tell what is asked; raises `NothingToReadError` when no input can be opened."""
        self.replay.take(paths, stdin, self._log.feed)
        judged = self.replay.judged()
        report = self.replay.account([case.incident for case in judged.cases])
        read = Read(judged, self._log, attribution_of, report.coverage)
        return tell(read, asked, report.counts)
