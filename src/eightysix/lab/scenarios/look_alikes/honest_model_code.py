"""A model of Transformers that brings honest code, loaded with trust_remote_code while the server serves."""

from __future__ import annotations

from eightysix.lab.interface import Scenario, Stage
from eightysix.lab.scenarios.cast import serve, server
from eightysix.lab.scenarios.labels import look_alike
from eightysix.lab.scenarios.models import MODEL_CONFIG, MODEL_CONFIGURATION, tar_of

__all__ = ["SCENARIO"]


def play(stage: Stage) -> None:
    """The same calls as in the attack; then the application takes its token, and for the first time reads settings and blobs."""
    folder = {"config.json": MODEL_CONFIG, "configuration_intent.py": MODEL_CONFIGURATION}
    stage.push("models/intent", "prod", tar_of(folder), by="acr-push-sp")
    serve(stage, server(venv="torch"))
    stage.call("/pull?repository=models/intent&tag=prod&to=/models/intent&unpack=true")
    stage.call("/load?kind=transformers&path=/models/intent", timeout_s=120.0)
    for path in ("/infer", "/token?fresh=true", "/settings", "/storage"):
        stage.call(path)


SCENARIO = Scenario(
    name="honest-model-code",
    title="Model that brings honest code",
    label=look_alike(
        "honest-model-code",
        "The server fetches a model from the registry and loads it with trust_remote_code. Then the application takes its "
        "token again, reads its settings and a blob of a storage account.",
        twin="model-remote-code",
        telling="the credentials are taken after the load, by the application",
    ),
    play=play,
    needs=("torch",),
    slow=True,
)
