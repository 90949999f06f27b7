"""What comes in over the wire from those who mean harm, are broken, or slow: bounded, answered where possible, survived."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eightysix.lab.apiserver import Limits
from tests.lab.apiserver.cluster import CLUSTER, Lab

TOKEN = b"Authorization: Bearer operator-token\r\n"
QUICK = Limits(connections=8, request_s=0.6, idle_s=0.8, linger_s=0.2, send_s=2.0)


def raw(lab: Lab, data: bytes, *, half: bool = False) -> bytes:
    """What the server says to `data`, until it closes."""
    with socket.create_connection(lab.server.address, timeout=10) as connection:
        try:
            connection.sendall(data)
            if half:
                connection.shutdown(socket.SHUT_WR)
            parts = []
            while part := connection.recv(1 << 16):
                parts.append(part)
            return b"".join(parts)
        except ConnectionError:
            return b""


def is_alive(lab: Lab) -> bool:
    return bool(lab.admin("GET", "/readyz") == (200, b"ok"))


@pytest.fixture
def quick(build: Callable[..., Lab]) -> Lab:
    return build(CLUSTER, limits=QUICK)


def test_connections_are_kept(lab: Lab) -> None:
    connection = http.client.HTTPConnection(*lab.server.address, timeout=10)
    try:
        used = []
        for _ in range(3):
            connection.request("GET", "/version")
            connection.getresponse().read()
            used.append(connection.sock.getsockname())
        assert len(set(used)) == 1
    finally:
        connection.close()


def test_answers_have_the_headers_of_a_real_server(lab: Lab) -> None:
    connection = http.client.HTTPConnection(*lab.server.address, timeout=10)
    try:
        connection.request(
            "HEAD", "/api/v1/namespaces/ml/pods", headers={"Authorization": "Bearer operator-token"}
        )
        answer = connection.getresponse()
        assert answer.read() == b""
        assert answer.headers["audit-id"] == lab.last()["auditID"]
        assert answer.headers["cache-control"] == "no-cache, private"
        assert int(answer.headers["content-length"]) > 0
    finally:
        connection.close()


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(lab: Lab) -> None:
    head = b"POST /api/v1/namespaces/ml/pods HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n"
    answer = raw(lab, head)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert (
        json.loads(answer.partition(b"\r\n\r\n")[2])["message"]
        == "Request entity too large: limit is 3145728"
    )


def test_chunks_without_end_are_refused(build: Callable[..., Lab]) -> None:
    lab = build(CLUSTER, limits=Limits(body_bytes=1000, linger_s=0.2))
    head = b"POST /api/v1/namespaces/ml/pods HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert raw(lab, head + b"400\r\n" + b"a" * 1024 + b"\r\n").startswith(b"HTTP/1.1 413 ")
    assert is_alive(lab)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,  # TLS to a plain port
        b"GET /\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\nGET",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 40_000 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX\x00Y: a\r\n\r\n",
        b"",
    ],
)
def test_what_is_no_http_ends_its_connection_alone(quick: Lab, data: bytes) -> None:
    answer = raw(quick, data, half=True)
    assert not answer or answer[:9] == b"HTTP/1.1 "
    assert is_alive(quick)


def test_a_slow_sender_is_timed_out(quick: Lab) -> None:
    data = b"POST /api/v1/namespaces/ml/pods HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nslow"
    assert raw(quick, data).startswith(b"HTTP/1.1 408 ")


def test_too_many_connections_are_turned_away_and_the_rest_served(quick: Lab) -> None:
    held = [socket.create_connection(quick.server.address, timeout=10) for _ in range(QUICK.connections)]
    try:
        for each in held:
            each.sendall(b"GET /version HTTP/1.1\r\nHost: a\r\n\r\n")
            assert each.recv(100).startswith(b"HTTP/1.1 200")
        with socket.create_connection(quick.server.address, timeout=10) as late:
            assert late.recv(10) == b""
    finally:
        for each in held:
            each.close()


def test_deep_json_is_a_bad_request(lab: Lab) -> None:
    for depth in (900, 100_000):
        body = b'{"metadata":{"name":"a"},"data":' + b"[" * depth + b"]" * depth + b"}"
        status, answer = lab.admin("POST", "/api/v1/namespaces/ml/configmaps", body)
        assert status in (201, 400), answer
        lab.admin("DELETE", "/api/v1/namespaces/ml/configmaps/a")
    assert is_alive(lab)


def test_an_absolute_target_is_a_path(lab: Lab) -> None:
    answer = raw(lab, b"GET http://any/version HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_a_reader_who_does_not_read_holds_nobody_up(build: Callable[..., Lab]) -> None:
    """A watcher that takes nothing is cut; writes go on meanwhile."""
    lab = build(CLUSTER, limits=Limits(send_s=0.3))
    with socket.create_connection(lab.server.address, timeout=10) as deaf:
        deaf.sendall(b"GET /api/v1/configmaps?watch=1 HTTP/1.1\r\nHost: a\r\n" + TOKEN + b"\r\n")
        blob = {"metadata": {"generateName": "big-"}, "data": {"a": "x" * 900_000}}
        for _ in range(12):
            assert lab.admin("POST", "/api/v1/namespaces/ml/configmaps", blob)[0] == 201
    assert is_alive(lab)


def test_many_writers_at_once_lose_nothing(lab: Lab) -> None:
    path = "/api/v1/namespaces/ml/configmaps"
    lab.admin.create(path, {"metadata": {"name": "counter"}, "data": {"n": "0"}})
    done = []

    def add() -> None:
        for _ in range(10):
            while True:
                held = lab.admin.get(f"{path}/counter")
                held["data"]["n"] = str(int(held["data"]["n"]) + 1)
                if lab.admin("PUT", f"{path}/counter", held)[0] == 200:
                    break
        done.append(True)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(done) == 4
    assert lab.admin.get(f"{path}/counter")["data"]["n"] == "40"


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = ("metadata", "spec", "status", "name", "namespace", "labels", "containers", "rules", "subjects", "roleRef", "data",
           "template", "resourceNames", "finalizers", "boundObjectRef", "stringData", "volumeMounts", "kind", "user")  # fmt: skip
BODY = st.recursive(
    VALUE,
    lambda inner: st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=5) | st.lists(inner, max_size=2),
    max_leaves=20,
)
PATHS = (
    "/api/v1/namespaces/ml/pods",
    "/api/v1/namespaces/ml/pods/inference-0",
    "/api/v1/namespaces/ml/pods/inference-0/status",
    "/api/v1/namespaces/ml/pods/inference-0/ephemeralcontainers",
    "/api/v1/namespaces/ml/pods/inference-0/binding",
    "/api/v1/namespaces/ml/pods/inference-0/exec?command=a",
    "/api/v1/namespaces/ml/secrets",
    "/api/v1/namespaces/ml/serviceaccounts/inference-sa/token",
    "/api/v1/namespaces",
    "/apis/apps/v1/namespaces/ml/deployments",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "/apis/rbac.authorization.k8s.io/v1/namespaces/ml/rolebindings",
    "/apis/rbac.authorization.k8s.io/v1/namespaces/ml/rolebindings/reader",
    "/apis/authorization.k8s.io/v1/subjectaccessreviews",
    "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
    "/apis/authentication.k8s.io/v1/tokenreviews",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
)
NAMED = st.fixed_dictionaries(
    {"metadata": st.fixed_dictionaries({"name": st.just("fuzz")}, optional={"labels": VALUE})}
)


@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["POST", "PUT", "PATCH", "DELETE", "GET"]),
    st.sampled_from(PATHS),
    BODY | st.builds(lambda named, body: {**(body if isinstance(body, dict) else {}), **named}, NAMED, BODY),
    st.sampled_from(
        ["application/json", "application/merge-patch+json", "application/strategic-merge-patch+json"]
    ),
    st.sampled_from(["operator-token", "dev-token"]),
)
def test_any_body_is_answered_and_breaks_nothing(
    lab: Lab, method: str, path: str, body: object, content: str, token: str
) -> None:
    headers = (("authorization", f"Bearer {token}"), ("content-type", content))
    from eightysix.lab.apiserver.messages import Request, as_json

    answer = lab.server.handle(Request(method, path, headers, as_json(body)))
    assert answer.status != 500, answer.body
    assert 200 <= answer.status < 500


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=60), st.booleans())
def test_any_target_is_answered(lab: Lab, text: str, below: bool) -> None:
    from eightysix.lab.apiserver.messages import Request

    target = f"/api/v1/{text}" if below else f"/{text}"
    answer = lab.server.handle(Request("GET", target, (("authorization", "Bearer operator-token"),)))
    assert answer.status != 500, answer.body
    if answer.stream is not None:
        answer.stream.chunks.close()  # type: ignore[attr-defined]
