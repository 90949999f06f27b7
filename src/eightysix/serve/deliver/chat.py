"""Sinks whose receivers take one message a request and know nothing of repetitions: Slack, Teams, falcosidekick.

A webhook address of Slack and Teams is a secret: who has it can post. Give it as `slack:env:NAME` or `slack:file:PATH`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from eightysix.model.errors import DeliveryError
from eightysix.model.incident import Incident
from eightysix.report.slack import slack_message
from eightysix.report.teams import teams_message
from eightysix.serve.deliver.http import Address, HttpClient, check, parse_address
from eightysix.serve.deliver.interface import Delivery

__all__ = ["MessageSink", "open_sink"]


class MessageSink:
    """Posts what `message` makes of an incident."""

    batch = 1

    def __init__(self, address: Address, client: HttpClient, message: Callable[[Incident], str]) -> None:
        self.name = address.label
        self._address = address
        self._client = client
        self._message = message

    def send(self, items: Sequence[Delivery]) -> None:
        """Send and wait for a 2xx."""
        for number, item in enumerate(items):
            body = self._message(item.incident).encode()
            try:
                answer = self._client.send(self._address, "POST", body, {"Content-Type": "application/json"})
                check(answer, self._address)
            except DeliveryError as error:
                error.accepted = number
                raise

    def close(self) -> None:
        """Nothing is open between two requests."""


def open_sink(kind: str, target: str, environment: Mapping[str, str]) -> MessageSink:
    """`slack:URL` or `teams:URL`."""
    message = slack_message if kind == "slack" else teams_message
    return MessageSink(parse_address(kind, target, environment), HttpClient(environment), message)
