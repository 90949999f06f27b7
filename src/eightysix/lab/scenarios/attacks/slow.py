"""The theft with an hour between its steps, as somebody does it who knows that windows are short."""

from __future__ import annotations

from eightysix.lab.interface import Bounds, Scenario, Stage
from eightysix.lab.scenarios.cast import CLEAN, PACE, poisoned, serve, server, update
from eightysix.lab.scenarios.labels import ONE_PROCESS, attack

__all__ = ["SCENARIO"]

_HOUR_S = 3600.0
_LASTS_S = "30"
"""Real seconds: at least 3 lie between two steps, time enough for the clock to jump in between."""


def play(stage: Stage) -> None:
    """After each step that the services see, the clock jumps by an hour."""
    stage.publish(CLEAN)
    serve(stage, server(env={PACE: _LASTS_S}))
    update(stage, "torch-perf-utils==1.4.2", "torch_perf_utils")
    stage.publish(poisoned("torch-perf-utils", "1.4.3", "in_thread.py"))
    update(stage, "torch-perf-utils", "torch_perf_utils")
    stage.leap(_HOUR_S)
    for mark in ("metadata-token", "api-list-secrets", "api-secret"):
        stage.wait(mark, count=2 if mark == "metadata-token" else 1, timeout_s=60.0)
        stage.leap(_HOUR_S)
    stage.wait("sink", timeout_s=60.0)


SCENARIO = Scenario(
    name="slow",
    title="Poisoned update with an hour between its steps",
    label=attack(
        "slow",
        "As attack-86s, on a clock that jumps by an hour after each step: four hours from the landing to the end.",
        twin="self-patching-server",
        telling="a package that landed hours before asks for its first credential, not the application",
        kernel=Bounds("none", "contain", ONE_PROCESS),
    ),
    play=play,
    slow=True,
)
