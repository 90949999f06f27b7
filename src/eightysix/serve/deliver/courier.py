"""Brings deliveries to their sinks: at least once, again after a pause when a receiver is down, never faster than asked.

What was accepted is for the caller to keep (its outbox): after a crash the same id and revision may come again, and
nothing is lost. `Courier.offer` may be called while another thread is inside of `run_once`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock
from time import time
from typing import NamedTuple

from msgspec import Struct

from eightysix.model.errors import DeliveryError
from eightysix.serve.deliver.dead_letters import DeadLetters
from eightysix.serve.deliver.interface import Delivery, Sink, least_of
from eightysix.serve.deliver.mailbox import CourierOptions, Mailbox, Waiting

__all__ = ["Counters", "Courier", "CourierOptions", "Outcome", "Result"]

_TOLD = 1_000
_FORGET_EVERY = 1_024


class Outcome(StrEnum):
    """What became of a delivery. All but `RETRY` are final and belong into the outbox."""

    ACCEPTED = "accepted"  # the receiver has it
    SUPERSEDED = "superseded"  # a newer revision goes instead
    DEAD = "dead"  # in the dead-letter file
    BELOW = "below"  # its verdict is below what this sink is told of
    RETRY = "retry"  # not taken now


class Result(NamedTuple):
    """What happened to one revision at one sink."""

    sink: str
    id: str
    revision: str
    outcome: Outcome


class Counters(Struct, frozen=True):
    """One sink in numbers since the start; `oldest_s` is how long the oldest that waits has waited."""

    sent: int = 0
    retried: int = 0
    failed: int = 0
    dead: int = 0
    superseded: int = 0
    pending: int = 0
    oldest_s: float = 0.0


@dataclass
class _Lane:
    """One sink with its queue. `lock` guards the queue and the numbers, never a transmission."""

    sink: Sink
    mailbox: Mailbox
    least: int
    lock: Lock = field(default_factory=Lock)
    results: list[Result] = field(default_factory=list)
    sent: int = 0
    retried: int = 0
    failed: int = 0
    dead: int = 0
    superseded: int = 0
    down: bool = False
    runs: int = 0


class Courier:
    """`clock` gives seconds that only grow (`time.monotonic`), `random` numbers from 0 to 1, `wall` seconds since 1970
    for the dead letters; all three are arguments so that tests own time and chance."""

    def __init__(
        self,
        sinks: Sequence[Sink],
        dead_letter: str,
        clock: Callable[[], float],
        random: Callable[[], float],
        options: CourierOptions | None = None,
        wall: Callable[[], float] = time,
    ) -> None:
        self.options = options or CourierOptions()
        self._clock = clock
        self._random = random
        self._wall = wall
        self._dead_letters = DeadLetters(dead_letter)
        self._lanes = {sink.name: _Lane(sink, Mailbox(self.options), least_of(sink).rank) for sink in sinks}
        self._said: deque[str] = deque(maxlen=_TOLD)
        self._offered = 0
        self._no_room: dict[
            str, dict[str, int]
        ] = {}  # by incident: revisions that came back, and when they were new
        self._newest: dict[str, int] = {}  # of the same incidents: when the latest revision was offered

    @property
    def names(self) -> tuple[str, ...]:
        """The sinks."""
        return tuple(self._lanes)

    def offer(
        self, items: Sequence[Delivery], done: Container[tuple[str, str, str]] = ()
    ) -> Sequence[Delivery]:
        """Take `items` for every sink, but for those of which `done` holds (sink, id, revision).

        Gives those that a full queue had no room for: they are still in the outbox, offer them again later. What is
        offered again does not replace a revision that came after it. One thread at a time may offer.
        """
        now = self._clock()
        left: list[Delivery] = []
        for item in items:
            if self._outdated(item):
                self._supersede(item, done)
                self._settled(item)
                continue
            fits = True
            for name, lane in self._lanes.items():
                if (name, item.id, item.revision) in done:
                    continue
                with lane.lock:
                    if lane.mailbox.has(item):  # told again, so that the outbox can close its row
                        lane.results.append(Result(name, item.id, item.revision, Outcome.ACCEPTED))
                        continue
                    if item.incident.verdict.rank < lane.least and not lane.mailbox.knows(item.id):
                        lane.results.append(Result(name, item.id, item.revision, Outcome.BELOW))
                        continue
                    replaced = lane.mailbox.offer(item, now)
                    fits = fits and replaced is not None
                    for old in replaced or ():
                        lane.superseded += 1
                        lane.results.append(Result(name, old.id, old.revision, Outcome.SUPERSEDED))
            if fits:
                self._settled(item)
            else:
                left.append(item)
        return left

    def _outdated(self, item: Delivery) -> bool:
        """Book that `item` is offered; tells whether it came back for want of room and a newer revision came meanwhile."""
        self._offered += 1
        back = self._no_room.setdefault(item.id, {})
        at = back.setdefault(item.revision, self._offered)
        self._newest[item.id] = max(self._newest.get(item.id, 0), at)
        return at < self._newest[item.id]

    def _settled(self, item: Delivery) -> None:
        """`item` will not come back; what is known of its incident goes with the last one that may."""
        back = self._no_room[item.id]
        del back[item.revision]
        if not back:
            del self._no_room[item.id], self._newest[item.id]

    def _supersede(self, item: Delivery, done: Container[tuple[str, str, str]]) -> None:
        for name, lane in self._lanes.items():
            if (name, item.id, item.revision) not in done:
                with lane.lock:
                    lane.superseded += 1
                    lane.results.append(Result(name, item.id, item.revision, Outcome.SUPERSEDED))

    def run_once(self, now: float) -> list[Result]:
        """Send to every sink what is due at `now`; returns what happened since the last call."""
        return [result for name in self._lanes for result in self.run_sink(name, now)]

    def run_sink(self, name: str, now: float) -> list[Result]:
        """`run_once` for one sink; one thread at a time may be inside for each sink."""
        lane = self._lanes[name]
        with lane.lock:
            ready = lane.mailbox.due(now, lane.sink.batch * self.options.batches)
        for group in _groups(ready, lane.sink.batch):
            with lane.lock:
                items = [item for item in group if lane.mailbox.waits(item)]
            if items and not self._send(lane, items):
                break
        now = max(now, self._clock())
        with lane.lock:
            lane.runs += 1
            if lane.runs % _FORGET_EVERY == 0:
                lane.mailbox.forget(now)
            old = lane.mailbox.too_old(now)
        for item in old:
            hours = self.options.give_up_s / 3600
            self._give_up(lane, item, f"not taken for {hours:.3g} hours")
        with lane.lock:
            results, lane.results = lane.results, []
        return results

    def next_at(self, name: str) -> float | None:
        """When the sink has something to do next, on the courier's clock; None where nothing waits."""
        lane = self._lanes[name]
        with lane.lock:
            return lane.mailbox.next_at()

    def counters(self, now: float) -> dict[str, Counters]:
        """The numbers of each sink."""
        told = {}
        for name, lane in self._lanes.items():
            with lane.lock:
                oldest = lane.mailbox.oldest()
                told[name] = Counters(
                    sent=lane.sent,
                    retried=lane.retried,
                    failed=lane.failed,
                    dead=lane.dead,
                    superseded=lane.superseded,
                    pending=lane.mailbox.pending,
                    oldest_s=max(now - oldest, 0.0) if oldest is not None else 0.0,
                )
        return told

    @property
    def pending(self) -> int:
        """How many deliveries wait or are under way, over all sinks."""
        return sum(lane.mailbox.pending for lane in self._lanes.values())

    def said(self) -> list[str]:
        """What the operator should read, since the last call: a receiver that went down or came back, dead letters."""
        said = []
        while self._said:
            said.append(self._said.popleft())
        return said

    def hurry(self) -> None:
        """Let nothing wait for its interval any more: the process ends, and who was told of an incident should know the
        last of it. Pauses of a receiver that is down stay."""
        for lane in self._lanes.values():
            with lane.lock:
                lane.mailbox.hurry = True

    def note(self, text: str) -> None:
        """Add a sentence to what `said` tells."""
        self._say(text)

    def close(self) -> None:
        """Close every sink."""
        for lane in self._lanes.values():
            lane.sink.close()

    def _send(self, lane: _Lane, items: list[Waiting]) -> bool:
        """Send `items` together and book what came of it; tells whether the sink can take more."""
        error = None
        try:
            lane.sink.send([item.delivery for item in items])
        except DeliveryError as refusal:
            error = refusal
        except Exception as bug:  # noqa: BLE001  a defect of one sink must not stop the others, nor lose an incident
            error = DeliveryError(f"{lane.sink.name}: {type(bug).__name__}: {bug}", "please report this")
        now = self._clock()
        taken = items if error is None else items[: error.accepted]
        rest = items[len(taken) :]
        with lane.lock:
            self._note(lane, taken, Outcome.ACCEPTED)
            if taken:
                lane.mailbox.accepted(taken, now)
            given_up = self._not_taken(lane, rest, error, now) if error is not None and rest else []
        if error is None:
            if lane.down:
                lane.down = False
                self._say(f"{lane.sink.name}: takes incidents again")
            return True
        for item in given_up:
            self._give_up(lane, item, error.what)
        return error.permanent

    def _not_taken(self, lane: _Lane, rest: list[Waiting], error: DeliveryError, now: float) -> list[Waiting]:
        """Book a failure; gives what is to be given up."""
        lane.failed += 1
        if error.permanent:
            return lane.mailbox.refused(rest)
        self._note(lane, rest, Outcome.RETRY)
        lane.mailbox.failed(rest, now, error.retry_after_s, self._random())
        if not lane.down:
            lane.down = True
            self._say(f"{error.what}; {lane.mailbox.pending} waiting, tried again", error.advice)
        return []

    def _note(self, lane: _Lane, items: Sequence[Waiting], outcome: Outcome) -> None:
        for item in items:
            lane.results.append(Result(lane.sink.name, item.delivery.id, item.delivery.revision, outcome))
            if outcome is Outcome.ACCEPTED:
                lane.sent += 1
            lane.retried += bool(item.attempts)

    def _give_up(self, lane: _Lane, item: Waiting, reason: str) -> None:
        """Move `item` to the dead letters; it stays where that fails."""
        delivery = item.delivery
        try:
            self._dead_letters.add(lane.sink.name, delivery, item.attempts + 1, reason, self._wall())
        except DeliveryError as error:
            self._say(f"{error.what}; incident {delivery.id} stays in the queue", error.advice)
            with lane.lock:
                lane.mailbox.put_off(item, self._clock())
            return
        with lane.lock:
            lane.mailbox.given_up(item, self._clock())
            lane.dead += 1
            lane.results.append(Result(lane.sink.name, delivery.id, delivery.revision, Outcome.DEAD))
        where = f"incident {delivery.id} revision {delivery.revision} is in {self._dead_letters.path}"
        self._say(f"{lane.sink.name}: {where}: {reason}")

    def _say(self, what: str, advice: str = "") -> None:
        self._said.append(f"{what} ({advice})" if advice else what)


def _groups(items: Sequence[Waiting], batch: int) -> Iterator[list[Waiting]]:
    """`items` in their order, at most `batch` together; one that asks for it is alone."""
    group: list[Waiting] = []
    for item in items:
        if group and (item.alone or len(group) == batch):
            yield group
            group = []
        group.append(item)
        if item.alone:
            yield group
            group = []
    if group:
        yield group
