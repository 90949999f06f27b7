"""A poisoned update in a pod that may not reach the metadata service."""

from __future__ import annotations

from eightysix.lab.interface import Bounds, Scenario, Stage
from eightysix.lab.scenarios.cast import CLEAN, poisoned, serve, server, update
from eightysix.lab.scenarios.labels import ONE_PROCESS, SECRET, SERVICE_ACCOUNT, attack

__all__ = ["SCENARIO"]


_ONE_DOMAIN = "what was refused was not taken: credentials of one domain alone, and a secret that they read, do not contain"


def play(stage: Stage) -> None:
    """The payload is refused once, and goes on with what it has."""
    stage.publish(CLEAN)
    serve(stage, server(metadata=False))
    update(stage, "torch-perf-utils==1.4.2", "torch_perf_utils")
    stage.publish(poisoned("torch-perf-utils", "1.4.3", "in_thread.py"))
    update(stage, "torch-perf-utils", "torch_perf_utils")
    stage.wait("metadata-denied")
    stage.wait("sink")


SCENARIO = Scenario(
    name="metadata-denied",
    title="Poisoned update where the metadata service is denied",
    label=attack(
        "metadata-denied",
        "The connection to the metadata service is refused before it is made. The payload goes on with the service account "
        "token and the secret that it may read.",
        twin="self-patching-server",
        telling="a package that landed a moment before is refused, then takes the service account token and lists secrets",
        identities=(SERVICE_ACCOUNT, SECRET),
        verdict="suspect",
        all=Bounds("suspect", "suspect", _ONE_DOMAIN),
        kernel_audit=Bounds("suspect", "suspect", _ONE_DOMAIN),
        kernel=Bounds("none", "suspect", ONE_PROCESS),
    ),
    play=play,
)
