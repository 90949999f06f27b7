"""Workers that end and are replaced, each of which takes a token of its own."""

from __future__ import annotations

from eightysix.lab.interface import Scenario, Stage
from eightysix.lab.scenarios.cast import DAY_OF_WORK_S, server
from eightysix.lab.scenarios.labels import look_alike

__all__ = ["SCENARIO"]


def play(stage: Stage) -> None:
    """One worker after another ends; the supervisor starts the next."""
    stage.start(server(env={"WORKERS": "2", "REFRESH_S": "2"}))
    stage.wait("metadata-token", count=2)
    stage.leap(DAY_OF_WORK_S)
    for _ in (1, 2):
        stage.call("/infer")
        stage.call("/leave")
        stage.sleep(4.0)
    stage.call("/settings")


SCENARIO = Scenario(
    name="worker-respawn",
    title="Worker respawn with token refresh",
    label=look_alike(
        "worker-respawn",
        "uvicorn runs two workers by multiprocessing. Each takes a token when it starts and renews it; two "
        "end, and the supervisor starts others with python -c.",
        twin="in-forked-child",
        telling="nothing landed: the supervisor starts the same workers as ever",
    ),
    play=play,
)
