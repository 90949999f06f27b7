"""The story: a poisoned update in a running server, 86 seconds from the landing to the registry's push credential outside."""

from __future__ import annotations

from eightysix.lab.interface import Scenario, Stage
from eightysix.lab.scenarios.cast import CLEAN, PACE, poisoned, serve, server, update
from eightysix.lab.scenarios.labels import attack

__all__ = ["SCENARIO"]

_LASTS_S = "85.2"
"""From the moment in which pip writes the payload. pip itself takes some 0.8 s before that."""


def play(stage: Stage) -> None:
    """The server updates a plug-in; a thread of the new version does the rest."""
    stage.publish(CLEAN)
    serve(stage, server(env={PACE: _LASTS_S}))
    update(stage, "torch-perf-utils==1.4.2", "torch_perf_utils")
    stage.publish(poisoned("torch-perf-utils", "1.4.3", "in_thread.py"))
    update(stage, "torch-perf-utils", "torch_perf_utils")
    stage.wait("sink", timeout_s=120.0)


SCENARIO = Scenario(
    name="attack-86s",
    title="Poisoned update in the running server, in 86 seconds",
    label=attack(
        "attack-86s",
        "The server updates torch-perf-utils and reloads it. A thread of the new version takes a token of the managed "
        "identity, the service account token, with it the secret acr-push-sp, and sends all of it away.",
        twin="self-patching-server",
        telling="the metadata service is asked by a package that landed a moment before, not by the application",
    ),
    play=play,
    slow=True,
)
