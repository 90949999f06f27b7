"""A poisoned update that lets curl and cat do everything."""

from __future__ import annotations

from eightysix.lab.interface import Bounds, Scenario, Stage
from eightysix.lab.scenarios.cast import CLEAN, poisoned, serve, server, update
from eightysix.lab.scenarios.labels import attack

__all__ = ["SCENARIO"]

_NO_PYTHON = "what takes the credentials is no Python: the sensor tells that programs are started, and no act of theirs"


def play(stage: Stage) -> None:
    """As in attack-fast, by other programs."""
    stage.publish(CLEAN)
    serve(stage, server())
    update(stage, "torch-perf-utils==1.4.2", "torch_perf_utils")
    stage.publish(poisoned("torch-perf-utils", "1.4.3", "by_curl.py"))
    update(stage, "torch-perf-utils", "torch_perf_utils")
    stage.wait("sink")


SCENARIO = Scenario(
    name="through-curl",
    title="Poisoned update that lets curl and cat act",
    label=attack(
        "through-curl",
        "A thread of the new version starts curl for every request, and cat for the service account token.",
        twin="self-patching-server",
        telling="children of a server in which something landed take two credentials, and code that landed started them",
        sensor_audit=Bounds("none", "contain", _NO_PYTHON),
        sensor=Bounds("none", "suspect", _NO_PYTHON),
    ),
    play=play,
)
