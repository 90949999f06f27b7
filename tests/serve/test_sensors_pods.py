"""Which pod a uid is: the kubelet's list as a file or over HTTP, and JSON Lines."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.model.errors import UsageError
from eightysix.serve.sensors.kubelet import directory_of
from eightysix.serve.sensors.pods import PodDirectory, PodInfo, read_pods

UID = "aaaaaaaa-1111-4111-8111-111111111111"
DIGEST = "sha256:" + "5e" * 32
LISTED = {
    "kind": "PodList",
    "apiVersion": "v1",
    "metadata": {},
    "items": [
        {
            "metadata": {
                "name": "inference-7d9f-abcde",
                "namespace": "ml",
                "uid": UID,
                "labels": {"pod-template-hash": "7d9f"},
                "ownerReferences": [
                    {
                        "apiVersion": "apps/v1",
                        "kind": "ReplicaSet",
                        "name": "inference-7d9f",
                        "controller": True,
                    }
                ],
            },
            "spec": {"nodeName": "node-1", "serviceAccountName": "inference-sa", "containers": []},
            "status": {
                "containerStatuses": [
                    {
                        "name": "server",
                        "image": "registry.example/ml/inference:prod",
                        "imageID": f"registry.example/ml/inference@{DIGEST}",
                        "containerID": "containerd://" + "c0" * 32,
                    },
                    {"name": "waiting", "image": "x", "imageID": ""},
                ]
            },
        },
        {"metadata": {"name": "bare", "namespace": "ml", "uid": "bare"}},
    ],
}
LINE = {
    "container_id": "containerd://" + "d0" * 32,
    "cgroup": "kubepods/poda/d0",
    "node": "node-2",
    "service_account": "sa",
    "pod": {
        "namespace": "ml",
        "name": "inference-0",
        "uid": UID,
        "container": {"id": "x", "name": "server", "image": {"id": f"r@{DIGEST}", "name": "r:prod"}},
        "pod_labels": {"app": "inference"},
        "workload": "inference",
        "workload_kind": "StatefulSet",
    },
}


def test_the_kubelets_list() -> None:
    pods, complete = read_pods(json.dumps(LISTED).encode())
    assert complete
    pod = pods[UID]
    assert (pod.namespace, pod.name, pod.node, pod.service_account) == (
        "ml", "inference-7d9f-abcde", "node-1", "inference-sa",
    )  # fmt: skip
    assert (pod.workload, pod.workload_kind) == ("inference", "Deployment")
    assert (pods["bare"].workload, pods["bare"].workload_kind) == ("bare", "Pod")
    fields = pod.fields("c0" * 32)
    assert fields["container"] == "server"
    assert fields["image"] == f"registry.example/ml/inference:prod@{DIGEST}"
    assert "container" not in pod.fields("f0" * 32)


def test_lines_of_containers() -> None:
    second = {**LINE, "container_id": "e0" * 32}
    text = f"{json.dumps(LINE)}\n\n{json.dumps(second)}\n"
    pods, complete = read_pods(text.encode())
    assert not complete
    assert sorted(pods[UID].containers) == ["d0" * 32, "e0" * 32]
    assert pods[UID].workload_kind == "StatefulSet"
    assert "container_id" not in pods[UID].fields("")
    one, _ = read_pods(json.dumps(LINE).encode())
    assert one[UID].fields("")["container_id"] == "d0" * 32


def test_a_line_that_is_being_written_waits() -> None:
    text = f"{json.dumps(LINE)}\n{json.dumps(LINE)[:50]}"
    assert list(read_pods(text.encode())[0]) == [UID]
    with pytest.raises(ValueError, match="line 2 is no pod"):
        read_pods(f"{text}\n".encode())


@given(st.binary(max_size=200))
def test_any_bytes_are_pods_or_a_reason(data: bytes) -> None:
    try:
        pods, _ = read_pods(data)
    except ValueError:
        return
    assert all(isinstance(pod, PodInfo) for pod in pods.values())


def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    now = [0.0]
    file = tmp_path / "pods.jsonl"
    directory = PodDirectory.of_file(str(file), clock=lambda: now[0])
    assert directory(UID) is None
    assert "cannot be read" in directory.trouble
    file.write_text(json.dumps(LINE) + "\n")
    assert directory(UID) is None  # not at every record
    now[0] += 1
    found = directory(UID)
    assert found is not None
    assert found.name == "inference-0"
    assert directory.trouble == ""
    file.write_text("broken\n")
    now[0] += 2
    assert directory(UID) == found  # what was known stays
    assert "line 1 is no pod" in directory.trouble


class Kubelet(http.server.BaseHTTPRequestHandler):
    asked: ClassVar[list[str | None]] = []
    status = 200

    def do_GET(self) -> None:
        type(self).asked.append(self.headers["Authorization"])
        body = json.dumps(LISTED).encode() if self.path == "/pods" else b"{}"
        self.send_response(type(self).status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing to see."""


@pytest.fixture
def kubelet() -> Iterator[str]:
    Kubelet.asked, Kubelet.status = [], 200
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Kubelet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/pods"
    server.shutdown()
    server.server_close()
    thread.join()


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def clock() -> Callable[[], float]:
    """Seconds that pass with each look."""
    now = iter(range(1_000_000))
    return lambda: float(next(now))


def test_the_kubelet_is_asked_over_http(kubelet: str) -> None:
    directory = directory_of(kubelet, clock())
    until(lambda: directory(UID))
    assert directory.complete
    assert Kubelet.asked[0] is None


def test_what_the_kubelet_refuses_is_told(kubelet: str) -> None:
    Kubelet.status = 403
    directory = directory_of(kubelet, clock())
    until(lambda: directory(UID) is None and "403" in directory.trouble)


def test_a_token_goes_out_over_tls_alone(kubelet: str) -> None:
    with pytest.raises(UsageError, match="without TLS"):
        directory_of(kubelet, clock(), token_file="token")
    for url in ("http://", "https://user:secret@127.0.0.1/pods", "http://[::1"):
        with pytest.raises(UsageError, match="no usable URL"):
            directory_of(url, clock())
