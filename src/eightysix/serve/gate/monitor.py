"""`/metrics` and `/healthz` of `gate watch`."""

from __future__ import annotations

from eightysix.serve.gate.watching import GateWatch
from eightysix.serve.listener import Answer, Listener, Request

__all__ = ["GateMonitor"]


class GateMonitor:
    """Answers scrapers. Healthy is a watch whose registries were all answered within 30 seconds."""

    def __init__(self, watch: GateWatch) -> None:
        self._watch = watch

    def listen(self, host: str, port: int) -> Listener:
        """A listener, to be started with `with`."""
        return Listener(host, port, self)

    def admit(self, request: Request) -> Answer | int:
        """Only GET and HEAD of the two paths."""
        if request.path not in ("/metrics", "/healthz"):
            return Answer(404, b"there is nothing here\n", "text/plain")
        if request.method not in ("GET", "HEAD"):
            return Answer(405, b"GET\n", "text/plain", (("allow", "GET, HEAD"),))
        return 0

    def answer(self, request: Request, body: bytes) -> Answer:
        """The numbers of now."""
        del body
        if request.path == "/metrics":
            text = self._watch.metrics().encode("utf-8", "replace")
            return Answer(200, text, "text/plain; version=0.0.4; charset=utf-8")
        well = self._watch.status().keeps_up
        return Answer(200 if well else 503, b"ok\n" if well else b"behind\n", "text/plain")
