"""The control socket and the cluster: pods, their tokens, exec, secrets, pods that pods make."""

from __future__ import annotations

import json
import os
import socket
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eightysix.lab.interface import PodSpec
from eightysix.lab.services.control import Control, ControlError, ask
from eightysix.lab.world import NODE, PUSH_CLIENT_ID, PUSH_SECRET, SECOND_POD_IP
from tests.lab.services.world import LOCAL, UID, Reply, World

SECRETS = "/api/v1/namespaces/ml/secrets"


def _api(world: World, token: str, method: str, path: str, body: object = None) -> Reply:
    raw = json.dumps(body).encode() if body is not None else None
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return world.call("api_server", method, path, raw, **headers)


def _audit(world: World, stage: str = "ResponseComplete") -> list[dict[str, Any]]:
    return [event for event in world.lines("kubernetes-audit.jsonl") if event["stage"] == stage]


def test_a_pods_token_reads_the_second_identity_and_dies_with_the_pod(world: World) -> None:
    told = world.start_pod(LOCAL)
    token = told["token"]
    assert told["token_path"].endswith("/token")
    assert Path(told["ca"]).read_text().startswith("-----BEGIN CERTIFICATE-----")
    assert [item["metadata"]["name"] for item in _api(world, token, "GET", SECRETS).json["items"]] == [
        "acr-push-sp"
    ]
    data = _api(world, token, "GET", f"{SECRETS}/acr-push-sp").json["data"]
    assert (
        msgspec.json.decode(json.dumps(data), type=dict[str, bytes])["clientSecret"] == PUSH_SECRET.encode()
    )
    assert msgspec.json.decode(json.dumps(data), type=dict[str, bytes])["clientId"] == PUSH_CLIENT_ID.encode()
    assert _api(world, token, "GET", "/api/v1/namespaces/kube-system/secrets").status == 403
    listed, read, refused = (
        world.marks("api-list-secrets")[0],
        world.marks("api-secret")[0],
        world.marks("api-list-secrets")[1],
    )
    assert (listed["code"], listed["pod"], read["name"], refused["code"]) == (
        200,
        "ml/inference-0",
        "acr-push-sp",
        403,
    )
    event = _audit(world)[-1]
    assert event["user"]["extra"]["authentication.kubernetes.io/pod-uid"] == [UID]
    pod = _api(world, token, "GET", "/api/v1/namespaces/ml/pods/inference-0").json
    assert (pod["metadata"]["uid"], pod["spec"]["nodeName"], pod["status"]["podIP"]) == (
        UID,
        NODE,
        "127.0.0.1",
    )
    assert pod["spec"]["volumes"][0]["name"].startswith("kube-api-access-")
    assert world.ask("delete-pod", pod="inference-0") == {}
    assert _api(world, token, "GET", SECRETS).status == 401
    assert token.encode() not in world.written()
    assert world.marks("pod-ended")[-1]["uid"] == UID
    agains = world.start_pod(LOCAL, uid="8c1b0f3e-0000-4000-8000-000000000002")
    assert _api(world, agains["token"], "GET", SECRETS).status == 200
    world.ask("delete-pod", pod="inference-0")


def test_what_kubelet_controllers_and_operators_do_is_audited_as_theirs(world: World) -> None:
    before = len(_audit(world))
    world.start_pod(LOCAL)
    world.ask("exec", pod="inference-0", argv=["pip", "list", "a b&c"], user="anna@contoso.example")
    world.ask("delete-pod", pod="inference-0")
    told = [
        (event["user"]["username"], event["verb"], event["objectRef"].get("subresource", ""))
        for event in _audit(world)[before:]
    ]
    node, controller = f"system:node:{NODE}", "system:serviceaccount:kube-system:statefulset-controller"
    assert told == [
        (controller, "create", ""),
        ("system:kube-scheduler", "create", "binding"),
        (node, "create", "token"),
        (node, "create", "token"),
        ("anna@contoso.example", "get", "exec"),
        (controller, "delete", ""),
    ]
    started = _audit(world, "ResponseStarted")[-1]
    assert started["requestURI"].endswith(
        "exec?command=pip&command=list&command=a+b%26c&container=server&stderr=true&stdout=true"
    )
    assert started["responseStatus"]["code"] == 101
    assert all(
        event["annotations"]["authorization.k8s.io/decision"] == "allow" for event in _audit(world)[before:]
    )
    assert world.marks("exec")[-1]["argv"] == ["pip", "list", "a b&c"]


def test_a_pod_that_a_pod_makes_is_told_once_and_gets_a_token(world: World) -> None:
    token = world.start_pod(LOCAL)["token"]
    container: dict[str, Any] = {
        "name": "c",
        "image": "registry.example/ml/inference:prod",
        "command": ["python"],
        "args": ["-c", "1"],
    }
    container |= {
        "env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {}}],
        "ports": [{"containerPort": 9}],
    }
    spec = {"serviceAccountName": "inference-sa", "containers": [container]}
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "tuner", "labels": {"x": "y"}},
        "spec": spec,
    }
    assert _api(world, token, "POST", "/api/v1/namespaces/ml/pods", body).status == 201
    assert world.marks("api-pod-created")[-1]["name"] == "tuner"
    (guest,) = world.ask("created-pods")["pods"]
    assert world.ask("created-pods")["pods"] == []
    pod = msgspec.convert(guest["pod"], PodSpec)
    assert (pod.name, pod.argv, pod.env, pod.port) == ("tuner", ("python", "-c", "1"), {"A": "1"}, 9)
    assert (pod.ip, pod.workload_kind, pod.labels, pod.sensor) == (SECOND_POD_IP, "Pod", {"x": "y"}, False)
    other = world.start_pod(pod, uid=guest["uid"])["token"]
    assert _api(world, other, "GET", SECRETS).status == 200
    event = _audit(world)[-1]
    assert event["user"]["extra"]["authentication.kubernetes.io/pod-uid"] == [guest["uid"]]
    asked = _api(
        world, other, "POST", "/api/v1/namespaces/ml/serviceaccounts/inference-sa/token", {"spec": {}}
    )
    assert asked.status == 201
    assert world.marks("api-token-request")[-1]["name"] == "inference-sa"
    for name in ("tuner", "inference-0"):
        world.ask("delete-pod", pod=name)
    assert _api(world, other, "GET", SECRETS).status == 401


