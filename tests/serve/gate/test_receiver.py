"""The gate's webhooks over real sockets: who gets in, what is taken, and what hostile senders do to it."""

from __future__ import annotations

import base64
import json
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from eightysix.gate.events import MAX_BODY_BYTES
from eightysix.model.errors import UsageError
from eightysix.model.gate import Channel, Reference
from eightysix.serve.gate.receiver import PATHS, Endpoint, WebhookReceiver
from eightysix.serve.receiver import Token
from eightysix.store.history import file
from tests.gate.events import samples
from tests.gate.events.samples import A, B
from tests.serve.gate.desk import ALLOWED, SECRET, Desk, desk

JSON = {"content-type": "application/json"}


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path) as made:
        yield made


BODIES = {
    Channel.DISTRIBUTION: {"events": [samples.push()]},
    Channel.ACR: json.loads(samples.acr()),
    Channel.EVENT_GRID: [samples.grid()],
    Channel.HARBOR: samples.harbor(),
}


@pytest.mark.parametrize("channel", BODIES)
def test_what_is_acknowledged_is_in_the_history(at: Desk, channel: Channel) -> None:
    answered = at.send(channel, BODIES[channel])
    assert (answered.status, json.loads(answered.body)) == (200, {"taken": 1, "moved": 1, "dropped": 0})
    (move,) = at.history.moves()
    assert (move.repository, move.tag, move.digest, move.channel, move.confirmed) == (
        "ml/llm",
        "prod",
        A,
        channel,
        False,
    )
    assert at.asked == [Reference(move.registry, "ml/llm", "prod")]  # what was told is to be confirmed


@pytest.mark.parametrize("channel", BODIES)
def test_a_replay_is_acknowledged_and_does_nothing(at: Desk, channel: Channel) -> None:
    for _ in range(2):
        assert at.send(channel, BODIES[channel]).status == 200
    assert at.digests() == [A]
    assert at.receiver.counts.events == {(channel.value, "moved"): 1, (channel.value, "replayed"): 1}


def test_what_nobody_watches_is_dropped_and_counted(at: Desk) -> None:
    other = samples.push(id="2")
    other["target"]["repository"] = "ml/other"
    answered = at.send(Channel.DISTRIBUTION, {"events": [samples.push(), other]})
    assert (answered.status, json.loads(answered.body)) == (202, {"taken": 1, "moved": 1, "dropped": 1})
    assert at.receiver.counts.events[("distribution", "unwatched")] == 1


def test_pulls_are_counted_and_our_own_ignored(at: Desk) -> None:
    own = samples.push(id="2", action="pull")
    own["request"]["useragent"] = "eightysix/0.9"
    answered = at.send(Channel.DISTRIBUTION, {"events": [samples.push(action="pull"), own]})
    assert (answered.status, at.digests()) == (200, [])
    assert at.receiver.counts.events == {("distribution", "pull"): 1}
    assert at.receiver.counts.ignored == {"distribution": 1}


def test_a_late_event_has_its_tag_asked_for(at: Desk) -> None:
    at.send(Channel.DISTRIBUTION, {"events": [samples.push()]})
    at.asked.clear()
    late = samples.push(id="2", digest=B, timestamp="2026-11-23T03:15:54Z")
    assert at.send(Channel.DISTRIBUTION, {"events": [late]}).status == 200
    assert [reference.tag for reference in at.asked] == ["prod"]
    assert at.digests() == [A]


