"""A checkpoint whose pickle runs code while torch loads it."""

from __future__ import annotations

from eightysix.lab.interface import Scenario, Stage
from eightysix.lab.scenarios.cast import payload, serve, server
from eightysix.lab.scenarios.labels import attack
from eightysix.lab.scenarios.models import poisoned_pickle, torch_zip

__all__ = ["SCENARIO"]


def play(stage: Stage) -> None:
    """The server fetches the checkpoint and loads it with weights_only=False."""
    pickled = poisoned_pickle(payload("stages.py") + "\ngo()\n")
    stage.push("models/intent", "prod", torch_zip(pickled), by="acr-push-sp")
    serve(stage, server(venv="torch"))
    stage.call("/pull?repository=models/intent&tag=prod&to=/models/intent.pt")
    stage.call("/load?kind=torch&path=/models/intent.pt", timeout_s=120.0)
    stage.wait("sink")


SCENARIO = Scenario(
    name="model-torch",
    title="Poisoned model through torch.load",
    label=attack(
        "model-torch",
        "The server fetches a checkpoint from the registry and loads it with torch.load, trusting it. The "
        "pickle calls exec with the payload.",
        twin="honest-model",
        telling="who asks is code without a file inside of the load, not the application",
    ),
    play=play,
    needs=("torch",),
    slow=True,
)
