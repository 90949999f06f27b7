"""The receiver of a lab run's sensors: the same one that a node has, with a file behind it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eightysix.lab.pods.watching import Endpoints, Started
from eightysix.lab.world import CLUSTER, NODE
from eightysix.serve.sensors.pods import Container, PodInfo
from eightysix.serve.sensors.processes import Processes
from eightysix.serve.sensors.receiver import Receiver

__all__ = ["receiving"]


class _Endpoints:
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def open(self, started: Started) -> str:
        pod = started.pod
        image = f"{pod.image}@{pod.image_digest}"
        info = PodInfo(
            started.uid,
            namespace=pod.namespace,
            name=pod.name,
            node=NODE,
            cluster=CLUSTER,
            service_account=pod.service_account,
            workload=pod.workload,
            workload_kind=pod.workload_kind,
            containers={started.container_id: Container(pod.container, image)},
        )
        return self._receiver.add(started.uid, info)

    def close(self, uid: str) -> None:
        self._receiver.remove(uid)


@contextmanager
def receiving(file: Path, root: Path) -> Iterator[Endpoints]:
    """Receive into `file` with endpoints below `root`; see `eightysix.lab.run.run`."""
    with file.open("ab", buffering=0) as lines:

        def keep(text: bytes) -> None:
            lines.write(text)

        with Receiver(str(root), keep, node=NODE, processes=Processes()) as receiver:
            thread = threading.Thread(target=receiver.run, name="sensors", daemon=True)
            thread.start()
            try:
                yield _Endpoints(receiver)
            finally:
                receiver.stop()
                thread.join()
                receiver.drain()