@pytest.mark.parametrize("channel", BODIES)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong-horse-battery-staple"},
        {"authorization": "Bearer"},
        {"authorization": "Basic !!!"},
        {"authorization": "Basic " + base64.b64encode(b"x:wrong").decode()},
        {"authorization": f"Digest {SECRET}"},
        {"x-eightysix-token": SECRET[:-1]},
        {"x-eightysix-token": SECRET + "\xff"},
        {"cookie": SECRET},
    ],
)
def test_without_the_secret_nobody_gets_in(at: Desk, channel: Channel, headers: dict[str, str]) -> None:
    answered = at.send(channel, BODIES[channel], {**JSON, **headers})
    assert answered.status == 401
    assert SECRET.encode() not in answered.body
    assert at.digests() == []


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {SECRET}"},
        {"authorization": f"bearer   {SECRET}"},
        {"authorization": "Basic " + base64.b64encode(f"anybody:{SECRET}".encode()).decode()},
        {"authorization": SECRET},
        {"x-eightysix-token": SECRET},
    ],
)
def test_every_way_to_show_the_secret(at: Desk, headers: dict[str, str]) -> None:
    assert at.send(Channel.HARBOR, BODIES[Channel.HARBOR], {**JSON, **headers}).status == 200


def test_the_address_may_hold_the_secret_for_event_grid_alone(at: Desk) -> None:
    for channel, body in BODIES.items():
        answered = at.send(channel, body, JSON, query=f"?token={SECRET}")
        assert answered.status == (200 if channel is Channel.EVENT_GRID else 401)
    for query in (
        f"?token={SECRET}&token=x",
        f"?TOKEN={SECRET}",
        "?" + "a=1&" * 9 + f"token={SECRET}",
        "?token=%ff%00",
    ):
        assert at.send(Channel.EVENT_GRID, BODIES[Channel.EVENT_GRID], JSON, query=query).status == 401


def test_a_secret_is_good_for_its_own_path_alone(tmp_path: Path) -> None:
    with desk(tmp_path) as at:
        at.receiver._endpoints = (
            Endpoint(Channel.HARBOR, Token(SECRET)),
            Endpoint(Channel.ACR, Token("x" * 16)),
        )
        assert at.send(Channel.ACR, BODIES[Channel.ACR]).status == 401
        assert at.send(Channel.HARBOR, BODIES[Channel.HARBOR]).status == 200
        assert (
            at.send(Channel.HARBOR, BODIES[Channel.ACR]).status == 400
        )  # and no other's events go through it
        assert at.receiver.counts.refused == {("harbor", "channel"): 1}


def test_the_secret_says_which_registry_speaks(tmp_path: Path) -> None:
    with desk(tmp_path, "registry.acme.example") as at:
        at.send(Channel.DISTRIBUTION, BODIES[Channel.DISTRIBUTION])
        assert [move.registry for move in at.history.moves()] == ["registry.acme.example"]


def test_the_handshake_of_event_grid(at: Desk) -> None:
    answered = at.send(Channel.EVENT_GRID, [samples.validation()], JSON, query=f"?token={SECRET}")
    assert answered.status == 200
    assert json.loads(answered.body) == {"validationResponse": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6"}
    assert at.send(Channel.EVENT_GRID, [samples.validation()], JSON).status == 401
    assert at.receiver.counts.handshakes == 1


def test_the_handshake_of_cloudevents(at: Desk) -> None:
    asking = {"webhook-request-origin": "eventgrid.azure.net", "webhook-request-rate": "120"}
    answered = at.send(Channel.EVENT_GRID, b"", asking, "OPTIONS", f"?token={SECRET}")
    assert (answered.status, answered.headers["webhook-allowed-origin"]) == (200, "eventgrid.azure.net")
    assert at.send(Channel.EVENT_GRID, b"", asking, "OPTIONS").status == 401
    stranger = {"webhook-request-origin": "evil.example"}
    answered = at.send(Channel.EVENT_GRID, b"", stranger, "OPTIONS", f"?token={SECRET}")
    assert answered.status == 403
    assert "webhook-allowed-origin" not in answered.headers
    assert at.send(Channel.HARBOR, b"", ALLOWED, "OPTIONS").status == 405


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/metrics",
        "/v1/webhooks",
        "/v1/webhooks/",
        "/v1/webhooks/quay",
        "/healthz/x",
        "/v1/webhooks/acr/",
    ],
)
def test_nothing_else_is_there(at: Desk, path: str) -> None:
    assert at.send(path, b"", method="GET").status == 404
    assert at.send(path, b"{}").status == 404


