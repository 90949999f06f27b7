"""The Logs Ingestion API and the token endpoints, played by servers on loopback that speak their protocol.

Played is what the client depends on: token answers of Entra (v2.0) and of the metadata service, tokens that end, 204,
401, 403, 404, 413 above a size, 429 with Retry-After, and gzip.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec.structs import replace

from eightysix.model.errors import DeliveryError, UsageError
from eightysix.report.sentinel import COLUMNS
from eightysix.serve.deliver.courier import Courier, Outcome
from eightysix.serve.deliver.entra import monitor_audience
from eightysix.serve.deliver.interface import Delivery
from eightysix.serve.deliver.sentinel import MAX_CALL, SentinelSink, open_sink
from tests.deliver.receiver import Receiver, Reply, Request, receiver
from tests.deliver.samples import Clock, delivery

HIDDEN = "client-secret-that-nobody-must-see"
LIFE = 3_600.0


class Cloud:
    """Azure as far as a client can see it: who may have tokens, which ones are good, what was taken."""

    def __init__(self, told: Receiver, clock: Clock) -> None:
        self.url, self.told, self.clock = told.url, told, clock
        self.issued: dict[str, float] = {}
        self.rows: list[dict[str, Any]] = []
        self.asked: list[dict[str, str]] = []
        self.limit = MAX_CALL
        self.next: list[Reply] = []
        told.answer = self.answer

    def answer(self, request: Request) -> Reply:
        parts = urlsplit(request.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if parts.path == "/metadata/identity/oauth2/token":
            assert (request.method, request.headers["metadata"]) == ("GET", "true")
            assert query["api-version"] == "2018-02-01"
            return self.token(query, expires="3599")
        if parts.path == "/tenant-1/oauth2/v2.0/token":
            form = {key: values[0] for key, values in parse_qs(request.body.decode()).items()}
            assert form["grant_type"] == "client_credentials"
            return self.token(form, expires=3599)
        assert parts.path == "/dataCollectionRules/dcr-1/streams/Custom-EightySix_CL"
        assert query == {"api-version": "2023-01-01"}
        return self.ingest(request)

    def token(self, asked: dict[str, str], expires: str | int) -> Reply:
        self.asked.append(asked)
        if asked.get("client_secret", HIDDEN) != HIDDEN:
            refusal = {"error": "invalid_client", "error_description": f"{asked['client_secret']} is wrong"}
            return Reply(401, body=json.dumps(refusal).encode())
        value = f"token-{len(self.issued) + 1}"
        self.issued[value] = self.clock.now + LIFE
        body: dict[str, str | int] = {"token_type": "Bearer", "expires_in": expires, "access_token": value}
        return Reply(200, {"Content-Type": "application/json"}, json.dumps(body).encode())

    def ingest(self, request: Request) -> Reply:
        scheme, _, value = request.headers["authorization"].partition(" ")
        if scheme != "Bearer" or self.issued.get(value, 0.0) <= self.clock.now:
            return Reply(401)
        assert request.headers["content-encoding"] == "gzip"
        assert request.headers["content-type"] == "application/json"
        data = gzip.decompress(request.body)
        if len(data) > self.limit:
            return Reply(413)
        if self.next:
            return self.next.pop(0)
        self.rows += json.loads(data)
        return Reply(204, body=b"")

    @property
    def taken(self) -> list[tuple[str, str]]:
        return [(row["IncidentId"][-1], row["Revision"]) for row in self.rows]


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with receiver() as told:
        yield Cloud(told, Clock(0.0))


def sink(cloud: Cloud, **more: str) -> SentinelSink:
    environment = {
        "AZURE_TENANT_ID": "tenant-1",
        "AZURE_CLIENT_ID": "client-1",
        "AZURE_CLIENT_SECRET": HIDDEN,
        "AZURE_AUTHORITY_HOST": cloud.url,
        "AZURE_POD_IDENTITY_AUTHORITY_HOST": cloud.url,
        **more,
    }
    told = {name: value for name, value in environment.items() if value}
    return open_sink("sentinel", f"{cloud.url}?dcr=dcr-1&stream=Custom-EightySix_CL", told, cloud.clock)


def refusal(one: SentinelSink, items: list[Delivery]) -> DeliveryError:
    with pytest.raises(DeliveryError) as raised:
        one.send(items)
    assert HIDDEN not in raised.value.what + raised.value.advice
    assert "token-" not in raised.value.what + raised.value.advice
    return raised.value


def test_rows_have_the_columns_of_the_rule(cloud: Cloud) -> None:
    sink(cloud).send([delivery(1), delivery(2, "r9")])
    assert cloud.taken == [("1", "r1"), ("2", "r9")]
    (row, _) = cloud.rows
    assert list(row) == sorted(COLUMNS)
    assert row["TimeGenerated"] == "2026-11-23T03:40:22.511137Z"
    assert row["Pod"] == "inference-0"
    assert row["Truncated"] is False
    assert row["Stages"][0]["evidence"][0]["line"] == 38
    assert cloud.asked[0]["scope"] == "https://monitor.azure.com//.default"


def test_a_token_is_kept_until_shortly_before_its_end(cloud: Cloud) -> None:
    one = sink(cloud)
    one.send([delivery(1)])
    cloud.clock.now = 3_200.0
    one.send([delivery(2)])
    assert len(cloud.issued) == 1
    cloud.clock.now = 3_300.0
    one.send([delivery(3)])
    assert len(cloud.issued) == 2
    assert len(cloud.rows) == 3


def test_a_token_that_was_taken_back_is_replaced_at_once(cloud: Cloud) -> None:
    one = sink(cloud)
    one.send([delivery(1)])
    cloud.issued.clear()
    one.send([delivery(2)])
    assert cloud.taken == [("1", "r1"), ("2", "r1")]


def test_workload_identity(cloud: Cloud, tmp_path: Path) -> None:
    file = tmp_path / "azure-identity-token"
    file.write_text("header.payload.signature\n")
    one = sink(cloud, AZURE_CLIENT_SECRET="", AZURE_FEDERATED_TOKEN_FILE=str(file))
    one.send([delivery()])
    (asked,) = cloud.asked
    assert asked["client_assertion"] == "header.payload.signature"
    assert asked["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert "client_secret" not in asked
    file.unlink()
    cloud.clock.now = LIFE
    error = refusal(one, [delivery()])
    assert "AZURE_FEDERATED_TOKEN_FILE" in error.what
    assert not error.permanent


def test_managed_identity_by_the_metadata_service(cloud: Cloud) -> None:
    sink(cloud, AZURE_CLIENT_SECRET="").send([delivery()])
    (asked,) = cloud.asked
    assert asked["resource"] == "https://monitor.azure.com/"
    assert asked["client_id"] == "client-1"
    assert len(cloud.rows) == 1


def test_a_secret_that_is_wrong_loses_nothing(cloud: Cloud) -> None:
    error = refusal(sink(cloud, AZURE_CLIENT_SECRET="wrong" + HIDDEN), [delivery()])
    assert "answers 401: invalid_client" in error.what
    assert not error.permanent
    assert error.retry_after_s == 30.0


@pytest.mark.parametrize("status", [403, 404])
def test_a_missing_role_loses_nothing(cloud: Cloud, status: int) -> None:
    cloud.next = [Reply(status)]
    error = refusal(sink(cloud), [delivery()])
    assert not error.permanent
    assert "Monitoring Metrics Publisher" in error.advice


def test_rows_that_do_not_fit_the_rule_are_refused_for_good(cloud: Cloud) -> None:
    cloud.next = [Reply(400, body=b'{"error":{"code":"InvalidStream"}}')]
    error = refusal(sink(cloud), [delivery()])
    assert error.permanent
    assert "InvalidStream" in error.what


def test_a_service_that_repeats_the_token_is_not_quoted(cloud: Cloud) -> None:
    cloud.told.replies.extend([Reply(200, body=b'{"access_token": "token-very-hidden", "expires_in": 3599}')])
    cloud.told.replies.append(Reply(400, body=b"bad header: Bearer token-very-hidden"))
    error = refusal(sink(cloud), [delivery()])
    assert error.what.endswith("answers 400")


def test_the_page_declares_the_columns_of_a_row(root: Path) -> None:
    page = (root / "docs" / "deliver.md").read_text(encoding="utf-8")
    declared = page.partition("declares these columns:")[2].partition("\n2.")[0]
    found: dict[str, str] = {}
    names: list[str] = []
    for part in declared.replace("\n", " ").rstrip(" .").split(","):
        name, _, kind = part.strip().strip(".").partition(" ")
        names.append(name.strip("`"))
        if kind:
            found |= dict.fromkeys(names, kind.strip())
            names = []
    assert found == COLUMNS


def big(number: int) -> Delivery:
    item = delivery(number)
    step = replace(item.incident.stages[0], title="x" * 200)
    return Delivery(item.id, item.revision, replace(item.incident, stages=(step,) * 80))


def test_no_call_is_larger_than_a_megabyte(cloud: Cloud) -> None:
    sink(cloud).send([big(number) for number in range(1, 90)])
    calls = [len(gzip.decompress(r.body)) for r in cloud.told.requests if "authorization" in r.headers]
    assert len(calls) > 1
    assert max(calls) <= MAX_CALL
    assert len(cloud.rows) == 89


def test_a_service_that_takes_less_gets_halves(cloud: Cloud) -> None:
    cloud.limit = 60_000
    sink(cloud).send([big(number) for number in range(1, 9)])
    assert [number for number, _ in cloud.taken] == [str(number) for number in range(1, 9)]


def test_what_was_taken_before_a_failure_is_not_sent_again(cloud: Cloud, tmp_path: Path) -> None:
    cloud.limit = 60_000
    one = sink(cloud)
    courier = Courier([one], str(tmp_path / "dead"), cloud.clock, lambda: 0.5)
    courier.offer([big(number) for number in range(1, 9)])
    taken = cloud.ingest

    def busy_after_three(request: Request) -> Reply:
        return (
            Reply(429, {"Retry-After": "20"})
            if len(cloud.rows) >= 3 and cloud.clock.now < 20
            else taken(request)
        )

    cloud.ingest = busy_after_three  # type: ignore[method-assign]
    results = courier.run_once(cloud.clock())
    accepted = [result.id[-1] for result in results if result.outcome is Outcome.ACCEPTED]
    assert accepted == [number for number, _ in cloud.taken]
    assert 3 <= len(accepted) < 8
    assert courier.run_once(cloud.clock()) == []
    cloud.clock.now = 20.0
    courier.run_once(cloud.clock())
    assert sorted(number for number, _ in cloud.taken) == [str(number) for number in range(1, 9)]


def test_an_incident_too_large_for_a_column_says_so(cloud: Cloud) -> None:
    item = delivery()
    steps = tuple(replace(item.incident.stages[0], offset_s=float(number)) for number in range(2_000))
    sink(cloud).send([Delivery(item.id, item.revision, replace(item.incident, stages=steps))])
    (row,) = cloud.rows
    assert row["Truncated"] is True
    offsets = [step["offset_s"] for step in row["Stages"]]
    assert offsets == sorted(offsets)
    assert (offsets[0], offsets[-1]) == (0.0, 1_999.0)
    assert len(json.dumps(row["Stages"])) < 40_000
    assert len(row["Why"]) == len(item.incident.why)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"access_token": 7}', b'{"access_token": "a\\r\\nb"}', b"\xff"]
)
def test_a_token_answer_that_is_none_is_told(cloud: Cloud, body: bytes) -> None:
    cloud.told.replies.append(Reply(200, body=body))
    assert "no token" in refusal(sink(cloud), [delivery()]).what
    sink(cloud).send([delivery()])


def test_each_cloud_has_its_own_audience() -> None:
    assert monitor_audience("https://login.microsoftonline.com/") == "https://monitor.azure.com/"
    assert monitor_audience("https://login.microsoftonline.us") == "https://monitor.azure.us/"
    assert monitor_audience("https://login.partner.microsoftonline.cn/") == "https://monitor.azure.cn/"


def test_half_an_identity_is_refused_at_the_start(cloud: Cloud) -> None:
    with pytest.raises(UsageError, match="AZURE_TENANT_ID"):
        sink(cloud, AZURE_TENANT_ID="")
