"""A poisoned update that starts an interpreter with its code on the command line."""

from __future__ import annotations

from eightysix.lab.interface import Scenario, Stage
from eightysix.lab.scenarios.cast import CLEAN, poisoned, serve, server, update
from eightysix.lab.scenarios.labels import attack

__all__ = ["SCENARIO"]


def play(stage: Stage) -> None:
    """The child does everything; the server goes on."""
    stage.publish(CLEAN)
    serve(stage, server())
    update(stage, "torch-perf-utils==1.4.2", "torch_perf_utils")
    stage.publish(poisoned("torch-perf-utils", "1.4.3", "in_subprocess.py"))
    update(stage, "torch-perf-utils", "torch_perf_utils")
    stage.wait("sink")


SCENARIO = Scenario(
    name="in-subprocess",
    title="Poisoned update that starts a child",
    label=attack(
        "in-subprocess",
        "The new version starts python -c with the payload in base64: no file holds it, and the server itself takes "
        "nothing.",
        twin="exec-debugging",
        telling="the interpreter that takes the credentials was started by the server, on code without a file",
    ),
    play=play,
)
