"""What is asked of pods themselves: commands over a WebSocket, logs, and what no kubelet answers."""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable

import pytest

from eightysix.lab.apiserver import Command
from tests.lab.apiserver.cluster import CLUSTER, Lab

POD = "/api/v1/namespaces/ml/pods/inference-0"


class Kubelet:
    """Runs nothing: says what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Command] = []

    def run(self, command: Command) -> tuple[int, bytes, bytes]:
        self.asked.append(command)
        if command.argv == ("missing",):
            raise FileNotFoundError(2, "No such file or directory")
        return (3, b"", b"bad\n") if command.argv == ("false",) else (0, b"out\n" * 20_000, b"")

    def log(self, namespace: str, pod: str, container: str) -> bytes:
        return f"{namespace}/{pod}/{container}\nlast\n".encode()


@pytest.fixture
def kubelet() -> Kubelet:
    return Kubelet()


@pytest.fixture
def lab(build: Callable[..., Lab], kubelet: Kubelet) -> Lab:
    return build(CLUSTER, kubelet=kubelet)


def talk(lab: Lab, words: list[str], protocol: str = "v4.channel.k8s.io") -> tuple[bytes, dict[int, bytes]]:
    """The head of the answer, and what came on each channel."""
    query = "&".join(f"command={word}" for word in words)
    key = base64.b64encode(b"0123456789abcdef").decode()
    head = (
        f"GET {POD}/exec?{query}&stdout=1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer operator-token\r\n"
        f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Protocol: {protocol}\r\n\r\n"
    )
    with socket.create_connection(lab.server.address, timeout=10) as connection:
        connection.sendall(head.encode())
        data = b""
        while part := connection.recv(1 << 16):
            data += part
            if data.endswith(b"\x88\x02\x03\xe8"):
                connection.sendall(b"\x88\x80\x00\x00\x00\x00")
    top, _, rest = data.partition(b"\r\n\r\n")
    channels: dict[int, bytes] = {}
    while top.startswith(b"HTTP/1.1 101") and rest:
        size, at = rest[1], 2
        if size == 126:
            size, at = int.from_bytes(rest[2:4], "big"), 4
        frame, kind, rest = rest[at : at + size], rest[0] & 15, rest[at + size :]
        if kind == 2:
            channels[frame[0]] = channels.get(frame[0], b"") + frame[1:]
        elif kind == 1:
            channels[int(frame[:1])] = channels.get(int(frame[:1]), b"") + base64.b64decode(frame[1:])
    return top, channels


@pytest.mark.parametrize("protocol", ["v4.channel.k8s.io", "v5.channel.k8s.io", "base64.channel.k8s.io"])
def test_a_command_runs_and_its_output_comes_back(lab: Lab, kubelet: Kubelet, protocol: str) -> None:
    head, channels = talk(lab, ["ls", "-l"], protocol)
    assert head.startswith(b"HTTP/1.1 101 ")
    assert f"sec-websocket-protocol: {protocol}".encode() in head.lower()
    assert channels[1] == b"out\n" * 20_000
    assert channels[3] == b'{"metadata":{},"status":"Success"}'
    (command,) = kubelet.asked
    assert (command.namespace, command.pod, command.container, command.argv) == (
        "ml",
        "inference-0",
        "server",
        ("ls", "-l"),
    )


def test_the_exit_code_is_told(lab: Lab) -> None:
    _, channels = talk(lab, ["false"])
    assert channels[2] == b"bad\n"
    assert (
        b'"reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"3"}]}'
        in channels[3]
    )


def test_a_command_that_cannot_be_started_is_told(lab: Lab) -> None:
    assert b"No such file or directory" in talk(lab, ["missing"])[1][3]


def test_the_audit_has_both_ends_of_a_command(lab: Lab) -> None:
    talk(lab, ["ls"])
    began, ended = lab.events
    assert (began["stage"], ended["stage"], ended["verb"]) == ("ResponseStarted", "ResponseComplete", "get")
    assert ended["objectRef"]["subresource"] == "exec"
    assert ended["responseStatus"] == {"metadata": {}, "code": 101}


def test_a_command_is_refused_without_the_right(lab: Lab, kubelet: Kubelet) -> None:
    status, answer = lab.account()("POST", f"{POD}/exec?command=ls")
    assert (status, answer["reason"]) == (403, "Forbidden")
    assert 'cannot create resource "pods/exec"' in answer["message"]
    assert kubelet.asked == []


@pytest.mark.parametrize(
    ("query", "headers", "message"),
    [
        ("command=ls", {}, "Upgrade request required"),
        (
            "",
            {"Upgrade": "websocket", "Connection": "Upgrade"},
            "you must specify at least 1 command for the container",
        ),
        (
            "command=ls&container=other",
            {"Upgrade": "websocket", "Connection": "Upgrade"},
            "container other is not valid for pod inference-0",
        ),
    ],
)
def test_a_command_that_is_none_is_refused(
    lab: Lab, query: str, headers: dict[str, str], message: str
) -> None:
    status, answer = lab.admin("POST", f"{POD}/exec?{query}", headers=headers)
    assert (status, answer["message"]) == (400, message)


def test_without_a_kubelet_there_is_nobody_to_dial(build: Callable[..., Lab]) -> None:
    lab = build(CLUSTER)
    upgrade = {"Upgrade": "SPDY/3.1", "Connection": "Upgrade"}
    for path in (f"{POD}/exec?command=ls", f"{POD}/attach", f"{POD}/portforward"):
        status, answer = lab.admin("POST", path, headers=upgrade)
        assert (status, answer["message"]) == (500, "error dialing backend: no kubelet answers for aks-gpu-0")
    assert lab.admin("GET", f"{POD}/log")[0] == 500


def test_a_log_is_its_containers(lab: Lab) -> None:
    assert lab.admin("GET", f"{POD}/log") == (200, b"ml/inference-0/server\nlast\n")
    assert lab.admin("GET", f"{POD}/log?tailLines=1") == (200, b"last\n")
    assert lab.admin("GET", f"{POD}/log?container=none")[0] == 400
