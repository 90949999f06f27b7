"""What of the engine outlives the process: which events, facts and states the next commit has to hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

import msgspec

from eightysix.context import gated, ledger
from eightysix.context.addresses import Fact
from eightysix.detect.engine import Engine, key_of
from eightysix.detect.journal import Delta, apply_delta, decode_delta, encode_delta
from eightysix.detect.state import PodState, decode_state, encode_state
from eightysix.model.event import Event
from eightysix.model.stored import read_stored
from eightysix.model.words import Source
from eightysix.store.live import Commit, LiveStore, OutboxRow, SourceRow

__all__ = ["PENDING_EVENTS", "SNAPSHOT_BYTES", "Keeper"]

SNAPSHOT_BYTES = 64 << 10
"""Journal of one pod that is kept before its whole state is written instead: a state of a busy pod is as large."""

LEARNT = "learnt"
"""Under this key lies what was learnt beside events (`context.addresses`); no pod has it."""

SCANS = "scans"
"""And under this one what ledgers told of scanned files (`context.ledger`)."""

GATED = "gated"
"""And here what gates of registries told (`context.gated`)."""

PENDING_EVENTS = 4_096
"""Events of one pod that wait for a commit which fails, before its state is written whole when it succeeds again."""


class Keeper:
    """Gathers what changed between commits. `moved` names plain connections that are new or moved, by pod; the source that
    fills `engine.contacts` fills it too."""

    def __init__(self, engine: Engine, store: LiveStore) -> None:
        self.moved: dict[str, set[str]] = {}
        self.grown: set[str] = set()
        """Pods whose process trees grew."""
        self._thorough = True
        self._engine = engine
        self._store = store
        self._pending: dict[str, Delta] = {}
        self._whole: set[str] = set()
        self._written: dict[str, int] = {}  # process facts of each pod that are in the store
        self._journal_bytes: dict[str, int] = {}
        self._sources: dict[str, SourceRow] = store.sources()
        self._unwritten: list[OutboxRow] = []
        self._ended: list[str] = []

    @property
    def sources(self) -> Mapping[str, SourceRow]:
        """How far inputs were read, as it is committed."""
        return self._sources

    def load(self) -> None:
        """Put the stored states into the engine."""
        engine = self._engine
        states: dict[str, PodState] = {}
        for key, data in self._store.pods():
            if key not in _BESIDE:
                states[key] = decode_state(data)
            else:
                self._take(key, data)
        for key, data in self._store.journal():
            if key in _BESIDE:
                self._take(key, data)
                self._journal_bytes[key] = self._journal_bytes.get(key, 0) + len(data)
                continue
            state = states.setdefault(key, PodState(key=key))
            apply_delta(state, decode_delta(data))
            self._journal_bytes[key] = self._journal_bytes.get(key, 0) + len(data)
        for key, state in states.items():
            engine.trees[key] = state.processes
            engine.contacts[key] = state.contacts
            if state.names:
                engine.names[key] = state.names
            self._written[key] = len(state.processes)
            if state.buckets or state.taints:
                engine.states[key] = state
        engine.knowledge.learnt.news = []
        engine.scans.news = []
        engine.gated.news = []

    def _take(self, key: str, data: bytes) -> None:
        """Put what is known beside events into the engine."""
        if key == LEARNT:
            self._engine.knowledge.learnt.add(_facts(data))
        elif key == GATED:
            self._engine.gated.add(_gated(data))
        else:
            self._engine.scans.add(_scans(data))

    def note(self, events: Iterable[Event]) -> None:
        """Keep `events` for the next commit."""
        for event in events:
            if event.source in (Source.LEDGER, Source.GATE):
                continue  # kept as what is known, under `SCANS` and `GATED`
            key = key_of(event)
            delta = self._pending.get(key)
            if delta is None:
                delta = self._pending[key] = Delta()
            delta.events.append(event)
            if len(delta.events) > PENDING_EVENTS:
                delta.events.clear()
                self._whole.add(key)

    def write_whole(self, key: str) -> None:
        """The state of this pod lost something: a delta cannot tell that."""
        self._whole.add(key)

    def look_at_all(self) -> None:
        """Something was let go: the next change looks at every pod, not only at those that are known to have changed."""
        self._thorough = True

    def end(self, key: str, incidents: Iterable[str]) -> None:
        """A pod is let go, and the incidents that were told of it are over."""
        self._pending.pop(key, None)
        # Names of its destinations run out later: what is stored of it must hold nothing else.
        self._whole.add(key)
        self._ended.extend(incidents)

    def change(self, sources: Mapping[str, SourceRow], news: Sequence[OutboxRow]) -> Commit:
        """What is to be written; nothing is pending after this."""
        engine, pending = self._engine, self._pending
        for key, names in self.moved.items():
            contacts = engine.contacts.get(key, {})
            delta = pending.setdefault(key, Delta())
            delta.contacts = {name: contacts[name] for name in names if name in contacts}
        self.moved.clear()
        thorough, self._thorough = self._thorough, False
        for key in list(engine.trees) if thorough else self.grown:
            tree = engine.trees.get(key, {})
            written = self._written.get(key, 0)
            if len(tree) < written:
                self._whole.add(key)
            elif len(tree) > written:
                pending.setdefault(key, Delta()).processes = dict(islice(tree.items(), written, None))
        self.grown.clear()
        gone = [key for key in self._written if not self.is_kept(key)] if thorough else []
        entries = [
            (key, encode_delta(delta)) for key, delta in pending.items() if delta and key not in self._whole
        ]
        learnt = engine.knowledge.learnt
        if learnt.news:
            entries.append((LEARNT, _encode(learnt.news)))
            learnt.news = []
        if engine.scans.news:
            entries.append((SCANS, _encode(engine.scans.news)))
            engine.scans.news = []
        if engine.gated.news:
            entries.append((GATED, _encode(engine.gated.news)))
            engine.gated.news = []
        journal: list[tuple[str, bytes]] = []
        for key, data in entries:
            if self._journal_bytes.get(key, 0) + len(data) > SNAPSHOT_BYTES:
                self._whole.add(key)
            else:
                journal.append((key, data))
        snapshots = {key: self._snapshot(key) for key in sorted(self._whole) if self.is_kept(key)}
        pending.clear()
        rows, self._unwritten = [*self._unwritten, *news], []
        ended, self._ended = self._ended, []
        return Commit(sources if sources != self._sources else None, journal, snapshots, gone, rows, ended)

    def is_kept(self, key: str) -> bool:
        """Whether the engine knows anything of this pod."""
        engine = self._engine
        return (
            key in engine.states
            or key in _BESIDE
            or any(key in kept and kept[key] for kept in (engine.trees, engine.contacts, engine.names))
        )

    def committed(self, change: Commit) -> None:
        """`change` is in the store."""
        trees = self._engine.trees
        if change.sources is not None:
            self._sources = dict(change.sources)
        for key, data in change.journal:
            self._journal_bytes[key] = self._journal_bytes.get(key, 0) + len(data)
            self._written[key] = len(trees.get(key, ()))
        for key in change.snapshots:
            self._journal_bytes[key] = 0
            self._written[key] = len(trees.get(key, ()))
        for key in change.forgotten:
            self._journal_bytes.pop(key, None)
            self._written.pop(key, None)
        self._whole.clear()

    def failed(self, change: Commit) -> None:
        """`change` could not be written: the states are, whole, when it works again, and so is what was told."""
        self._whole.update(change.snapshots)
        self._whole.update(key for key, _ in change.journal)
        self._unwritten += change.outbox
        self._ended += change.ended
        self._thorough = self._thorough or bool(change.forgotten)

    def _snapshot(self, key: str) -> bytes:
        if key == LEARNT:
            return _encode(self._engine.knowledge.learnt.facts())
        if key == SCANS:
            return _encode(self._engine.scans.facts())
        if key == GATED:
            return _encode(self._engine.gated.facts())
        return encode_state(self._state(key))

    def _state(self, key: str) -> PodState:
        engine = self._engine
        names = engine.names.get(key, {})
        known = engine.states.get(key)
        if known is not None:  # a live engine keeps names beside the states
            return msgspec.structs.replace(known, names=names)
        processes, contacts = engine.trees.get(key, {}), engine.contacts.get(key, {})
        return PodState(key=key, processes=processes, contacts=contacts, names=names)


_BESIDE = frozenset({LEARNT, SCANS, GATED})
_encode = msgspec.msgpack.Encoder().encode
_decode_facts = msgspec.msgpack.Decoder(list[Fact]).decode
_decode_scans = msgspec.msgpack.Decoder(list[ledger.Fact]).decode
_decode_gated = msgspec.msgpack.Decoder(list[gated.Fact]).decode


def _facts(data: bytes) -> list[Fact]:
    return read_stored(_decode_facts, data, "what was learnt of addresses")


def _scans(data: bytes) -> list[ledger.Fact]:
    return read_stored(_decode_scans, data, "what was learnt of scanned files")


def _gated(data: bytes) -> list[gated.Fact]:
    return read_stored(_decode_gated, data, "what gates told of digests")
