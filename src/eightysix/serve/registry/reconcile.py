"""Asks registries where watched tags point, at most 30 s behind, because webhooks get lost.

A registry that is killed while its webhook's receiver is down loses the event for ever (measured), so what webhooks tell is a
hint and this is the truth. Each registry has threads and a schedule of its own (`lane.py`). What changed is given to a sink, and
counts as known only once the sink has kept it: nothing is told once and lost.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from hashlib import blake2b
from typing import Protocol

from msgspec import structs

from eightysix.gate.digests import is_attachment_tag
from eightysix.gate.references import is_repository, is_tag
from eightysix.model.errors import EightysixError, RegistryError, UsageError
from eightysix.model.gate import Channel, Reference, RegistryAction, RegistryEvent
from eightysix.serve.registry.bounds import Settings
from eightysix.serve.registry.client import Head, Listing
from eightysix.serve.registry.lane import ALL, Failure, Job, Lane, Pace
from eightysix.serve.registry.status import RegistryStatus, Status, Tally

__all__ = ["MAX_REGISTRIES", "MAX_TAGS", "Asked", "Reconciler", "Sink", "settings_for_asking"]

MAX_REGISTRIES = 64
"""Each has some threads."""
MAX_TAGS = 10_000
"""Of one repository that is watched as a whole; those beyond are told as not watched."""
HEAD_S = 5.0
"""For one question. A registry that needs longer is asked again, and told of as slow."""
_CONFIRM = 2
"""Answers in a row that a tag is not there, before it counts as deleted: a registry that restarts may say so once."""
_IDLE_S = 1.0

_HOW = {
    "unreachable": Failure.REGISTRY,
    "slow": Failure.REGISTRY,
    "throttled": Failure.WAIT,
}


class Asked(Protocol):
    """What is asked of a registry: `RegistryClient` is one. Called from several threads."""

    def head(self, repository: str, reference: str) -> Head | None:
        """Where a tag points."""
        ...

    def tags(self, repository: str) -> Listing:
        """The tags of a repository."""
        ...


class Sink(Protocol):
    """Keeps what was found. Called from several threads; an error, or False, has the tag asked and told again."""

    def __call__(self, event: RegistryEvent, asked_ns: int) -> bool | None:
        """`asked_ns` is the time before the registry was asked: what moved later may be newer than this."""
        ...


def settings_for_asking(settings: Settings) -> Settings:
    """Settings for the clients of a reconciler: one try each, as the schedule asks again by itself."""
    return structs.replace(settings, bounds=structs.replace(settings.bounds, tries=1, deadline_s=HEAD_S))


class _Line:
    """One registry: its lane, its threads, its counts."""

    def __init__(self, registry: str, lane: Lane) -> None:
        self.registry = registry
        self.lane = lane
        self.condition = threading.Condition()
        self.client: Asked | None = None
        self._making = threading.Lock()
        self.tally = Tally()
        self.whole: dict[
            str, str
        ] = {}  # repositories that are watched as a whole, and what is missing of them
        self.explicit: set[tuple[str, str]] = set()
        self.troubles: dict[tuple[str, str], str] = {}

    def client_by(self, client_for: Callable[[str], Asked]) -> Asked:
        """The one client of all its threads; made when it is first needed, and tried again where that failed."""
        with self._making:
            if self.client is None:
                self.client = client_for(self.registry)
            return self.client


class Reconciler:
    """Asks while its `with` block lasts.

    `watched` are references with a tag; the tag `*` stands for all of a repository, as they come and go. `known` are the
    digests that a registry has confirmed before (empty: there was no such tag): the first answer is told for all others.
    `clock` gives seconds that only grow, `wall` nanoseconds since 1970.
    """

    def __init__(
        self,
        client_for: Callable[[str], Asked],
        watched: Iterable[Reference],
        sink: Sink,
        *,
        known: Mapping[Reference, str] | None = None,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], int] = time.time_ns,
        chance: random.Random | None = None,
    ) -> None:
        self._client_for = client_for
        self._sink = sink
        self._pace = pace or Pace()
        self._clock = clock
        self._wall = wall
        self._chance = chance or random.Random()  # noqa: S311 - spreads questions, keeps no secret
        self._known: dict[tuple[str, str, str], str] = {
            (each.registry, each.repository, each.tag): digest for each, digest in (known or {}).items()
        }
        self._lines: dict[str, _Line] = {}
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._number = 0
        for reference in watched:
            self._add(reference)

    def __enter__(self) -> Reconciler:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to ask."""
        for line in self._lines.values():
            for number in range(self._pace.at_once):
                thread = threading.Thread(
                    target=self._work, args=(line,), name=f"ask-{line.registry}-{number}", daemon=True
                )
                self._threads.append(thread)
                thread.start()

    def stop(self, wait_s: float = HEAD_S + 2) -> None:
        """Ask no more; questions that are under way end first, or are left alone after `wait_s`."""
        self._stopping.set()
        for line in self._lines.values():
            with line.condition:
                line.condition.notify_all()
        deadline = time.monotonic() + wait_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def hint(self, registry: str, repository: str, tag: str) -> bool:
        """A webhook told something of this tag: ask now, and tell the answer even if it is what is known. False where it is
        not watched."""
        line = self._lines.get(registry)
        if line is None:
            return False
        now = self._clock()
        with line.condition:
            if repository in line.whole and is_tag(tag) and (repository, tag) not in line.lane.jobs:
                self._watch_more(line, repository, [tag], now)
            found = line.lane.hurry((repository, tag), now)
            line.condition.notify_all()
        return found

    def status(self) -> Status:
        """How it goes, of this moment."""
        now, wall = self._clock(), self._wall()
        return Status(tuple(self._status(line, now, wall) for line in self._lines.values()))

    def wait_for_round(self, timeout_s: float) -> bool:
        """Wait until every tag was answered once, or its question failed; False where that took longer."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if all(self._round_done(line) for line in self._lines.values()):
                return True
            self._stopping.wait(0.01)
        return False

    def do(self, registry: str) -> bool:
        """Ask one question that is due, in this thread; False where none is. For those who have a clock of their own."""
        line = self._lines[registry]
        with line.condition:
            job = line.lane.take(self._clock())
        if job is None:
            return False
        self._ask(line, job)
        return True

    def _add(self, reference: Reference) -> None:
        repository, tag = reference.repository, reference.tag
        if not is_repository(repository) or not (tag == ALL or is_tag(tag)):
            raise UsageError(
                f"{reference.registry}/{repository}:{tag} cannot be watched",
                "name a tag, or * for all of a repository",
            )
        line = self._lines.get(reference.registry)
        if line is None:
            if len(self._lines) >= MAX_REGISTRIES:
                raise UsageError(f"more than {MAX_REGISTRIES} registries are watched", "run it twice")
            seed = self._chance.getrandbits(32)
            lane = Lane(self._pace, random.Random(seed))  # noqa: S311
            line = self._lines[reference.registry] = _Line(reference.registry, lane)
        if tag == ALL:
            line.whole[repository] = ""
            # Tags that were known are asked even if a list that leaves them out is all there is.
            tags = [t for reg, rep, t in self._known if (reg, rep) == (line.registry, repository)]
            self._watch_more(line, repository, tags, self._clock())
        else:
            line.explicit.add((repository, tag))
        line.lane.watch([(repository, tag)], self._clock())

    def _watch_more(self, line: _Line, repository: str, tags: Iterable[str], now: float) -> None:
        have = sum(1 for rep, tag in line.lane.jobs if rep == repository and tag != ALL)
        new = [tag for tag in tags if (repository, tag) not in line.lane.jobs and not is_attachment_tag(tag)]
        room = max(0, MAX_TAGS - have)
        line.whole[repository] = f"{len(new) - room:,} more tags are not watched" if len(new) > room else ""
        line.lane.watch([(repository, tag) for tag in new[:room]], now)

    def _work(self, line: _Line) -> None:
        while not self._stopping.is_set():
            with line.condition:
                now = self._clock()
                job = line.lane.take(now)
                if job is None:
                    pause = line.lane.wait(now)
                    line.condition.wait(_IDLE_S if pause is None else min(max(pause, 0.001), _IDLE_S))
                    continue
            self._ask(line, job)

    def _ask(self, line: _Line, job: Job) -> None:
        """One question, whatever comes of it: no error ends the thread."""
        asked_ns = self._wall()
        try:
            client = line.client_by(self._client_for)
            if job.tag == ALL:
                again = self._listed(line, job, client.tags(job.repository))
            else:
                again = self._told(line, job, client.head(job.repository, job.tag), asked_ns)
        except EightysixError as error:
            kind = error.kind if isinstance(error, RegistryError) else "unusable"
            wait_s = error.retry_after_s if isinstance(error, RegistryError) else None
            self._failed(line, job, kind, error.what, wait_s)
        except Exception as error:  # noqa: BLE001 - the boundary of a thread that must go on
            self._failed(line, job, "unusable", f"asking failed by {type(error).__name__}", None)
        else:
            with line.condition:
                line.tally.answered += 1
                line.troubles.pop(job.key, None)
                line.lane.answered(job, self._clock(), again=again)
                line.condition.notify()

    def _failed(self, line: _Line, job: Job, kind: str, why: str, wait_s: float | None) -> None:
        with line.condition:
            line.tally.fail(kind, why)
            line.troubles[job.key] = why
            line.lane.failed(job, self._clock(), _HOW.get(kind, Failure.QUESTION), wait_s)
            line.condition.notify()

    def _listed(self, line: _Line, job: Job, listing: Listing) -> bool:
        with line.condition:
            self._watch_more(line, job.repository, listing.tags, self._clock())
            line.whole[job.repository] = line.whole[job.repository] or listing.cut
            line.condition.notify_all()
        return False

    def _told(self, line: _Line, job: Job, head: Head | None, asked_ns: int) -> bool:
        """Tell what is new; whether to ask again soon."""
        key = (line.registry, job.repository, job.tag)
        before, digest = self._known.get(key), head.digest if head is not None else ""
        job.missing = 0 if head is not None else job.missing + 1
        if (before == digest or (before is None and not digest)) and not job.must_tell:
            return False
        if not digest and job.missing < _CONFIRM:
            return True
        must_tell, job.must_tell = job.must_tell, False
        try:
            kept = self._sink(self._event(key, before or "", head, asked_ns), asked_ns)
        except EightysixError as error:
            kept = False
            line.tally.problem = error.what
        except BaseException:
            job.must_tell = job.must_tell or must_tell
            raise
        if kept is False:
            line.tally.untold += 1
            job.must_tell = True
            return True
        line.tally.events += 1
        self._known[key] = digest
        if not digest and job.repository in line.whole and job.key not in line.explicit:
            with line.condition:
                line.lane.forget(job.key)
            self._known.pop(key, None)
        return False

    def _event(
        self, key: tuple[str, str, str], before: str, head: Head | None, asked_ns: int
    ) -> RegistryEvent:
        registry, repository, tag = key
        digest = head.digest if head is not None else ""
        self._number += 1
        # The same move may be made twice, back and forth: the time makes each an event of its own.
        told = "\0".join((*key, before, digest, str(asked_ns), str(self._number)))
        return RegistryEvent(
            id=blake2b(told.encode(), digest_size=16).hexdigest(),
            channel=Channel.RECONCILER,
            action=RegistryAction.PUSH if digest else RegistryAction.DELETE,
            registry=registry,
            repository=repository,
            tag=tag,
            digest=digest,
            media_type=head.media_type if head is not None else "",
            size=head.size if head is not None else 0,
        )

    def _round_done(self, line: _Line) -> bool:
        with line.condition:
            jobs = list(line.lane.jobs.values())
            return all(not job.running and (job.answered_at is not None or job.failed > 0) for job in jobs)

    def _status(self, line: _Line, now: float, wall: int) -> RegistryStatus:
        with line.condition:
            lane, tally = line.lane, line.tally
            unseen = lane.unseen_since
            return RegistryStatus(
                registry=line.registry,
                tags=sum(1 for _, tag in lane.jobs if tag != ALL),
                answered=tally.answered,
                events=tally.events,
                untold=tally.untold,
                failures=dict(sorted(tally.failures.items())),
                behind_s=lane.behind(now),
                unseen_since_ns=0 if unseen is None else wall - int((now - unseen) * 1e9),
                paused_s=max(0.0, lane.paused_until - now),
                problem=tally.problem,
                troubles=tuple(sorted((*key, why) for key, why in line.troubles.items())[:20]),
                not_watched=tuple(sorted((rep, why) for rep, why in line.whole.items() if why)),
            )

    def close_clients(self) -> None:
        """Close what `client_for` gave, after `stop`."""
        for line in self._lines.values():
            close = getattr(line.client, "close", None)
            if close is not None:
                with suppress(OSError):
                    close()
