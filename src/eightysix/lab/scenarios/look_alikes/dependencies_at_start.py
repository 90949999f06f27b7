"""A pod that installs what it needs whenever it starts, and then takes its identity."""

from __future__ import annotations

from eightysix.lab.interface import Scenario, Stage
from eightysix.lab.scenarios.cast import honest, server, start_with
from eightysix.lab.scenarios.labels import look_alike

__all__ = ["SCENARIO"]


def play(stage: Stage) -> None:
    """requirements.txt, then the server."""
    stage.publish(honest("tiny-metrics", "0.3.0"), honest("torch-perf-utils", "1.4.2"))
    files = {
        **start_with("pip install --quiet -r /app/requirements.txt"),
        "/app/requirements.txt": "tiny-metrics==0.3.0\ntorch-perf-utils==1.4.2\n",
    }
    env = {"PLUGINS": "tiny_metrics,torch_perf_utils", "AT_START": "token"}
    stage.start(server(argv=("sh", "/app/start.sh"), files=files, env=env))
    for path in ("/infer", "/token"):
        stage.call(path)


SCENARIO = Scenario(
    name="dependencies-at-start",
    title="Dependencies installed at start",
    label=look_alike(
        "dependencies-at-start",
        "The pod installs its requirements when it starts; then the application takes a token of the managed identity.",
        twin="through-azure-identity",
        telling="the application asks for the one credential that is taken",
    ),
    play=play,
)
