"""An install drops a `.pth` file: nobody imports the package, the next interpreter that starts runs it."""

from __future__ import annotations

from eightysix.lab.interface import Bounds, Scenario, Stage
from eightysix.lab.scenarios.cast import driver, honest, serve, server, update
from eightysix.lab.scenarios.labels import attack

__all__ = ["SCENARIO"]


def play(stage: Stage) -> None:
    """The server installs a package, and later runs its batch job, which is honest."""
    hook = {"aaa_torch_perf.pth": "import torch_perf_pth._boot\n"}
    stage.publish(
        honest("torch-perf-pth", "0.9.1", more={**driver("torch_perf_pth", "at_import.py"), **hook})
    )
    serve(stage, server())
    update(stage, "torch-perf-pth", "torch_perf_pth", reload=False)
    stage.call("/batch")
    stage.wait("sink")


SCENARIO = Scenario(
    name="startup-hook",
    title="A .pth file runs at the next interpreter start",
    label=attack(
        "startup-hook",
        "The server installs torch-perf-pth, which nobody imports. Its .pth file runs in the batch job that the server "
        "starts next, before the job's own first line.",
        twin="startup-hook-honest",
        telling="the code of the .pth file asks for the credentials, not the program that was started",
        kernel=Bounds("suspect", "contain"),
    ),
    play=play,
)
