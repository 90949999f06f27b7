"""HTTP to receivers that are slow, silent, rude, far too talkative, or somebody else."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import formatdate
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from time import time

import pytest

from eightysix.model.errors import DeliveryError, UsageError
from eightysix.serve.deliver.http import MAX_ANSWER, HttpClient, check, parse_address
from eightysix.serve.deliver.proxy import proxy_for
from tests.deliver.receiver import Reply, receiver
from tests.tiers import require_tier


@contextmanager
def raw(serve: Callable[[socket.socket, Event], None]) -> Iterator[str]:
    """A server that does with a connection what `serve` does; the event is set at the end."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = Event()

    def run() -> None:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection, suppress(OSError):
            serve(connection, over)

    thread = Thread(target=run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        over.set()
        listener.close()
        thread.join(10)


def post(url: str, body: bytes = b"{}", client: HttpClient | None = None) -> None:
    to = parse_address("webhook", url, {})
    check((client or HttpClient({})).send(to, "POST", body, {"X-Test": "yes"}), to)


def failure(url: str, client: HttpClient | None = None, body: bytes = b"{}") -> DeliveryError:
    with pytest.raises(DeliveryError) as raised:
        post(url, body, client)
    return raised.value


def test_a_request_arrives_as_it_was_sent() -> None:
    with receiver() as told:
        post(f"{told.url}/in?a=b", b"[1]")
    (request,) = told.requests
    assert (request.method, request.path, request.body) == ("POST", "/in?a=b", b"[1]")
    assert request.headers["x-test"] == "yes"
    assert request.headers["user-agent"].startswith("eightysix/")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with receiver() as other, receiver() as told:
        told.replies.append(Reply(status, {"Location": other.url}))
        error = failure(told.url)
        assert "redirect" in error.what
        assert not error.permanent
        assert other.requests == []


@pytest.mark.parametrize(
    ("status", "permanent"),
    [
        (400, True),
        (401, True),
        (404, True),
        (410, True),
        (408, False),
        (425, False),
        (429, False),
        (500, False),
        (503, False),
    ],
)
def test_what_is_worth_another_try(status: int, permanent: bool) -> None:
    with receiver() as told:
        told.replies.append(Reply(status, body=b"why not"))
        error = failure(told.url)
    assert error.permanent is permanent
    assert f"answers {status}: why not" in error.what


def test_an_answer_that_repeats_the_secret_address_is_not_told() -> None:
    with receiver() as told:
        told.replies.append(Reply(404, body=b"no hook at /services/T012/B345/hidden-hook-secret"))
        error = failure(f"{told.url}/services/T012/B345/hidden-hook-secret")
    assert error.what.endswith("answers 404")
    assert error.permanent


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("999999999999", 3600.0), ("-1", None), ("soon", None), ("", None), ("1e9", None)],
)
def test_a_receiver_may_ask_for_a_pause(header: str, seconds: float | None) -> None:
    with receiver() as told:
        told.replies.append(Reply(429, {"Retry-After": header}))
        assert failure(told.url).retry_after_s == seconds


def test_a_pause_may_be_told_as_a_date() -> None:
    with receiver() as told:
        told.replies.append(Reply(503, {"Retry-After": formatdate(time() + 600, usegmt=True)}))
        told.replies.append(Reply(503, {"Retry-After": formatdate(time() - 600, usegmt=True)}))
        pause = failure(told.url).retry_after_s
        assert pause is not None
        assert 300 < pause <= 600
        assert failure(told.url).retry_after_s == 0.0


def test_of_a_long_answer_only_the_start_is_read() -> None:
    def flood(connection: socket.socket, over: Event) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not over.is_set():
            connection.sendall(b"x" * 65536)

    with raw(flood) as url:
        answer = HttpClient({}).send(parse_address("webhook", url, {}), "POST", b"{}", {})
    assert len(answer.body) == MAX_ANSWER


def test_a_receiver_that_drips_is_cut_off() -> None:
    def drip(connection: socket.socket, over: Event) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not over.wait(0.01):
            connection.sendall(b"x")

    with raw(drip) as url:
        error = failure(url, HttpClient({}, timeout_s=30, deadline_s=0.2))
    assert "took longer than 0.2 s" in error.what
    assert not error.permanent


def test_a_handshake_that_drips_is_cut_off() -> None:
    def drip(connection: socket.socket, over: Event) -> None:
        connection.recv(65536)
        connection.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")
        while not over.wait(0.01):
            connection.sendall(b"\x03")

    with raw(drip) as url:
        error = failure(url.replace("http:", "https:"), HttpClient({}, timeout_s=30, deadline_s=0.2))
    assert "took longer than 0.2 s" in error.what


def test_a_receiver_that_says_nothing_is_given_up() -> None:
    def silent(connection: socket.socket, over: Event) -> None:
        over.wait(30)

    with raw(silent) as url:
        assert "timed out" in failure(url, HttpClient({}, timeout_s=0.1)).what


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_an_answer_that_is_no_http_is_no_answer(answer: bytes) -> None:
    def rude(connection: socket.socket, over: Event) -> None:
        connection.recv(65536)
        connection.sendall(answer)

    with raw(rude) as url:
        error = failure(url)
    assert "cannot be reached" in error.what
    assert not error.permanent


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert "Connection refused" in failure(f"http://127.0.0.1:{port}/").what


