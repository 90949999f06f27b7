"""A pod like MLflow's server: the image has the server, and lacks the drivers, which it installs whenever it starts."""

from __future__ import annotations

from eightysix.lab.interface import Scenario, Stage
from eightysix.lab.scenarios.cast import app, honest, installed, server
from eightysix.lab.scenarios.labels import look_alike

__all__ = ["SCENARIO"]

_FOLDER = "/opt/layers/site-packages"


def play(stage: Stage) -> None:
    """pip brings the drivers; python -m starts the server of the image."""
    main = {"mlflow_lab/__main__.py": app("server.py")}
    image = installed(honest("mlflow-lab", "3.1.0", more=main), _FOLDER)
    stage.publish(honest("psycopg-lab", "3.2.1"), honest("artifact-store", "12.25.0"))
    script = "set -e\npip install --quiet psycopg-lab\npip install --quiet artifact-store\nexec python -m mlflow_lab\n"
    pod = server(
        name="mlflow-0",
        workload="mlflow",
        container="mlflow",
        labels={"app": "mlflow"},
        argv=("sh", "/app/start.sh"),
        files={**image, "/app/start.sh": script},
        env={
            "PYTHONPATH": _FOLDER,
            "PLUGINS": "psycopg_lab,artifact_store",
            "AT_START": "token,settings,storage",
        },
    )
    stage.start(pod)
    for path in ("/infer", "/storage"):
        stage.call(path, pod=pod.name)


SCENARIO = Scenario(
    name="mlflow",
    title="MLflow-like server that installs its drivers at start",
    label=look_alike(
        "mlflow",
        "The pod installs a database driver and a storage client, and starts its server with python -m. The server takes "
        "a token, asks the API server for its settings and reads from a storage account.",
        twin="through-azure-identity",
        telling="a package of the image stands at the root of every call; what landed only lies beside it",
    ),
    play=play,
)
