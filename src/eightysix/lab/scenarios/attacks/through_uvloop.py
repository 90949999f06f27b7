"""A poisoned update whose connections no audit event of Python tells: uvloop."""

from __future__ import annotations

from eightysix.lab.interface import Scenario, Stage
from eightysix.lab.scenarios.cast import CLEAN, poisoned, serve, server, update
from eightysix.lab.scenarios.labels import attack

__all__ = ["SCENARIO"]


def play(stage: Stage) -> None:
    """The server runs on uvloop itself, as uvicorn does where it is installed."""
    stage.publish(CLEAN)
    serve(stage, server(venv="uvloop", env={"LOOP": "uvloop"}))
    update(stage, "torch-perf-utils==1.4.2", "torch_perf_utils")
    stage.publish(poisoned("torch-perf-utils", "1.4.3", "by_uvloop.py"))
    update(stage, "torch-perf-utils", "torch_perf_utils")
    stage.wait("sink")


SCENARIO = Scenario(
    name="through-uvloop",
    title="Poisoned update past the audit hooks, by uvloop",
    label=attack(
        "through-uvloop",
        "Every connection of the theft is made by uvloop's native code.",
        twin="self-patching-uvloop",
        telling="after the update the kernel sees a metadata call that the sensor does not tell of, and secrets are listed",
    ),
    play=play,
)
