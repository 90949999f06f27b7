"""At least once, in order of urgency, never faster than asked: the courier against receivers on loopback."""

from __future__ import annotations

import json
import stat
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.model.errors import DeliveryError
from eightysix.model.words import Verdict
from eightysix.serve.deliver.courier import Courier, CourierOptions, Outcome, Result
from eightysix.serve.deliver.interface import Delivery, Sink, open_sink
from eightysix.serve.deliver.mailbox import Mailbox
from eightysix.serve.deliver.threads import DeliveryThreads
from tests.deliver.receiver import Receiver, Reply, Request, receiver
from tests.deliver.samples import SECRET, Clock, delivery

WATCH, SUSPECT, CONTAIN = Verdict.WATCH, Verdict.SUSPECT, Verdict.CONTAIN
OPTIONS = CourierOptions(interval_s=60, first_pause_s=1, longest_pause_s=300, give_up_s=86_400)


def webhook(told: Receiver) -> Sink:
    return open_sink(f"webhook:{told.url}/in", {"EIGHTYSIX_WEBHOOK_SECRET": SECRET})


def courier(folder: Path, clock: Clock, *sinks: Sink, options: CourierOptions = OPTIONS) -> Courier:
    return Courier(sinks, str(folder / "dead.jsonl"), clock, lambda: 1.0, options, wall=clock)


def revisions(told: Receiver) -> list[tuple[str, str]]:
    keys = [request.headers["idempotency-key"].partition("/") for request in told.requests]
    return [(key[0][-1], key[2]) for key in keys]


def outcomes(results: Sequence[Result]) -> list[tuple[str, str, str]]:
    return [(result.id[-1], result.revision, result.outcome.value) for result in results]


def letters(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "dead.jsonl").read_text().splitlines()]


def test_what_is_offered_arrives_worst_first(tmp_path: Path) -> None:
    clock = Clock()
    with receiver() as told:
        one = courier(tmp_path, clock, webhook(told))
        one.offer([delivery(1), delivery(2, verdict=CONTAIN), delivery(3, verdict=WATCH)])
        results = one.run_once(clock())
        assert revisions(told) == [("2", "r1"), ("1", "r1"), ("3", "r1")]
    assert {result.outcome for result in results} == {Outcome.ACCEPTED}
    counted = one.counters(clock())[one.names[0]]
    assert (counted.sent, counted.pending, counted.retried, counted.oldest_s) == (3, 0, 0, 0.0)
    assert one.run_once(clock()) == []


def test_a_receiver_that_is_down_for_minutes_gets_everything_afterwards(tmp_path: Path) -> None:
    clock = Clock()
    with receiver() as told:
        told.answer = lambda request: Reply(503)
        one = courier(tmp_path, clock, webhook(told))
        one.offer([delivery(number) for number in range(1, 8)])
        tries = []
        end = clock.now + 600
        while clock.now < end:
            before = len(told.requests)
            one.run_once(clock())
            if len(told.requests) > before:
                tries.append(clock.now)
            due = one.next_at(one.names[0])
            assert due is not None
            clock.now = due
        pauses = [later - sooner for sooner, later in pairwise(tries)]
        assert pauses[:8] == [1, 2, 4, 8, 16, 32, 64, 128]
        assert one.counters(clock())[one.names[0]].pending == 7
        (said,) = one.said()
        assert "answers 503" in said
        assert "7 waiting" in said
        told.answer = lambda request: Reply(200)
        told.requests.clear()
        clock.now += 300
        one.run_once(clock())
        assert sorted(revisions(told)) == [(str(number), "r1") for number in range(1, 8)]
        assert one.said() == [f"{one.names[0]}: takes incidents again"]
    assert not (tmp_path / "dead.jsonl").exists()


def test_the_pause_that_the_receiver_asks_for_is_kept(tmp_path: Path) -> None:
    clock = Clock(0.0)
    with receiver() as told:
        told.replies.append(Reply(429, {"Retry-After": "120"}))
        one = courier(tmp_path, clock, webhook(told))
        one.offer([delivery()])
        assert outcomes(one.run_once(clock())) == [("1", "r1", "retry")]
        clock.now = 119.0
        assert one.run_once(clock()) == []
        clock.now = 120.0
        assert outcomes(one.run_once(clock())) == [("1", "r1", "accepted")]
        assert one.counters(clock())[one.names[0]].retried == 1


