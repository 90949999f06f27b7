"""`watch` as a whole: the loop, what it reads, and who is told; the effects are arguments."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Protocol

from eightysix.model.errors import StateError
from eightysix.model.incident import Incident
from eightysix.report.stored import decode_incident
from eightysix.serve.deliver.courier import Outcome
from eightysix.serve.deliver.interface import Delivery
from eightysix.serve.deliver.threads import DeliveryThreads
from eightysix.serve.live.loop import Followed, Watch
from eightysix.store.casebook import Casebook
from eightysix.store.live import LiveStore
from eightysix.store.sqlite_errors import StoreUnavailableError

__all__ = ["Following", "Outlets", "serve"]

MAX_UNRECORDED = 10_000
"""Incidents that wait for a casebook that cannot be written."""

IDLE_S = 1.0
"""Longest wait of the loop: silence is noticed, and what waits for a commit is written, within this time."""

PACE_S = 0.03
"""Pause after a turn that read something: a stream of single records costs a turn for many of them, not one each."""


class Following(Followed, Protocol):
    """Inputs that can be waited for."""

    @property
    def ended(self) -> bool:
        """Whether nothing more can come."""

    def wait(self, timeout_s: float) -> None:
        """Return when there is something to poll, or after `timeout_s`."""


class Outlets:
    """Hands incidents to the threads that deliver them, and writes into the store what was accepted."""

    def __init__(
        self,
        threads: DeliveryThreads,
        store: LiveStore,
        casebook: Casebook | None,
        warn: Callable[[str], None],
    ) -> None:
        self._threads = threads
        self._casebook = casebook
        self._warn = warn
        self._store = store
        self._left: Sequence[Delivery] = ()
        self._unmarked: list[tuple[str, str, str]] = []
        self._unrecorded: list[Incident] = []
        self._offer([decode_incident(row.json) for row in store.unsent()], store.delivered())
        # What was told just before a crash may not be in the casebook; to write the same again changes nothing there.
        self._record([decode_incident(row.json) for row in store.told()])

    def tell(self, incidents: Sequence[Incident]) -> None:
        """Deliver `incidents`, and put them on the desk of the analysts."""
        self._offer(incidents)
        self._record(incidents)

    def _record(self, incidents: Sequence[Incident]) -> None:
        if self._casebook is None:
            return
        waiting = [*self._unrecorded, *(incident for incident in incidents if not incident.suppressed_by)]
        try:
            opened = self._casebook.record(waiting)
        except StateError as error:
            self._unrecorded = waiting[-MAX_UNRECORDED:]
            self._warn(f"{error.what}; {error.advice}")
            return
        self._unrecorded = []
        for name in opened:
            self._warn(f"incident {name} was closed and got worse: it is open again")

    def turn(self) -> None:
        """Write what was accepted; offer again what found no room."""
        for said in self._threads.courier.said():
            self._warn(said)
        results = self._threads.results()
        self._unmarked += [
            (result.sink, result.id, result.revision)
            for result in results
            if result.outcome is not Outcome.RETRY
        ]
        if self._unmarked:
            try:
                self._store.mark(self._unmarked, self._threads.courier.names)
            except StoreUnavailableError:
                return  # the loop's own commit tells of it; marked when there is room
            self._unmarked.clear()
        if self._left:
            left, self._left = self._left, ()
            self._left = self._threads.offer(left)

    def finish(self, timeout_s: float = 10.0) -> int:
        """Wait for what is under way; how many deliveries were not taken by then. They stay in the outbox for the next
        start."""
        self._threads.stop(timeout_s)
        self.turn()
        return self._threads.courier.pending + len(self._left)

    def _offer(self, incidents: Sequence[Incident], done: Container[tuple[str, str, str]] = ()) -> None:
        items = [Delivery(incident.id, incident.revision, incident) for incident in incidents]
        self._left = [*self._left, *self._threads.offer(items, done)]


def serve(
    watch: Watch,
    inputs: Following,
    stopped: Callable[[], bool],
    each_turn: Callable[[], None],
    pause: Callable[[float], None],
    rest: Callable[[], None] = lambda: None,
) -> None:
    """Turn until `stopped`, or until the inputs end; then settle and commit what there is. `pause` sleeps; `rest` is
    called when there was nothing to read, for what can wait until then."""
    while not stopped():
        read = watch.turn(inputs)
        each_turn()
        if inputs.ended:
            watch.source_ended("-")
            break
        if not read:
            rest()
        elif not watch.behind:
            pause(PACE_S)
        inputs.wait(IDLE_S)
    watch.turn(inputs, last=True)
    each_turn()
