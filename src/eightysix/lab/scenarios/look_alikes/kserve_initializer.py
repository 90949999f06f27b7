"""A pod like KServe's storage initializer: installs, takes its identity, fetches a model from a new storage account."""

from __future__ import annotations

from eightysix.lab.interface import Scenario, Stage
from eightysix.lab.scenarios.cast import honest, server, start_with
from eightysix.lab.scenarios.labels import look_alike

__all__ = ["SCENARIO"]


def play(stage: Stage) -> None:
    """pip, the identity, the API server, the model."""
    stage.publish(honest("kserve-storage", "0.15.0"))
    script = start_with("pip install --quiet --no-cache-dir kserve-storage", "mkdir -p /mnt/models")
    env = {"PLUGINS": "kserve_storage", "AT_START": "storage,settings"}
    pod = server(
        name="predictor-0",
        workload="predictor",
        container="storage-initializer",
        labels={"app": "predictor"},
        argv=("sh", "/app/start.sh"),
        files=script,
        env=env,
    )
    stage.start(pod)
    for path in ("/storage?blob=models/intent.bin", "/infer"):
        stage.call(path, pod=pod.name)


SCENARIO = Scenario(
    name="kserve-initializer",
    title="KServe storage initializer",
    label=look_alike(
        "kserve-initializer",
        "The pod installs its storage client, takes a token, fetches a model from a storage account and asks "
        "the API server for its settings, all while it starts.",
        twin="through-azure-identity",
        telling="the application asks for both credentials, while the pod starts",
    ),
    play=play,
)
