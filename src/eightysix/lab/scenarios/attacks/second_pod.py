"""A second pod, made with the stolen service account token, goes on where the first one ends."""

from __future__ import annotations

from eightysix.lab.interface import Scenario, Stage
from eightysix.lab.scenarios.cast import CLEAN, poisoned, serve, server, update
from eightysix.lab.scenarios.labels import attack

__all__ = ["SCENARIO"]


def play(stage: Stage) -> None:
    """The kubelet starts what the API server has; the run does that as soon as the pod was made."""
    stage.publish(CLEAN)
    serve(stage, server())
    update(stage, "torch-perf-utils==1.4.2", "torch_perf_utils")
    stage.publish(poisoned("torch-perf-utils", "1.4.3", "makes_pod.py"))
    update(stage, "torch-perf-utils", "torch_perf_utils")
    stage.wait("api-pod-created")
    stage.wait("sink", timeout_s=60.0)


SCENARIO = Scenario(
    name="second-pod",
    title="Second pod made with the stolen token",
    label=attack(
        "second-pod",
        "As attack-fast, but nothing leaves from the first pod: it makes another one that asks for the node's files, in "
        "which the payload runs again and sends away what it takes.",
        twin="ray-head",
        telling="the pod was made by a package that landed, with the service account token",
    ),
    play=play,
)
