"""The same under uvloop, whose connections the audit hooks do not see."""

from __future__ import annotations

from eightysix.lab.interface import Scenario, Stage
from eightysix.lab.scenarios.cast import CLEAN, honest, serve, server, update
from eightysix.lab.scenarios.labels import look_alike

__all__ = ["SCENARIO"]


def play(stage: Stage) -> None:
    """The same calls as in the attack, and the new version is honest."""
    stage.publish(CLEAN)
    serve(stage, server(venv="uvloop", env={"LOOP": "uvloop"}))
    update(stage, "torch-perf-utils==1.4.2", "torch_perf_utils")
    stage.publish(honest("torch-perf-utils", "1.4.4"))
    update(stage, "torch-perf-utils", "torch_perf_utils")
    for path in ("/infer", "/token?fresh=true", "/settings"):
        stage.call(path)


SCENARIO = Scenario(
    name="self-patching-uvloop",
    title="Server on uvloop that updates its own plug-in",
    label=look_alike(
        "self-patching-uvloop",
        "The server, on uvloop, updates torch-perf-utils and reloads it. Then the application takes its token again, and "
        "reads its settings from the API server.",
        twin="through-uvloop",
        telling="the application asks for the credentials, as it did before; the package that landed does not",
    ),
    play=play,
)
