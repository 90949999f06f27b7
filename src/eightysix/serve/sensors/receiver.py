"""Takes the records of the sensors of this node: one endpoint a pod, and the endpoint says whose they are.

A datagram proves nothing of its sender: credentials on it (SCM_CREDENTIALS) are what a privileged sender likes. But only
the pod's own folder is mounted into it. So whoever writes to that socket is that pod, and what it says of itself is thrown
away. Nothing is promised to senders: they do not wait, and a record that finds no room is lost there, which its number tells.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

import msgspec

from eightysix.model.errors import EightysixError
from eightysix.serve.follow.notify import Watcher
from eightysix.serve.sensors.endpoint import Endpoint, EndpointError, Root
from eightysix.serve.sensors.limits import MAX_DATAGRAM, Counts, Limits
from eightysix.serve.sensors.pods import PodInfo
from eightysix.serve.sensors.processes import Processes
from eightysix.serve.sensors.records import RefusedError, as_line
from eightysix.serve.sensors.stream import PodStream

__all__ = ["Receiver", "Resolve", "Sink"]

Sink = Callable[[bytes], None]
"""Takes whole lines. Where it raises `EightysixError` or `OSError` they are kept and offered again, and nothing more is read
until it takes them: datagrams then wait in the sockets, and senders drop."""

Resolve = Callable[[str], PodInfo | None]

KEEP_OVER = 256
"""Pods that are over and whose counts are still told."""

_HOLD_S = 0.2
"""Pause before lines that the sink did not take are offered again."""


class Receiver:
    """The endpoints below `root`. `run` in a thread, or `poll` as often as you like; both may not be mixed.

    Endpoints come by `add`, and by themselves for every folder of a pod that the kubelet made in `root`. `resolve` says who
    a uid is; `node` is the name of this one, for pods that are not known. `clock` is monotonic seconds, `now` nanoseconds
    since 1970.
    """

    def __init__(
        self,
        root: str,
        sink: Sink,
        resolve: Resolve = lambda uid: None,
        clock: Callable[[], float] = time.monotonic,
        limits: Limits | None = None,
        *,
        now: Callable[[], int] = time.time_ns,
        node: str = "",
        processes: Processes | None = None,
        on_problem: Callable[[str], None] = lambda reason: None,
        adopt: bool = True,
    ) -> None:
        self._limits = limits or Limits()
        self._sink, self._resolve, self._clock, self._now = sink, resolve, clock, now
        self._node = node
        self._processes = processes
        self._on_problem = on_problem
        self._adopt = adopt
        self._lock = threading.RLock()
        self._root = Root(root)
        self._poller = select.epoll()
        self._wake_out, self._wake_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poller.register(self._wake_out, select.EPOLLIN)
        # A folder that the kubelet makes gets its socket at once: the container's first records are the ones that matter.
        self._watcher = Watcher(use=adopt)
        self._watcher.watch((), (root,))
        if self._watcher.believed:
            self._poller.register(self._watcher.fileno(), select.EPOLLIN)
        self._endpoints: dict[str, Endpoint] = {}
        self._streams: dict[str, PodStream] = {}
        self._by_descriptor: dict[int, str] = {}
        self._named: dict[str, PodInfo] = {}
        self._waiting: dict[str, float] = {}  # pods over their budget, and until when
        self._troubles: dict[str, str] = {}
        self._over: dict[str, Counts] = {}
        self._buffer = bytearray(MAX_DATAGRAM + 1)
        self._held = b""
        self._looks_at = self._offer_at = 0.0
        self._stopped = False

    # --- endpoints

    def add(self, uid: str, pod: PodInfo | None = None) -> str:
        """Open the endpoint of a pod, and return the folder that is to be mounted into it as `/run/eightysix`. `pod` says who
        it is where `resolve` does not."""
        with self._lock:
            if pod is not None:
                self._named[uid] = pod
            known = self._endpoints.get(uid)
            if known is None:
                if len(self._endpoints) >= self._limits.endpoints:
                    raise EndpointError(
                        f"more than {self._limits.endpoints} pods", "end pods that are not needed"
                    )
                known = Endpoint(self._root, uid)
                self._endpoints[uid] = known
                self._streams.setdefault(uid, PodStream(uid, self._limits, self._clock()))
                self._by_descriptor[known.socket.fileno()] = uid
                self._poller.register(known.socket.fileno(), select.EPOLLIN)
            return known.path

    def remove(self, uid: str) -> None:
        """Close the endpoint of a pod that is gone, after what lies in it was read."""
        with self._lock:
            endpoint = self._endpoints.get(uid)
            if endpoint is None:
                return
            self._flush_of(uid)
            self._close(uid, remove=True)
            self._named.pop(uid, None)
            self._over.pop(uid, None)
            self._over[uid] = self._streams.pop(uid).counts
            while len(self._over) > KEEP_OVER:
                del self._over[next(iter(self._over))]

    def counts(self) -> Mapping[str, Counts]:
        """What came so far, by pod; of pods that are over, of the latest `KEEP_OVER`."""
        with self._lock:
            open_ = {uid: msgspec.structs.replace(stream.counts) for uid, stream in self._streams.items()}
            return {**self._over, **open_}

    @property
    def uids(self) -> frozenset[str]:
        """The pods that have an endpoint."""
        with self._lock:
            return frozenset(self._endpoints)

    @property
    def troubles(self) -> Mapping[str, str]:
        """Endpoints that cannot be made or kept, and why."""
        with self._lock:
            return dict(self._troubles)

    # --- the loop

    def run(self) -> None:
        """Receive until `stop`."""
        while not self._stopped:
            self.poll(0.5)

    def stop(self) -> None:
        """End `run`, from any thread."""
        self._stopped = True
        with suppress(OSError):
            os.write(self._wake_in, b"x")

    def poll(self, timeout_s: float = 0.0) -> int:
        """Wait for datagrams up to `timeout_s`, hand on what came, and look after the folders. How many were read."""
        now = self._clock()
        if self._held and not self._offer(now):
            time.sleep(min(timeout_s, _HOLD_S))
            return 0
        ready = self._poller.poll(self._until(now, timeout_s))
        with self._lock:
            now = self._clock()
            lines: list[bytes] = []
            read = 0
            for descriptor, _ in ready:
                if descriptor == self._wake_out:
                    with suppress(OSError):
                        os.read(self._wake_out, 4096)
                    continue
                if descriptor == self._watcher.fileno():
                    self._watcher.drain()
                    self._looks_at = now
                    continue
                uid = self._by_descriptor.get(descriptor)
                if uid is not None:
                    read += self._read(uid, self._limits.turn, now, lines)
            self._resume(now)
            if now >= self._looks_at:
                self._looks_at = now + self._limits.look_s
                self._look(now, lines)
            self._held += b"".join(lines)
        if self._held:
            self._offer(now)
        return read

    def close(self) -> None:
        """Close all endpoints. Folders and sockets stay: the next receiver takes them over, and pods go on meanwhile."""
        with self._lock:
            for uid in list(self._endpoints):
                self._close(uid, remove=False)
            self._poller.close()
            self._watcher.close()
            os.close(self._wake_in)
            os.close(self._wake_out)
            self._root.close()

    def __enter__(self) -> Receiver:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def drain(self) -> None:
        """Read what lies in the sockets, and hand it on: before the end, or when a pod is over."""
        with self._lock:
            for uid in list(self._endpoints):
                self._flush_of(uid)

    # --- reading

    def _read(self, uid: str, most: int, now: float, lines: list[bytes]) -> int:
        """Read up to `most` datagrams of a pod, as its budget allows."""
        stream, sock = self._streams[uid], self._endpoints[uid].socket
        read = 0
        while read < most:
            if not stream.budget.allows(now):
                stream.throttled(now)
                self._pause(uid, now + stream.budget.wait_s())
                break
            try:
                # No room for control messages: descriptors that a sender attaches are closed by the kernel.
                size, _, flags, _ = sock.recvmsg_into([self._buffer])
            except (BlockingIOError, InterruptedError):
                break
            read += 1
            stream.counts.received += 1
            stream.budget.take(size)
            if flags & socket.MSG_TRUNC or size > MAX_DATAGRAM:
                stream.counts.oversized += 1
                continue
            line = self._line(uid, stream, bytes(self._buffer[:size]), now)
            if line:
                lines.append(line)
        return read

    def _line(self, uid: str, stream: PodStream, data: bytes, now: float) -> bytes:
        try:
            record = stream.admit(data, self._now(), now)
        except RefusedError:
            stream.counts.malformed += 1
            return b""
        if record is None:
            return b""
        ours: dict[str, object] = {}
        container = ""
        if self._processes is not None:
            process = self._processes.find(uid, record.ns_pid, record.start_ticks, record.boot_id)
            if process is not None:
                ours["host_pid"], container = process.pid, process.container_id
        stream.counts.passed += 1
        return as_line(record.fields, ours | self._whose(uid, container))

    def _whose(self, uid: str, container_id: str = "") -> dict[str, object]:
        pod = self._resolve(uid) or self._named.get(uid) or PodInfo(uid)
        node = pod.node or self._node
        return ({"node": node} if node else {}) | {"pod": pod.fields(container_id)}

    def _pause(self, uid: str, until: float) -> None:
        if uid not in self._waiting:
            self._poller.unregister(self._endpoints[uid].socket.fileno())
        self._waiting[uid] = until

    def _resume(self, now: float) -> None:
        for uid in [uid for uid, until in self._waiting.items() if until <= now]:
            del self._waiting[uid]
            self._poller.register(self._endpoints[uid].socket.fileno(), select.EPOLLIN)

    def _until(self, now: float, timeout_s: float) -> float:
        soon = min([self._looks_at, *self._waiting.values()], default=now + timeout_s)
        return max(0.0, min(timeout_s, soon - now))

    def _flush_of(self, uid: str) -> None:
        """Hand on what lies in the socket, within the budget: of a pod that floods until its end the rest is lost, and told."""
        lines: list[bytes] = []
        now = self._clock()
        while self._read(uid, self._limits.turn, now, lines):
            pass
        lines += self._gaps(self._streams[uid], now, last=True)
        self._held += b"".join(lines)
        self._offer(now)

    def _offer(self, now: float) -> bool:
        """Hand on what is held; whether nothing is held any more."""
        if not self._held:
            return True
        if now < self._offer_at:
            return False
        try:
            self._sink(self._held)
        except (EightysixError, OSError) as error:
            self._offer_at = now + _HOLD_S
            self._trouble("", f"records of sensors cannot be kept: {error}")
            return False
        self._held = b""
        self._troubles.pop("", None)
        return True

    # --- looking after the folders

    def _look(self, now: float, lines: list[bytes]) -> None:
        if self._adopt:
            there = self._root.pods(self._limits.endpoints)
            self._troubles = {
                uid: reason
                for uid, reason in self._troubles.items()
                if not uid or uid in there or uid in self._endpoints
            }
            for uid in there:
                if uid not in self._endpoints:
                    self._try(uid, lambda uid=uid: self.add(uid))  # type: ignore[misc]
        for uid, endpoint in self._endpoints.items():
            stream = self._streams[uid]
            if not endpoint.is_in_place():
                stream.repaired()
                self._try(uid, endpoint.repair)
            stream.counts.strangers = endpoint.strangers(self._limits.strangers)
            lines += self._gaps(stream, now)

    def _gaps(self, stream: PodStream, now: float, *, last: bool = False) -> list[bytes]:
        return [
            as_line(fields, self._whose(stream.uid)) for fields in stream.gaps(now, self._now(), last=last)
        ]

    def _try(self, uid: str, what: Callable[[], object]) -> None:
        try:
            what()
        except (EightysixError, OSError) as error:
            self._trouble(uid, f"the endpoint of pod {uid} cannot be kept: {error}")
        else:
            self._troubles.pop(uid, None)

    def _trouble(self, uid: str, reason: str) -> None:
        """Tell of trouble once, until it is over or another one."""
        if self._troubles.get(uid) != reason:
            self._troubles[uid] = reason
            self._on_problem(reason)

    def _close(self, uid: str, *, remove: bool) -> None:
        endpoint = self._endpoints.pop(uid)
        self._waiting.pop(uid, None)
        self._by_descriptor.pop(endpoint.socket.fileno(), None)
        with suppress(OSError, ValueError):
            self._poller.unregister(endpoint.socket.fileno())
        endpoint.close(remove=remove)