def test_health_says_yes_or_no(at: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answered = at.send("/healthz", b"", {}, "GET")
    assert (answered.status, answered.body) == (200, b"ok\n")
    assert at.send("/healthz", b"", {}, "POST").status == 404
    at.history._writer.execute("PRAGMA busy_timeout = 20")  # type: ignore[union-attr]
    holder = sqlite3.connect(tmp_path / "gate.sqlite", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    answered = at.send(Channel.ACR, BODIES[Channel.ACR])
    assert (answered.status, answered.headers["retry-after"]) == (503, "5")
    assert b"gate.sqlite" not in answered.body
    assert at.send("/healthz", b"", {}, "GET").status == 503
    holder.execute("ROLLBACK")
    holder.close()
    assert at.send(Channel.ACR, BODIES[Channel.ACR]).status == 200  # the sender comes again
    assert at.send("/healthz", b"", {}, "GET").status == 200
    assert at.receiver.counts.refused == {("acr", "store"): 1}
    assert file.BUSY_MS == 5_000


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_events_are_posted(at: Desk, method: str) -> None:
    answered = at.send(Channel.ACR, BODIES[Channel.ACR], method=method)
    assert (answered.status, answered.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", JSON, 400),
        (b"[" * 1_000 + b"]" * 1_000, JSON, 400),
        (json.dumps({"events": [{"action": "mount"}] * 1_001}).encode(), JSON, 400),
        (b"x" * (MAX_BODY_BYTES + 1), JSON, 400),
        (samples.distribution(samples.push(digest="sha256:x")), JSON, 400),
        (samples.distribution(), {"content-type": "text/plain"}, 415),
        (samples.distribution(), {}, 415),
    ],
)
def test_bad_input_is_refused_counted_and_changes_nothing(
    at: Desk, body: bytes, headers: dict[str, str], status: int
) -> None:
    answered = at.send(Channel.DISTRIBUTION, body, {"authorization": f"Bearer {SECRET}", **headers})
    assert answered.status == status
    assert json.loads(answered.body)["error"]
    assert at.digests() == []
    assert at.receiver.counts.refused == {("distribution", "body"): 1}
    assert at.receiver.counts.requests == {("distribution", status): 1}


def test_a_large_body_in_chunks_is_refused(at: Desk) -> None:
    with socket.create_connection(("127.0.0.1", at.listener.port), timeout=30) as connection:
        head = f"POST /v1/webhooks/acr HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {SECRET}\r\n"
        connection.sendall(
            head.encode() + b"content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        try:
            for _ in range(17):
                connection.sendall(chunk)
        except OSError:
            pass  # it does not wait for the end
        assert connection.recv(64).startswith(b"HTTP/1.1 413")
    assert at.digests() == []


def test_metrics_are_read_by_prometheus(at: Desk) -> None:
    at.send(Channel.ACR, BODIES[Channel.ACR])
    at.send(Channel.ACR, b"{")
    at.send("/etc/passwd", b"")
    found = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(at.receiver.counts.render())
        for sample in family.samples
    }
    name = "eightysix_gate_webhook"
    assert found[(f"{name}_requests_total", ("channel", "acr"), ("status", "200"))] == 1
    assert found[(f"{name}_requests_total", ("channel", ""), ("status", "404"))] == 1
    assert found[(f"{name}_events_total", ("channel", "acr"), ("outcome", "moved"))] == 1
    assert found[(f"{name}_refused_total", ("channel", "acr"), ("reason", "body"))] == 1
    assert found[(f"{name}_handshakes_total",)] == 0


def test_without_any_secret_it_does_not_start() -> None:
    with pytest.raises(UsageError, match="no webhook has a secret"):
        WebhookReceiver([], lambda _: (), lambda _: True)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(sorted(PATHS)),
    st.binary(max_size=200) | st.sampled_from([json.dumps(b).encode() for b in BODIES.values()]),
)
def test_whatever_comes_is_answered(at: Desk, path: str, body: bytes) -> None:
    assert at.send(path, body).status in (200, 202, 400, 415)