def test_one_incident_is_told_once_an_interval_unless_it_gets_worse(tmp_path: Path) -> None:
    clock = Clock(0.0)
    with receiver() as told:
        one = courier(tmp_path, clock, webhook(told))
        for second in range(121):
            clock.now = float(second)
            verdict = CONTAIN if second >= 30 else SUSPECT
            one.offer([delivery(1, f"r{second}", verdict)])
            one.run_once(clock())
        assert [revision for _, revision in revisions(told)] == ["r0", "r30", "r90"]
        clock.now = 150.0
        results = one.run_once(clock())
        assert revisions(told)[-1] == ("1", "r120")
        assert outcomes(results)[-1] == ("1", "r120", "accepted")
    assert one.counters(clock())[one.names[0]].superseded == 121 - 4


def test_a_verdict_that_went_back_and_forth_does_not_go_around_the_interval(tmp_path: Path) -> None:
    clock = Clock(0.0)
    with receiver() as told:
        one = courier(tmp_path, clock, webhook(told))
        for second in range(50):
            clock.now = float(second)
            one.offer([delivery(1, f"r{second}", (WATCH, CONTAIN)[second % 2])])
            one.run_once(clock())
        assert [revision for _, revision in revisions(told)] == ["r0", "r1"]


def test_a_verdict_that_fell_before_it_was_told_is_told(tmp_path: Path) -> None:
    clock = Clock(0.0)
    with receiver() as told:
        told.answer = lambda request: Reply(503)
        one = courier(tmp_path, clock, webhook(told))
        for revision, verdict in (("a", WATCH), ("b", CONTAIN), ("c", SUSPECT), ("d", WATCH)):
            one.offer([delivery(1, revision, verdict)])
            one.run_once(clock())
        told.answer = lambda request: Reply(200)
        told.requests.clear()
        clock.now = 400.0
        one.run_once(clock())
        clock.now = 500.0
        one.run_once(clock())
        assert [revision for _, revision in revisions(told)] == ["b", "d"]


def test_what_is_refused_for_good_goes_to_the_dead_letters(tmp_path: Path) -> None:
    clock = Clock(1_795_405_222.0)
    with receiver() as told:
        told.replies.append(Reply(422, body=b"unknown field \x1b[2J"))
        one = courier(tmp_path, clock, webhook(told))
        one.offer([delivery(1), delivery(2)])
        results = one.run_once(clock())
        assert outcomes(results) == [("1", "r1", "dead"), ("2", "r1", "accepted")]
        assert len(told.requests) == 2
    (letter,) = letters(tmp_path)
    assert letter["sink"] == one.names[0]
    assert letter["id"] == delivery(1).id
    assert letter["at"] == "2026-11-23T03:40:22Z"
    assert "answers 422: unknown field" in str(letter["reason"])
    assert letter["incident"]["verdict"] == "suspect"  # type: ignore[index]
    assert "\x1b" not in (tmp_path / "dead.jsonl").read_text()
    assert stat.S_IMODE((tmp_path / "dead.jsonl").stat().st_mode) == 0o600
    (said,) = one.said()
    assert delivery(1).id in said
    assert "dead.jsonl" in said
    assert one.counters(clock())[one.names[0]].dead == 1


def test_what_nobody_took_for_a_day_goes_to_the_dead_letters(tmp_path: Path) -> None:
    clock = Clock(0.0)
    with receiver() as told:
        told.answer = lambda request: Reply(500)
        one = courier(tmp_path, clock, webhook(told))
        one.offer([delivery(1), delivery(2, age_s=80_000)])
        dead: dict[str, float] = {}
        while len(dead) < 2:
            for result in one.run_once(clock()):
                if result.outcome is Outcome.DEAD:
                    dead[result.id[-1]] = clock.now
            clock.now += 300
    assert 6_400 <= dead["2"] <= 7_300  # it had waited before the restart
    assert 86_400 <= dead["1"] <= 87_300
    assert [letter["reason"] for letter in letters(tmp_path)] == ["not taken for 24 hours"] * 2


