"""`gate watch` as a process, killed at random points: no acknowledged move is missing in the history or in the feed."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec

from eightysix.model.gate import GateEvent
from eightysix.store.history import GateHistory
from tests.gate.events import samples

KILLS = 20
PAUSE_S = 0.02
QUIET_S = 60
SECRET = "a-secret-of-forty-characters-and-some-more"
REGISTRY = "registry.acme.test"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


class Watched:
    """The folder of one gate, and how to start it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        (folder / "secret").write_text(SECRET)
        (folder / "secret").chmod(0o600)
        (folder / "policy.yml").write_text(f"watch:\n  - repository: {REGISTRY}/ml/llm\n    tags: ['*']\n")
        self.history = folder / "history.sqlite"
        self.events = folder / "events.jsonl"

    def start(self) -> subprocess.Popen[bytes]:
        options = {
            "--policy": self.folder / "policy.yml",
            "--history": self.history,
            "--events": self.events,
            "--listen": f"127.0.0.1:{self.port}",
            "--webhook": f"distribution@{REGISTRY}={self.folder / 'secret'}",
            "--plain-http": REGISTRY,
        }
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "eightysix",
                "gate",
                "watch",
                *(str(x) for pair in options.items() for x in pair),
            ],
            env={**os.environ, "no_proxy": "*"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def post(self, connection: http.client.HTTPConnection, name: str, tag: str, digest: str) -> int:
        event = samples.push(repository="ml/llm", tag=tag, digest=digest, id=name, timestamp="")
        connection.request(
            "POST",
            "/v1/webhooks/distribution",
            json.dumps({"events": [event]}),
            {
                "authorization": f"Bearer {SECRET}",
                "content-type": "application/vnd.docker.distribution.events.v1+json",
            },
        )
        answer = connection.getresponse()
        answer.read()
        return answer.status

    def wait(self, child: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert child.poll() is None
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.01)

    def lines(self) -> list[bytes]:
        return self.events.read_bytes().splitlines() if self.events.exists() else []


def send(gate: Watched, turn: int, acknowledged: set[str]) -> None:
    """Post moves of a few tags, each to a digest of its own, until nobody answers. At a pace that the feed keeps up with: what
    is tried here is a death, not a load."""
    connection = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=30)
    for n in range(10**6):
        name = f"{turn}-{n}"
        try:
            status = gate.post(connection, name, f"prod-{n % 4}", f"sha256:{(turn << 40) + n:064x}")
        except (OSError, http.client.HTTPException):
            connection.close()
            return
        assert status == 200
        acknowledged.add(name)
        time.sleep(PAUSE_S)


def test_no_acknowledged_move_is_missing_in_the_history_or_the_feed(tmp_path: Path) -> None:
    gate, chance, acknowledged = Watched(tmp_path), random.Random(86), set[str]()
    for turn in range(KILLS):
        child = gate.start()
        gate.wait(child)
        before = len(acknowledged)
        sender = threading.Thread(target=send, args=(gate, turn, acknowledged))
        sender.start()
        deadline = time.monotonic() + 60
        while len(acknowledged) < before + 3 and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(chance.random() * 0.6)  # the feed looks at the history every half of a second
        child.send_signal(signal.SIGKILL)
        child.wait()
        sender.join()
    with GateHistory.open(gate.history, time.time_ns) as history:
        moves = {f"move-{move.sequence}": move for move in history.moves()}
    assert acknowledged <= {move.event_id for move in moves.values()}
    assert len(acknowledged) >= 3 * KILLS
    told = told_at_last(gate, set(moves))
    assert {number: event.digest for number, event in told.items()} == {
        number: move.digest for number, move in moves.items()
    }


def told_at_last(gate: Watched, wanted: set[str]) -> dict[str, GateEvent]:
    """The feed when the gate has run once more and told all there is. What is no whole line is a beginning of one."""
    child = gate.start()
    gate.wait(child)  # before that, SIGTERM ends it as it ends any program
    told: dict[str, GateEvent] = {}
    progress, seen = time.monotonic(), 0
    # As long as it goes on: how fast a machine tells it is not what is asked.
    while not wanted <= told.keys() and time.monotonic() < progress + QUIET_S:
        time.sleep(0.05)
        lines = gate.lines()
        if len(lines) > seen:
            progress, seen = time.monotonic(), len(lines)
        for line in lines:
            try:
                event = msgspec.json.decode(line, type=GateEvent)
            except msgspec.DecodeError:
                continue
            assert told.setdefault(event.id, event).digest == event.digest
    child.send_signal(signal.SIGTERM)
    assert child.wait() == 0
    return told
