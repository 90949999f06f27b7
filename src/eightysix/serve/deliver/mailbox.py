"""What to send to one sink next, and when: pure, time and chance come in as arguments.

Of one incident at most two revisions wait: the newest, and before it one with a higher verdict that the receiver never
got, so that a verdict that fell again is not lost. Everything else that a newer revision replaces is superseded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import nsmallest

from msgspec import Struct

from eightysix.serve.deliver.interface import Delivery

__all__ = ["CourierOptions", "Mailbox", "Waiting"]


class CourierOptions(Struct, frozen=True):
    """How patiently to deliver. `interval_s`: a new revision of one incident waits that long after the one before,
    unless its verdict is higher than any that was delivered. Pauses grow from `first_pause_s` to `longest_pause_s`;
    what was tried and is older than `give_up_s` goes to the dead letters. `batches` are sent to one sink in a row."""

    interval_s: float = 60.0
    first_pause_s: float = 1.0
    longest_pause_s: float = 300.0
    give_up_s: float = 86_400.0
    max_waiting: int = 20_000
    batches: int = 64


@dataclass(eq=False)
class Waiting:
    """A delivery that was not accepted yet. `alone` asks to send it by itself, because a batch with it was refused."""

    delivery: Delivery
    since: float
    order: int
    attempts: int = 0
    not_before: float = 0.0
    alone: bool = False
    kept_until: float = float("-inf")  # giving it up failed: not tried again before

    @property
    def rank(self) -> int:
        """Its verdict."""
        return self.delivery.incident.verdict.rank


@dataclass
class _Sent:
    """What the receiver has of one incident; no revision where it refused the last."""

    revision: str
    rank: int
    at: float


@dataclass
class Mailbox:
    """The queue of one sink."""

    options: CourierOptions
    failures: int = 0
    resume_at: float = float("-inf")
    hurry: bool = False  # nothing waits for its interval any more: this is the end
    _queues: dict[str, list[Waiting]] = field(default_factory=dict)
    _sent: dict[str, _Sent] = field(default_factory=dict)
    _order: int = 0
    _pending: int = 0

    @property
    def pending(self) -> int:
        """How many deliveries wait."""
        return self._pending

    def oldest(self) -> float | None:
        """Since when the oldest delivery waits."""
        return min((item.since for queue in self._queues.values() for item in queue), default=None)

    def has(self, delivery: Delivery) -> bool:
        """Whether the receiver has this revision, and nothing else of its incident waits."""
        sent = self._sent.get(delivery.id)
        return delivery.id not in self._queues and sent is not None and sent.revision == delivery.revision

    def knows(self, identity: str) -> bool:
        """Whether the receiver was told of this incident, or will be."""
        return identity in self._queues or identity in self._sent

    def offer(self, delivery: Delivery, now: float) -> list[Delivery] | None:
        """Take `delivery`; gives the revisions that it replaces, or None where there is no room."""
        queue = self._queues.get(delivery.id, [])
        sent = self._sent.get(delivery.id)
        if self.has(delivery) or any(item.delivery.revision == delivery.revision for item in queue):
            return []
        if not queue and self._pending >= self.options.max_waiting:
            return None
        self._order += 1
        new = Waiting(delivery, now - delivery.age_s, self._order)
        known = sent.rank if sent else 0
        higher = [item for item in queue if item.rank > max(new.rank, known)]
        peak = max(higher, key=lambda item: item.rank, default=None)
        kept = [new] if peak is None else [peak, new]
        self._queues[delivery.id] = kept
        self._pending += len(kept) - len(queue)
        return [item.delivery for item in queue if item is not peak]

    def due(self, now: float, most: int) -> list[Waiting]:
        """What to send now, worst verdict first, then what was tried least, then oldest; empty while the sink pauses."""
        if now < self.resume_at:
            return []
        ready = (queue[0] for queue in self._queues.values() if self._due_at(queue[0]) <= now)
        return nsmallest(most, ready, key=lambda item: (-item.rank, item.attempts, item.order))

    def waits(self, item: Waiting) -> bool:
        """Whether `item` is still to be sent: nothing newer took its place."""
        return any(other is item for other in self._queues.get(item.delivery.id, ()))

    def next_at(self) -> float | None:
        """When something is due; None where nothing waits."""
        first = min((self._due_at(queue[0]) for queue in self._queues.values()), default=None)
        return None if first is None else max(first, self.resume_at)

    def accepted(self, items: Sequence[Waiting], now: float) -> None:
        """The receiver took `items`."""
        self.failures, self.resume_at = 0, float("-inf")
        for item in items:
            self._remove(item)
            before = self._sent.get(item.delivery.id)
            rank = max(item.rank, before.rank) if before else item.rank
            self._sent[item.delivery.id] = _Sent(item.delivery.revision, rank, now)

    def failed(
        self, items: Sequence[Waiting], now: float, retry_after_s: float | None, chance: float
    ) -> None:
        """The receiver could not take `items` now: they and the sink pause. `chance` is in 0 to 1."""
        self.failures += 1
        pause = max(self._pause(self.failures, chance), retry_after_s or 0.0)
        self.resume_at = now + pause
        for item in items:
            item.attempts += 1
            item.not_before = now + self._pause(item.attempts, chance)

    def refused(self, items: Sequence[Waiting]) -> list[Waiting]:
        """The receiver will never take `items` together: gives those that are to be given up; of several each is
        tried alone first."""
        self.failures = 0  # it answers: others may go on
        if len(items) == 1:
            return list(items)
        for item in items:
            item.alone = True
            item.attempts += 1
        return []

    def given_up(self, item: Waiting, now: float) -> None:
        """`item` went to the dead letters. The next revision keeps the interval, as after one that was taken."""
        self._remove(item)
        known = self._sent.get(item.delivery.id)
        self._sent[item.delivery.id] = _Sent("", max(item.rank, known.rank if known else 0), now)

    def put_off(self, item: Waiting, now: float) -> None:
        """`item` could be neither delivered nor given up."""
        item.attempts += 1
        item.not_before = item.kept_until = now + self.options.longest_pause_s

    def too_old(self, now: float) -> list[Waiting]:
        """What was tried in vain for too long."""
        limit = now - self.options.give_up_s
        return [
            item
            for queue in self._queues.values()
            for item in queue
            if item.attempts and item.since <= limit and item.kept_until <= now
        ]

    def forget(self, now: float) -> None:
        """Drop what is known of incidents that nothing came of for a day: a further revision is then sent at once."""
        limit = now - max(self.options.interval_s, 86_400.0)
        for key in [key for key, sent in self._sent.items() if sent.at < limit and key not in self._queues]:
            del self._sent[key]

    def _due_at(self, item: Waiting) -> float:
        sent = self._sent.get(item.delivery.id)
        throttled = sent is not None and item.rank <= sent.rank and not self.hurry
        return max(
            item.not_before, sent.at + self.options.interval_s if sent and throttled else item.not_before
        )

    def _pause(self, failures: int, chance: float) -> float:
        """Exponential with half of it left to chance, so that many nodes do not come back at the same moment."""
        whole = min(self.options.first_pause_s * 2.0 ** min(failures - 1, 30), self.options.longest_pause_s)
        return whole * (0.5 + 0.5 * chance)

    def _remove(self, item: Waiting) -> None:
        queue = self._queues.get(item.delivery.id, [])
        rest = [other for other in queue if other is not item]
        self._pending -= len(queue) - len(rest)
        if rest:
            self._queues[item.delivery.id] = rest
        else:
            self._queues.pop(item.delivery.id, None)
