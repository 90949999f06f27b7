"""A run over files for `reconstruct`: what `Replay` reads, and beside it every use of an identity."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import BinaryIO

from eightysix.context.attribution import Attributor
from eightysix.context.inventory import Inventory
from eightysix.detect.rule import Rule
from eightysix.model.event import Event
from eightysix.model.story import Entity, EntityKind, Reconstruction
from eightysix.reconstruct.builder import Read
from eightysix.reconstruct.identitylog import IdentityLog
from eightysix.reconstruct.selection import Selection
from eightysix.reconstruct.tell import tell
from eightysix.serve.narrowing import MAX_MORE, Narrowed, blocks_with, moments_of_sign_ins, narrow, needles_of
from eightysix.serve.replay import Replay, ReplayOptions
from eightysix.serve.searching import files_with

__all__ = ["Reconstructing"]


class Reconstructing:
    """One reconstruction over some inputs."""

    def __init__(
        self, rules: Sequence[Rule], options: ReplayOptions, inventory: Inventory | None = None
    ) -> None:
        self.replay = Replay(rules, options)
        self._log = IdentityLog()
        self._attributor = Attributor(inventory)

    def read(
        self, paths: Sequence[str], stdin: BinaryIO | None, asked: Selection, *, everything: bool = False
    ) -> Reconstruction:
        """Read everything that matters and tell what is asked; `everything`: read all of it, whatever is asked. Raises
        `NothingToReadError` when no input can be opened."""
        narrowed = None if everything else narrow(paths, asked)
        if narrowed is None:
            self.replay.take(paths, stdin, self._note)
            return self._told(asked, None)
        if narrowed.whole:
            self.replay.take(narrowed.whole, stdin, self._note)
        first = self._told(asked, narrowed)
        names = needles_of(_landed(first))
        found = files_with(narrowed.rest, names)
        whole = found[:MAX_MORE]
        if whole:
            self.replay.take(whole, None, self._note)
        further = blocks_with(found[MAX_MORE:], names)
        rest = [file for file in narrowed.rest if file not in set(whole)]
        moments = moments_of_sign_ins(first)
        if moments:
            # Whose a sign-in of the nodes' identity is depends on what every node did in those seconds.
            further = chain(further, blocks_with(files_with(rest, moments), moments))
        self.replay.take_blocks(further, self._note)
        return self._told(asked, narrowed)

    def _told(self, asked: Selection, narrowed: Narrowed | None) -> Reconstruction:
        """The stories of what was read so far."""
        engine = self.replay.engine
        self._attributor.learn(engine.knowledge.learnt)
        self._attributor.note_plain(engine.contacts, engine.names)
        judged = self.replay.judged()
        report = self.replay.account([case.incident for case in judged.cases])
        searched = len(narrowed.rest) if narrowed is not None else 0
        read = Read(judged, self._log, self._attributor.attribute, report.coverage, searched)
        return tell(read, asked, report.counts)

    def _note(self, events: Sequence[Event]) -> None:
        self._log.feed(events)
        for event in events:
            self._attributor.observe(event)


def _landed(told: Reconstruction) -> list[str]:
    """Names of what landed in the stories."""
    packages = (
        entity for story in told.stories for entity in story.entities if entity.kind is EntityKind.PACKAGE
    )
    return sorted({_bare(entity) for entity in packages if entity.facts.get("type") != "file"})


def _bare(entity: Entity) -> str:
    """A package's name without its version."""
    version = entity.facts.get("version", "")
    return entity.name.removesuffix(f"=={version}").removesuffix(f"@{version}") if version else entity.name
