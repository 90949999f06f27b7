"""The hardest one: a poisoned release, installed while the pod starts, that asks through azure-identity as the application does.

Its twin is `azure-identity-at-start`: the same start script, the same packages, the same calls of the application.
"""

from __future__ import annotations

from eightysix.lab.interface import Bounds, Scenario, Stage
from eightysix.lab.scenarios import starting
from eightysix.lab.scenarios.cast import PACE, poisoned
from eightysix.lab.scenarios.labels import attack

__all__ = ["SCENARIO"]


def play(stage: Stage) -> None:
    """The pod starts: pip, the plug-in, the application's own first calls. Nobody does anything else."""
    stage.publish(starting.azure_identity(), poisoned("torch-perf-sdk", "3.1.0", "by_azure_identity.py"))
    stage.start(starting.reinstalls({PACE: "6"}))
    stage.call("/infer")
    stage.wait("sink")


SCENARIO = Scenario(
    name="through-azure-identity",
    title="Poisoned package at start that asks through azure-identity",
    label=attack(
        "through-azure-identity",
        "While the pod starts, pip reinstalls azure-identity and installs torch-perf-sdk. A thread of torch-perf-sdk takes "
        "a token through azure-identity, then the service account token and the secret, beside the application's own calls.",
        twin="azure-identity-at-start",
        telling="a package that landed calls azure-identity by itself; the application only imported it",
        kernel=Bounds(
            "none",
            "contain",
            "a pod that installs, takes a token and asks the API server while it starts looks the same to the kernel",
        ),
    ),
    play=play,
)
