"""Azure's logs about principals: both wrappings of each kind, needed fields only, and nothing that a stranger wrote fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.lab.generate import azure
from eightysix.lab.generate.azure import Principal
from eightysix.lab.generate.clock import epoch_ns
from eightysix.model.event import Event
from eightysix.model.timestamps import to_ns
from eightysix.model.words import Grade, Kind, Origin, Outcome, Source
from eightysix.sources.azure import CATEGORIES, AzureDecoder
from eightysix.sources.interface import Batch
from eightysix.sources.kubernetes_audit import KubernetesAuditDecoder
from eightysix.sources.lines import Block
from eightysix.sources.recognise import Recogniser

WHO = Principal("id-inference")
AT = epoch_ns(600.0)
THIEF = "198.51.100.86"
CANARY = "sv=2024-11-04&sig=Qm9ndXMgc2lnbmF0dXJlIGZvciB0ZXN0cw"  # a made-up signature


def decode(*records: object, line: int = 1) -> Batch:
    text = "\n".join(json.dumps(record) for record in records)
    return AzureDecoder().decode(text.encode() + b"\n", "azure.jsonl", line)


def one(record: object) -> Event:
    batch = decode(record)
    assert batch.problems == []
    (event,) = batch.events
    return event


@pytest.mark.parametrize(
    ("record", "service", "operation", "caller", "target", "outcome"),
    [
        (azure.key_vault(WHO, AT, THIEF), "key-vault", "SecretGet", THIEF, "kv-ml", Outcome.ALLOWED),
        (azure.key_vault(WHO, AT, THIEF, code=403), "key-vault", "SecretGet", THIEF, "kv-ml", Outcome.DENIED),
        (azure.storage(WHO, AT, THIEF), "storage", "GetBlob", THIEF, "mlmodels", Outcome.ALLOWED),
        (azure.storage(WHO, AT, THIEF, code=403), "storage", "GetBlob", THIEF, "mlmodels", Outcome.DENIED),
        (azure.sign_in(WHO, AT), "sign-in", "Sign-in activity", "", "azure key vault", Outcome.ALLOWED),
        (
            azure.activity_row(WHO, AT, THIEF),
            "activity",
            "MICROSOFT.STORAGE/STORAGEACCOUNTS/LISTKEYS/ACTION",
            THIEF,
            "mlmodels",
            Outcome.ALLOWED,
        ),
        (
            azure.registry_row(WHO, AT, THIEF),
            "registry",
            "Push",
            THIEF,
            "contosoml.azurecr.io",
            Outcome.ALLOWED,
        ),
    ],
    ids=["vault", "vault-refused", "storage", "storage-refused", "sign-in", "activity", "registry"],
)
def test_what_is_read(
    record: object, service: str, operation: str, caller: str, target: str, outcome: Outcome
) -> None:
    event = one(record)
    assert (event.kind, event.source, event.origin, event.grade) == (
        Kind.CLOUD,
        Source.AZURE,
        Origin.PROVIDER,
        Grade.F,
    )
    assert (event.resource, event.verb, event.source_ip, event.object_name) == (
        service,
        operation,
        caller,
        target,
    )
    assert event.outcome is outcome
    assert WHO.object_id in event.principals
    assert event.time_ns // 1000 == AT // 1000


VAULT_ROW = {
    "TimeGenerated": "2026-11-24T09:10:00Z",
    "OperationName": "SecretGet",
    "CallerIPAddress": THIEF,
    "identity_claim_appid_g": WHO.client_id,
    "ResultSignature": "OK",
    "Resource": "KV-ML",
}


@pytest.mark.parametrize(
    "row",
    [
        VAULT_ROW
        | {"Type": "AzureDiagnostics", "Category": "AuditEvent", "ResourceProvider": "MICROSOFT.KEYVAULT"},
        {
            "TimeGenerated": "2026-11-24T09:10:00Z",
            "Type": "AZKVAuditLogs",
            "OperationName": "SecretGet",
            "CallerIpAddress": THIEF,
            "Identity": json.dumps({"claim": {"appid": WHO.client_id}}),
            "HttpStatusCode": 200,
        },
        {
            "TimeGenerated": "2026-11-24T09:10:00Z",
            "Type": "StorageBlobLogs",
            "OperationName": "GetBlob",
            "CallerIpAddress": f"{THIEF}:50123",
            "RequesterAppId": WHO.client_id,
            "StatusCode": "200",
        },
        {
            "TimeGenerated": "2026-11-24T09:10:00Z",
            "Type": "AADServicePrincipalSignInLogs",
            "AppId": WHO.client_id,
            "IPAddress": THIEF,
            "ResultType": "0",
        },
        {
            "TimeGenerated": "2026-11-24T09:10:00Z",
            "Type": "AzureActivity",
            "OperationNameValue": "MICROSOFT.AUTHORIZATION/ROLEASSIGNMENTS/WRITE",
            "CallerIpAddress": THIEF,
            "Claims": {"appid": WHO.client_id.upper()},
            "ActivityStatusValue": "Success",
        },
    ],
    ids=["diagnostics", "vault", "storage", "sign-in", "activity"],
)
def test_rows_of_log_analytics(row: dict[str, Any]) -> None:
    event = one(row)
    assert event.principals == (WHO.client_id,)
    assert (event.source_ip, event.outcome) == (THIEF, Outcome.ALLOWED)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("198.51.100.86", "198.51.100.86"),
        ("198.51.100.86:443", "198.51.100.86"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:198.51.100.86", "198.51.100.86"),
        ("", ""),
        ("somewhere", ""),
    ],
)
def test_a_port_behind_the_address_is_left_out(text: str, expected: str) -> None:
    assert one(azure.key_vault(WHO, AT, text)).source_ip == expected


def test_what_names_no_principal_is_counted_and_makes_no_event() -> None:
    shared_key = azure.storage(WHO, AT, THIEF) | {"identity": {"type": "AccountKey", "tokenHash": "key1(x)"}}
    person = azure.activity_row(WHO, AT, THIEF) | {
        "Claims": json.dumps({"name": "mira"}),
        "Caller": "mira@x.example",
    }
    batch = decode(shared_key, person)
    assert (batch.records, batch.recognised, batch.events, batch.problems) == (2, 2, [], [])
    assert batch.kinds == {"storage": 1, "activity": 1}


def test_urls_and_hashes_never_enter() -> None:
    record = azure.storage(WHO, AT, THIEF)
    record["uri"] = f"https://mlmodels.blob.core.windows.net/m?{CANARY}"
    record["operationName"] = f"GetBlob?{CANARY}"
    record["identity"] = record["identity"] | {"tokenHash": CANARY}  # type: ignore[operator]
    assert "sig=" not in repr(one(record))


def test_other_services_audit_events_and_other_logs_are_left_over() -> None:
    managed = azure.key_vault(WHO, AT, THIEF) | {"resourceId": "/SUBSCRIPTIONS/0/PROVIDERS/MICROSOFT.OTHER/X"}
    batch = decode(
        {"category": "kube-audit", "properties": {"log": "{}"}}, managed, {"Type": "Heartbeat"}, [1], 7
    )
    assert (batch.recognised, len(batch.leftover)) == (0, 5)


def test_a_list_is_shared_with_the_audit_log() -> None:
    audit = {"category": "kube-audit", "properties": {"log": json.dumps({"auditID": "a", "stage": "Panic"})}}
    text = json.dumps(
        {"records": [azure.sign_in(WHO, AT), audit, azure.storage(WHO, AT, THIEF), {"category": "x"}]}
    )
    recogniser = Recogniser([KubernetesAuditDecoder(), AzureDecoder()])
    events = recogniser.read(Block("f", 1, text.encode() + b"\n"))
    assert {event.kind for event in events} == {Kind.CLOUD}
    assert len(events) == 2
    counts = recogniser.counts
    assert (counts.records, counts.events, counts.malformed, counts.unrecognised) == (4, 2, 1, 1)


def test_the_same_row_has_the_same_id_and_other_rows_others() -> None:
    first, again = one(azure.storage(WHO, AT, THIEF)), one(azure.storage(WHO, AT, THIEF))
    other = one(azure.storage(WHO, AT, "198.51.100.87"))
    assert first.event_id == again.event_id != other.event_id


DAMAGES: list[dict[str, Any]] = [
    {"time": "yesterday"},
    {"time": None},
    {"identity": {"requester": 7}},
    {"callerIpAddress": 7},
    {"properties": {"accountName": []}},
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_record_is_told_and_costs_only_itself(damage: dict[str, Any]) -> None:
    good = azure.storage(WHO, AT, THIEF)
    batch = decode(good | damage, good, line=5)
    assert [problem.line for problem in batch.problems] == [5]
    assert len(batch.events) == 1
    assert batch.records == 2


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**20) | st.text(max_size=20), lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["claims", "claim", "requester", "appid", "status", "x"]), inner, max_size=3), max_leaves=8
)  # fmt: skip
NAMES = [
    *azure.key_vault(WHO, AT, THIEF),
    *azure.registry_row(WHO, AT, THIEF),
    *azure.activity_row(WHO, AT, THIEF),
]


@given(st.sampled_from(sorted(CATEGORIES)), st.dictionaries(st.sampled_from(NAMES), json_values, max_size=8))
def test_any_members_are_accounted_for(category: str, members: dict[str, object]) -> None:
    for record in ({**members, "category": category}, {**members, "Type": category}, {"records": [members]}):
        batch = decode(record)
        assert batch.records == batch.recognised + len(batch.problems) + len(batch.leftover)
        assert isinstance(AzureDecoder().recognises(json.loads(json.dumps(record))), bool)


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_any_bytes_are_accounted_for(lines: list[bytes]) -> None:
    batch = AzureDecoder().decode(b"\n".join(lines), "f", 1)
    assert batch.records == batch.recognised + len(batch.problems) + len(batch.leftover)


def test_given_sign_ins_are_read(shared_data: Path) -> None:
    for path in (shared_data / "telemetry").glob("*/managed-identity-sign-ins.jsonl"):
        batch = AzureDecoder().decode(path.read_bytes(), path.name, 1)
        assert batch.records == batch.recognised == len(batch.events) > 0
        assert {event.source_ip for event in batch.events} == {""}


def test_given_activity_is_read(shared_data: Path) -> None:
    path = shared_data / "samples" / "panther" / "panther_Azure_MonitorActivity.jsonl"
    logs = [json.loads(line)["log"] for line in path.read_text(encoding="utf-8").splitlines()]
    batch = decode(*[log for log in logs if log.get("category") == "Administrative"])
    assert batch.records == batch.recognised > 100
    assert batch.problems == []
    assert any(event.principals and event.source_ip for event in batch.events)


def test_a_sign_in_happened_when_it_was_made_and_not_when_its_row_was_written() -> None:
    row = azure.sign_in(WHO, AT)
    row["properties"]["createdDateTime"] = "2026-11-24T09:00:00.1234567Z"  # type: ignore[index]
    table = {
        "Type": "AADManagedIdentitySignInLogs",
        "TimeGenerated": "2026-11-24T09:04:00Z",
        "CreatedDateTime": "2026-11-24T09:00:00.1234567Z",
        "ServicePrincipalId": WHO.object_id,
        "AppId": WHO.client_id,
    }
    assert {one(record).time_ns for record in (row, table)} == {to_ns("2026-11-24T09:00:00.1234567Z")}
    assert {one(record).activity for record in (row, table)} == {"managed-identity"}


def test_a_federated_sign_in_names_its_credential() -> None:
    row = azure.sign_in(WHO, AT)
    row["category"] = "ServicePrincipalSignInLogs"
    row["properties"]["federatedCredentialId"] = "729ab02a-edd5-4ef5-a285-2d91a3c772ab"  # type: ignore[index]
    table = {
        "Type": "AADServicePrincipalSignInLogs",
        "TimeGenerated": "2026-11-24T09:04:00Z",
        "ServicePrincipalId": WHO.object_id,
        "FederatedCredentialId": "729ab02a-edd5-4ef5-a285-2d91a3c772ab",
    }
    for event in (one(row), one(table)):
        assert (event.activity, event.federation) == (
            "service-principal",
            "729ab02a-edd5-4ef5-a285-2d91a3c772ab",
        )


def test_a_login_at_a_registry_has_the_id_of_its_token() -> None:
    row = {**azure.registry_row(WHO, AT, THIEF), "Type": "ContainerRegistryLoginEvents", "JwtId": "jwt-1"}
    assert one(row).credential_id == "jwt-1"
