"""A poisoned update whose connections no audit event of Python tells: libcurl."""

from __future__ import annotations

from eightysix.lab.interface import Scenario, Stage
from eightysix.lab.scenarios.cast import CLEAN, poisoned, serve, server, update
from eightysix.lab.scenarios.labels import attack

__all__ = ["SCENARIO"]


def play(stage: Stage) -> None:
    """The package brings nothing native of its own: pycurl is in the image."""
    stage.publish(CLEAN)
    serve(stage, server(venv="uvloop"))
    update(stage, "torch-perf-utils==1.4.2", "torch_perf_utils")
    stage.publish(poisoned("torch-perf-utils", "1.4.3", "by_pycurl.py"))
    update(stage, "torch-perf-utils", "torch_perf_utils")
    stage.wait("sink")


SCENARIO = Scenario(
    name="through-pycurl",
    title="Poisoned update past the audit hooks, by pycurl",
    label=attack(
        "through-pycurl",
        "Every connection of the theft is made by libcurl.",
        twin="self-patching-uvloop",
        telling="after the update the kernel sees a metadata call that the sensor does not tell of, and secrets are listed",
    ),
    play=play,
)