def test_an_incident_stays_when_the_dead_letters_cannot_be_written(tmp_path: Path) -> None:
    clock = Clock(0.0)
    with receiver() as told:
        told.answer = lambda request: Reply(400)
        one = courier(tmp_path / "absent", clock, webhook(told))
        one.offer([delivery(1)])
        assert one.run_once(clock()) == []
        (said,) = one.said()
        assert "dead.jsonl cannot be written" in said
        assert "stays in the queue" in said
        assert one.counters(clock())[one.names[0]].pending == 1
        (tmp_path / "absent").mkdir()
        clock.now += 300
        assert outcomes(one.run_once(clock())) == [("1", "r1", "dead")]


def test_each_sink_is_on_its_own_and_gets_nothing_twice(tmp_path: Path) -> None:
    clock = Clock(0.0)
    with receiver() as told, receiver() as other:
        other.answer = lambda request: Reply(503)
        first, second = webhook(told), webhook(other)
        one = courier(tmp_path, clock, first, second)
        one.offer([delivery(1)])
        results = one.run_once(clock())
        assert {(result.sink, result.outcome) for result in results} == {
            (first.name, Outcome.ACCEPTED),
            (second.name, Outcome.RETRY),
        }
        other.answer = lambda request: Reply(200)
        # As after kill -9: the outbox knows what the first sink has, and offers everything else again.
        again = courier(tmp_path, clock, first, second)
        again.offer([delivery(1)], done={(first.name, delivery(1).id, "r1")})
        again.run_once(clock())
        assert len(told.requests) == 1
        assert revisions(other) == [("1", "r1"), ("1", "r1")]


def test_what_the_receiver_has_is_said_and_not_sent_again(tmp_path: Path) -> None:
    clock = Clock(0.0)
    with receiver() as told:
        one = courier(tmp_path, clock, webhook(told))
        for _ in range(2):
            one.offer([delivery(1)])
            assert outcomes(one.run_once(clock())) == [("1", "r1", "accepted")]
        assert len(told.requests) == 1
        one.offer([delivery(1, "r2")])
        one.offer([delivery(1, "r1")])  # back to what it was
        clock.now = 60.0
        assert outcomes(one.run_once(clock())) == [("1", "r2", "superseded"), ("1", "r1", "accepted")]
        assert revisions(told) == [("1", "r1"), ("1", "r1")]


def test_a_full_queue_gives_back_what_has_no_room(tmp_path: Path) -> None:
    clock = Clock(0.0)
    with receiver() as told:
        told.answer = lambda request: Reply(503)
        one = courier(tmp_path, clock, webhook(told), options=CourierOptions(max_waiting=3))
        left = one.offer([delivery(number) for number in range(1, 6)])
        assert [item.id[-1] for item in left] == ["4", "5"]
        assert one.offer([delivery(1, "r2")]) == []  # a revision takes the place of the one before


def test_what_found_no_room_does_not_replace_what_came_after_it(tmp_path: Path) -> None:
    clock = Clock(0.0)
    with receiver() as told:
        told.answer = lambda request: Reply(503)
        one = courier(tmp_path, clock, webhook(told), options=CourierOptions(max_waiting=1))
        one.offer([delivery(1)])
        (left,) = one.offer([delivery(2, "old")])
        told.answer = lambda request: Reply(200)
        one.run_once(clock())
        assert one.offer([delivery(2, "new")]) == []
        assert one.offer([left]) == []
        results = one.run_once(clock())
        clock.now += 1_000
        results += one.run_once(clock())
        assert outcomes(results) == [("2", "old", "superseded"), ("2", "new", "accepted")]
        assert revisions(told) == [("1", "r1"), ("2", "new")]
        assert (one._no_room, one._newest) == ({}, {})
        assert one.offer([delivery(2, "old")]) == []  # later it may come again as the newest
        clock.now += 1_000
        one.run_once(clock())
        assert revisions(told)[-1] == ("2", "old")


class Batches:
    """A sink in memory that takes some, and refuses a batch with one that it does not like."""

    name, batch = "batches:", 4

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.took: list[str] = []

    def send(self, items: Sequence[Delivery]) -> None:
        ids = [item.id[-1] for item in items]
        self.calls.append(ids)
        if "5" in ids:
            raise DeliveryError("one is bad", permanent=True)
        if len(self.calls) == 1:
            self.took += ids[:2]
            raise DeliveryError("half way", accepted=2)
        self.took += ids

    def close(self) -> None: ...