def test_a_refusal_before_the_body_was_read_is_heard() -> None:
    def early(connection: socket.socket, over: Event) -> None:
        connection.recv(1024)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1 << 20):  # a reset would take the answer away from the client
            pass

    with raw(early) as url:
        assert "answers 413" in failure(url, body=b"x" * (8 << 20)).what


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hooks.slack.com/T0/B0/hidden",
        "ftp://host.example/hidden",
        "https:///hidden",
        "https://user:hidden@host.example/",
        "https://host.example:99999/hidden",
        "https://host.example/hid den",
        "https://host.example/hidden\r\nX-Evil: 1",
        "https://hö.example/hidden",
        "http://host.example/hidden",
        "http://10.0.0.1/hidden",
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_address("slack", text, {})
    assert "hid" not in raised.value.what + raised.value.advice


def test_without_tls_only_where_it_was_allowed() -> None:
    assert parse_address("webhook", "http://[::1]:8080/", {}).port == 8080
    assert parse_address("webhook", "http://in.example/", {"EIGHTYSIX_ALLOW_HTTP": "1"}).port == 80
    assert parse_address("falcosidekick", "http://falcosidekick:2801", {}, plain=True).path == "/"


def test_a_label_names_the_host_and_not_the_secret() -> None:
    label = parse_address("slack", "https://hooks.example/services/T0/B0/hidden", {}).label
    assert label.startswith("slack:https://hooks.example/#")
    assert "hidden" not in label
    assert label == parse_address("slack", "https://hooks.example/services/T0/B0/hidden", {}).label
    assert label != parse_address("slack", "https://hooks.example/services/T0/B0/other", {}).label


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 and its key in one file, made for this run."""
    if shutil.which("openssl") is None:
        require_tier("openssl", "openssl makes the certificate of the test")
    folder = tmp_path_factory.mktemp("tls")
    how = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem -days 2"
    whom = ["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1,DNS:receiver.example"]
    subprocess.run(["openssl", *how.split(), *whom], cwd=folder, check=True, capture_output=True)
    return folder


def server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    return context


def test_tls_is_verified(certificate: Path) -> None:
    def wrap(server: ThreadingHTTPServer) -> None:
        server.socket = server_context(certificate).wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )

    trusting = {"EIGHTYSIX_CA_FILE": str(certificate / "cert.pem")}
    with receiver(wrap) as told:
        assert "certificate is not valid" in failure(told.url).what
        other_name = told.url.replace("127.0.0.1", "localhost")
        assert "certificate is not valid" in failure(other_name, HttpClient(trusting)).what
        assert told.requests == []
        post(told.url, client=HttpClient(trusting))
        assert len(told.requests) == 1


@contextmanager
def tunnel(certificate: Path, allowed: bool = True) -> Iterator[tuple[str, list[bytes]]]:
    """A proxy that answers CONNECT and is, for the test, the receiver behind it as well."""
    heads: list[bytes] = []

    def serve(connection: socket.socket, over: Event) -> None:
        heads.append(connection.recv(65536))
        if not allowed:
            connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            return
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with server_context(certificate).wrap_socket(connection, server_side=True) as inner:
            request = b""
            while not request.endswith(b"\r\n\r\n{}"):
                request += inner.recv(65536)
            heads.append(request)
            inner.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with raw(serve) as url:
        yield url, heads


def test_a_proxy_sees_the_name_of_the_receiver_and_nothing_else(certificate: Path) -> None:
    with tunnel(certificate) as (url, heads):
        environment = {
            "HTTPS_PROXY": url.replace("http://", "http://me:p%40ss@"),
            "NO_PROXY": "other.example, 10.0.0.0/8",
            "EIGHTYSIX_CA_FILE": str(certificate / "cert.pem"),
        }
        to = parse_address("webhook", "https://receiver.example/hidden", environment)
        check(HttpClient(environment).send(to, "POST", b"{}", {"X-Secret": "hidden"}), to)
    first, second = heads
    assert first.startswith(b"CONNECT receiver.example:443 HTTP/1.")
    assert b"Proxy-Authorization: Basic bWU6cEBzcw==\r\n" in first
    assert b"hidden" not in first
    assert second.startswith(b"POST /hidden HTTP/1.1\r\n")
    assert b"Proxy-Authorization" not in second


def test_a_proxy_that_refuses_is_told(certificate: Path) -> None:
    with tunnel(certificate, allowed=False) as (url, _):
        to = parse_address("webhook", "https://receiver.example/x", {})
        with pytest.raises(DeliveryError, match="407") as raised:
            HttpClient({"HTTPS_PROXY": url}).send(to, "POST", b"{}", {})
    assert not raised.value.permanent


@pytest.mark.parametrize(
    ("host", "names", "used"),
    [
        ("hooks.example", "", True),
        ("hooks.example", "example", False),
        ("hooks.example", ".hooks.example", False),
        ("badhooks.example", "hooks.example", True),
        ("hooks.example", "*", False),
        ("10.1.2.3", "10.0.0.0/8", False),
        ("11.1.2.3", "10.0.0.0/8,11.1.2.4", True),
        ("fd00::1", "fd00::/8", False),
        ("127.0.0.1", "", False),
        ("::1", "", False),
        ("localhost", "", False),
    ],
)
def test_who_is_asked_through_a_proxy(host: str, names: str, used: bool) -> None:
    environment = {"https_proxy": "proxy.example:3128", "no_proxy": names}
    assert (proxy_for(host, environment) is not None) is used


@pytest.mark.parametrize(
    "text", ["https://proxy.example", "socks5://p:1", "http://", "http://p:x", "http://p\x07"]
)
def test_a_proxy_that_cannot_be_used_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="HTTPS_PROXY"):
        proxy_for("hooks.example", {"HTTPS_PROXY": text})


def test_a_ca_file_that_is_none_is_told_at_the_start(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.pem", tmp_path):
        with pytest.raises(UsageError, match="EIGHTYSIX_CA_FILE"):
            HttpClient({"EIGHTYSIX_CA_FILE": str(path)})
