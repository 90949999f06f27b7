"""Each watched tag of a registry that answers is asked within 30 s, whatever fails: by a clock that a test turns."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from itertools import count, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from eightysix.serve.registry.lane import Failure, Job, Lane, Pace

Outcome = tuple[float, Failure | None]
"""How long a question takes, and what fails."""
Rule = Callable[[float, Job], Outcome]


class Simulation:
    """One lane with as many workers as its pace has. `gaps` are the times between two questions for a tag, and until the first;
    `answered` when each tag was answered."""

    def __init__(self, tags: int, rule: Rule, pace: Pace | None = None, seed: int = 0) -> None:
        self.pace = pace or Pace()
        self.lane = Lane(self.pace, random.Random(seed))
        self.lane.watch([("r", f"t{n}") for n in range(tags)], 0.0)
        self.rule = rule
        self.now = 0.0
        self.most = 0
        self.starts: list[float] = []
        self.asked: dict[str, list[float]] = {f"t{n}": [0.0] for n in range(tags)}
        self.answered: dict[str, list[float]] = {f"t{n}": [] for n in range(tags)}
        self._ends: list[tuple[float, int, Job, Failure | None]] = []
        self._number = count()

    def run(self, until: float) -> None:
        while True:
            while True:
                job = self.lane.take(self.now)
                if job is None:
                    break
                self.starts.append(self.now)
                self.asked[job.tag].append(self.now)
                takes, failed = self.rule(self.now, job)
                heapq.heappush(self._ends, (self.now + takes, next(self._number), job, failed))
                self.most = max(self.most, len(self._ends))
            pause = self.lane.wait(self.now)
            times = [self.now + pause] if pause is not None else []
            times += [self._ends[0][0]] if self._ends else []
            assert times, "somebody would wait for ever"
            # As a thread's wait, never quite nothing.
            self.now = max(min(times), self.now + 1e-6)
            if self.now > until:
                self.now = until
                return
            while self._ends and self._ends[0][0] <= self.now:
                _, _, job, failed = heapq.heappop(self._ends)
                if failed is None:
                    self.lane.answered(job, self.now)
                    self.answered[job.tag].append(self.now)
                else:
                    self.lane.failed(job, self.now, failed)

    def longest_gap(self) -> float:
        ends = {tag: [*times, self.now] for tag, times in self.asked.items()}
        return max(after - before for times in ends.values() for before, after in pairwise(times))


def test_a_thousand_tags_are_asked_every_20_seconds_and_not_all_at_once() -> None:
    run = Simulation(1_000, lambda now, job: (0.005, None))
    run.run(120.0)
    assert run.longest_gap() < 25.0
    assert run.most <= run.pace.at_once
    assert max(map(len, run.asked.values())) <= 9, "nobody is asked much more often"
    a_second = [sum(1 for at in run.starts if second <= at < second + 1) for second in range(5, 119)]
    assert max(a_second) <= run.pace.rate + run.pace.at_once


@settings(max_examples=40)
@given(
    st.integers(1, 60),
    st.lists(
        st.tuples(st.sampled_from([None, None, *Failure]), st.floats(0.001, 2.0)), min_size=1, max_size=40
    ),
    st.integers(0, 5),
)
def test_whatever_single_questions_meet_nobody_waits_longer_than_30_seconds(
    tags: int, pattern: list[tuple[Failure | None, float]], seed: int
) -> None:
    """Any pattern of answers and failures of questions, of which the registry itself answers: at least a third are answers
    or failures of one question alone."""
    turn = count()

    def rule(now: float, job: Job) -> Outcome:
        number = next(turn)
        failed, takes = pattern[number % len(pattern)]
        return (
            (takes * 0.1, None)
            if number % 3 == 0
            else (takes * 0.1, failed if failed is not Failure.WAIT else None)
        )

    run = Simulation(tags, rule, seed=seed)
    run.run(180.0)
    assert run.longest_gap() <= 30.0


@settings(max_examples=40)
@given(st.lists(st.floats(1.0, 90.0), min_size=2, max_size=8), st.floats(0.001, 5.0), st.integers(1, 300))
def test_a_registry_that_comes_back_is_caught_up_with_within_30_seconds(
    lengths: list[float], takes_to_fail: float, tags: int
) -> None:
    """It lives and dies in turns of any length; dead, each question takes up to its deadline of 5 s."""
    edges = [sum(lengths[:n]) for n in range(1, len(lengths) + 1)]

    def lives(now: float) -> bool:
        return sum(1 for edge in edges if edge <= now) % 2 == 0

    run = Simulation(
        tags, lambda now, job: (0.005, None) if lives(now) else (takes_to_fail, Failure.REGISTRY)
    )
    end = edges[-1] + (40.0 if len(edges) % 2 == 0 else 0.0)
    run.run(end)
    back = [0.0, *(edge for number, edge in enumerate(edges) if number % 2)]
    gone = [edge for number, edge in enumerate(edges) if number % 2 == 0]
    for start in back:
        stop = min((edge for edge in gone if edge > start), default=end)
        if stop - start >= 30.0:
            for tag, times in run.answered.items():
                assert any(start <= at <= start + 30.0 for at in times), (tag, start)


def test_a_registry_that_is_gone_is_asked_rarely_and_is_unseen_since_then() -> None:
    run = Simulation(500, lambda now, job: (0.005, None) if now < 50.0 else (0.01, Failure.REGISTRY))
    run.run(50.0)
    before, seen = len(run.starts), run.lane.unseen_since
    run.run(350.0)
    since = run.lane.unseen_since
    assert seen is None
    assert since is not None
    assert 50.0 <= since < 51.0
    assert len(run.starts) - before < 120, "one after the other, every four or five seconds"
    assert run.lane.behind(run.now) > 290.0


@given(st.integers(0, 50))
def test_some_tags_that_hang_do_not_keep_the_others_from_being_asked(seed: int) -> None:
    hanging = {f"t{n}" for n in range(8)}
    run = Simulation(
        200, lambda now, job: (5.0, Failure.REGISTRY) if job.tag in hanging else (0.01, None), seed=seed
    )
    run.run(300.0)
    assert run.longest_gap() <= 30.0
    assert all(len(times) >= 9 for tag, times in run.answered.items() if tag not in hanging)


def test_a_registry_that_asks_for_time_gets_it_within_bounds() -> None:
    lane = Lane(Pace(), random.Random(0))
    lane.watch([("r", "a"), ("r", "b")], 0.0)
    job = lane.take(0.0)
    assert job is not None
    lane.failed(job, 1.0, Failure.WAIT, 60.0)
    assert lane.take(60.9) is None
    assert lane.wait(1.0) == 60.0
    job = lane.take(61.0)
    assert job is not None
    assert job.tag == "b", "the one that waits longest"
    lane.failed(job, 61.0, Failure.WAIT, 1e9)
    assert lane.wait(61.0) == 300.0
    assert lane.unseen_since == 0.0


def test_a_question_that_fails_alone_leaves_the_registry_alone() -> None:
    lane = Lane(Pace(), random.Random(0))
    lane.watch([("r", "a"), ("r", "b")], 0.0)
    first, second = lane.take(0.0), lane.take(0.1)
    assert first is not None
    assert second is not None
    lane.answered(second, 0.2)
    lane.failed(first, 5.0, Failure.REGISTRY)
    assert (lane.failures, lane.unseen_since) == (0, None)
    assert lane.wait(5.0) == 2.0, "once more, soon"
    again = lane.take(7.0)
    assert again is first
    lane.failed(again, 12.0, Failure.QUESTION)
    assert again.due == 27.0


def test_a_hint_is_asked_at_once_and_again_if_it_came_while_asking() -> None:
    lane = Lane(Pace(), random.Random(0))
    lane.watch([("r", "a")], 0.0)
    job = lane.take(0.0)
    assert job is not None
    lane.answered(job, 0.1)
    assert lane.take(1.0) is None
    assert lane.hurry(("r", "a"), 1.0)
    assert lane.take(1.0) is job
    assert lane.hurry(("r", "a"), 1.1)
    assert lane.take(1.1) is None, "never twice at the same time"
    lane.answered(job, 1.2)
    assert lane.take(1.2) is job
    lane.answered(job, 1.3)
    assert lane.take(2.0) is None
    assert not lane.hurry(("r", "other"), 1.0)
    lane.forget(("r", "a"))
    assert lane.take(100.0) is None
    assert lane.wait(100.0) is None