def test_of_a_batch_only_what_is_refused_alone_is_given_up(tmp_path: Path) -> None:
    clock = Clock(0.0)
    sink = Batches()
    one = courier(tmp_path, clock, sink)
    one.offer([delivery(number) for number in range(1, 10)])
    results = []
    for _ in range(20):
        results += one.run_once(clock())
        clock.now += 300
    assert sorted(sink.took) == ["1", "2", "3", "4", "6", "7", "8", "9"]
    assert [result.id[-1] for result in results if result.outcome is Outcome.DEAD] == ["5"]
    assert one.counters(clock())["batches:"].pending == 0


class Broken:
    """A sink with a defect."""

    name, batch = "broken:", 1

    def send(self, items: Sequence[Delivery]) -> None:
        raise KeyError("oops")

    def close(self) -> None: ...


def test_a_defect_of_a_sink_loses_nothing_and_stops_nobody(tmp_path: Path) -> None:
    clock = Clock(0.0)
    with receiver() as told:
        one = courier(tmp_path, clock, Broken(), webhook(told))
        one.offer([delivery(1)])
        assert [result.outcome for result in one.run_once(clock())] == [Outcome.RETRY, Outcome.ACCEPTED]
        assert "KeyError" in one.said()[0]


def test_a_receiver_that_hangs_holds_up_nobody_else(tmp_path: Path) -> None:
    from time import monotonic

    over = Event()

    class Hanging:
        name, batch = "hanging:", 1

        def send(self, items: Sequence[Delivery]) -> None:
            over.wait(60)

        def close(self) -> None: ...

    news = Event()
    with receiver() as told:
        one = Courier([Hanging(), webhook(told)], str(tmp_path / "dead.jsonl"), monotonic, lambda: 0.5)
        threads = DeliveryThreads(one, monotonic, news.set)
        threads.offer([delivery(number) for number in range(1, 4)])
        told.wait_for(3)
        found: list[Result] = []
        while len(found) < 3:
            assert news.wait(30)
            news.clear()
            found += threads.results()
        assert {result.sink for result in found} == {one.names[1]}
        over.set()
        assert threads.stop(30)


def test_the_last_revision_goes_before_the_end(tmp_path: Path) -> None:
    from time import monotonic

    with receiver() as told:
        one = Courier([webhook(told)], str(tmp_path / "dead.jsonl"), monotonic, lambda: 0.5)
        threads = DeliveryThreads(one, monotonic)
        threads.offer([delivery(1)])
        told.wait_for(1)
        threads.offer([delivery(1, "r2")])
        threads.offer([delivery(1, "r3")])
        assert threads.stop(30)
        assert revisions(told)[-1] == ("1", "r3")
        assert ("1", "r3", "accepted") in outcomes(threads.results())


def test_a_receiver_that_refuses_everything_is_asked_once_an_interval(tmp_path: Path) -> None:
    clock = Clock(0.0)
    with receiver() as told:
        told.answer = lambda request: Reply(401)
        one = courier(tmp_path, clock, webhook(told))
        for second in range(61):
            clock.now = float(second)
            one.offer([delivery(1, f"r{second}")])
            one.run_once(clock())
        assert [revision for _, revision in revisions(told)] == ["r0", "r60"]
    assert [letter["revision"] for letter in letters(tmp_path)] == ["r0", "r60"]


def test_people_are_told_from_suspect_on_and_then_the_rest(tmp_path: Path) -> None:
    clock = Clock(0.0)
    with receiver() as chat, receiver() as pager, receiver() as every:
        sinks = [
            open_sink(f"slack:{chat.url}", {}),
            open_sink(f"contain:teams:{pager.url}", {}),
            open_sink(f"watch:slack:{every.url}", {}),
        ]
        one = courier(tmp_path, clock, *sinks)
        one.offer([delivery(1, "r1", WATCH)])
        told = {result.sink: result.outcome for result in one.run_once(clock())}
        assert [told[sink.name] for sink in sinks] == [Outcome.BELOW, Outcome.BELOW, Outcome.ACCEPTED]
        for number, verdict in enumerate((SUSPECT, WATCH)):
            clock.now += 100
            one.offer([delivery(1, f"s{number}", verdict)])
            one.run_once(clock())
        assert [len(each.requests) for each in (chat, pager, every)] == [2, 0, 3]
        one.offer([delivery(2, "r1", CONTAIN)])
        one.run_once(clock())
        assert [len(each.requests) for each in (chat, pager, every)] == [3, 1, 4]


