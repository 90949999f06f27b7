"""Live detection: follow inputs, keep state across restarts, tell each incident when it appears and when its story changes.

One turn of the loop reads what is new, judges the pods that changed, and commits offsets, states and what is to be told in
one transaction before anybody is told. After a crash the last commit is where it goes on: what was read since is read
again, and ends in the same states, because states do not depend on repetition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Protocol

from msgspec import Struct

from eightysix.detect.combine import Case
from eightysix.detect.engine import key_of
from eightysix.detect.exceptions import ExceptionRule
from eightysix.detect.journal import Delta, apply_delta, decode_delta, encode_delta
from eightysix.detect.live import LiveEngine
from eightysix.detect.revisions import Told
from eightysix.detect.state import PodState, decode_state, encode_state, expire
from eightysix.detect.suppress import facts_of, suppress
from eightysix.model.event import Event
from eightysix.model.incident import Incident
from eightysix.model.words import Origin
from eightysix.report.json_format import decode_incident, encode_incident
from eightysix.serve.replay import Replay
from eightysix.sources.lines import Block
from eightysix.store.live import Commit, LiveStore, OutboxRow, SourceRow, StoreFullError

__all__ = ["Followed", "Watch", "WatchOptions", "WatchStats"]

BUDGET_BYTES = 4 << 20
"""Bytes read in one turn: a tenth of a second of work at most, so that what is found is told in time under load."""

SNAPSHOT_BYTES = 64 << 10
"""Journal of one pod that is kept before its whole state is written instead: a state of a busy pod is as large."""

PENDING_EVENTS = 4_096
"""Events of one pod that wait for a commit which fails, before its state is written whole when it succeeds again."""

MINUTE_NS = 60_000_000_000


class Followed(Protocol):
    """Inputs that grow: see `serve.follow`."""

    def poll(self, budget_bytes: int) -> list[Block]:
        """Whole new lines; never waits."""

    def sources(self) -> dict[str, SourceRow]:
        """How far every input was read, for all blocks that `poll` has returned."""


class WatchOptions(Struct, frozen=True):
    """How often things are done, in seconds. `settle_share` is the part of the time that joining names may cost;
    `keep_s` how long a pod is kept after its last record."""

    commit_s: float = 1.0
    settle_share: float = 0.1
    settle_s: float = 5.0
    expire_s: float = 300.0
    keep_s: float = 72 * 3600.0


class WatchStats(Struct):
    """Counts since the start, for the metrics. Times are seconds of the clock that the loop was given."""

    turns: int = 0
    commits: int = 0
    commit_seconds: float = 0.0
    failed_commits: int = 0
    incidents: int = 0
    suppressed: int = 0
    expired_pods: int = 0
    last_turn: float = 0.0
    last_commit: float = 0.0
    trouble: str = ""


class Watch:
    """The loop's state. `tell` is called with incidents that are news, after they are committed (or when a commit is
    impossible, because nobody should sleep through a breach for want of disk space). `clock` is monotonic seconds, `now`
    nanoseconds since 1970."""

    def __init__(
        self,
        replay: Replay,
        store: LiveStore,
        tell: Callable[[Sequence[Incident]], None],
        clock: Callable[[], float],
        now: Callable[[], int],
        *,
        exceptions: Sequence[ExceptionRule] = (),
        options: WatchOptions | None = None,
        mine: Callable[[str], bool] = lambda key: True,
    ) -> None:
        self.replay = replay
        self.stats = WatchStats()
        self._live = LiveEngine(replay.engine)
        self._store = store
        self._tell = tell
        self._clock = clock
        self._now = now
        self._exceptions = exceptions
        self._options = options or WatchOptions()
        self._mine = mine
        self._moved: dict[str, set[str]] = {}
        replay.tetragon.moved_contacts = self._moved
        self._pending: dict[str, Delta] = {}
        self._whole: set[str] = set()
        self._written: dict[str, int] = {}  # process facts of each pod that are in the store
        self._journal_bytes: dict[str, int] = {}
        self._later: set[str] = set()
        self._newest_ns = 0
        self._next_settle = self._next_expire = self._last_settle = 0.0
        self._sources: dict[str, SourceRow] = store.sources()
        self._unwritten: list[OutboxRow] = []
        self._ended: list[str] = []
        self.told = Told(decode_incident(row.json) for row in store.told())
        self._where = {i.id: i.pod.uid for i in self.told.latest.values() if i.pod is not None and i.pod.uid}
        self._load()

    # --- one turn --------------------------------------------------------------------------------------------------

    def turn(self, inputs: Followed, *, last: bool = False) -> bool:
        """Read what is new, judge it, and commit if it is time or something is to be told. Returns whether anything was
        read; `last` settles and commits whatever there is."""
        stats, started = self.stats, self._clock()
        blocks = inputs.poll(BUDGET_BYTES)
        for block in blocks:
            self._take(self.replay.recogniser.read(block))
        self._live.dirty.update(self._moved)
        cases = self._live.quick()
        settles = last or self._may_settle(started)
        if settles:
            cases += self._settle()
        news = self._news(cases)
        if settles:
            news += self._taken_back()
        if last or started >= self._next_expire:
            self._expire()
        if news or last or started - stats.last_commit >= self._options.commit_s:
            self._commit(inputs, news)
        stats.turns += 1
        stats.last_turn = started
        return bool(blocks)

    def _take(self, events: list[Event]) -> None:
        live, pending = self._live, self._pending
        live.feed(events)
        live.sources_seen(frozenset(self.replay.recogniser.sources))
        for event in events:
            if event.origin is not Origin.SUSPECT and event.time_ns > self._newest_ns:
                self._newest_ns = event.time_ns
            key = key_of(event)
            delta = pending.get(key)
            if delta is None:
                delta = pending[key] = Delta()
            delta.events.append(event)
            if len(delta.events) > PENDING_EVENTS:
                delta.events.clear()
                self._whole.add(key)

    def _may_settle(self, started: float) -> bool:
        waits = (
            self._live.waits_for_names
            or (self._live.dirty or self._later)
            and started - self._last_settle >= self._options.settle_s
        )
        return bool(waits) and started >= self._next_settle

    def _settle(self) -> list[Case]:
        started = self._clock()
        self._live.dirty |= self._later
        self._later.clear()
        cases = self._live.settle()
        ended = self._clock()
        self._last_settle = ended
        self._next_settle = ended + (ended - started) / self._options.settle_share
        return cases

    def _news(self, cases: Iterable[Case]) -> list[Incident]:
        incidents = []
        for case in cases:
            pod = case.incident.pod
            if pod is not None and not self._mine(case.chains[0].view.key):
                continue
            told = suppress(
                case.incident, facts_of(case.chains, case.incident), self._exceptions, case.last_ns
            )
            incidents.append(told)
            if pod is not None:
                self._where[told.id] = case.chains[0].view.key
        news = self.told.news(incidents)
        self.stats.suppressed += sum(bool(incident.suppressed_by) for incident in news)
        self.stats.incidents += len(news)
        return news

    def _taken_back(self) -> list[Incident]:
        """Incidents that were told of pods that are still kept, and that nothing supports any more."""
        current = {name for case in self._live.cases() for name in (case.incident.id, *case.incident.aliases)}
        known = self.told.latest
        lost = [
            known[name]
            for name, key in self._where.items()
            if name in known
            and name not in current
            and not current.intersection(known[name].aliases)
            and self._is_kept(key)
        ]
        return self.told.take_back(lost)

    # --- what outlives the process ---------------------------------------------------------------------------------

    def _load(self) -> None:
        engine = self.replay.engine
        states: dict[str, PodState] = {}
        for key, data in self._store.pods():
            states[key] = decode_state(data)
        for key, data in self._store.journal():
            state = states.setdefault(key, PodState(key=key))
            apply_delta(state, decode_delta(data))
            self._journal_bytes[key] = self._journal_bytes.get(key, 0) + len(data)
        for key, state in states.items():
            engine.trees[key] = state.processes
            engine.contacts[key] = state.contacts
            self._written[key] = len(state.processes)
            if state.buckets or state.taints:
                engine.states[key] = state
        self._live.dirty.update(engine.states)

    def _commit(self, inputs: Followed, news: Sequence[Incident]) -> None:
        started = self._clock()
        self.replay.tetragon.flush()
        change = self._change(inputs.sources(), news)
        stats = self.stats
        try:
            if change:
                self._store.commit(change)
        except StoreFullError as error:
            stats.failed_commits += 1
            stats.trouble = f"{error.what}; {error.advice}"
            stats.last_commit = started  # not before another interval has passed
            self._whole.update(change.snapshots)
            self._whole.update(key for key, _ in change.journal)
            self._unwritten += change.outbox
            self._ended += change.ended
        else:
            stats.trouble = ""
            stats.commits += 1
            stats.last_commit = started
            self._committed(change)
        stats.commit_seconds += self._clock() - started
        if news:
            self._tell([incident for incident in news if not incident.suppressed_by])

    def _change(self, sources: Mapping[str, SourceRow], news: Sequence[Incident]) -> Commit:
        """What is to be written; empties what was pending."""
        engine = self.replay.engine
        for key, names in self._moved.items():
            contacts = engine.contacts.get(key, {})
            delta = self._pending.setdefault(key, Delta())
            delta.contacts = {name: contacts[name] for name in names if name in contacts}
            self._later.add(key)
        self._moved.clear()
        for key, tree in engine.trees.items():
            written = self._written.get(key, 0)
            if len(tree) < written:
                self._whole.add(key)
            elif len(tree) > written:
                delta = self._pending.setdefault(key, Delta())
                delta.processes = dict(islice(tree.items(), written, None))
        gone = [key for key in self._written if not self._is_kept(key)]
        journal: list[tuple[str, bytes]] = []
        snapshots: dict[str, bytes] = {}
        for key, delta in self._pending.items():
            if not delta or key in self._whole:
                continue
            data = encode_delta(delta)
            if self._journal_bytes.get(key, 0) + len(data) > SNAPSHOT_BYTES:
                self._whole.add(key)
            else:
                journal.append((key, data))
        for key in self._whole:
            if self._is_kept(key):
                snapshots[key] = encode_state(self._state(key))
        self._pending.clear()
        rows = [OutboxRow(i.id, i.revision, encode_incident(i)) for i in news]
        rows, self._unwritten = self._unwritten + rows, []
        ended, self._ended = self._ended, []
        return Commit(sources if sources != self._sources else None, journal, snapshots, gone, rows, ended)

    def _is_kept(self, key: str) -> bool:
        engine = self.replay.engine
        return key in engine.states or bool(engine.trees.get(key)) or bool(engine.contacts.get(key))

    def _state(self, key: str) -> PodState:
        engine = self.replay.engine
        known = engine.states.get(key)
        if known is not None:
            return known
        return PodState(key=key, processes=engine.trees.get(key, {}), contacts=engine.contacts.get(key, {}))

    def _committed(self, change: Commit) -> None:
        trees = self.replay.engine.trees
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

    def _expire(self) -> None:
        """Bound what is kept, by size and by time. The time is that of the records: where they stop, nothing ends."""
        options, engine = self._options, self.replay.engine
        self._next_expire = self._clock() + options.expire_s
        engine.trim()
        now_ns = min(self._newest_ns, self._now() + MINUTE_NS)  # a clock far ahead must not end everything
        keep_ns = int(options.keep_s * 1e9)
        if now_ns <= keep_ns:
            return
        for key, state in list(engine.states.items()):
            before = len(state.buckets), len(state.contacts)
            expire(state, now_ns, keep_ns)
            if not state.buckets and not state.taints:
                for kept in (engine.states, engine.trees, engine.contacts):
                    kept.pop(key, None)
                self._pending.pop(key, None)
                self.stats.expired_pods += 1
                self._live.forget([key])
                for name in [name for name, where in self._where.items() if where == key]:
                    del self._where[name]
                    self.told.forget(name)
                    self._ended.append(name)
            elif before != (len(state.buckets), len(state.contacts)):
                self._whole.add(key)
                self._live.dirty.add(key)
