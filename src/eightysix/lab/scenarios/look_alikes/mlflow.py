"""A pod like MLflow's server: the application itself comes from the index whenever the pod starts."""

from __future__ import annotations

from eightysix.lab.interface import Scenario, Stage
from eightysix.lab.scenarios.cast import app, honest, server
from eightysix.lab.scenarios.labels import look_alike

__all__ = ["SCENARIO"]


def play(stage: Stage) -> None:
    """pip brings the application; python -m starts it."""
    main = {"mlflow_lab/__main__.py": app("server.py")}
    stage.publish(honest("mlflow-lab", "3.1.0", more=main))
    script = "set -e\npip install --quiet mlflow-lab\nexec python -m mlflow_lab\n"
    pod = server(
        name="mlflow-0",
        workload="mlflow",
        container="mlflow",
        labels={"app": "mlflow"},
        argv=("sh", "/app/start.sh"),
        files={"/app/start.sh": script},
        env={"AT_START": "token,settings,storage"},
    )
    stage.start(pod)
    for path in ("/infer", "/storage"):
        stage.call(path, pod=pod.name)


SCENARIO = Scenario(
    name="mlflow",
    title="MLflow-like server installed at start",
    label=look_alike(
        "mlflow",
        "The pod installs the server itself from the index and starts it with python -m. It takes a token, "
        "asks the API server for its settings and reads from a storage account.",
        twin="through-azure-identity",
        telling="the package that landed is the program that the pod was started to run, and it reads no secret",
    ),
    play=play,
)
