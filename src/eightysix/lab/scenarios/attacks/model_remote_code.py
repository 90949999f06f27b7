"""A model of Transformers that brings code, loaded with trust_remote_code."""

from __future__ import annotations

from eightysix.lab.interface import Scenario, Stage
from eightysix.lab.scenarios.cast import payload, serve, server
from eightysix.lab.scenarios.labels import attack
from eightysix.lab.scenarios.models import MODEL_CONFIG, MODEL_CONFIGURATION, tar_of

__all__ = ["SCENARIO"]


def play(stage: Stage) -> None:
    """The server fetches the model's folder and loads it."""
    code = f"{payload('stages.py')}\n{MODEL_CONFIGURATION}\n\ngo()\n"
    folder = {"config.json": MODEL_CONFIG, "configuration_intent.py": code}
    stage.push("models/intent", "prod", tar_of(folder), by="acr-push-sp")
    serve(stage, server(venv="torch"))
    stage.call("/pull?repository=models/intent&tag=prod&to=/models/intent&unpack=true")
    stage.call("/load?kind=transformers&path=/models/intent", timeout_s=120.0)
    stage.wait("sink")


SCENARIO = Scenario(
    name="model-remote-code",
    title="Poisoned model through trust_remote_code",
    label=attack(
        "model-remote-code",
        "The server fetches a model from the registry and loads it with trust_remote_code. The module that "
        "comes with the model acts when it is imported.",
        twin="honest-model",
        telling="who asks is a module that came with the model, not the application",
    ),
    play=play,
    needs=("torch",),
    slow=True,
)
