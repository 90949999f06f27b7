"""Sensor records of one run into one file: what the lab is given to open endpoints for its pods."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from eightysix.serve.sensors.limits import Counts, Limits
from eightysix.serve.sensors.pods import PodInfo
from eightysix.serve.sensors.processes import Processes
from eightysix.serve.sensors.receiver import Receiver

__all__ = ["Recording", "recording"]


class Recording:
    """Endpoints whose records go to a file, in the order in which they came."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def open_endpoint(self, uid: str, pod: Mapping[str, object]) -> Path:
        """Open the endpoint of the pod `uid`, and return the folder that is to be mounted into it as `/run/eightysix`. `pod`
        has fields of `PodInfo`."""
        known = msgspec.convert({**pod, "uid": uid}, PodInfo)
        return Path(self._receiver.add(uid, known))

    def close_endpoint(self, uid: str) -> None:
        """Close the endpoint of a pod that is over, after what lies in it was read."""
        self._receiver.remove(uid)

    def counts(self) -> Mapping[str, Counts]:
        """What came so far, by pod."""
        return self._receiver.counts()


@contextmanager
def recording(
    root: Path,
    file: Path,
    *,
    node: str = "",
    limits: Limits | None = None,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], int] = time.time_ns,
    processes: Processes | None = None,
) -> Iterator[Recording]:
    """Receive below `root` in a thread, and append JSON Lines to `file`; at the end what lies in the sockets is read, too."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def append(lines: bytes) -> None:
        left = memoryview(lines)
        while left:
            left = left[os.write(descriptor, left) :]

    try:
        with Receiver(
            str(root),
            append,
            clock=clock,
            now=now,
            limits=limits,
            node=node,
            processes=processes if processes is not None else Processes(),
            adopt=False,
        ) as receiver:
            thread = threading.Thread(target=receiver.run, name="sensor-receiver", daemon=True)
            thread.start()
            try:
                yield Recording(receiver)
            finally:
                receiver.stop()
                thread.join()
                receiver.drain()
    finally:
        os.close(descriptor)
