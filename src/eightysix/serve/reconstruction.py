"""A run over files for `reconstruct`: what `Replay` reads, and beside it every use of an identity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from eightysix.context.attribution import Attributor
from eightysix.context.inventory import Inventory
from eightysix.context.packages import WITHHELD
from eightysix.context.reach import Reaches
from eightysix.detect.rule import Rule
from eightysix.detect.state import PodState
from eightysix.detect.suppress import facts_of, suppress
from eightysix.model.errors import NothingToReadError
from eightysix.model.event import Event
from eightysix.model.incident import Counts, Evidence, Problem
from eightysix.model.story import Entity, EntityKind, Gap, Reconstruction, Record, Story
from eightysix.reconstruct.identitylog import IdentityLog
from eightysix.reconstruct.read import Read
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
        self,
        rules: Sequence[Rule],
        options: ReplayOptions,
        inventory: Inventory | None = None,
        reaches: Callable[[], Reaches | None] = lambda: None,
        gaps: Sequence[Gap] = (),
    ) -> None:
        """`gaps` are what of the inventory could not be known: every story tells them."""
        self._gaps = tuple(gaps)
        self.replay = Replay(rules, options)
        self._exceptions = options.exceptions
        self._log = IdentityLog()
        self._reaches = reaches
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
        asked = self._by_id(asked)
        engine = self.replay.engine
        self._attributor.learn(engine.knowledge.learnt)
        self._attributor.note_plain(engine.contacts, engine.names)
        self._attributor.note_processes(engine.trees)
        judged = self.replay.judged(partial(_is_of, asked) if asked.pod else None)
        report = self.replay.account(
            [
                suppress(case.incident, facts_of(case.chains, case.incident), self._exceptions, case.last_ns)
                for case in judged.cases
            ]
        )
        # With what exceptions, and the pod's sensor of its own absence, add.
        cases = [
            replace(case, incident=told) for case, told in zip(judged.cases, report.incidents, strict=True)
        ]
        judged = replace(judged, cases=cases)
        searched = len(narrowed.rest) if narrowed is not None else 0
        flooded = tuple(sorted({*report.coverage.flooded, *self._attributor.full}))
        coverage = msgspec.structs.replace(report.coverage, flooded=flooded)
        gaps = (*self._gaps, *_unread(report.counts))
        attribute = self._attributor.attribute
        read = Read(judged, self._log, attribute, coverage, searched, self._reaches, gaps)
        return tell(read, asked, report.counts)

    def _by_id(self, asked: Selection) -> Selection:
        """An identity that is asked for by its resource id, by one of the ids that logs have, where the inventory knows it."""
        if not asked.identity.startswith("/"):
            return asked
        ids = sorted(
            one
            for one in self._attributor.inventory.same([asked.identity])
            if one.count("-") == 4 and "/" not in one
        )
        return msgspec.structs.replace(asked, identity=ids[0]) if ids else asked

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


def _unread(counts: Counts) -> list[Gap]:
    lost = counts.malformed + counts.oversized
    if not lost:
        return []
    many = f"{lost} records" if lost > 1 else "one record"
    return [Gap("", f"what stood in {many} that could not be read, damaged or too large: -v tells where")]


def _is_of(asked: Selection, state: PodState) -> bool:
    """Whether any record of a pod names it as the one that is asked for."""
    if state.contacts and asked.names_pod("", "", state.key):
        return True
    # NOTE: not `state.events()`, which sorts them: this is asked of every pod of a cluster.
    kept = (event for bucket in state.buckets.values() for event in bucket.events)
    landed = (
        e for taints in state.taints.values() for taint in taints.values() for e in (taint.first, taint.last)
    )
    return any(asked.names_pod(e.namespace, e.pod, e.pod_uid) for e in chain(kept, landed))


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
