"""The receiver over real sockets: who gets in, what is taken, and what hostile clients do to it."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.model.errors import UsageError
from eightysix.model.incident import Problem
from eightysix.serve.follow.files import Follower
from eightysix.serve.listener import HttpLimits, Listener, is_loopback, parse_address
from eightysix.serve.receiver import (
    MAX_BODY_BYTES,
    MIN_TOKEN,
    PATH,
    TOKEN_VARIABLE,
    BadBodyError,
    Receiver,
    Token,
    as_lines,
    read_token,
)
from eightysix.serve.spool import Spool, SpoolFullError
from eightysix.serve.tls import ServerTls
from eightysix.sources.decompress import Limits
from eightysix.sources.interface import MAX_RECORD_BYTES
from tests.tiers import require_tier

SECRET = "correct-horse-battery-staple"
ALLOWED = {"authorization": f"Bearer {SECRET}"}
FALCO = b'{"output":"x","priority":"Notice","rule":"r","time":"2026-11-23T08:20:31.123456789Z","output_fields":{}}'


class Desk:
    """A receiver at a free port, and what it took."""

    def __init__(self, **limits: float) -> None:
        self.taken: list[bytes] = []
        self.full = False
        self.receiver = Receiver(self.take, Token(SECRET))
        self.listener: Listener = self.receiver.listen(
            "127.0.0.1",
            0,
            limits=HttpLimits(**limits) if limits else None,  # type: ignore[arg-type]
        )

    def take(self, lines: bytes) -> None:
        if self.full:
            raise SpoolFullError("the spool is full")
        self.taken.append(lines)

    def send(
        self, body: bytes, headers: dict[str, str] | None = None, method: str = "POST", path: str = PATH
    ) -> tuple[int, bytes, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.listener.port, timeout=30)
        try:
            connection.request(method, path, body, ALLOWED if headers is None else headers)
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, answer.read(), told
        finally:
            connection.close()

    def raw(self, data: bytes, *, half_close: bool = True) -> bytes:
        """Send these bytes and give all that is answered until the receiver closes."""
        with socket.create_connection(("127.0.0.1", self.listener.port), timeout=30) as connection:
            connection.sendall(data)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            answer = b""
            while part := connection.recv(1 << 16):
                answer += part
            return answer


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    with made.listener:
        yield made


# --- records


def test_a_record_of_falco_is_taken(desk: Desk) -> None:
    status, body, _ = desk.send(FALCO, ALLOWED | {"content-type": "application/json"})
    assert (status, json.loads(body)) == (202, {"accepted": 1})
    assert desk.taken == [FALCO + b"\n"]
    assert desk.receiver.received.records == 1
    assert desk.receiver.received.requests == {202: 1}


def test_falcosidekick_may_use_put(desk: Desk) -> None:
    assert desk.send(FALCO + b"\n", method="PUT")[0] == 202


def test_json_lines_compressed(desk: Desk) -> None:
    body = b'{"n":1}\r\n\n{"n":2}'
    assert desk.send(gzip.compress(body), ALLOWED | {"content-encoding": "gzip"})[0] == 202
    assert desk.taken == [b'{"n":1}\n{"n":2}\n']


def test_nothing_is_taken_without_anything(desk: Desk) -> None:
    assert json.loads(desk.send(b"\n \n")[1]) == {"accepted": 0}
    assert desk.taken == []


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (b'{\n  "n": 1.50,\n  "s": "a\\nb"\n}', [b'{"n":1.50,"s":"a\\nb"}']),
        (b' [ {"n": 1}, {"n":12345678901234567890} ] ', [b'{"n":1}', b'{"n":12345678901234567890}']),
        (b'[\n{"n":1}\n]', [b'{"n":1}']),
        (b"[]", []),
    ],
)
def test_other_layouts_are_put_on_lines(body: bytes, lines: list[bytes]) -> None:
    assert as_lines(body) == (b"".join(line + b"\n" for line in lines), len(lines))


@pytest.mark.parametrize(
    "body",
    [
        b"no json",
        b'{"n":1}\nx',
        b"[1]",
        b'"text"',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"n":1}{"n":2}',
        b"\0",
    ],
)
def test_what_is_no_record_is_refused_whole(desk: Desk, body: bytes) -> None:
    status, _, _ = desk.send(body)
    assert status == 400
    assert desk.taken == []


@given(st.binary(max_size=200) | st.text('{}[]",:\\\n ax1', max_size=60).map(str.encode))
def test_whatever_is_taken_is_one_record_a_line(body: bytes) -> None:
    try:
        lines, number = as_lines(body)
    except BadBodyError:
        return
    assert lines.count(b"\n") == number
    assert all(line.lstrip().startswith(b"{") for line in lines.splitlines())


def test_sizes_are_bounded(desk: Desk) -> None:
    record = b'{"x":"' + b"x" * MAX_RECORD_BYTES + b'"}'
    assert desk.send(record)[0] == 413
    assert desk.send(record[:1000] + record[-2:])[0] == 202
    many = (record[:1000] + record[-2:] + b"\n") * 9000
    assert len(many) > MAX_BODY_BYTES
    assert desk.send(many)[0] == 413
    assert desk.send(gzip.compress(many), ALLOWED | {"content-encoding": "gzip"})[0] == 413
    assert len(desk.taken) == 1


def test_a_body_whose_length_is_not_told_is_bounded_too(desk: Desk) -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {SECRET}\r\ntransfer-encoding: chunked\r\n\r\n"
    answer = desk.raw(head.encode() + chunk * (MAX_BODY_BYTES // 0x10000 + 2))
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_bombs_and_damaged_gzip(desk: Desk) -> None:
    headers = ALLOWED | {"content-encoding": "gzip"}
    assert desk.send(gzip.compress(b" " * (64 << 20)), headers)[0] == 413
    assert desk.send(gzip.compress(b"{}" * 100)[:-9], headers)[0] == 400
    assert desk.send(b"no gzip", headers)[0] == 400
    assert desk.send(b"{}", ALLOWED | {"content-encoding": "br"})[0] == 415


def test_a_full_spool_is_told_with_a_time_to_come_again(desk: Desk) -> None:
    desk.full = True
    status, _, headers = desk.send(FALCO)
    assert (status, headers["retry-after"]) == (503, "5")
    assert desk.receiver.received == type(desk.receiver.received)({503: 1}, 0)


def test_a_failure_of_ours_is_no_promise_and_ends_nothing(desk: Desk) -> None:
    def fail(lines: bytes) -> None:
        raise RuntimeError(SECRET)

    desk.receiver._take = fail
    status, body, _ = desk.send(FALCO)
    assert status == 500
    assert SECRET.encode() not in body
    desk.receiver._take = desk.take
    assert desk.send(FALCO)[0] == 202


# --- who gets in


@pytest.mark.parametrize(
    "shown",
    [
        None, "", "Bearer", "Bearer ", f"Bearer {SECRET}x", f"Bearer {SECRET[:-1]}", SECRET, f"Token {SECRET}",
        "Basic !!!", "Basic " + base64.b64encode(b"falco:wrong").decode(), "Basic " + base64.b64encode(SECRET.encode()).decode(),
        "Bearer \xff\xfe",
    ],
)  # fmt: skip
def test_nobody_gets_in_without_the_token(desk: Desk, shown: str | None) -> None:
    status, _, headers = desk.send(FALCO, {} if shown is None else {"authorization": shown})
    assert status == 401
    assert headers["www-authenticate"].startswith("Bearer")
    assert desk.taken == []


def test_the_token_as_password_is_how_falco_shows_it(desk: Desk) -> None:
    shown = base64.b64encode(f"falco:{SECRET}".encode()).decode()
    assert desk.send(FALCO, {"authorization": f"Basic {shown}"})[0] == 202


def test_libcurl_sends_the_token_of_a_url(desk: Desk) -> None:
    curl = shutil.which("curl")
    if curl is None:
        require_tier("curl", "curl is not installed")
    url = f"http://falco:{SECRET}@127.0.0.1:{desk.listener.port}{PATH}"
    large = b'{"x":"' + b"x" * 900_000 + b'"}'  # large enough for Expect: 100-continue in old versions
    command = [
        curl,
        "-sS",
        "--noproxy",
        "*",
        "-H",
        "Expect: 100-continue",
        "--data-binary",
        "@-",
        "-w",
        "%{http_code}",
        url,
    ]
    done = subprocess.run(command, input=large, capture_output=True, check=True, timeout=60)
    assert done.stdout.endswith(b"202")
    assert desk.taken == [large + b"\n"]


def test_two_tokens_in_one_request_are_none(desk: Desk) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {SECRET}\r\nauthorization: Bearer x\r\n"
    assert desk.raw(head.encode() + b"content-length: 2\r\n\r\n{}").startswith(b"HTTP/1.1 401 ")


def test_a_stranger_is_told_before_a_body_is_read(desk: Desk) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\nexpect: 100-continue\r\n\r\n"
    answer = desk.raw(head.encode(), half_close=False)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b" 100 " not in answer


def test_other_paths_and_methods(desk: Desk) -> None:
    assert desk.send(b"", path="/")[0] == 404
    assert desk.send(b"", method="GET")[0] == 405
    assert desk.send(b"", method="HEAD")[:2] == (405, b"")
    assert desk.send(FALCO, path=PATH + "?x=1")[0] == 202


def test_without_a_token_only_this_machine_is_served() -> None:
    receiver = Receiver(lambda _: None, None)
    with pytest.raises(UsageError, match="anybody"):
        receiver.listen("0.0.0.0", 0)
    with receiver.listen("127.0.0.1", 0) as listener:
        connection = http.client.HTTPConnection("127.0.0.1", listener.port, timeout=30)
        connection.request("POST", PATH, b"{}")
        assert connection.getresponse().status == 202
        connection.close()


@pytest.mark.parametrize(
    "text", ["", "short", "x" * (MIN_TOKEN - 1), "with space in it all", "ünïcödé-ünïcödé-x", "x" * 5000]
)
def test_weak_tokens_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Token(text)


def test_the_token_comes_from_the_environment_or_a_private_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(SECRET + "\n")
    file.chmod(0o640)
    with pytest.raises(UsageError, match="others than its owner"):
        read_token({}, str(file))
    file.chmod(0o400)
    for token in (read_token({}, str(file)), read_token({TOKEN_VARIABLE: SECRET})):
        assert token is not None
        assert token.matches(SECRET.encode())
        assert SECRET not in repr(vars(token))
    assert read_token({}) is None
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(UsageError):
            read_token({}, str(path))


# --- hostile clients


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 500,
        b"GARBAGE\r\n\r\n",
        b"POST /v1/records HTTP/1.1\r\n\r\n",
        b"POST /v1/records HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"POST /v1/records HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/records HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked, x\r\n\r\n{}",
        b"POST /v1/records HTTP/1.1\r\nhost: x\r\nx: " + b"x" * 70_000 + b"\r\n\r\n",
        b"POST /v1/records HTTP/1.1\r\nhost: x\r\n" + b"x: y\r\n" * 20_000,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\r\n" * 30_000,
    ],
)  # fmt: skip
def test_no_proper_http_is_refused_and_harms_nobody(desk: Desk, data: bytes) -> None:
    answer = b""
    with suppress(ConnectionError):  # closed on bytes that nobody will read
        answer = desk.raw(data)
    assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 501 "))
    assert desk.taken == []
    assert desk.send(FALCO)[0] == 202


@given(data=st.binary(max_size=300))
def test_no_bytes_end_it(data: bytes, shared_desk: Desk) -> None:
    with suppress(ConnectionError):
        shared_desk.raw(data)
    assert shared_desk.taken == []
    assert shared_desk.listener._accepting.is_alive()


@pytest.fixture(scope="module")
def shared_desk() -> Iterator[Desk]:
    made = Desk()
    with made.listener:
        yield made


def test_a_slow_sender_is_ended_although_it_keeps_sending() -> None:
    made = Desk(request_s=0.3, linger_s=0.1)
    with made.listener, socket.create_connection(("127.0.0.1", made.listener.port), timeout=30) as connection:
        connection.sendall(b"POST /v1/records HTTP/1.1\r\n")
        answer = b""
        connection.settimeout(0.02)
        for _ in range(1000):
            try:
                connection.sendall(b"x")
                part = connection.recv(1000)
            except TimeoutError:
                continue
            except ConnectionError:
                break
            answer += part
            if not part:
                break
        assert answer == b"" or answer.startswith(b"HTTP/1.1 408 ")


def test_an_idle_connection_is_closed() -> None:
    made = Desk(first_s=0.1, idle_s=0.1)
    with made.listener:
        with socket.create_connection(("127.0.0.1", made.listener.port), timeout=30) as connection:
            assert connection.recv(100) == b""
        connection = socket.create_connection(("127.0.0.1", made.listener.port), timeout=30)
        with connection:
            head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {SECRET}\r\ncontent-length: 2\r\n\r\n"
            connection.sendall(head.encode() + b"{}")
            answer = b""
            while part := connection.recv(1000):
                answer += part
            assert answer.startswith(b"HTTP/1.1 202 ")
            assert b"connection: close" not in answer


def test_too_many_connections_are_turned_away_and_served_when_there_is_room() -> None:
    made = Desk(connections=2)
    with made.listener:
        held = [socket.create_connection(("127.0.0.1", made.listener.port), timeout=30) for _ in range(2)]
        wait_until(lambda: made.listener.connections == 2)
        with socket.create_connection(("127.0.0.1", made.listener.port), timeout=30) as one_more:
            assert one_more.recv(1000).startswith(b"HTTP/1.1 503 ")
        for connection in held:
            connection.close()
        wait_until(lambda: made.listener.connections == 0)
        assert made.send(FALCO)[0] == 202


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_one_connection_serves_many_requests(desk: Desk) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", desk.listener.port, timeout=30)
    for _ in range(3):
        connection.request("POST", PATH, FALCO, ALLOWED)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 202
    connection.close()
    assert len(desk.taken) == 3


def test_stopping_lets_a_request_end(desk: Desk) -> None:
    entered, leave = threading.Event(), threading.Event()

    def take(lines: bytes) -> None:
        entered.set()
        leave.wait(30)
        desk.taken.append(lines)

    desk.receiver._take = take
    found: list[int] = []
    sender = threading.Thread(target=lambda: found.append(desk.send(FALCO)[0]))
    sender.start()
    assert entered.wait(30)
    stopper = threading.Thread(target=desk.listener.stop)
    stopper.start()
    wait_until(desk.listener._is_stopping)
    leave.set()
    stopper.join(30)
    sender.join(30)
    assert found == [202]
    with pytest.raises(ConnectionRefusedError):
        desk.send(FALCO)


def test_an_address_in_use_is_a_wrong_request(desk: Desk) -> None:
    with pytest.raises(UsageError, match="cannot listen"):
        desk.receiver.listen("127.0.0.1", desk.listener.port)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:80", ("127.0.0.1", 80)), ("[::1]:80", ("::1", 80)), ("[::1]", ("::1", 7)), (":80", ("0.0.0.0", 80)),
        ("node", ("node", 7)),
    ],
)  # fmt: skip
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text, 7) == address


@pytest.mark.parametrize("text", ["x:", "x:y", "x:99999", "x:-1"])
def test_no_addresses(text: str) -> None:
    with pytest.raises(UsageError):
        parse_address(text, 7)


def test_loopback() -> None:
    assert [is_loopback(host) for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost", "0.0.0.0", "::", "x")] == [
        True, True, True, True, False, False, False,
    ]  # fmt: skip


# --- TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`server` and `client` with their keys, each signed by itself, made for this run."""
    openssl = shutil.which("openssl")
    if openssl is None:
        require_tier("openssl", "openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    for name in ("server", "client", "stranger"):
        command = [
            openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
            "-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem"),
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    return folder


def secured(folder: Path, port: int, client: str = "") -> http.client.HTTPSConnection:
    context = ssl.create_default_context(cafile=str(folder / "server.pem"))
    if client:
        context.load_cert_chain(folder / f"{client}.pem", folder / f"{client}.key")
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=context)