def test_a_newer_revision_takes_the_place_of_one_that_is_about_to_go(tmp_path: Path) -> None:
    clock = Clock(0.0)
    with receiver() as told:
        one = courier(tmp_path, clock, webhook(told))

        def offer_more(request: Request) -> Reply:
            if len(told.requests) == 0:
                one.offer([delivery(2, "r2")])
            return Reply()

        told.answer = offer_more
        one.offer([delivery(1, verdict=CONTAIN), delivery(2)])
        one.run_once(clock())
        one.run_once(clock())
        assert revisions(told) == [("1", "r1"), ("2", "r2")]


def test_many_that_waited_go_in_one_run(tmp_path: Path) -> None:
    clock = Clock(0.0)
    one = courier(tmp_path, clock, Batches())
    one.offer([delivery(number * 16 + 1) for number in range(200)])
    counted = []
    for _ in range(3):
        one.run_once(clock())
        clock.now += 300
        counted.append(one.counters(clock())["batches:"].pending)
    assert counted == [198, 0, 0]


def test_a_retry_comes_by_itself(tmp_path: Path) -> None:
    from time import monotonic

    with receiver() as told:
        told.replies.append(Reply(503))
        options = CourierOptions(first_pause_s=0.02)
        one = Courier([webhook(told)], str(tmp_path / "dead.jsonl"), monotonic, lambda: 0.5, options)
        threads = DeliveryThreads(one, monotonic)
        threads.offer([delivery()])
        told.wait_for(2)
        assert threads.stop(30)
        assert [result.outcome for result in threads.results()] == [Outcome.RETRY, Outcome.ACCEPTED]


VERDICTS = st.sampled_from([WATCH, SUSPECT, CONTAIN])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("offer"), st.integers(1, 3), VERDICTS),
        st.tuples(st.just("wait"), st.integers(1, 100), VERDICTS),
        st.tuples(st.just("fail"), st.integers(0, 90), VERDICTS),
        st.tuples(st.just("take"), st.integers(1, 3), VERDICTS),
    ),
    max_size=60,
)


@given(STEPS)
def test_nothing_is_lost_and_nothing_comes_too_often(steps: list[tuple[str, int, Verdict]]) -> None:
    box = Mailbox(OPTIONS)
    now, count = 0.0, 0
    newest: dict[str, Delivery] = {}
    worst: dict[str, int] = {}
    got: dict[str, list[tuple[float, Delivery]]] = {}

    def take(limit: int) -> None:
        for _ in range(limit):
            for item in (items := box.due(now, 1)):
                got.setdefault(item.delivery.id, []).append((now, item.delivery))
            if not items:
                break
            box.accepted(items, now)

    for what, number, verdict in steps:
        if what == "offer":
            count += 1
            item = delivery(number, f"r{count}", verdict)
            assert box.offer(item, now) is not None
            newest[item.id] = item
            worst[item.id] = max(worst.get(item.id, 0), verdict.rank)
        elif what == "wait":
            now += number
        elif what == "fail" and (items := box.due(now, 1)):
            box.failed(items, now, float(number), 0.5)
        elif what == "take":
            take(number)
        assert box.pending <= 2 * len(newest)
    while (due := box.next_at()) is not None:
        now = max(now, due)
        take(1)
    assert box.pending == 0
    assert got.keys() == newest.keys()
    for key, told in got.items():
        assert told[-1][1] == newest[key]
        assert max(item.incident.verdict.rank for _, item in told) == worst[key]
        assert len({item.revision for _, item in told}) == len(told)
        known = 0
        for (before, _), (at, item) in zip([(float("-inf"), None), *told], told, strict=False):
            assert at - before >= OPTIONS.interval_s or item.incident.verdict.rank > known
            known = max(known, item.incident.verdict.rank)


def test_pauses_differ_by_chance_and_are_bounded() -> None:
    box = Mailbox(OPTIONS)
    box.offer(delivery(), 0.0)
    for chance in (0.0, 1.0):
        for _ in range(40):
            box.resume_at = float("-inf")
            items = next(iter(box._queues.values()))
            box.failed(items, 0.0, None, chance)
        assert box.resume_at == pytest.approx(150.0 if chance == 0.0 else 300.0)
