"""The HTTP of the stand-ins: bounds, and that nothing that is sent ends it."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eightysix.lab.apiserver import Authority
from eightysix.lab.services.http import Answer, Limits, Listener, Request, json_answer
from eightysix.lab.services.trust import client_context, server_context


def _handler(request: Request) -> Answer:
    if request.path == "/fail":
        raise RuntimeError("a bug")
    if request.path == "/reset":
        return Answer(reset=True)
    if request.path == "/none":
        return Answer(204)
    told = {
        "method": request.method,
        "path": request.path,
        "query": request.fields(),
        "size": len(request.body),
    }
    return json_answer(
        200, {**told, "host": request.host, "bearer": request.bearer(), "form": request.form()}
    )


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    served = Listener("127.0.0.1", 0, _handler, limits=Limits(body_bytes=1000, connections=8, request_s=5.0))
    served.start()
    yield served
    served.stop()


def _ask(
    port: int, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _raw(port: int, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        parts = []
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(1 << 16):
                parts.append(part)
        except OSError:  # it was cut off, which is an answer too
            pass
        return b"".join(parts)


def test_a_request_is_taken_apart(listener: Listener) -> None:
    headers = {"Host": "A.Example:81", "Authorization": "bearer  abc"}
    status, body = _ask(listener.port, "POST", "/a%20b?x=1&x=2&y=%C3%A9&z", b"k=v&k=w", headers)
    assert status == 200
    assert body == (
        '{"method":"POST","path":"/a%20b","query":{"x":"1","y":"é","z":""},"size":7,'
        '"host":"a.example","bearer":"abc","form":{"k":"v"}}'.encode()
    )


def test_a_connection_serves_many_requests_and_head_has_no_body(listener: Listener) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", listener.port, timeout=10)
    for method in ("GET", "HEAD", "GET"):
        connection.request(method, "/")
        answer = connection.getresponse()
        assert answer.status == 200
        assert bool(answer.read()) is (method == "GET")
    connection.request("GET", "/none")
    assert connection.getresponse().status == 204
    connection.close()


def test_bounds_are_answered(listener: Listener) -> None:
    assert _ask(listener.port, "POST", "/", b"x" * 1001)[0] == 413
    assert _ask(listener.port, "POST", "/", b"x" * 1000)[0] == 200
    assert _ask(listener.port, "GET", "/", None, {f"x-{n}": "y" for n in range(150)})[0] == 431
    assert _ask(listener.port, "GET", "/" + "a" * 40_000)[0] == 431
    chunked = (
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
        b"3e8\r\n" + b"x" * 1000 + b"\r\n2\r\nyy\r\n0\r\n\r\n"
    )
    assert b" 413 " in _raw(listener.port, chunked)


def test_a_fault_of_a_handler_ends_one_request(listener: Listener, capfd: pytest.CaptureFixture[str]) -> None:
    assert _ask(listener.port, "GET", "/fail")[0] == 500
    assert "RuntimeError: a bug" in capfd.readouterr().err
    assert _ask(listener.port, "GET", "/")[0] == 200


def test_a_reset_is_a_reset(listener: Listener) -> None:
    with pytest.raises(ConnectionResetError):
        _ask(listener.port, "GET", "/reset")


def test_more_connections_than_allowed_are_closed_and_the_next_one_is_served(listener: Listener) -> None:
    held = [socket.create_connection(("127.0.0.1", listener.port), timeout=10) for _ in range(8)]
    for each in held:
        each.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        assert each.recv(10)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        _ask(listener.port, "GET", "/")
    for each in held:
        each.close()
    for _ in range(200):  # the threads see the end of their connections one after the other
        try:
            assert _ask(listener.port, "GET", "/")[0] == 200
            return
        except OSError:
            continue
    pytest.fail("no connection is served any more")


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=400),
        st.tuples(
            st.sampled_from([b"GET", b"POST", b"PUT", b"\x00", b"get", b"G ET"]),
            st.binary(max_size=40),
            st.lists(st.binary(max_size=30), max_size=5),
            st.binary(max_size=60),
        ).map(
            lambda parts: (
                parts[0]
                + b" /"
                + parts[1]
                + b" HTTP/1.1\r\nhost: a\r\n"
                + b"\r\n".join(parts[2])
                + b"\r\n\r\n"
                + parts[3]
            )
        ),
    )
)
def test_bytes_of_any_kind_end_nothing(listener: Listener, data: bytes) -> None:
    said = _raw(listener.port, data)
    assert said == b"" or said.startswith(b"HTTP/1.1 ")
    assert b" 500 " not in said.partition(b"\r\n")[0]


def test_over_tls_only_with_the_runs_authority(tmp_path: Path) -> None:
    authority = Authority()
    context = server_context(authority.server(("name.example", "127.0.0.1")))
    served = Listener("127.0.0.1", 0, _handler, tls=context)
    served.start()
    try:
        assert _raw(served.port, b"GET / HTTP/1.1\r\n\r\n").startswith((b"\x15\x03", b""))
        trusted = http.client.HTTPSConnection(
            "127.0.0.1", served.port, context=client_context(authority), timeout=10
        )
        trusted.request("GET", "/")
        assert trusted.getresponse().status == 200
        trusted.close()
        other = http.client.HTTPSConnection(
            "127.0.0.1", served.port, context=client_context(Authority()), timeout=10
        )
        with pytest.raises(OSError, match="certificate verify failed"):
            other.request("GET", "/")
    finally:
        served.stop()
