"""Live detection: follow inputs, keep state across restarts, tell each incident when it appears and when its story changes.

One turn of the loop reads what is new, judges the pods that changed, and commits offsets, states and what is to be told in
one transaction before anybody is told. After a crash the last commit is where it goes on: what was read since is read
again, and ends in the same states, because states do not depend on repetition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct, field

from eightysix.detect.combine import Case
from eightysix.detect.engine import key_of
from eightysix.detect.exceptions import ExceptionRule
from eightysix.detect.live import LiveEngine
from eightysix.detect.revisions import ANEW, GONE, LATER, Told
from eightysix.detect.state import PodState, expire
from eightysix.detect.suppress import facts_of, suppress
from eightysix.model.errors import StateError
from eightysix.model.event import Event
from eightysix.model.incident import Incident, Problem
from eightysix.model.words import Origin, Source
from eightysix.report.stored import decode_incident, encode_incident
from eightysix.serve.evidence import moved_lines
from eightysix.serve.live.hearing import Hearing, carried_over, input_of, inputs_of, with_gaps
from eightysix.serve.live.keeper import Keeper
from eightysix.serve.replay import Replay
from eightysix.sources.lines import Block
from eightysix.sources.sensor import ABSENT
from eightysix.store.live import LiveStore, OutboxRow, SourceRow
from eightysix.store.sqlite_errors import StoreUnavailableError

__all__ = ["BUDGET_BYTES", "Followed", "Watch", "WatchOptions", "WatchStats"]

BUDGET_BYTES = 4 << 20
"""Bytes read in one turn: some hundredths of a second of work, so that what is found is told in time under load."""

LATER_AT_ONCE = 1
"""Pods that are judged in one turn of which nothing moved but the time of known connections, or only processes were added:
some 30 in a second."""

JUDGED_BEHIND = 4
"""Pods that are judged in one turn while the inputs are far ahead: few milliseconds, beside some 20 of reading. What was
written long ago is told a little later, and the present is reached sooner."""

MAX_MEASURED = 10_000
"""Measurements that wait to be taken: nobody may be asking for metrics."""

MAX_ENDED = 10_000
"""Pods that were let go and are remembered, to tell of records that come too late for them."""

LEDGER_S = 10.0
"""Seconds between two looks at the scan ledger: a look at a file that did not change is two calls of stat(2)."""

_MINUTE_NS = 60_000_000_000
_BESIDE = frozenset({Source.LEDGER, Source.GATE})
"""What these tell is of no pod."""
_LIVE_NS = 10 * _MINUTE_NS
"""Records older than this are no live telemetry: that they end is no silence."""


class Followed(Protocol):
    """Inputs that grow: see `serve.follow`."""

    def poll(self, budget_bytes: int) -> list[Block]:
        """Whole new lines; never waits."""

    def sources(self) -> dict[str, SourceRow]:
        """How far every input was read, for all blocks that `poll` has returned."""


class WatchOptions(Struct, frozen=True):
    """How often things are done, in seconds. `settle_share` is the part of the time that joining names may cost; `keep_s`
    is how long a pod is kept after its last record; `silence_s` after how long an input counts as silent."""

    commit_s: float = 1.0
    settle_share: float = 0.1
    settle_s: float = 5.0
    expire_s: float = 300.0
    keep_s: float = 72 * 3600.0
    silence_s: float = 120.0


class WatchStats(Struct):
    """Counts since the start, for the metrics. Times are seconds of the clock that the loop was given."""

    commits: int = 0
    failed_commits: int = 0
    revisions: dict[str, int] = field(default_factory=dict)  # by verdict
    suppressed: int = 0
    unreadable: int = 0
    late: int = 0
    expired_pods: int = 0
    last_commit: float = 0.0
    trouble: str = ""
    commit_times: list[float] = field(default_factory=list)  # of each commit, until somebody takes them
    event_ages: list[float] = field(
        default_factory=list
    )  # from an event's time to its being judged, likewise


class Watch:
    """The loop's state. `tell` is called with incidents that are news, after they are committed (or when a commit is
    impossible, because nobody should sleep through a breach for want of disk space). `clock` is monotonic seconds, `now`
    nanoseconds since 1970; `delivers` says whether anybody is to get what is told."""

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
        delivers: bool = True,
    ) -> None:
        self.replay = replay
        self.stats = WatchStats()
        self._options = options or WatchOptions()
        self._store = store
        self._tell = tell
        self._clock = clock
        self._now = now
        self._exceptions = exceptions
        self._delivers = delivers
        self._keeper = Keeper(replay.engine, store)
        self._keeper.load()
        self._live = LiveEngine(replay.engine)
        replay.tetragon.moved_contacts = self._keeper.moved
        self._hearing = Hearing(int(self._options.silence_s * 1e9))
        self._listens_at = self._looks_at = 0.0
        self.on_problem: Callable[[Problem], None] = replay.recogniser.note
        """Hears of a ledger that cannot be read, or that is none."""
        self.on_read: Callable[[Block, Sequence[Event], Sequence[int]], None] | None = None
        """Hears of every block once it is read: its events, and the lines of first connections, which are no events."""
        self.dress: Callable[[Sequence[Incident]], Sequence[Incident]] = list
        """Adds to incidents that are told what nothing is judged by."""
        self.received: tuple[str, ...] = ()
        """Folders with what came over HTTP: who sends there may be a pod, and a pod writes no ledger, nor whose it is."""
        self.sensors: tuple[str, ...] = ()
        """Folders with what the receiver of sensor records wrote: nothing else is read from there."""
        replay.sensor.unvouched = lambda file: _is_below(file, self.received)
        self._ledger_trouble = ""
        self._untold: list[Incident] = []
        self.behind = False
        """Whether there is more to read than the last turn read."""
        self._all_judged = False
        """Whether every pod was judged since the start: before, nobody knows what is no longer supported."""
        self._silent: set[str] = set()
        self._later: set[str] = set()
        self._newest_ns = 0  # of the records that the pods themselves could not write
        self._ended: dict[str, None] = {}
        self._next_settle = self._next_expire = self._last_settle = 0.0
        rows = store.told()
        self.told = Told(decode_incident(row.json) for row in rows)
        self._where = {i.id: i.pod.uid for i in self.told.latest.values() if i.pod is not None and i.pod.uid}
        sent = {row.id for row in rows if row.sent}
        for name, key in list(self._where.items()):  # let go while somebody had still to be told
            if name in sent and not self._keeper.is_kept(key):
                del self._where[name]
                self.told.forget(name)
                self._keeper.end(key, [name])
        self._live.dirty.update(replay.engine.states)

    @property
    def committed(self) -> Mapping[str, SourceRow]:
        """How far inputs were read, as it is committed."""
        return self._keeper.sources

    def turn(self, inputs: Followed, *, last: bool = False) -> bool:
        """Read what is new, judge it, and commit if it is time or something is to be told. Returns whether anything was
        read; `last` settles and commits whatever there is."""
        stats, started = self.stats, self._clock()
        if last or started >= self._looks_at:
            self._looks_at = started + LEDGER_S
            self._look_at_ledger()
        blocks = inputs.poll(BUDGET_BYTES)
        for block in blocks:
            self._read(block)
        grown, connected = self.replay.tetragon.grown, self.replay.tetragon.connected
        self._live.grew(connected)
        connected.clear()
        # A process alone is no news: who was told after its acts may tell who its ancestors are, and that can wait.
        self._later |= grown
        self._keeper.grown |= grown
        grown.clear()
        for pod in self.replay.falco.changed:
            self._keeper.write_whole(pod)
        self.replay.falco.changed.clear()
        # Far behind, the next blocks change the same pods again: a few are judged in each turn, and told once a second.
        self.behind = not last and sum(len(block.data) for block in blocks) >= BUDGET_BYTES // 2
        self._look_later(len(self._later) if last else LATER_AT_ONCE)
        settles = last or self._may_settle(started)
        # Settling judges all that changed. To judge a pod before what is joined to it would tell less than is known.
        cases = self._settle() if settles else self._live.quick(JUDGED_BEHIND if self.behind else None)
        if last or started >= self._listens_at:
            self._listens_at = started + 1.0
            cases += self._listen()
        self._untold += self._news(cases)
        if settles or not (self._all_judged or self._live.dirty):
            self._untold += self._taken_back(LATER if self._all_judged else ANEW)
            self._all_judged = True
        if last or started >= self._next_expire:
            self._expire()
        if (
            (self._untold and not self.behind)
            or last
            or started - stats.last_commit >= self._options.commit_s
        ):
            news, self._untold = self._untold, []
            self._commit(inputs, self.dress(news))
        return bool(blocks)

    def _look_at_ledger(self) -> None:
        """Take what scans wrote since the last look. One that is not there yet, or locked, may be the next time."""
        looked = False
        try:
            for events in self.replay.scanned():
                self._live.feed(events)
                looked = True
        except StateError as error:
            if error.what != self._ledger_trouble:
                self._ledger_trouble = error.what
                self.on_problem(Problem(self.replay.ledger, 0, "unreadable", f"{error.what}; {error.advice}"))
            return
        self._ledger_trouble = ""
        if looked:
            self._live.sources_seen(frozenset(self.replay.recogniser.sources))

    def _look_later(self, most: int) -> None:
        """Of pods whose known connections only went on, a few are judged in each turn: that is rarely news."""
        for _ in range(min(most, len(self._later))):
            self._live.grew([self._later.pop()])

    def _read(self, block: Block) -> None:
        recogniser = self.replay.recogniser
        before = _dropped(self.replay)
        of_sensors = _is_below(block.file, self.sensors)
        if of_sensors:
            events = recogniser.read_as(self.replay.sensor, block)
        else:
            events = self._without_foreign_ledger(block.file, recogniser.read(block))
        if self.on_read is not None:
            lines = moved_lines(block, self._keeper.moved, self.replay.engine.contacts)
            self.on_read(block, events, lines)
        self._live.feed(events)
        self._live.sources_seen(frozenset(recogniser.sources))
        self._keeper.note(events)
        if events and all(event.source in _BESIDE for event in events):
            return  # they tell of files and digests: their silence is none of a pod, their times are no telemetry's
        self._note_times(events)
        self._note_gaps()
        if of_sensors:
            return  # a sensor that has nothing to tell is silent, and no pod's silence is another's: see `_note_gaps`
        now_ns = self._now()
        last_ns = max((told.last_ns for told in recogniser.sources.values()), default=0)
        if now_ns - max(self._newest_ns, last_ns) <= _LIVE_NS:
            self._hearing.heard(block.file, now_ns)
            if _dropped(self.replay) > before:
                self._hearing.dropped(block.file, now_ns)
                self._silent.add(input_of(block.file))

    def _note_gaps(self) -> None:
        """Take what receivers tell of gaps in the records of one pod: of that pod they are a sign, and of no other."""
        for gap in self.replay.sensor.gaps:
            # The sensor's own word has the pod's own time: it is not taken for older than what others told before it.
            known_ns = max(gap.time_ns, self._newest_ns) if gap.gap in ABSENT else gap.time_ns
            self._silent.add(self._hearing.lost(gap.pod_uid, gap.gap, known_ns))
        self.replay.sensor.gaps.clear()
        self._silent.discard("")

    def _without_foreign_ledger(self, file: str, events: list[Event]) -> list[Event]:
        """What a scan or a gate comes to is the operator's word: of what is received, it is left out."""
        if not _is_below(file, self.received):
            return events
        kept = [event for event in events if event.source not in _BESIDE]
        if len(kept) < len(events):
            self.on_problem(
                Problem(
                    file,
                    0,
                    "unrecognised",
                    "lines of a scan ledger or a gate that came over HTTP are not believed",
                )
            )
        return kept

    def _note_times(self, events: Iterable[Event]) -> None:
        now_ns, ages = self._now(), self.stats.event_ages
        for event in events:
            if event.source in _BESIDE:
                continue
            _keep(ages, max(0.0, (now_ns - event.time_ns) / 1e9))
            if event.origin is not Origin.SUSPECT and event.time_ns > self._newest_ns:
                self._newest_ns = event.time_ns
            if self._ended and key_of(event) in self._ended:
                self.stats.late += 1

    def _may_settle(self, started: float) -> bool:
        if not self._live.needs_settling or started < self._next_settle:
            return False
        return self._live.waits_for_names or started - self._last_settle >= self._options.settle_s

    def _settle(self) -> list[Case]:
        started = self._clock()
        cases = self._live.settle()
        ended = self._clock()
        self._last_settle = ended
        self._next_settle = ended + (ended - started) / self._options.settle_share
        return cases

    @property
    def silent(self) -> frozenset[str]:
        """The inputs that are silent now."""
        return self._hearing.silent

    def source_ended(self, file: str) -> None:
        """An input ended by itself: where a chain began before, that is a sign. Told by the next turn."""
        self._hearing.ended(file, self._now())
        self._silent.add(input_of(file))

    def _listen(self) -> list[Case]:
        """The incidents whose input has just fallen silent, ended, or lost records."""
        self._silent.update(self._hearing.listen(self._now()))
        silent, self._silent = self._silent, set()
        if not silent:
            return []
        return [case for case in self._live.cases() if not silent.isdisjoint(inputs_of(case.incident))]

    def _news(self, cases: Iterable[Case]) -> list[Incident]:
        incidents = []
        for case in cases:
            key = case.chains[0].view.key
            incident = case.incident
            if incident.pod is not None:
                self._where[incident.id] = key
            gaps = self._hearing.gaps_of(incident)
            before = self.told.latest.get(incident.id)
            suspect_at = case.chains[0].rule.suspect_at
            if not gaps and before is not None and not self._hearing.heard_any(incident):
                incident = carried_over(incident, before, suspect_at)
            else:
                incident = with_gaps(incident, gaps, suspect_at, before)
            facts = facts_of(case.chains, incident)
            incidents.append(suppress(incident, facts, self._exceptions, case.last_ns))
        news = self.told.news(incidents)
        for incident in news:
            if incident.suppressed_by:
                self.stats.suppressed += 1
            else:
                verdict = str(incident.verdict)
                self.stats.revisions[verdict] = self.stats.revisions.get(verdict, 0) + 1
        return news

    def _taken_back(self, why: str) -> list[Incident]:
        """Incidents that were told and that nothing supports any more. Of a pod that was let go, and of a rollout, whose
        pods go one by one, nothing is left that could: they are taken back only with their rule."""
        current = {name for case in self._live.cases() for name in (case.incident.id, *case.incident.aliases)}
        rules = {rule.id for rule in self.replay.engine.rules}
        lost = [
            (incident, why if incident.rule in rules else GONE)
            for name, incident in self.told.latest.items()
            if not current.intersection((name, *incident.aliases))
            and (incident.rule not in rules or self._keeper.is_kept(self._where.get(name, "")))
        ]
        return self.told.take_back(lost)

    def _commit(self, inputs: Followed, news: Sequence[Incident]) -> None:
        stats, started = self.stats, self._clock()
        tetragon = self.replay.tetragon
        tetragon.flush()
        self._later |= tetragon.connected
        tetragon.connected.clear()
        rows = [
            OutboxRow(i.id, i.revision, encode_incident(i), bool(i.suppressed_by) or not self._delivers)
            for i in news
        ]
        change = self._keeper.change(inputs.sources(), rows)
        try:
            if change:
                self._store.commit(change)
        except StoreUnavailableError as error:
            self._keeper.failed(change)
            stats.failed_commits += 1
            stats.trouble = f"{error.what}; {error.advice}"
        else:
            self._keeper.committed(change)
            stats.commits += bool(change)
            stats.trouble = ""
        stats.last_commit = started  # also where it failed: not before another interval has passed
        _keep(stats.commit_times, self._clock() - started)
        told = [incident for incident in news if not incident.suppressed_by]
        if told:
            self._tell(told)

    def _expire(self) -> None:
        """Bound what is kept, by size and by time. The time is that of the records: where they stop, nothing ends."""
        options, engine = self._options, self.replay.engine
        self._next_expire = self._clock() + options.expire_s
        engine.trim()
        self._keeper.look_at_all()
        now_ns = min(self._newest_ns, self._now() + _MINUTE_NS)  # a clock far ahead must not end everything
        keep_ns = int(options.keep_s * 1e9)
        if now_ns <= keep_ns:
            return
        engine.forget_names(now_ns - keep_ns)
        told = set(self._where.values())
        for key, state in list(engine.states.items()):
            if key in told and self._was_heard_since(state, now_ns - keep_ns):
                continue  # what a told incident is made of does not get less by its age
            before = len(state.buckets), len(state.contacts)
            expire(state, now_ns, keep_ns)
            if not state.buckets and not state.taints:
                self._let_go(key)
            elif before != (len(state.buckets), len(state.contacts)):
                self._keeper.write_whole(key)
                self._live.dirty.add(key)

    @staticmethod
    def _was_heard_since(state: PodState, limit_ns: int) -> bool:
        return any(bucket.events[-1].time_ns >= limit_ns for bucket in state.buckets.values())

    def _let_go(self, key: str) -> None:
        engine = self.replay.engine
        for kept in (engine.states, engine.trees, engine.contacts):
            kept.pop(key, None)
        self.stats.expired_pods += 1
        self._ended[key] = None
        if len(self._ended) > MAX_ENDED:
            del self._ended[next(iter(self._ended))]
        over = self._live.forget([key]) + [name for name, where in self._where.items() if where == key]
        for name in over:
            self._where.pop(name, None)
            self.told.forget(name)
        self._keeper.end(key, over)


def _keep(measured: list[float], value: float) -> None:
    if len(measured) < MAX_MEASURED:
        measured.append(value)


def _is_below(file: str, folders: Sequence[str]) -> bool:
    return any(file.startswith(f"{folder}/") for folder in folders)


def _dropped(replay: Replay) -> int:
    return sum(told.kinds.get("dropped", 0) for told in replay.recogniser.sources.values())