def answer(connection: http.client.HTTPSConnection) -> http.client.HTTPResponse:
    connection.request("POST", PATH, FALCO)
    return connection.getresponse()


def test_tls_with_a_token(certificates: Path) -> None:
    taken: list[bytes] = []
    tls = ServerTls(str(certificates / "server.pem"), str(certificates / "server.key"))
    with Receiver(taken.append, Token(SECRET)).listen("127.0.0.1", 0, tls=tls) as listener:
        connection = secured(certificates, listener.port)
        connection.request("POST", PATH, FALCO, ALLOWED)
        assert connection.getresponse().status == 202
        connection.close()
        with socket.create_connection(("127.0.0.1", listener.port), timeout=30) as plain:
            plain.sendall(b"POST /v1/records HTTP/1.1\r\n\r\n")
            with suppress(ConnectionError):
                assert not plain.recv(1000).startswith(b"HTTP")
    assert taken == [FALCO + b"\n"]


def test_certificates_of_clients_are_enough_and_others_get_nowhere(certificates: Path) -> None:
    taken: list[bytes] = []
    files = [str(certificates / name) for name in ("server.pem", "server.key", "client.pem")]
    tls = ServerTls(*files)
    with Receiver(taken.append, None).listen("0.0.0.0", 0, tls=tls) as listener:
        connection = secured(certificates, listener.port, "client")
        connection.request("POST", PATH, FALCO)
        assert connection.getresponse().status == 202
        connection.close()
        for client in ("", "stranger"):
            connection = secured(certificates, listener.port, client)
            with pytest.raises(OSError):  # noqa: PT011 - refused in the handshake, or reset after it
                answer(connection)
            connection.close()
    assert taken == [FALCO + b"\n"]


