"""The receiver of sensor records as the loop of `watch` sees it: a folder to follow, segments to let go of, numbers to tell."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress

from eightysix.serve.follow.position import Position
from eightysix.serve.metrics import Gauges
from eightysix.serve.monitor import Health
from eightysix.serve.sensors.pods import PodDirectory
from eightysix.serve.sensors.processes import Processes
from eightysix.serve.sensors.receiver import Receiver
from eightysix.serve.spool import Spool

__all__ = ["SensorFeed"]

GONE_S = 60.0
"""A pod that the kubelet does not list any more for so long is over, and its endpoint goes."""

_HEALTH = "sensors"


class SensorFeed:
    """A receiver in a thread of its own, that writes what it takes into a spool."""

    def __init__(
        self,
        root: str,
        spool_folder: str,
        pods: PodDirectory | None,
        gauges: Gauges,
        *,
        node: str,
        clock: Callable[[], float],
        on_problem: Callable[[str], None],
    ) -> None:
        self.folder = spool_folder
        self._clock = clock
        self._pods = pods
        self._gauges = gauges
        self._gone: dict[str, float] = {}
        self._failure = ""
        # Nobody was promised that a record is on the disk, and to wait for the disk would make senders drop.
        self._spool = Spool(spool_folder, durable=False)
        self._receiver = Receiver(
            root,
            self._spool.append,
            pods if pods is not None else _nobody,
            clock=clock,
            node=node,
            processes=Processes(),
            on_problem=on_problem,
        )
        self._thread = threading.Thread(target=self._run, name="sensor-receiver", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop, and keep what was taken for the next start."""
        self._receiver.stop()
        self._thread.join(10.0)
        with suppress(OSError):
            self._receiver.drain()
        self._receiver.close()
        self._spool.close()

    def turn(self, committed: Mapping[str, Position], health: Health) -> None:
        """Let go of what was committed and of pods that are over, and bring the numbers up to date."""
        self._spool.release(committed)
        self._end_pods()
        self._tell(health)

    def _run(self) -> None:
        try:
            self._receiver.run()
        except Exception as error:  # noqa: BLE001 - the boundary of a thread: told by /healthz, and on standard error
            self._failure = f"the receiver of sensor records ended: {type(error).__name__}: {error}"

    def _end_pods(self) -> None:
        if self._pods is None or not self._pods.complete or self._pods.trouble:
            return
        now, known = self._clock(), self._pods.uids
        open_ = self._receiver.uids
        self._gone = {uid: self._gone.get(uid, now) for uid in open_ if uid not in known}
        for uid in [uid for uid, since in self._gone.items() if now - since > GONE_S]:
            self._receiver.remove(uid)
            del self._gone[uid]

    def _tell(self, health: Health) -> None:
        gauges, pods = self._gauges, self._pods
        counts = {self._name(uid): told for uid, told in self._receiver.counts().items()}
        gauges.sensor_endpoints = len(self._receiver.uids)
        gauges.sensor_records = {pod: told.passed for pod, told in counts.items()}
        gauges.sensor_refused = {
            (pod, reason): number
            for pod, told in counts.items()
            for reason, number in (
                ("malformed", told.malformed),
                ("oversized", told.oversized),
                ("replayed", told.replayed),
            )
            if number
        }
        gauges.sensor_lost = {
            (pod, reason): number
            for pod, told in counts.items()
            for reason, number in (
                ("missing", told.missing),
                ("sender", told.sender_dropped),
                ("unheard", told.unheard),
            )
            if number
        }
        gauges.sensor_throttled = {pod: told.throttled for pod, told in counts.items() if told.throttled}
        gauges.sensor_repaired = {pod: told.repaired for pod, told in counts.items() if told.repaired}
        reasons = [self._failure, *self._receiver.troubles.values(), pods.trouble if pods is not None else ""]
        if not self._failure and not self._thread.is_alive():
            reasons.append("the receiver of sensor records ended")
        told_first = next((reason for reason in reasons if reason), "")
        health.failures = {name: reason for name, reason in health.failures.items() if name != _HEALTH}
        if told_first:
            health.failures[_HEALTH] = told_first

    def _name(self, uid: str) -> str:
        pod = self._pods(uid) if self._pods is not None else None
        return f"{pod.namespace}/{pod.name}" if pod is not None and pod.name else uid


def _nobody(uid: str) -> None:
    """No list of pods was given: records have the uid alone."""
