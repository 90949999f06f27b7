"""What came in by webhook, for the metrics."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from msgspec import Struct, field

from eightysix.model.gate import Channel
from eightysix.serve.metrics import family

__all__ = ["WebhookCounts"]


class WebhookCounts(Struct):
    """Counted since the process started. Keys are the labels; none of them is text of a sender's.

    `requests` by channel (empty for what named none) and status. `events` by channel and what became of them: an `Outcome`,
    `pull`, or `unwatched`. `ignored` by channel: layers, charts, our own pulls. `refused` by channel and why: `body`,
    `channel`, `store`.
    """

    requests: dict[tuple[str, int], int] = field(default_factory=dict)
    events: dict[tuple[str, str], int] = field(default_factory=dict)
    ignored: dict[str, int] = field(default_factory=dict)
    refused: dict[tuple[str, str], int] = field(default_factory=dict)
    handshakes: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def request(self, channel: Channel | None, status: int) -> None:
        """Note an answer."""
        with self.lock:
            key = (channel or "", status)
            self.requests[key] = self.requests.get(key, 0) + 1

    def became(self, channel: Channel, outcomes: Iterable[str], ignored: int) -> None:
        """Note what became of a delivery's events."""
        with self.lock:
            for outcome in outcomes:
                key = (channel.value, outcome)
                self.events[key] = self.events.get(key, 0) + 1
            if ignored:
                self.ignored[channel.value] = self.ignored.get(channel.value, 0) + ignored

    def refuse(self, channel: Channel, why: str) -> None:
        """Note a delivery of which nothing was taken."""
        with self.lock:
            key = (channel.value, why)
            self.refused[key] = self.refused.get(key, 0) + 1

    def shaken(self) -> None:
        """Note a handshake that was answered."""
        with self.lock:
            self.handshakes += 1

    def render(self) -> str:
        """The counters as Prometheus reads them."""
        lines = [
            *family(
                "gate_webhook_requests_total",
                "counter",
                "Requests to the gate's webhooks, by channel and status.",
                ("channel", "status"),
                dict(self.requests),
            ),
            *family(
                "gate_webhook_events_total",
                "counter",
                "Events of registries, by channel and what became of them.",
                ("channel", "outcome"),
                dict(self.events),
            ),
            *family(
                "gate_webhook_ignored_total",
                "counter",
                "Events that mean nothing for a tag: layers, charts, our own pulls.",
                ("channel",),
                dict(self.ignored),
            ),
            *family(
                "gate_webhook_refused_total",
                "counter",
                "Deliveries of which nothing was taken, by channel and why.",
                ("channel", "reason"),
                dict(self.refused),
            ),
            *family(
                "gate_webhook_handshakes_total",
                "counter",
                "Handshakes of Event Grid that were answered.",
                (),
                {(): self.handshakes},
            ),
        ]
        return "\n".join(lines) + "\n"
