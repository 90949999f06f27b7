"""A receiver at a free port over a real history, and how to send to it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from eightysix.model.gate import Channel, Reference
from eightysix.serve.gate.receiver import PATHS, Endpoint, WebhookReceiver
from eightysix.serve.listener import Listener
from eightysix.serve.receiver import Token
from eightysix.store.history import GateHistory
from tests.store.history.made import Clock

__all__ = ["ALLOWED", "SECRET", "Answered", "Desk", "desk"]

SECRET = "correct-horse-battery-staple"
ALLOWED = {"authorization": f"Bearer {SECRET}", "content-type": "application/json"}
NOW = 1_795_500_000 * 10**9


class Answered(NamedTuple):
    status: int
    body: bytes
    headers: Mapping[str, str]


class Desk:
    def __init__(self, path: Path, registry: str = "") -> None:
        self.history = GateHistory.open(path, Clock(NOW))
        self.asked: list[Reference] = []
        self.receiver = WebhookReceiver(
            [Endpoint(channel, Token(SECRET), registry) for channel in PATHS.values()],
            self.history.take,
            lambda event: event.repository == "ml/llm",
            self.asked.append,
        )
        self.listener: Listener = self.receiver.listen("127.0.0.1", 0)

    def send(
        self,
        channel: Channel | str,
        body: object = b"",
        headers: Mapping[str, str] | None = None,
        method: str = "POST",
        query: str = "",
    ) -> Answered:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        path = f"/v1/webhooks/{channel.value}" if isinstance(channel, Channel) else channel
        connection = http.client.HTTPConnection("127.0.0.1", self.listener.port, timeout=30)
        try:
            connection.request(method, path + query, data, dict(ALLOWED if headers is None else headers))
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return Answered(answer.status, answer.read(), told)
        finally:
            connection.close()

    def digests(self) -> list[str]:
        return [move.digest for move in self.history.moves()]


@contextmanager
def desk(folder: Path, registry: str = "") -> Iterator[Desk]:
    made = Desk(folder / "gate.sqlite", registry)
    with made.history, made.listener:
        yield made
