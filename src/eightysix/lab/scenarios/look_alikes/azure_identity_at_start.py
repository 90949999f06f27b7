"""The hardest look-alike: azure-identity is reinstalled while the pod starts, and used a second later.

Its twin is `through-azure-identity`: the same start script, the same packages, the same calls of the application.
"""

from __future__ import annotations

from eightysix.lab.interface import Scenario, Stage
from eightysix.lab.scenarios import starting
from eightysix.lab.scenarios.cast import honest
from eightysix.lab.scenarios.labels import look_alike

__all__ = ["SCENARIO"]


def play(stage: Stage) -> None:
    """The pod starts: pip, the plug-in, the application's own first calls. Nobody does anything else."""
    stage.publish(starting.azure_identity(), honest("torch-perf-sdk", "3.0.9"))
    stage.start(starting.reinstalls({}))
    stage.call("/infer")
    stage.wait("metadata-token")
    stage.sleep(2.0)


SCENARIO = Scenario(
    name="azure-identity-at-start",
    title="azure-identity reinstalled at start, then used by the application",
    label=look_alike(
        "azure-identity-at-start",
        "While the pod starts, pip reinstalls azure-identity and installs torch-perf-sdk. The application takes a token "
        "through azure-identity, reads its settings from the API server, and a blob of a storage account.",
        twin="through-azure-identity",
        telling="the application itself calls azure-identity; the plug-in that landed beside it calls nothing",
    ),
    play=play,
)
