"""A pod whose image has no server: it installs the server itself from the index whenever it starts, and runs it.

Its twin is `beside-server-from-index`: the same pod and the same server, and beside it a package that acts by itself.
"""

from __future__ import annotations

from eightysix.lab.interface import Scenario, Stage
from eightysix.lab.scenarios import starting
from eightysix.lab.scenarios.cast import honest
from eightysix.lab.scenarios.labels import look_alike

__all__ = ["SCENARIO"]


def play(stage: Stage) -> None:
    """pip brings the server and a plug-in, python -m starts the server, which does its own first calls."""
    stage.publish(starting.server_package(), honest("torch-perf-sdk", "3.0.9"))
    stage.start(starting.installs_server({}))
    for path in ("/infer", "/storage"):
        stage.call(path, pod="mlflow-0")


SCENARIO = Scenario(
    name="server-from-index",
    title="Pod that installs its server from the index at start",
    label=look_alike(
        "server-from-index",
        "The image has no server. The pod's start script installs one with a plug-in and runs it with python -m; the server "
        "takes a token, asks the API server for its settings and reads from a storage account.",
        twin="beside-server-from-index",
        telling="the package that takes credentials is the program that the container's own script names and starts",
    ),
    play=play,
)
