"""The story without its waiting: under two seconds from the end of the install."""

from __future__ import annotations

from eightysix.lab.interface import Scenario, Stage
from eightysix.lab.scenarios.cast import CLEAN, poisoned, serve, server, update
from eightysix.lab.scenarios.labels import attack

__all__ = ["SCENARIO"]


def play(stage: Stage) -> None:
    """The same update; nothing waits."""
    stage.publish(CLEAN)
    serve(stage, server())
    update(stage, "torch-perf-utils==1.4.2", "torch_perf_utils")
    stage.publish(poisoned("torch-perf-utils", "1.4.3", "in_thread.py"))
    update(stage, "torch-perf-utils", "torch_perf_utils")
    stage.wait("sink")


SCENARIO = Scenario(
    name="attack-fast",
    title="Poisoned update in the running server, in under 2 seconds",
    label=attack(
        "attack-fast",
        "As attack-86s, without the waiting.",
        twin="self-patching-server",
        telling="the metadata service is asked by a package that landed a moment before, not by the application",
    ),
    play=play,
)