def test_a_renewed_certificate_is_used_without_a_restart(
    certificates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for ending in ("pem", "key"):
        shutil.copy(certificates / f"stranger.{ending}", tmp_path / f"x.{ending}")
    tls = ServerTls(str(tmp_path / "x.pem"), str(tmp_path / "x.key"))
    first = tls.context()
    assert tls.context() is first
    monkeypatch.setattr("eightysix.serve.tls.RELOAD_S", 0)
    for ending in ("pem", "key"):
        shutil.copy(certificates / f"server.{ending}", tmp_path / f"x.{ending}")
        os.utime(tmp_path / f"x.{ending}", (1, 1))
    renewed = tls.context()
    assert renewed is not first
    (tmp_path / "x.pem").write_text("half writ")
    assert tls.context() is renewed


def test_a_certificate_that_cannot_be_used_is_a_wrong_request(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be used"):
        ServerTls(str(tmp_path / "absent"), str(tmp_path / "absent"))


# --- end to end


def ignore(problem: Problem) -> None:
    """No problem is expected here."""


def test_what_was_acknowledged_is_followed(tmp_path: Path) -> None:
    with (
        Spool(str(tmp_path), min_free_bytes=0) as spool,
        Receiver(spool.append, Token(SECRET)).listen("127.0.0.1", 0) as listener,
        Follower([str(tmp_path)], {}, Limits(), ignore) as follower,
    ):
        connection = http.client.HTTPConnection("127.0.0.1", listener.port, timeout=30)
        for number in range(20):
            connection.request("POST", PATH, b'{"n":%d}' % number, ALLOWED)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 202
        connection.close()
        found = b"".join(block.data for block in follower.poll(1 << 20))
    assert found == b"".join(b'{"n":%d}\n' % number for number in range(20))
