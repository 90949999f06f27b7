"""A CI job: it installs its build tool, builds, logs in to the registry and pushes. That is what it is there for."""

from __future__ import annotations

from base64 import b64encode

import msgspec

from eightysix.lab.interface import PodSpec, Scenario, Stage
from eightysix.lab.scenarios.cast import app, honest
from eightysix.lab.scenarios.labels import look_alike
from eightysix.lab.world import PUSH_CLIENT_ID, PUSH_SECRET

__all__ = ["SCENARIO"]

_BUILDS = "from pathlib import Path\n\nPath('/tmp/layer.tar').write_bytes(b'a layer')\n"


def play(stage: Stage) -> None:
    """The job runs once, by itself."""
    stage.publish(honest("image-builder", "4.0.1", more={"image_builder/__main__.py": _BUILDS}))
    auth = b64encode(f"{PUSH_CLIENT_ID}:{PUSH_SECRET}".encode()).decode()
    config = msgspec.json.encode({"auths": {"registry.example": {"auth": auth}}}).decode()
    pod = PodSpec(
        name="runner-4kd2x",
        argv=("python", "/app/runner.py"),
        files={"/app/runner.py": app("runner.py"), "/root/.docker/config.json": config},
        workload="runner",
        workload_kind="Job",
        container="runner",
        labels={"app": "runner"},
        port=0,
    )
    stage.start(pod)
    stage.wait("registry-push")


SCENARIO = Scenario(
    name="ci-runner",
    title="CI runner with a registry login",
    label=look_alike(
        "ci-runner",
        "The job installs image-builder, starts it, reads the registry's login from its docker config, and pushes the image.",
        twin="registry-push",
        telling="the program that the pod was started to run logs in and pushes; what it installed does not",
    ),
    play=play,
)
