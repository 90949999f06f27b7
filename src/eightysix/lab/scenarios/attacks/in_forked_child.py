"""A poisoned update that forks: the child has the server's image, name and memory."""

from __future__ import annotations

from eightysix.lab.interface import Scenario, Stage
from eightysix.lab.scenarios.cast import CLEAN, poisoned, serve, server, update
from eightysix.lab.scenarios.labels import attack

__all__ = ["SCENARIO"]


def play(stage: Stage) -> None:
    """The child does everything, without an exec."""
    stage.publish(CLEAN)
    serve(stage, server())
    update(stage, "torch-perf-utils==1.4.2", "torch_perf_utils")
    stage.publish(poisoned("torch-perf-utils", "1.4.3", "in_fork.py"))
    update(stage, "torch-perf-utils", "torch_perf_utils")
    stage.wait("sink")


SCENARIO = Scenario(
    name="in-forked-child",
    title="Poisoned update in a forked child",
    label=attack(
        "in-forked-child",
        "The new version forks the server. The child takes the credentials and ends; nothing was executed.",
        twin="worker-respawn",
        telling="the child that asks was forked by a package that landed a moment before, not by the server's supervisor",
    ),
    play=play,
)
