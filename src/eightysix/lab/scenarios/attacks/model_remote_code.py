"""A model of Transformers that brings code, loaded with trust_remote_code."""

from __future__ import annotations

from eightysix.lab.interface import Bounds, Scenario, Stage
from eightysix.lab.scenarios.cast import payload, serve, server
from eightysix.lab.scenarios.labels import attack
from eightysix.lab.scenarios.models import tar_of

__all__ = ["SCENARIO"]

_NO_LANDING = (
    "the model lands as a folder of plain files, which no telemetry tells as a landing: only the sensor says that the code "
    "which is imported came with a model, and its word alone does not contain"
)
_CONFIG = '{"model_type": "intent", "auto_map": {"AutoConfig": "configuration_intent.IntentConfig"}}\n'
_CONFIGURATION = """
from transformers import PretrainedConfig


class IntentConfig(PretrainedConfig):
    model_type = "intent"


go()
"""


def play(stage: Stage) -> None:
    """The server fetches the model's folder and loads it."""
    code = f"{payload('stages.py')}\n{_CONFIGURATION}"
    folder = {"config.json": _CONFIG, "configuration_intent.py": code}
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
        verdict="suspect",
        stages=("run", "reach", "pivot", "leave"),
        all=Bounds("suspect", "contain", _NO_LANDING),
        kernel_audit=Bounds("none", "contain", _NO_LANDING),
        kernel=Bounds("none", "contain", _NO_LANDING),
    ),
    play=play,
    needs=("torch",),
    slow=True,
)
