"""The second identity is used: the stolen service principal pushes to the registry."""

from __future__ import annotations

from eightysix.lab.interface import Scenario, Stage
from eightysix.lab.scenarios.cast import CLEAN, poisoned, serve, server, update
from eightysix.lab.scenarios.labels import attack

__all__ = ["SCENARIO"]


def play(stage: Stage) -> None:
    """Nothing goes to the sink: the registry is where it leads."""
    stage.publish(CLEAN)
    serve(stage, server())
    update(stage, "torch-perf-utils==1.4.2", "torch_perf_utils")
    stage.publish(poisoned("torch-perf-utils", "1.4.3", "pushes.py"))
    update(stage, "torch-perf-utils", "torch_perf_utils")
    stage.wait("registry-push")


SCENARIO = Scenario(
    name="registry-push",
    title="Registry push with the stolen second identity",
    label=attack(
        "registry-push",
        "As attack-fast. The payload then logs in to Entra as the service principal of acr-push-sp, and pushes an image "
        "under the tag that the next pod pulls.",
        twin="ci-runner",
        telling="a package that landed logs in and pushes, in a workload that never published",
    ),
    play=play,
)
