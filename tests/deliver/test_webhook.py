"""The signed webhook, as its receiver sees it: with the code that the documentation gives to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from eightysix.model.errors import DeliveryError, UsageError
from eightysix.model.incident import Incident
from eightysix.serve.deliver.courier import Courier
from eightysix.serve.deliver.http import HttpClient, parse_address
from eightysix.serve.deliver.interface import Delivery, Sink, open_sink
from eightysix.serve.deliver.settings import Secret
from eightysix.serve.deliver.webhook import WebhookSink
from tests.deliver.receiver import Receiver, Reply, Request, receiver
from tests.deliver.samples import SECRET, Clock, delivery
from tests.report.sample import hostile_report

NOW = 1_795_405_222.0


@pytest.fixture(scope="module")
def verify(root: Path) -> Callable[[bytes, str, bytes, float], bool]:
    """The snippet of docs/deliver.md."""
    text = (root / "docs" / "deliver.md").read_text(encoding="utf-8")
    code = text.split("```python\n")[1].split("```")[0]
    names: dict[str, Callable[[bytes, str, bytes, float], bool]] = {}
    exec(code, names)  # noqa: S102  what the page tells people to copy must work
    return names["is_from_eightysix"]


def signed(told: Receiver, now: float = NOW, secret: str = SECRET) -> Sink:
    client = HttpClient({})
    return WebhookSink(parse_address("webhook", told.url, {}), Secret(secret), client, Clock(now))


def sent(item: Delivery) -> Request:
    with receiver() as told:
        signed(told).send([item])
    (request,) = told.requests
    return request


def test_the_documented_code_tells_ours_from_others(verify: Callable[..., bool]) -> None:
    request = sent(delivery())
    header, secret = request.headers["x-eightysix-signature"], SECRET.encode()
    assert verify(request.body, header, secret, NOW + 10)
    assert not verify(request.body + b" ", header, secret, NOW + 10)
    assert not verify(request.body, header, b"another-secret-of-somebody", NOW + 10)
    assert not verify(request.body, header, secret, NOW + 3_600)
    assert not verify(request.body, header.replace("t=1795405222", "t=1795405999"), secret, NOW + 10)
    for forged in ("", "t=,v1=", "v1=x", "t=1795405222", "t=x,v1=\xe9", header.replace("v1=", "v1=\u0661")):
        assert not verify(request.body, forged, secret, NOW)


def test_the_body_is_incidents_v1_with_one_incident() -> None:
    item = delivery(7, "abc")
    request = sent(item)
    document = json.loads(request.body)
    assert list(document) == ["schema", "incidents"]
    assert document["schema"] == "eightysix/incidents/v1"
    (incident,) = document["incidents"]
    assert msgspec.convert(incident, Incident) == item.incident
    assert request.headers["idempotency-key"] == f"{item.id}/abc"
    assert request.headers["content-type"] == "application/json"
    assert request.method == "POST"


def test_hostile_text_stays_inside_of_its_strings() -> None:
    incident = replace(hostile_report().incidents[0], id="a\r\nX-Evil: 1", revision="b/c\u2028")
    request = sent(Delivery(incident.id, incident.revision, incident))
    assert "x-evil" not in request.headers
    assert request.headers["idempotency-key"] == "a%0D%0AX-Evil%3A%201/b/c%E2%80%A8"
    assert not {0x1B, 0x00, 0x0A, 0x0D} & set(request.body)
    assert json.loads(request.body)["incidents"][0]["pod"]["name"] == "inference\n0"


def test_a_second_try_is_signed_anew(tmp_path: Path, verify: Callable[..., bool]) -> None:
    wall = Clock(NOW)
    clock = Clock(0.0)
    with receiver() as told:
        told.replies.append(Reply(503))
        sink = WebhookSink(parse_address("webhook", told.url, {}), Secret(SECRET), HttpClient({}), wall)
        courier = Courier([sink], str(tmp_path / "dead.jsonl"), clock, lambda: 0.5)
        courier.offer([delivery()])
        courier.run_once(clock())
        wall.now, clock.now = NOW + 7_200, 7_200.0
        courier.run_once(clock())
    first, second = told.requests
    assert first.body == second.body
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert not verify(second.body, first.headers["x-eightysix-signature"], SECRET.encode(), NOW + 7_200)
    assert verify(second.body, second.headers["x-eightysix-signature"], SECRET.encode(), NOW + 7_200)


def test_the_secret_comes_from_a_file_that_only_we_can_read(
    tmp_path: Path, verify: Callable[..., bool]
) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    file.chmod(0o644)
    environment = {"EIGHTYSIX_WEBHOOK_SECRET_FILE": str(file)}
    with receiver() as told:
        with pytest.raises(UsageError, match="mode 0644"):
            open_sink(f"webhook:{told.url}", environment)
        file.chmod(0o440)
        sink = open_sink(f"webhook:{told.url}", environment)
        file.chmod(0o600)
        file.write_text("rotated-since-the-start-1")
        sink.send([delivery()])
        header = told.requests[0].headers["x-eightysix-signature"]
        seconds = float(header.removeprefix("t=").partition(",")[0])
        assert verify(told.requests[0].body, header, b"rotated-since-the-start-1", seconds)
        file.unlink()
        with pytest.raises(DeliveryError, match="cannot be read") as raised:
            sink.send([delivery()])
        assert not raised.value.permanent
    assert len(told.requests) == 1


def test_each_receiver_can_have_its_own_secret(verify: Callable[..., bool]) -> None:
    environment = {"EIGHTYSIX_WEBHOOK_SECRET_SOC": "secret-of-the-soc-0123"}
    with receiver() as told:
        open_sink(f"webhook:{told.url}/in#soc", environment).send([delivery()])
    (request,) = told.requests
    header = request.headers["x-eightysix-signature"]
    seconds = float(header.removeprefix("t=").partition(",")[0])
    assert request.path == "/in"
    assert verify(request.body, header, b"secret-of-the-soc-0123", seconds)


@pytest.mark.parametrize(
    ("text", "environment", "told"),
    [
        ("webhook:https://h.example/x", {}, "no secret to sign with"),
        ("webhook:https://h.example/x", {"EIGHTYSIX_WEBHOOK_SECRET": "short"}, "fewer than 16"),
        ("webhook:https://h.example/x#other", {"EIGHTYSIX_WEBHOOK_SECRET": SECRET}, "no secret"),
        ("webhook", {}, "KIND:TARGET"),
        ("webhook:", {}, "KIND:TARGET"),
        ("pager:https://h.example", {}, "no sink 'pager'"),
        ("slack:env:NOPE", {}, "has no 'NOPE'"),
        ("slack:file:/nowhere/at/all", {}, "cannot be read"),
        ("slack:file:/dev/zero", {}, "is no file"),
        ("ocsf:/nowhere/at/all/out.jsonl", {}, "no folder"),
        ("sentinel:https://x.ingest.monitor.azure.com", {}, "data collection rule"),
    ],
)
def test_a_sink_that_cannot_work_is_refused_at_the_start(
    text: str, environment: dict[str, str], told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        open_sink(text, environment)


def test_an_address_may_come_from_the_environment_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "url"
    with receiver() as told:
        file.write_text(f"{told.url}/services/hidden\n")
        file.chmod(0o600)
        first = open_sink(f"slack:file:{file}", {})
        second = open_sink("slack:env:WHERE", {"WHERE": f"{told.url}/services/hidden"})
        assert first.name == second.name
        assert "hidden" not in first.name
        first.send([delivery()])
        second.send([delivery()])
        assert [request.path for request in told.requests] == ["/services/hidden"] * 2
