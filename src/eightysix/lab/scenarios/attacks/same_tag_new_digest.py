"""The poisoned package is part of a new image under the same tag: nothing is installed anywhere."""

from __future__ import annotations

from msgspec.structs import replace

from eightysix.lab.interface import Bounds, PodSpec, Scenario, Stage, Wheel
from eightysix.lab.scenarios.cast import CLEAN, DAY_OF_WORK_S, PACE, installed, poisoned, server
from eightysix.lab.scenarios.labels import attack

__all__ = ["SCENARIO"]

_NEW = "sha256:" + "86" * 32
_FOLDER = "/opt/layers/site-packages"
_NOTHING_LANDS = (
    "the package is part of the image, so nothing lands in the container: a baseline of the previous digest tells what is "
    "new, and a new release may do new things"
)
_ONE_WITNESS = (
    "the previous digest took both credentials too, and what is asked of the API server is in its audit log alone: a new "
    "destination is all that is left"
)


def image(wheel: Wheel) -> PodSpec:
    """The pod of an image that has a package in a layer of its own."""
    env = {"PYTHONPATH": _FOLDER, "PLUGINS": "torch_perf_utils", PACE: "4"}
    return server(files=installed(wheel, _FOLDER), env=env)


def play(stage: Stage) -> None:
    """The pod works for a while, then it is replaced by one of the new image."""
    stage.start(image(CLEAN))
    for path in ("/infer", "/token", "/settings"):
        stage.call(path)
    stage.leap(DAY_OF_WORK_S)
    stage.call("/infer")
    stage.restart(replace(image(poisoned("torch-perf-utils", "1.4.3", "in_thread.py")), image_digest=_NEW))
    stage.call("/infer")
    stage.wait("sink", timeout_s=60.0)


SCENARIO = Scenario(
    name="same-tag-new-digest",
    title="Same tag, new digest, no install",
    label=attack(
        "same-tag-new-digest",
        "The tag prod moves to a digest whose image holds torch-perf-utils 1.4.3. The pod is replaced; while "
        "the new one starts, the application imports the package, and a thread of it acts.",
        twin="rollout",
        telling="pods of the previous digest never listed secrets, and never went to that host",
        verdict="suspect",
        stages=("land", "reach", "pivot", "leave", "use"),
        before="pod-ended",
        all=Bounds("suspect", "contain", _NOTHING_LANDS),
        kernel_audit=Bounds("suspect", "contain", _NOTHING_LANDS),
        sensor_audit=Bounds("suspect", "contain", _NOTHING_LANDS),
        kernel=Bounds("none", "contain", _ONE_WITNESS),
        sensor=Bounds("none", "suspect", _ONE_WITNESS),
    ),
    play=play,
)
