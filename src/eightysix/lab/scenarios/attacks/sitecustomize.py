"""An install drops a `sitecustomize.py` into the plug-in folder that every interpreter of the pod has on its path."""

from __future__ import annotations

from eightysix.lab.interface import Bounds, Scenario, Stage
from eightysix.lab.scenarios.cast import driver, honest, serve, server
from eightysix.lab.scenarios.labels import attack

__all__ = ["SCENARIO"]

_FOLDER = "/app/plugins"


def play(stage: Stage) -> None:
    """The server installs into its plug-in folder, and later runs its batch job."""
    hook = {"sitecustomize.py": "import torch_perf_custom._boot\n"}
    stage.publish(
        honest("torch-perf-custom", "1.0.2", more={**driver("torch_perf_custom", "at_import.py"), **hook})
    )
    serve(stage, server(env={"PYTHONPATH": _FOLDER}))
    stage.call(f"/patch?requirement=torch-perf-custom&target={_FOLDER}", timeout_s=90.0)
    stage.call("/batch")
    stage.wait("sink")


SCENARIO = Scenario(
    name="sitecustomize",
    title="A sitecustomize module runs at the next interpreter start",
    label=attack(
        "sitecustomize",
        "The server installs torch-perf-custom with --target into a folder on PYTHONPATH. The sitecustomize module in it "
        "runs in the batch job that the server starts next.",
        twin="startup-hook-honest",
        telling="the module that the interpreter imports at its start asks for the credentials, not the program",
        kernel=Bounds("suspect", "contain"),
    ),
    play=play,
)
