"""What a sink is: one place that revisions of incidents are sent to, with a name that says where without a secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Protocol, cast

from msgspec import Struct

from eightysix.model.errors import UsageError
from eightysix.model.incident import Incident
from eightysix.model.words import Verdict

__all__ = ["SINKS", "Delivery", "FromVerdict", "Sink", "least_of", "open_sink"]

SINKS = {
    "webhook": "eightysix.serve.deliver.webhook",
    "falcosidekick": "eightysix.serve.deliver.falcosidekick",
    "slack": "eightysix.serve.deliver.chat",
    "teams": "eightysix.serve.deliver.chat",
    "sentinel": "eightysix.serve.deliver.sentinel",
    "ocsf": "eightysix.serve.deliver.lines",
    "jsonl": "eightysix.serve.deliver.lines",
}
"""Kind of each sink and the module whose `open_sink(kind, target, environment)` makes one; imported only when asked for."""


PEOPLE = frozenset({"slack", "teams"})
"""Sinks that people read: they get nothing below `suspect` unless asked for, because a `watch` asks nobody to do
anything. What was told to them once they are told the rest of."""


class Delivery(Struct, frozen=True):
    """One revision of one incident. `age_s` is how long it had waited when it was offered (a restart takes it over
    from the outbox)."""

    id: str
    revision: str
    incident: Incident
    age_s: float = 0.0


class Sink(Protocol):
    """A place to send to. It keeps nothing: what was accepted is remembered by who calls it."""

    @property
    def name(self) -> str:
        """Stable and without secrets: what was sent where is kept under it."""

    @property
    def batch(self) -> int:
        """How many items one `send` may hold."""

    def send(self, items: Sequence[Delivery]) -> None:
        """Returns only when the receiver has accepted all `items`; raises `DeliveryError` otherwise."""

    def close(self) -> None:
        """Let go of what is open; a closed sink is not used again."""


class FromVerdict:
    """A sink that gets an incident from the verdict `least` on."""

    def __init__(self, sink: Sink, least: Verdict) -> None:
        self.sink = sink
        self.least = least
        self.name = sink.name
        self.batch = sink.batch

    def send(self, items: Sequence[Delivery]) -> None:
        """As the sink itself: who calls it has chosen."""
        self.sink.send(items)

    def close(self) -> None:
        """Close the sink."""
        self.sink.close()


def least_of(sink: Sink) -> Verdict:
    """The verdict from which on `sink` is told of an incident."""
    return sink.least if isinstance(sink, FromVerdict) else Verdict.WATCH


def open_sink(text: str, environment: Mapping[str, str]) -> Sink:
    """The sink that `text` (`KIND:TARGET` or `VERDICT:KIND:TARGET`) names; secrets come from `environment` or files.

    A target `env:NAME` or `file:PATH` is read from there, for addresses that are secrets themselves (Slack, Teams).
    Raises `UsageError`, whose text never holds the target.
    """
    from eightysix.serve.deliver.settings import target_of

    first, _, rest = text.partition(":")
    asked = next((verdict for verdict in Verdict if verdict == first), None)
    kind, colon, target = (text if asked is None else rest).partition(":")
    module = SINKS.get(kind)
    if module is None or not colon or not target:
        raise UsageError(
            "a sink is written as KIND:TARGET or VERDICT:KIND:TARGET"
            if module is not None
            else f"there is no sink {kind[:40]!r}",
            f"kinds are: {', '.join(SINKS)}",
        )
    target = target_of(kind, target, environment)
    sink = cast(Sink, import_module(module).open_sink(kind, target, environment))
    least = asked or (Verdict.SUSPECT if kind in PEOPLE else Verdict.WATCH)
    return sink if least is Verdict.WATCH else FromVerdict(sink, least)
