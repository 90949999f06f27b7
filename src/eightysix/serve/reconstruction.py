"""A run over files for `reconstruct`: what `Replay` reads, and beside it every use of an identity."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from eightysix.context.attribution import Attributor
from eightysix.context.inventory import Inventory
from eightysix.context.packages import WITHHELD
from eightysix.detect.rule import Rule
from eightysix.detect.state import PodState
from eightysix.model.errors import NothingToReadError
from eightysix.model.event import Event
from eightysix.model.incident import Evidence, Problem
from eightysix.model.story import Entity, EntityKind, Reconstruction, Record, Story
from eightysix.reconstruct.builder import Read
from eightysix.reconstruct.identitylog import IdentityLog
from eightysix.reconstruct.selection import Selection
from eightysix.reconstruct.tell import tell
from eightysix.serve.narrowing import MAX_MORE, Narrowed, blocks_with, moments_of_sign_ins, narrow, needles_of
from eightysix.serve.replay import Replay, ReplayOptions
from eightysix.serve.searching import files_with
from eightysix.serve.storestory import StoreReader
from eightysix.sources.raw import Redactor, raw_lines

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["MAX_RECORD", "MAX_RECORDS", "Reconstructing"]

MAX_RECORDS = 4_000
"""Raw records that are told with one story: those of its stages, then those around it. At 2 KB each, 8 MB."""

MAX_RECORD = 16_384
"""Characters of one raw record that are told: an audit event with a body is longer than anybody reads."""


class Reconstructing:
    """One reconstruction over some inputs."""

    def __init__(
        self, rules: Sequence[Rule], options: ReplayOptions, inventory: Inventory | None = None
    ) -> None:
        self.replay = Replay(rules, options)
        self._log = IdentityLog()
        known = inventory if inventory is not None else Inventory()
        known.declare(options.identities)
        self._attributor = Attributor(known)

    def read(
        self, paths: Sequence[str], stdin: BinaryIO | None, asked: Selection, *, everything: bool = False
    ) -> Reconstruction:
        """Read everything that matters and tell what is asked; `everything`: read all of it, whatever is asked. Raises
        `NothingToReadError` when no input can be opened."""
        narrowed = None if everything else narrow(paths, asked)
        if narrowed is None:
            self.replay.take(paths, stdin, self._note)
            return self._with_records(self._told(asked, None), paths)
        if narrowed.whole:
            self.replay.take(narrowed.whole, stdin, self._note)
        first = self._told(asked, narrowed)
        names = needles_of(_landed(first))
        found = files_with(narrowed.rest, names)
        whole = found[:MAX_MORE]
        moments = moments_of_sign_ins(first)
        if not found and not moments:
            return self._with_records(first, narrowed.whole)
        if whole:
            self.replay.take(whole, None, self._note)
        further = blocks_with(found[MAX_MORE:], names)
        rest = [file for file in narrowed.rest if file not in set(whole)]
        if moments:
            # Whose a sign-in of the nodes' identity is depends on what every node did in those seconds.
            further = chain(further, blocks_with(files_with(rest, moments), moments))
        self.replay.take_blocks(further, self._note)
        return self._with_records(self._told(asked, narrowed), [*narrowed.whole, *found])

    def read_store(self, folder: str, asked: Selection, *, memory: str = "1GB") -> Reconstruction:
        """Read what matters out of a store and tell what is asked. Raises `StateError` where there is no store."""
        from eightysix.store.events.view import open_view

        recogniser = self.replay.recogniser
        with open_view(folder, memory=memory, on_problem=recogniser.note) as connection:
            reader = StoreReader(
                connection,
                self.replay,
                self._note,
                lambda why: recogniser.note(Problem(folder, 0, "malformed", why)),
            )
            if not asked.pod:
                reader.everything(asked)
            elif reader.pod(asked) and (landed := _landed(self._told(asked, None))):
                reader.artifacts(landed, asked)
            return _with_rows(self._told(asked, None), connection)

    def _told(self, asked: Selection, narrowed: Narrowed | None) -> Reconstruction:
        """The stories of what was read so far."""
        engine = self.replay.engine
        self._attributor.learn(engine.knowledge.learnt)
        self._attributor.note_plain(engine.contacts, engine.names)
        self._attributor.note_processes(engine.trees)
        judged = self.replay.judged(partial(_is_of, asked) if asked.pod else None)
        report = self.replay.account([case.incident for case in judged.cases])
        searched = len(narrowed.rest) if narrowed is not None else 0
        flooded = tuple(sorted({*report.coverage.flooded, *self._attributor.full}))
        coverage = msgspec.structs.replace(report.coverage, flooded=flooded)
        read = Read(judged, self._log, self._attributor.attribute, coverage, searched)
        return tell(read, asked, report.counts)

    def _with_records(self, told: Reconstruction, paths: Sequence[str]) -> Reconstruction:
        """`told` with the raw records that its stories point to, as far as the files still have them."""
        places = {place for story in told.stories for place in _places(story)}
        files = sorted({path for path in paths if path != "-"})
        if not places or not files:
            return told
        redactor = Withholding()
        found: dict[tuple[str, int], Record] = {}
        try:
            for place, text in raw_lines(files, places):
                found[place.file, place.line] = _record(place, redactor.record(text))
        except NothingToReadError:
            return told
        stories = tuple(
            msgspec.structs.replace(
                story,
                records=tuple(
                    msgspec.structs.replace(found[place.file, place.line], evidence=place)
                    for place in sorted(_places(story))
                    if (place.file, place.line) in found
                ),
            )
            for story in told.stories
        )
        return msgspec.structs.replace(told, stories=stories)

    def _note(self, events: Sequence[Event]) -> None:
        self._log.feed(events)
        for event in events:
            self._attributor.observe(event)


def _is_of(asked: Selection, state: PodState) -> bool:
    """Whether any record of a pod names it as the one that is asked for."""
    return any(asked.names_pod(event.namespace, event.pod, event.pod_uid) for event in state.events())


def _with_rows(told: Reconstruction, connection: DuckDBPyConnection) -> Reconstruction:
    """`told` with the raw records that the store kept of its incidents."""
    from eightysix.hunt.raw import raw_of

    places = {place for story in told.stories for place in _places(story)}
    found = raw_of(connection, sorted(places)) if places else {}
    stories = tuple(
        msgspec.structs.replace(
            story,
            records=tuple(_record(place, found[place]) for place in sorted(_places(story)) if place in found),
        )
        for story in told.stories
    )
    return msgspec.structs.replace(told, stories=stories)


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


def _places(story: Story) -> set[Evidence]:
    """Where the story's marks and uses are written, the staged ones first where there are too many."""
    staged = {place for mark in story.marks if mark.stage is not None for place in mark.evidence}
    uses = {place for identity in story.identities for use in identity.uses for place in use.evidence}
    around = [place for mark in story.marks if mark.stage is None for place in mark.evidence]
    kept = {place for place in staged | uses if place.line}
    for place in around:
        if place.line and len(kept) < MAX_RECORDS:
            kept.add(place)
    return kept if len(kept) <= MAX_RECORDS else set(sorted(kept)[:MAX_RECORDS])


def _record(place: Evidence, text: str) -> Record:
    if len(text) <= MAX_RECORD:
        return Record(place, text)
    return Record(place, text[:MAX_RECORD], len(text) - MAX_RECORD)


class Withholding(Redactor):
    """Leaves out what may be secret without a fingerprint: the same input tells the same story, byte by byte, and a
    fingerprint whose key everybody has would let anybody test guesses."""

    def __init__(self) -> None:
        super().__init__(b"")

    def print_of(self, value: object) -> str:
        """The same mark for everything."""
        return WITHHELD
