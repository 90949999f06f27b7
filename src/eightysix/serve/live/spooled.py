"""The receiver with its spool, as the loop sees it: a folder to follow, and segments to let go of."""

from __future__ import annotations

from collections.abc import Mapping

from eightysix.serve.follow.position import Position
from eightysix.serve.listener import Listener
from eightysix.serve.live.gauges import update_receiver
from eightysix.serve.metrics import Gauges
from eightysix.serve.receiver import Receiver
from eightysix.serve.spool import Spool

__all__ = ["Spooled"]


class Spooled:
    """A listening receiver."""

    def __init__(self, spool: Spool, receiver: Receiver, listener: Listener, gauges: Gauges) -> None:
        self.folder = spool.folder
        self._spool = spool
        self._receiver = receiver
        self._listener = listener
        self._gauges = gauges

    def turn(self, committed: Mapping[str, Position]) -> None:
        """Delete the segments of which everything is committed, and bring the numbers up to date."""
        self._spool.release(committed)
        update_receiver(self._gauges, self._receiver.received, self._spool, self._listener.connections)
