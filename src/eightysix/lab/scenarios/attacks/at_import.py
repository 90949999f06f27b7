"""A poisoned update that acts in its module body: the application lies at the root of the call chain."""

from __future__ import annotations

from eightysix.lab.interface import Scenario, Stage
from eightysix.lab.scenarios.cast import CLEAN, poisoned, serve, server, update
from eightysix.lab.scenarios.labels import attack

__all__ = ["SCENARIO"]


def play(stage: Stage) -> None:
    """The request that reloads the plug-in lasts as long as the theft."""
    stage.publish(CLEAN)
    serve(stage, server())
    update(stage, "torch-perf-utils==1.4.2", "torch_perf_utils")
    stage.publish(poisoned("torch-perf-utils", "1.4.3", "at_import.py"))
    update(stage, "torch-perf-utils", "torch_perf_utils")
    stage.wait("sink")


SCENARIO = Scenario(
    name="at-import",
    title="Poisoned update that acts at import",
    label=attack(
        "at-import",
        "The new version acts in its module body, inside of the application's own call of import.",
        twin="self-patching-server",
        telling="a package that landed a moment before asks while it is imported, the application does not",
    ),
    play=play,
)
