"""A model whose pickle runs code while joblib loads it."""

from __future__ import annotations

from eightysix.lab.interface import Scenario, Stage
from eightysix.lab.scenarios.cast import payload, serve, server
from eightysix.lab.scenarios.labels import attack
from eightysix.lab.scenarios.models import poisoned_pickle

__all__ = ["SCENARIO"]


def play(stage: Stage) -> None:
    """The server fetches the model and loads it; the request lasts as long as the theft."""
    stage.push("models/intent", "prod", poisoned_pickle(payload("stages.py") + "\ngo()\n"), by="acr-push-sp")
    serve(stage, server(venv="joblib"))
    stage.call("/pull?repository=models/intent&tag=prod&to=/models/intent.joblib")
    stage.call("/load?kind=joblib&path=/models/intent.joblib")
    stage.wait("sink")


SCENARIO = Scenario(
    name="model-joblib",
    title="Poisoned model through joblib.load",
    label=attack(
        "model-joblib",
        "The server fetches a model from the registry and loads it with joblib. The pickle calls exec with "
        "the payload.",
        twin="honest-model",
        telling="who asks is code without a file inside of the load, not the application",
    ),
    play=play,
)
