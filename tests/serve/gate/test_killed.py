"""What was answered with success is in the history, whenever the receiver is killed."""

from __future__ import annotations

import http.client
import json
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from eightysix.store.history import GateHistory
from tests.gate.events import samples
from tests.serve.gate.desk import ALLOWED

SERVE = """
import sys, time
from pathlib import Path
from tests.serve.gate.desk import desk
with desk(Path(sys.argv[1])) as made:
    print(made.listener.port, flush=True)
    time.sleep(600)
"""


def test_no_acknowledged_delivery_is_lost(tmp_path: Path) -> None:
    chance = random.Random(86)
    acknowledged: set[str] = set()

    def send(port: int, turn: int, sender: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for n in range(10**9):
            name = f"{turn}-{sender}-{n}"
            # A digest of its own: the one that the tag has already, from before the kill, would be no move.
            digest = f"sha256:{(turn << 40) + n:064x}"
            body = json.dumps(
                {"events": [samples.push(tag=f"t{sender}", digest=digest, id=name, timestamp="")]}
            )
            try:
                connection.request("POST", "/v1/webhooks/distribution", body, ALLOWED)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                return
            if answer.status == 200:
                acknowledged.add(name)

    for turn in range(5):
        child = subprocess.Popen([sys.executable, "-c", SERVE, tmp_path], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        port = int(child.stdout.readline())
        before = len(acknowledged)
        senders = [threading.Thread(target=send, args=(port, turn, sender)) for sender in range(3)]
        for sender in senders:
            sender.start()
        deadline = time.monotonic() + 30
        while len(acknowledged) < before + 5 and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(chance.random() * 0.05)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        for sender in senders:
            sender.join()
    with GateHistory.open(tmp_path / "gate.sqlite", time.time_ns) as history:
        assert acknowledged <= {move.event_id for move in history.moves()}
    assert len(acknowledged) >= 25
