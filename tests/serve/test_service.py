"""The end of a watch while a delivery is under way: it waits a little, says what is left, and loses none of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Event
from time import monotonic

from eightysix.report.stored import encode_incident
from eightysix.serve.deliver.courier import Courier
from eightysix.serve.deliver.interface import Delivery
from eightysix.serve.deliver.threads import DeliveryThreads
from eightysix.serve.live.service import Outlets
from eightysix.store.live import Commit, LiveStore, OutboxRow
from tests.report.sample import breach


class Slow:
    """A receiver that answers when it may."""

    name, batch = "slow:", 1

    def __init__(self) -> None:
        self.asked = Event()
        self.may_answer = Event()

    def send(self, items: Sequence[Delivery]) -> None:
        self.asked.set()
        assert self.may_answer.wait(60)

    def close(self) -> None: ...


def test_what_a_slow_receiver_did_not_take_is_told_and_goes_out_at_the_next_start(tmp_path: Path) -> None:
    incident, slow = breach(), Slow()
    with LiveStore(tmp_path / "state.sqlite") as store:
        store.commit(
            Commit(None, outbox=[OutboxRow(incident.id, incident.revision, encode_incident(incident))])
        )
        threads = DeliveryThreads(Courier([slow], str(tmp_path / "dead"), monotonic, lambda: 0.5), monotonic)
        outlets = Outlets(threads, store, None, print)
        assert slow.asked.wait(30)
        assert outlets.finish(0.05) == 1
        assert [row.revision for row in store.unsent()] == [incident.revision]
        slow.may_answer.set()  # it was asked, and its answer came too late
        assert threads.stop(30)
    quick = Slow()
    quick.may_answer.set()
    with LiveStore(tmp_path / "state.sqlite") as store:
        threads = DeliveryThreads(Courier([quick], str(tmp_path / "dead"), monotonic, lambda: 0.5), monotonic)
        outlets = Outlets(threads, store, None, print)
        assert quick.asked.wait(30)
        assert outlets.finish(30) == 0
        assert store.unsent() == []