def test_a_pod_of_another_account_and_kind_can_be_started(world: World) -> None:
    pod = PodSpec(
        "debug",
        workload="debug",
        workload_kind="Pod",
        service_account="nobody",
        ip="127.0.0.9",
        namespace="tools",
    )
    told = world.start_pod(pod, uid="8c1b0f3e-0000-4000-8000-00000000aaaa")
    assert _api(world, told["token"], "GET", SECRETS).status == 403
    world.ask("delete-pod", pod="debug", namespace="tools")


def test_objects_and_secrets_that_were_there_before_leave_no_trace(world: World) -> None:
    token, before = world.start_pod(LOCAL)["token"], len(_audit(world))
    world.ask("secret", name="hub", data={"key": "value"})
    item = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "more", "namespace": "ml"},
        "data": {"a": "b"},
    }
    world.ask("objects", items=[item])
    assert len(_audit(world)) == before
    assert _api(world, token, "GET", f"{SECRETS}/hub").json["data"] == {"key": "dmFsdWU="}
    assert _api(world, token, "GET", "/api/v1/namespaces/ml/configmaps/more").status == 200
    world.ask("delete-pod", pod="inference-0")


def test_a_leap_moves_stamps_and_tokens_that_were_given_stay_good(world: World) -> None:
    told = world.start_pod(LOCAL)
    world.token()
    stamp = world.lines("managed-identity-sign-ins.jsonl")[-1]["TimeGenerated"]
    answer = world.ask("leap", seconds=7200.0)
    assert answer["ahead_ns"] == 7200 * 10**9
    world.token()
    assert world.lines("managed-identity-sign-ins.jsonl")[-1]["TimeGenerated"] > stamp
    assert _api(world, told["token"], "GET", SECRETS).status == 200
    assert _audit(world)[-1]["stageTimestamp"] > stamp
    times = [line["t_ns"] for line in world.lines("truth.jsonl")]
    assert times == sorted(times)
    assert max(later - earlier for earlier, later in pairwise(times)) >= 7100 * 10**9
    world.ask("delete-pod", pod="inference-0")


@pytest.mark.parametrize(
    ("op", "members", "said"),
    [
        ("dance", {}, "no operation is called dance"),
        ("pod", {"pod": {"name": "a"}}, "missing required field `uid`"),
        ("pod", {"pod": {"name": "Not A Name"}, "uid": "u"}, "lowercase RFC 1123"),
        ("delete-pod", {"pod": "nobody"}, "no pod is called ml/nobody"),
        ("exec", {"pod": "nobody", "argv": ["ls"]}, "no pod is called ml/nobody"),
        ("leap", {"seconds": -1}, "a leap is of 0"),
        ("push", {"repository": "UPPER", "tag": "t", "content_b64": "AA==", "by": "ci"}, "the registry"),
        ("push", {"repository": "a", "tag": "t", "content_b64": "!", "by": "ci"}, "Invalid base64"),
        ("objects", {"items": [{"kind": "Unheard", "apiVersion": "of/v1"}]}, "cannot be held"),
    ],
)
def test_a_request_that_cannot_be_carried_out_says_why(
    world: World, op: str, members: dict[str, object], said: str
) -> None:
    with pytest.raises(ControlError, match=said):
        world.ask(op, **members)
    assert world.services.roster.get("ml", "Not A Name") is None


def test_the_control_socket_is_for_its_user_alone_and_survives_nonsense(world: World) -> None:
    path = world.out / "control.sock"
    assert path.stat().st_mode & 0o777 == 0o600
    for line in (b"\n", b"[]\n", b'{"op": 1}\n', b"\xff\xfe\n", b"[" * 10_000 + b"\n"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            connection.sendall(line)
            assert b'"error"' in connection.makefile("rb").readline()


def test_a_deep_folder_is_no_hindrance(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["a_rather_long_name_of_a_folder"] * 6)
    folder.mkdir(parents=True)
    assert len(os.fsencode(folder)) > 108

    def boom(request: msgspec.Raw) -> dict[str, object]:
        raise RuntimeError("a bug")

    control = Control(folder / "control.sock", {"ping": lambda request: {"pong": True}, "boom": boom})
    control.start()
    assert ask(folder / "control.sock", "ping") == {"pong": True}
    with pytest.raises(ControlError, match="RuntimeError: a bug"):
        ask(folder / "control.sock", "boom")
    assert ask(folder / "control.sock", "ping") == {"pong": True}
    control.stop()
    assert not (folder / "control.sock").exists()
    with pytest.raises(OSError, match="No such file"):
        ask(folder / "control.sock", "ping")
