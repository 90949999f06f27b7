"""When the sensor is taken back, by the status of a pod."""

from __future__ import annotations

import copy
from typing import Any

import jsonpatch
import pytest
from msgspec.structs import replace

from eightysix.gate.inject import inject
from eightysix.gate.parts import INSTALLER
from eightysix.gate.withdrawal import withdrawn, workload_of
from tests.gate.test_inject import OPTIONS, pod

BEGAN = "2026-11-23T10:00:00Z"


def running(**status: object) -> dict[str, Any]:
    before = pod()
    before["spec"]["containers"].append({"name": "istio-proxy", "image": "x"})
    made: dict[str, Any] = jsonpatch.JsonPatch(list(inject(before, OPTIONS).patch)).apply(
        copy.deepcopy(before)
    )
    return {**made, "status": {"startTime": BEGAN, **status}}


def container(
    name: str = "server",
    count: int = 3,
    at: str = "2026-11-23T10:02:00Z",
    code: int = 139,
    waiting: str = "CrashLoopBackOff",
) -> dict[str, Any]:
    ended = {"exitCode": code, "finishedAt": at, "startedAt": at}
    return {
        "name": name,
        "restartCount": count,
        "state": {"waiting": {"reason": waiting}} if waiting else {"running": {}},
        "lastState": {"terminated": ended},
    }


def test_a_container_that_ends_again_and_again_gets_the_sensor_no_more() -> None:
    assert withdrawn(running(containerStatuses=[container()])) == (
        "the container server ended 3 times within minutes after it got the sensor"
    )


@pytest.mark.parametrize(
    "status",
    [
        container(count=2),
        container(at="2026-11-23T18:00:00Z"),
        container(code=0),
        container(name="istio-proxy"),
        {"name": "server", "restartCount": 0, "state": {"running": {}}},
        {"name": "server", "restartCount": "many", "state": None, "lastState": []},
    ],
)
def test_what_is_no_sign_of_it(status: dict[str, Any]) -> None:
    assert withdrawn(running(containerStatuses=[status])) is None


@pytest.mark.parametrize(
    "reason", ["ErrImagePull", "ImagePullBackOff", "CreateContainerError", "CrashLoopBackOff"]
)
def test_a_pod_never_waits_for_the_sensor_for_good(reason: str) -> None:
    status = {"name": INSTALLER, "restartCount": 0, "state": {"waiting": {"reason": reason}}}
    told = withdrawn(running(initContainerStatuses=[status]))
    assert told is not None
    assert reason in told


def test_a_container_that_cannot_be_made_gets_it_no_more() -> None:
    status = container(count=0, waiting="RunContainerError")
    assert "cannot be made" in str(withdrawn(running(containerStatuses=[status])))
    assert withdrawn(running(containerStatuses=[container(count=0, waiting="ImagePullBackOff")])) is None


def test_a_pod_without_the_sensor_loses_none() -> None:
    assert withdrawn({**pod(), "status": {"startTime": BEGAN, "containerStatuses": [container()]}}) is None


def test_the_workload_and_not_the_pod_goes_without() -> None:
    before = pod()
    before["metadata"] |= {
        "generateName": "inference-7d9f-",
        "ownerReferences": [{"kind": "ReplicaSet", "name": "inference-7d9f", "controller": True}],
    }
    name = workload_of(before)
    assert name == "ml/ReplicaSet/inference-7d9f"
    told = inject(before, replace(OPTIONS, withdrawn=frozenset({name})))
    assert told.patch == ()
    assert "withdrawn" in told.reason


def test_a_new_release_of_a_stateful_set_gets_it_again() -> None:
    before = pod()
    before["metadata"] |= {
        "ownerReferences": [{"kind": "StatefulSet", "name": "inference", "controller": True}]
    }
    before["metadata"]["labels"]["controller-revision-hash"] = "inference-1"
    assert workload_of(before, "ml") == "ml/StatefulSet/inference@inference-1"
    assert workload_of(pod()) == "ml/Pod/inference-0"
