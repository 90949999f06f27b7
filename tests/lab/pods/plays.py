"""Scripts that look at a pod from inside, and a way to play them."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eightysix.lab.interface import Label, PodSpec, Scenario, Stage, Tier
from eightysix.lab.run import Played, run

__all__ = ["IN_POD", "LOOK", "POD", "addresses_of_machine", "look", "play"]

SERVER = """\
from fastapi import FastAPI, Request
import os, uvicorn
app = FastAPI()

@app.get("/env")
def env():
    return dict(os.environ)

@app.post("/size")
async def size(request: Request):
    return len(await request.body())

uvicorn.run(app, host="0.0.0.0", port=8080)
"""

POD = PodSpec(name="inference-0", files={"/app/server.py": SERVER, "/models/card.txt": "hello"}, sensor=False)

IN_POD = """\
import json, os, socket, sys
def reach(host, port):
    try:
        socket.create_connection((host, port), 3).close()
        return "open"
    except OSError as error:
        return error.strerror or str(error)
print(json.dumps({
    "root": sorted(os.listdir("/")),
    "homes": os.listdir("/root") + os.listdir("/home"),
    "marker": open("/etc/eightysix-lab").read().split(),
    "inode": os.stat("/proc/self/ns/net").st_ino,
    "nonce": os.environ["EIGHTYSIX_LAB_NONCE"],
    "processes": [name for name in os.listdir("/proc") if name.isdigit()],
    "caps": [line.split()[1] for line in open("/proc/self/status") if line.startswith("CapBnd")],
    "token": os.path.realpath("/var/run/secrets/kubernetes.io/serviceaccount/namespace"),
    "reach": {address: reach(address, int(port)) for address, port in (one.split(",") for one in sys.argv[1:])},
    "writable": os.access("/usr/lib", os.W_OK),
}))
"""

LOOK = "/app/look.py"


def look(stage: Stage, *reach: str, pod: str = "") -> dict[str, Any]:
    """What a process in the pod sees."""
    done = stage.exec("python", "-c", IN_POD, *reach, pod=pod)
    told: dict[str, Any] = json.loads(done.output)
    return told


def play(tier: Tier, output: Path, script: Callable[[Stage], None]) -> Played:
    """Play a script without sensors: those have tests of their own."""
    scenario = Scenario("test", "A test", Label("test", False, "none", "by a test"), script)
    return run(scenario, tier, output, tell=lambda *_: None, mechanism="none")


def addresses_of_machine() -> list[str]:
    """IPv4 addresses of this machine beside loopback, by what its routes say."""
    found = set()
    for name in os.listdir("/sys/class/net"):
        if name != "lo":
            found |= set(_addresses(name))
    return sorted(found)


def _addresses(interface: str) -> list[str]:
    """SIOCGIFADDR (netdevice(7))."""
    import fcntl
    import struct

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            answer = fcntl.ioctl(sock, 0x8915, struct.pack("256s", interface.encode()[:15]))
        except OSError:
            return []
    return [socket.inet_ntoa(answer[20:24])]


if __name__ == "__main__":  # for the test that kills it: python plays.py TIER OUTPUT

    def wait_to_be_killed(stage: Stage) -> None:
        stage.start(POD)
        print("up", flush=True)
        stage.sleep(300)

    # Whoever started the tests in the background had SIGINT ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    play(Tier(sys.argv[1]), Path(sys.argv[2]), wait_to_be_killed)
