"""A poisoned update whose requests are made by threads that show no frame of it."""

from __future__ import annotations

from eightysix.lab.interface import Scenario, Stage
from eightysix.lab.scenarios.cast import CLEAN, poisoned, serve, server, update
from eightysix.lab.scenarios.labels import attack

__all__ = ["SCENARIO"]


def play(stage: Stage) -> None:
    """Only who started the thread tells whose it is."""
    stage.publish(CLEAN)
    serve(stage, server())
    update(stage, "torch-perf-utils==1.4.2", "torch_perf_utils")
    stage.publish(poisoned("torch-perf-utils", "1.4.3", "in_hidden_thread.py"))
    update(stage, "torch-perf-utils", "torch_perf_utils")
    stage.wait("sink")


SCENARIO = Scenario(
    name="in-thread",
    title="Poisoned update behind a worker thread of the standard library",
    label=attack(
        "in-thread",
        "Each request is made by a worker of concurrent.futures: its stack holds the standard library alone.",
        twin="self-patching-server",
        telling="the thread that asks was started by a package that landed a moment before",
    ),
    play=play,
)
