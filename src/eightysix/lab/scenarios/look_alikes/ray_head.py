"""A pod like the head of a Ray cluster: installs its runtime environment, starts its parts, uses its identity."""

from __future__ import annotations

from eightysix.lab.interface import Scenario, Stage
from eightysix.lab.scenarios.cast import app, honest, server
from eightysix.lab.scenarios.labels import look_alike

__all__ = ["SCENARIO"]


def play(stage: Stage) -> None:
    """pip, three processes of its own, then the head."""
    stage.publish(honest("ray-runtime-env", "2.9.0"))
    parts = {f"/app/{name}": app(name) for name in ("ray_head.py", "ray_part.py")}
    script = "set -e\npip install --quiet ray-runtime-env\nexec python /app/ray_head.py\n"
    env = {"PLUGINS": "ray_runtime_env", "AT_START": "token,settings,storage"}
    pod = server(
        name="ray-head-0",
        workload="ray-head",
        container="ray-head",
        labels={"app": "ray"},
        argv=("sh", "/app/start.sh"),
        files={**parts, "/app/start.sh": script},
        env=env,
    )
    stage.start(pod)
    for path in ("/infer", "/storage"):
        stage.call(path, pod=pod.name)


SCENARIO = Scenario(
    name="ray-head",
    title="Ray head with a runtime environment",
    label=look_alike(
        "ray-head",
        "The pod installs its runtime environment, starts three processes of its own, takes a token, asks the"
        " API server and reads from a storage account that it never used.",
        twin="through-azure-identity",
        telling="the application asks for both credentials, while the pod starts",
    ),
    play=play,
)
