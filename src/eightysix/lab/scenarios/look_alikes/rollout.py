"""A rollout of several replicas under a new digest, which do what those before did."""

from __future__ import annotations

from msgspec.structs import replace

from eightysix.lab.interface import Scenario, Stage
from eightysix.lab.scenarios.cast import DAY_OF_WORK_S, server
from eightysix.lab.scenarios.labels import look_alike
from eightysix.lab.world import POD_IP, SECOND_POD_IP

__all__ = ["SCENARIO"]

_THIRD_IP = "10.244.1.7"
_NEW = "sha256:" + "86" * 32


def play(stage: Stage) -> None:
    """Three pods, each replaced by one of the new image."""
    pods = [
        server(name=f"inference-{place}", ip=ip, env={"AT_START": "token"})
        for place, ip in enumerate((POD_IP, SECOND_POD_IP, _THIRD_IP))
    ]
    for pod in pods:
        stage.start(pod)
        stage.call("/token", pod=pod.name)
    stage.leap(DAY_OF_WORK_S)
    for pod in pods:
        stage.restart(replace(pod, image_digest=_NEW))
        stage.call("/token", pod=pod.name)
        stage.call("/infer", pod=pod.name)


SCENARIO = Scenario(
    name="rollout",
    title="Rollout of replicas under a new digest",
    label=look_alike(
        "rollout",
        "Three replicas are replaced by pods of a new digest under the same tag. Each takes its token at "
        "start, as those before.",
        twin="same-tag-new-digest",
        before="pod-ended",
        telling="every pod of the new digest does what the pods of the previous one did",
    ),
    play=play,
)
