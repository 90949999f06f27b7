"""A thread for each sink, so that a receiver that hangs holds up nobody but itself."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from queue import SimpleQueue
from threading import Event, Thread

from eightysix.serve.deliver.courier import Courier, Result
from eightysix.serve.deliver.interface import Delivery

__all__ = ["DeliveryThreads"]

_LONGEST_SLEEP_S = 5.0
"""A thread looks again after that, even if nobody woke it."""


class DeliveryThreads:
    """Runs `courier`. `wake` is called after each piece of news, so that the owner can take `results()` and write them
    to its outbox; threads are daemons, because what is under way when a process ends comes again after its start."""

    def __init__(
        self, courier: Courier, clock: Callable[[], float], wake: Callable[[], None] | None = None
    ) -> None:
        self.courier = courier
        self._clock = clock
        self._wake = wake
        self._results: SimpleQueue[Result] = SimpleQueue()
        self._stopping = False
        self._events = {name: Event() for name in courier.names}
        self._threads = [
            Thread(target=self._run, args=(name,), name=f"deliver {name}"[:60], daemon=True)
            for name in courier.names
        ]
        for thread in self._threads:
            thread.start()

    def offer(
        self, items: Sequence[Delivery], done: Container[tuple[str, str, str]] = ()
    ) -> Sequence[Delivery]:
        """As `Courier.offer`; wakes the threads."""
        left = self.courier.offer(items, done)
        for event in self._events.values():
            event.set()
        return left

    def results(self) -> list[Result]:
        """What happened since the last call."""
        found = []
        while not self._results.empty():
            found.append(self._results.get())
        return found

    def stop(self, timeout_s: float) -> bool:
        """Send what waits for nothing but its interval, then end; tells whether all threads ended within `timeout_s`."""
        self.courier.hurry()
        self._stopping = True
        for event in self._events.values():
            event.set()
        end = self._clock() + timeout_s
        for thread in self._threads:
            thread.join(max(end - self._clock(), 0.0))
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self, name: str) -> None:
        event = self._events[name]
        while True:
            event.clear()
            ending = self._stopping  # turns after the end was asked for send what came before it
            try:
                pause = self._turn(name)
            except Exception as bug:  # noqa: BLE001  a defect must not end a thread that nobody would miss
                self.courier.note(
                    f"{name}: {type(bug).__name__}: {bug}; delivery goes on (please report this)"
                )
                pause = _LONGEST_SLEEP_S
            if pause and ending:
                return
            if pause and not self._stopping:
                event.wait(pause)

    def _turn(self, name: str) -> float:
        """Send what is due; gives how long to sleep."""
        found = self.courier.run_sink(name, self._clock())
        for result in found:
            self._results.put(result)
        if found and self._wake is not None:
            self._wake()
        due = self.courier.next_at(name)
        return _LONGEST_SLEEP_S if due is None else min(max(due - self._clock(), 0.0), _LONGEST_SLEEP_S)
