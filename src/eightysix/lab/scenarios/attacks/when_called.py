"""A poisoned update that does nothing until the application calls it the second time, ten minutes later."""

from __future__ import annotations

from msgspec.structs import replace

from eightysix.lab.interface import Bounds, Scenario, Stage
from eightysix.lab.scenarios.cast import CLEAN, app, poisoned, serve, server, update
from eightysix.lab.scenarios.labels import attack

__all__ = ["SCENARIO"]

_TUNES = "def tune(value):\n    return value\n"
_CALLS = "def tune(value):\n    _boot.called()\n    return value\n"
_ASKED = (
    "the application calls the package, which asks: to the sensor alone that is an SDK that was upgraded, and what is asked of "
    "the API server is not seen"
)


def play(stage: Stage) -> None:
    """The server tunes each prediction; the attacker waits in `tune`."""
    tuning = app("server.py").replace('return {"label"', 'tune and tune(1)\n    return {"label"', 1)
    wheel = poisoned("torch-perf-utils", "1.4.3", "when_called.py")
    init = "torch_perf_utils/__init__.py"
    stage.publish(CLEAN)
    serve(stage, server(files={"/app/server.py": tuning}))
    update(stage, "torch-perf-utils==1.4.2", "torch_perf_utils")
    stage.publish(replace(wheel, files={**wheel.files, init: wheel.files[init].replace(_TUNES, _CALLS)}))
    update(stage, "torch-perf-utils", "torch_perf_utils")
    stage.call("/infer")
    stage.leap(600.0)
    stage.call("/infer")
    stage.wait("sink")


SCENARIO = Scenario(
    name="when-called",
    title="Poisoned update that acts when the application calls it",
    label=attack(
        "when-called",
        "Nothing happens when the package is imported. Ten minutes later the application calls its function for the second "
        "time, and that takes a token, the service account token and the secret, in the application's own thread.",
        twin="notebook-upgrades-sdk",
        telling="secrets are listed and read by a process that never took these credentials before something landed in it",
        sensor=Bounds("none", "suspect", _ASKED),
    ),
    play=play,
)
