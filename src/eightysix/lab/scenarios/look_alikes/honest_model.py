"""A pickled model that holds numbers, fetched from the registry while the server serves."""

from __future__ import annotations

from eightysix.lab.interface import Scenario, Stage
from eightysix.lab.scenarios.cast import serve, server
from eightysix.lab.scenarios.labels import look_alike
from eightysix.lab.scenarios.models import honest_pickle

__all__ = ["SCENARIO"]


def play(stage: Stage) -> None:
    """The same calls as in the attack; then the application takes its token."""
    stage.push("models/intent", "prod", honest_pickle(), by="acr-push-sp")
    serve(stage, server(venv="joblib"))
    stage.call("/pull?repository=models/intent&tag=prod&to=/models/intent.joblib")
    stage.call("/load?kind=joblib&path=/models/intent.joblib")
    for path in ("/infer", "/token?fresh=true", "/settings", "/storage"):
        stage.call(path)


SCENARIO = Scenario(
    name="honest-model",
    title="Pickled model that holds numbers",
    label=look_alike(
        "honest-model",
        "The server fetches a model from the registry and loads it with joblib. Then the application takes "
        "its token again, reads its settings and a blob of a storage account.",
        twin="model-joblib",
        telling="the credentials are taken after the load, by the application",
    ),
    play=play,
)
