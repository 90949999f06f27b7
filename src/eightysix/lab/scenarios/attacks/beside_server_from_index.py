"""A poisoned plug-in in a pod that installs its server from the index: who takes the credentials landed a moment before,
and so did the server.

Its twin is `server-from-index`: the same start script and the same calls of the server.
"""

from __future__ import annotations

from eightysix.lab.interface import Bounds, Scenario, Stage
from eightysix.lab.scenarios import starting
from eightysix.lab.scenarios.cast import PACE, poisoned
from eightysix.lab.scenarios.labels import attack

__all__ = ["SCENARIO"]


def play(stage: Stage) -> None:
    """pip brings the server and the plug-in, python -m starts the server, which imports the plug-in."""
    stage.publish(starting.server_package(), poisoned("torch-perf-sdk", "3.1.0", "in_thread.py"))
    stage.start(starting.installs_server({PACE: "4"}))
    stage.call("/infer", pod="mlflow-0")
    stage.wait("sink")


SCENARIO = Scenario(
    name="beside-server-from-index",
    title="Poisoned plug-in beside a server that is installed at start",
    label=attack(
        "beside-server-from-index",
        "While the pod starts, pip installs its server and torch-perf-sdk. A thread of torch-perf-sdk takes a token, then "
        "the service account token and the secret, beside the server's own calls.",
        twin="server-from-index",
        telling="who takes credentials is a package that nobody started: the server only imported it",
        kernel=Bounds(
            "none",
            "contain",
            "a pod that installs, takes a token and asks the API server while it starts looks the same to the kernel",
        ),
    ),
    play=play,
)
