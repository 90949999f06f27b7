"""`/metrics` for Prometheus and `/healthz` for the kubelet, at an address of their own."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
from msgspec import Struct, field

from eightysix import __version__
from eightysix.serve.listener import Answer, HttpLimits, Listener, Request
from eightysix.serve.metrics import CONTENT_TYPE, Gauges, render

__all__ = ["STALE_S", "Health", "Monitor"]

STALE_S = 30.0
"""A main loop that did not tick for this long hangs: it ticks at least once a second, and a commit on a slow disk or a
large backlog takes some seconds."""


class Health(Struct):
    """What the main loop says about itself. `ticked` is set to the clock once a round; `commit_failure` holds the reason
    of the last commit if that failed; `dead_inputs` and `failures` (anything else) hold reasons by name."""

    ticked: float = 0.0
    commit_failure: str = ""
    dead_inputs: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def reasons(self, now: float, stale_s: float = STALE_S) -> list[str]:
        """Why it is not healthy; none where it is."""
        found = []
        if now - self.ticked > stale_s:
            found.append(f"the main loop did not come round for {now - self.ticked:.0f} s")
        if self.commit_failure:
            found.append(f"the state cannot be committed: {self.commit_failure}")
        found += [
            f"the input {name} is dead: {reason}" for name, reason in sorted(dict(self.dead_inputs).items())
        ]
        found += [f"{name}: {reason}" for name, reason in sorted(dict(self.failures).items())]
        return found


class Monitor:
    """The two pages. `refresh` is called before each page of metrics, for values that are costly to keep current."""

    def __init__(
        self,
        gauges: Gauges,
        health: Health,
        *,
        clock: Callable[[], float] = time.monotonic,
        stale_s: float = STALE_S,
        refresh: Callable[[], None] | None = None,
    ) -> None:
        self._gauges = gauges
        self._health = health
        self._clock = clock
        self._stale_s = stale_s
        self._refresh = refresh

    def listen(self, host: str, port: int) -> Listener:
        """A listener, to be started with `with`. Nothing secret is told, but who may reach it is the operator's
        choice: the default of the command is this machine alone."""
        return Listener(host, port, self, limits=HttpLimits(connections=16, idle_s=120.0))

    def admit(self, request: Request) -> Answer | int:
        """Reading only, and no bodies."""
        if request.path not in ("/metrics", "/healthz"):
            return Answer(404, b'{"error": "there are only /metrics and /healthz"}\n')
        if request.method not in ("GET", "HEAD"):
            return Answer(405, b'{"error": "this is only for reading"}\n', headers=(("allow", "GET, HEAD"),))
        return 0

    def answer(self, request: Request, body: bytes) -> Answer:
        """One of the two pages."""
        if request.path == "/metrics":
            if self._refresh is not None:
                self._refresh()
            return Answer(200, render(self._gauges).encode(), CONTENT_TYPE)
        reasons = self._health.reasons(self._clock(), self._stale_s)
        told = {"status": "failing" if reasons else "ok", "reasons": reasons, "version": __version__}
        return Answer(503 if reasons else 200, msgspec.json.encode(told) + b"\n")
