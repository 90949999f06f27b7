"""A run over files for `reconstruct`: what `Replay` reads, and beside it every use of an identity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from eightysix.context.attribution import Attributor
from eightysix.context.inventory import Inventory
from eightysix.detect.rule import Rule
from eightysix.model.event import Event
from eightysix.model.story import Reconstruction
from eightysix.reconstruct.builder import Read
from eightysix.reconstruct.identitylog import IdentityLog
from eightysix.reconstruct.selection import Selection
from eightysix.reconstruct.tell import tell
from eightysix.serve.replay import Replay, ReplayOptions

__all__ = ["Reconstructing"]


class Reconstructing:
    """One reconstruction over some inputs."""

    def __init__(
        self, rules: Sequence[Rule], options: ReplayOptions, inventory: Inventory | None = None
    ) -> None:
        self.replay = Replay(rules, options)
        self._log = IdentityLog()
        self._attributor = Attributor(inventory)

    def read(self, paths: Sequence[str], stdin: BinaryIO | None, asked: Selection) -> Reconstruction:
        """Read everything and tell what is asked; raises `NothingToReadError` when no input can be opened."""
        self.replay.take(paths, stdin, self._note)
        engine = self.replay.engine
        self._attributor.learn(engine.knowledge.learnt)
        self._attributor.note_plain(engine.contacts, engine.names)
        judged = self.replay.judged()
        report = self.replay.account([case.incident for case in judged.cases])
        read = Read(judged, self._log, self._attributor.attribute, report.coverage)
        return tell(read, asked, report.counts)

    def _note(self, events: Sequence[Event]) -> None:
        self._log.feed(events)
        for event in events:
            self._attributor.observe(event)
