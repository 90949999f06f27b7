"""When each watched tag of one registry is asked: a schedule without threads, network or clock of its own.

Each tag is asked every `period_s`, so that with what an answer takes nobody is more than 30 s behind. Every registry has a
lane of its own: one that is slow, gone or asks for fewer questions holds up nobody else. A registry that fails is asked one
question after the other with growing pauses, never longer than `longest_pause_s`, so that it is caught up with once it is back.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable
from enum import Enum

from msgspec import Struct, field

__all__ = ["ALL", "Failure", "Job", "Lane", "Pace"]

ALL = "*"
"""A tag that stands for all tags of a repository: a job that asks for their list."""


class Pace(Struct, frozen=True, kw_only=True):
    """How fast one registry is asked.

    `period_s`: between two questions for a tag; 20 leave 10 of the promised 30 for answers and another try. `spread`: part of
    the period by which it is shortened by chance, so that not all are asked at once for ever. `at_once`: questions at the same
    time. `rate`: a second at most; 500 are what a distribution on one processor answers. `first_pause_s` to
    `longest_pause_s`: after `patience` failures of the registry itself in a row. `longest_wait_s`: what it may ask for by
    `Retry-After`. `again_s`: until a tag that was gone, or whose answer nobody kept, is asked again.
    """

    period_s: float = 20.0
    spread: float = 0.2
    at_once: int = 4
    rate: float = 500.0
    patience: int = 3
    first_pause_s: float = 0.25
    longest_pause_s: float = 5.0
    longest_wait_s: float = 300.0
    again_s: float = 2.0


class Failure(Enum):
    """What failed: `REGISTRY`, no answer at all; `WAIT`, it asks for fewer questions; `QUESTION`, it answers, and not this."""

    REGISTRY = "registry"
    WAIT = "wait"
    QUESTION = "question"


class Job(Struct, eq=False):
    """One tag (or `ALL`) of a repository. Times are of the caller's clock: `asked_at` when it was last asked, `answered_at`
    when there was an answer, both `None` before; `since` when it began to be watched. `alone`: it failed while
    others were answered. `missing` counts answers in a row that
    there is no such tag; `must_tell`: the next answer is told even if it says what is known."""

    repository: str
    tag: str
    since: float
    asked_at: float | None = None
    answered_at: float | None = None
    failed: int = 0
    alone: bool = False
    missing: int = 0
    soon: bool = False
    must_tell: bool = False
    running: bool = False
    gone: bool = False
    due: float = 0.0

    @property
    def key(self) -> tuple[str, str]:
        """What it is about."""
        return self.repository, self.tag


class Lane(Struct):
    """The jobs of one registry. Not for several threads at once: its owner locks."""

    pace: Pace
    chance: random.Random
    jobs: dict[tuple[str, str], Job] = field(default_factory=dict)
    running: int = 0
    failures: int = 0  # of the registry, one after the other
    paused_until: float = 0.0
    answered_at: float | None = None
    unseen_since: float | None = None  # when the first question in a row without any answer was asked
    _due: list[tuple[float, int, Job]] = field(default_factory=list)
    _number: int = 0
    _next_start: float = 0.0

    def watch(self, keys: Iterable[tuple[str, str]], now: float) -> None:
        """Ask for these too, from now on; in no order that somebody could choose."""
        new = list(dict.fromkeys(keys))
        self.chance.shuffle(new)
        for key in new:
            if key not in self.jobs:
                job = self.jobs[key] = Job(*key, since=now)
                self._put(job, now)

    def forget(self, key: tuple[str, str]) -> None:
        """Ask for it no more."""
        job = self.jobs.pop(key, None)
        if job is not None:
            job.gone = True

    def hurry(self, key: tuple[str, str], now: float) -> bool:
        """Ask for it at once; False where it is not watched."""
        job = self.jobs.get(key)
        if job is None:
            return False
        job.soon = job.must_tell = True
        if not job.running:
            self._put(job, now)
        return True

    def take(self, now: float) -> Job | None:
        """A job to be done now, None where there is none: see `wait`."""
        if self._ready_at(now) > now:
            return None
        while self._due and self._due[0][0] <= now:
            _, _, job = heapq.heappop(self._due)
            if job.gone or job.running or job.due > now:
                continue
            job.running, job.soon = True, False
            job.asked_at = now
            self.running += 1
            # One that hangs must not keep the next from being tried, so failing spaces the starts and not the ends.
            self._next_start = max(self._next_start, now) + max(1.0 / self.pace.rate, self._pause())
            return job
        return None

    def wait(self, now: float) -> float | None:
        """Seconds until there may be a job; None where only another event can bring one."""
        while self._due and (self._due[0][2].gone or self._due[0][0] < self._due[0][2].due):
            heapq.heappop(self._due)
        if not self._due or self.running >= self.pace.at_once:
            return None
        return max(0.0, max(self._due[0][0], self._ready_at(now)) - now)

    def answered(self, job: Job, now: float, *, again: bool = False) -> None:
        """The registry answered, whatever. `again`: ask soon once more."""
        self._end(job)
        job.answered_at, job.failed, job.alone = now, 0, False
        self._lives(now)
        period = self.pace.period_s * (1.0 - self.pace.spread * self.chance.random())
        begun = job.asked_at if job.asked_at is not None else now
        due = now + self.pace.again_s if again else max(now, begun + period)
        self._put(job, now if job.soon else due)

    def failed(self, job: Job, now: float, how: Failure, wait_s: float | None = None) -> None:
        """There was no answer. `wait_s` is what the registry asked for."""
        self._end(job)
        job.failed += 1
        asked = job.asked_at if job.asked_at is not None else now
        if how is Failure.REGISTRY and self.answered_at is not None and self.answered_at >= asked:
            how, job.alone = Failure.QUESTION, True  # others were answered meanwhile
            if job.failed == 1:
                self._put(job, now + self.pace.again_s)
                return
        if how is Failure.QUESTION:
            self._lives(now)
            self._put(job, max(now, asked + self.pace.period_s))
            return
        if self.unseen_since is None:
            self.unseen_since = asked
        if how is Failure.REGISTRY and job.alone:
            # It hung before while others were answered: it says nothing of the registry, and must not hold up the others.
            self._put(job, max(now, asked + self.pace.period_s))
            return
        if now >= self.paused_until:  # not once for each of those that were asked at the same time
            self.failures += 1
            self.paused_until = now + self._pause()
        if how is Failure.WAIT:
            pause = self.pace.longest_pause_s if wait_s is None else min(wait_s, self.pace.longest_wait_s)
            self.paused_until = max(self.paused_until, now + pause)
        self._put(job, now)

    def behind(self, now: float) -> float:
        """Seconds since the tag that waits longest was answered, or began to be watched."""
        return max(
            (now - (job.since if job.answered_at is None else job.answered_at) for job in self.jobs.values()),
            default=0.0,
        )

    def _ready_at(self, now: float) -> float:
        if self.running >= self.pace.at_once:
            return now + 1.0
        return max(self.paused_until, self._next_start)

    def _pause(self) -> float:
        """Nothing at first: one lost connection is no outage. Then longer and longer, shortened by chance."""
        pace = self.pace
        beyond = self.failures - pace.patience
        if beyond < 0:
            return 0.0
        longest = min(pace.first_pause_s * 2.0 ** min(beyond, 16), pace.longest_pause_s)
        return longest * (1.0 - pace.spread * self.chance.random())

    def _lives(self, now: float) -> None:
        self.answered_at = now
        if self.failures >= self.pace.patience:
            self._next_start = now
        self.failures, self.paused_until, self.unseen_since = 0, 0.0, None

    def _end(self, job: Job) -> None:
        job.running = False
        self.running -= 1

    def _put(self, job: Job, due: float) -> None:
        if job.gone:
            return
        job.due = due
        self._number += 1
        heapq.heappush(self._due, (due, self._number, job))
