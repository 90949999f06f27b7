"""Rows of the cloud's tables: the same row in whichever form it left the cloud, typed, and nothing secret in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.lab.generate import azure
from eightysix.lab.generate.azure import Principal
from eightysix.lab.generate.clock import epoch_ns
from eightysix.model.table import Environment, Row, ScalarType
from eightysix.sources.tables import Tabulator, tabulate
from eightysix.store.columns import local_columns
from tests.sources.tables.test_tabulate import TABLES, assert_fits, of_table, rows_of

Json = Any
WHO = Principal("id-inference")
AT = epoch_ns(600.0)
THIEF = "198.51.100.86"
OWN = frozenset({"EightySixEvents_CL", "EightySixFindings_CL", "EightySixIncidents_CL"})
CLOUD = sorted(set(TABLES) - OWN)


def moment(time_ns: int) -> str:
    """As Azure writes it: seven decimals."""
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.{rest // 100:07d}Z"


moments = st.integers(10**16, 2 * 10**16).map(lambda ticks: ticks * 100)
words = st.text("abcdefghijklmnop", min_size=1, max_size=6)
VALUES: dict[ScalarType, st.SearchStrategy[Json]] = {
    ScalarType.STRING: words,
    ScalarType.GUID: st.uuids().map(str),
    ScalarType.TIMESPAN: st.just("00:00:01"),
    ScalarType.LONG: st.integers(-(2**63), 2**63 - 1),
    ScalarType.INT: st.integers(-(2**31), 2**31 - 1),
    ScalarType.REAL: st.floats(-1e9, 1e9, allow_nan=False),
    ScalarType.BOOL: st.booleans(),
    ScalarType.DATETIME: moments,
    ScalarType.DYNAMIC: st.dictionaries(words.map("n".__add__), st.integers(0, 9), min_size=1, max_size=3),
}
SPECIAL = frozenset(
    "RequestUri LogMessage log_s querytext_s requestQuery_s AuthenticationHash RawEventData Type".split()
)
"""Columns that are read in ways of their own."""


@st.composite
def typed_rows(draw: st.DrawFn) -> tuple[str, dict[str, Json], dict[str, ScalarType]]:
    table = draw(st.sampled_from([name for name in CLOUD if not name.startswith("AKSAudit")]))
    kinds = {
        column.name: column.type for column in local_columns(TABLES[table]) if column.name not in SPECIAL
    }
    known = {name for columns in TABLES[table].columns.values() for name in (c.name for c in columns)}
    kinds = {name: kind for name, kind in kinds.items() if name in known}
    names = draw(st.lists(st.sampled_from(sorted(kinds)), max_size=12, unique=True))
    row = {name: draw(VALUES[kinds[name]]) for name in names}
    for time in known & {"TimeGenerated", "Timestamp"}:
        row[time] = AT
    return table, row, kinds


def written(row: Mapping[str, Json], kinds: Mapping[str, ScalarType], *, text: bool) -> dict[str, Json]:
    """A row as an export writes it: moments as text, and everything else too where `text`."""
    told: dict[str, Json] = {}
    for name, value in row.items():
        if kinds[name] is ScalarType.DATETIME:
            told[name] = moment(value)
        else:
            told[name] = value if not text or isinstance(value, str) else json.dumps(value)
    return told


@given(typed_rows())
def test_a_row_is_the_same_in_every_form(made: tuple[str, dict[str, Json], dict[str, ScalarType]]) -> None:
    table, row, kinds = made
    forms = []
    for text in (False, True):
        told = written(row, kinds, text=text)
        named = {**told, "Type": table}
        streamed = {"time": moment(AT), "category": f"AdvancedHunting-{table}", "properties": told}
        forms += [named, {"records": [named]}, streamed, {"records": [streamed, streamed]}]
        forms.append({"table": table, "row": told})
    for form in forms:
        tabulator = Tabulator(TABLES)
        found = [row for name, row in rows_of([form], tabulator) if name == table]
        assert found, form
        for one in found:
            assert one == row
            assert_fits(table, one)
        assert tabulator.problems == ()
        assert tabulator.misfits == {}


# --- resource logs ----------------------------------------------------------------------------------------------------


def test_a_sign_in_of_a_managed_identity() -> None:
    record: Json = azure.sign_in(WHO, AT)
    (row,) = of_table(rows_of([{"records": [record]}]), "AADManagedIdentitySignInLogs")
    assert row == {
        "TimeGenerated": AT,
        "AppId": WHO.client_id,
        "Category": "ManagedIdentitySignInLogs",
        "CorrelationId": record["correlationId"],
        "DurationMs": 0,
        "Id": record["properties"]["id"],
        "OperationName": "Sign-in activity",
        "ResourceDisplayName": "Azure Key Vault",
        "ResultType": "0",
        "ServicePrincipalId": WHO.object_id,
        "ServicePrincipalName": "id-inference",
        "UniqueTokenIdentifier": "Zm9yIHRlc3RzIG9ubHk",
    }


def test_resource_logs_have_their_tables_columns() -> None:
    rows = rows_of([azure.key_vault(WHO, AT, THIEF), azure.storage(WHO, AT, THIEF), azure.sign_in(WHO, AT)])
    (vault,) = of_table(rows, "AZKVAuditLogs")
    assert (vault["OperationName"], vault["HttpStatusCode"], vault["CallerIpAddress"]) == (
        "SecretGet",
        200,
        THIEF,
    )
    assert vault["Identity"]["claim"]["appid"] == WHO.client_id  # type: ignore[index]
    (blob,) = of_table(rows, "StorageBlobLogs")
    assert (blob["RequesterObjectId"], blob["AuthenticationType"], blob["StatusCode"]) == (
        WHO.object_id,
        "OAuth",
        "200",
    )
    assert blob["AccountName"] == "mlmodels"
    assert str(blob["_ResourceId"]).startswith("/subscriptions/")
    events = [row for row in of_table(rows, "EightySixEvents_CL") if row["Kind"] == "cloud"]
    assert [row["Resource"] for row in events] == ["key-vault", "storage", "sign-in"]


def test_the_activity_log() -> None:
    record = {
        "time": "2026-11-24T09:10:00.1234567Z",
        "resourceId": "/SUBSCRIPTIONS/S1/RESOURCEGROUPS/RG-ML/PROVIDERS/MICROSOFT.STORAGE/STORAGEACCOUNTS/MLMODELS",
        "operationName": "MICROSOFT.STORAGE/STORAGEACCOUNTS/LISTKEYS/ACTION",
        "category": "Administrative",
        "resultType": "Success",
        "resultSignature": "Succeeded.OK",
        "callerIpAddress": THIEF,
        "correlationId": "c",
        "identity": {
            "authorization": {"scope": "/subscriptions/s1", "action": "x/action"},
            "claims": {
                "appid": WHO.client_id,
                "http://schemas.microsoft.com/identity/claims/objectidentifier": WHO.object_id,
                "uti": "dGVzdA",
            },
        },
        "properties": {"eventCategory": "Administrative", "requestbody": "CANARY"},
    }
    (row,) = of_table(rows_of([record]), "AzureActivity")
    assert (row["Caller"], row["OperationNameValue"], row["ActivityStatusValue"]) == (
        WHO.object_id,
        "MICROSOFT.STORAGE/STORAGEACCOUNTS/LISTKEYS/ACTION",
        "Success",
    )
    assert row["Claims_d"]["uti"] == "dGVzdA"  # type: ignore[index]
    assert json.loads(str(row["Claims"]))["appid"] == WHO.client_id
    assert (row["SubscriptionId"], row["ResourceGroup"], row["ResourceProviderValue"]) == (
        "S1",
        "RG-ML",
        "MICROSOFT.STORAGE",
    )
    assert "CANARY" not in repr(row)


@pytest.mark.parametrize("wrapped", [False, True])
def test_events_of_a_registry(wrapped: bool) -> None:
    properties = {
        "repository": "ml/inference",
        "tag": "prod",
        "digest": "sha256:" + "ab" * 32,
        "size": "1024",
    }
    beside = {"loginServer": "contosoml.azurecr.io", "identity": WHO.object_id}
    record = {
        "time": "2026-11-24T09:10:00Z",
        "category": "ContainerRegistryRepositoryEvents",
        "operationName": "Push",
        "resultType": "HttpStatusCode",
        "resultDescription": "201",
        "callerIpAddress": THIEF,
        "resourceId": "/SUBSCRIPTIONS/S/X",
        "properties": {**properties, **beside} if wrapped else properties,
        **({} if wrapped else beside),
    }
    rows = rows_of([record])
    (row,) = of_table(rows, "ContainerRegistryRepositoryEvents")
    assert (row["Repository"], row["Tag"], row["Size"], row["Digest"]) == (
        "ml/inference",
        "prod",
        1024,
        "sha256:" + "ab" * 32,
    )
    assert (row["LoginServer"], row["Identity"]) == ("contosoml.azurecr.io", WHO.object_id)


def test_an_entra_audit_log() -> None:
    record = {
        "time": "2026-11-24T09:10:00Z",
        "resourceId": "/tenants/t/providers/Microsoft.aadiam",
        "operationName": "Add service principal credentials",
        "category": "AuditLogs",
        "tenantId": "t",
        "properties": {
            "id": "Directory_1",
            "category": "ApplicationManagement",
            "result": "success",
            "operationType": "Update",
            "activityDisplayName": "Add service principal credentials",
            "initiatedBy": {"user": {"userPrincipalName": "mira@contoso.example"}},
            "targetResources": [{"id": WHO.object_id, "modifiedProperties": [{"newValue": "CANARY"}]}],
        },
    }
    (row,) = of_table(rows_of([record]), "AuditLogs")
    assert (row["Category"], row["AADOperationType"], row["AADTenantId"], row["Result"]) == (
        "ApplicationManagement",
        "Update",
        "t",
        "success",
    )
    assert row["TargetResources"][0]["id"] == WHO.object_id  # type: ignore[index]
    assert "CANARY" not in repr(row)


def test_a_vault_in_the_table_of_all_diagnostics_is_in_its_own_too() -> None:
    row = {
        "TimeGenerated": "2026-11-24T09:10:00Z",
        "Type": "AzureDiagnostics",
        "Category": "AuditEvent",
        "ResourceProvider": "MICROSOFT.KEYVAULT",
        "OperationName": "SecretGet",
        "CallerIPAddress": THIEF,
        "identity_claim_appid_g": WHO.client_id,
        "requestUri_s": "https://kv-ml.vault.azure.net/secrets/x?api-version=7.4",
        "httpStatusCode_d": 200.0,
        "ResultType": "Success",
    }
    rows = rows_of([row])
    (vault,) = of_table(rows, "AZKVAuditLogs")
    assert (vault["CallerIpAddress"], vault["HttpStatusCode"], vault["RequestUri"]) == (
        THIEF,
        200,
        "https://kv-ml.vault.azure.net/secrets/x",
    )
    assert vault["Identity"] == {"claim": {"appid": WHO.client_id}}
    assert len(of_table(rows, "AzureDiagnostics")) == 1


# --- what does not name its table -------------------------------------------------------------------------------------


def write(folder: Path, name: str, *records: Json) -> list[tuple[str, Row]]:
    path = folder / name
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return list(tabulate([str(path)], TABLES))


RESULT = {
    "TimeGenerated": "2026-11-24T09:10:00Z",
    "ServicePrincipalId": WHO.object_id,
    "ResourceDisplayName": "Vault",
    "UniqueTokenIdentifier": "x",
    "AppId": WHO.client_id,
}


def test_the_result_of_a_query_is_of_the_table_with_these_columns(tmp_path: Path) -> None:
    process = {
        "Timestamp": "2026-11-24T09:10:00Z",
        "KubernetesPodName": "p",
        "ProcessCommandLine": "pip install x",
        "ImageDigest": "sha256:ab",
        "ParentProcessId": 7,
    }
    ((name, row),) = [r for r in write(tmp_path, "export.json", process) if r[0] not in OWN]
    assert (name, row["ParentProcessId"], row["TimeGenerated"]) == (
        "CloudProcessEvents",
        "7",
        row["Timestamp"],
    )
    answer = {"tables": [{"columns": [{"name": name} for name in process], "rows": [list(process.values())]}]}
    assert [r for r in write(tmp_path, "answer.json", answer) if r[0] not in OWN] == [(name, row)]
    answer = {"Schema": [], "Results": [process, process]}
    assert [r for r in write(tmp_path, "answer.json", answer) if r[0] not in OWN] == [(name, row)] * 2


def test_of_tables_with_the_same_columns_the_name_of_the_file_decides(tmp_path: Path) -> None:
    told = [name for name, _ in write(tmp_path, "AADServicePrincipalSignInLogs.jsonl", RESULT)]
    assert told == ["AADServicePrincipalSignInLogs"]
    assert write(tmp_path, "export.jsonl", RESULT) == []
    row = {**RESULT, "Category": "ManagedIdentitySignInLogs"}
    assert [name for name, _ in write(tmp_path, "export.jsonl", row)] == ["AADManagedIdentitySignInLogs"]


def test_other_peoples_logs_are_no_rows(tmp_path: Path) -> None:
    records = [
        {"Timestamp": "2026-11-24T09:10:00Z", "Level": "INFO", "Message": "x", "Category": "y"},
        {"TimeGenerated": "2026-11-24T09:10:00Z", "Name": "x", "Namespace": "y", "PodName": "z"},
        {
            "category": "AdvancedHunting-DeviceNetworkEvents",
            "properties": {"Timestamp": "2026-11-24T09:10:00Z"},
        },
        {"Type": "Heartbeat", "TimeGenerated": "2026-11-24T09:10:00Z"},
        {**RESULT, "SomethingElse": 1},
    ]
    tabulator = Tabulator(TABLES)
    assert rows_of(records, tabulator) == []
    assert tabulator.counts.unrecognised == len(records)


# --- what does not fit ------------------------------------------------------------------------------------------------


def test_what_does_not_fit_is_null_and_counted() -> None:
    row = {
        "Type": "DeviceProcessEvents",
        "TimeGenerated": "2026-11-24 09:10:00.1234567",
        "ProcessId": "seven",
        "FileSize": 2**70,
        "IsInitiatingProcessRemoteSession": "perhaps",
        "ProcessCreationTime": "11/24/2026, 9:10:00 AM",
        "LogonId": 1.5,
        "DeviceName": 7,
    }
    tabulator = Tabulator(TABLES)
    (found,) = of_table(rows_of([row], tabulator), "DeviceProcessEvents")
    assert found == {
        "TimeGenerated": found["Timestamp"],
        "Timestamp": found["TimeGenerated"],
        "DeviceName": "7",
    }
    assert tabulator.misfits == {
        f"DeviceProcessEvents.{name}": 1
        for name in (
            "ProcessId",
            "FileSize",
            "IsInitiatingProcessRemoteSession",
            "ProcessCreationTime",
            "LogonId",
        )
    }


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30), lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=10
)  # fmt: skip


@st.composite
def any_rows(draw: st.DrawFn) -> tuple[str, dict[str, Json]]:
    table = draw(st.sampled_from(sorted(TABLES)))
    names = [column.name for column in local_columns(TABLES[table])]
    return table, draw(st.dictionaries(st.sampled_from(names), json_values, max_size=10))


@given(
    any_rows(), st.sampled_from(["Administrative", "AuditEvent", "StorageRead", "AuditLogs", "kube-audit"])
)
def test_any_json_in_any_column_fits_or_is_left_out(made: tuple[str, dict[str, Json]], category: str) -> None:
    table, values = made
    row = {**values, "Type": table}
    envelope = {**values, "category": category, "properties": values, "resourceId": "/MICROSOFT.KEYVAULT/"}
    for record in (
        row,
        {"records": [row, values, 7, None]},
        {"category": f"AdvancedHunting-{table}", "properties": values},
        {"table": table, "row": values},
        envelope,
        values,
    ):
        try:
            line = json.dumps(record, allow_nan=False).encode()
        except ValueError:
            line = json.dumps(record).encode()  # NaN: no JSON, and told so
        tabulator = Tabulator(TABLES)
        for name, found in rows_of([line], tabulator):
            columns = {column.name: column.type for column in local_columns(TABLES[name])}
            assert found.keys() <= columns.keys()
            if found.keys() & {"TimeGenerated", "Timestamp"}:
                assert_fits(name, found)
        counts = tabulator.counts
        assert counts.records == counts.events + counts.malformed + counts.unrecognised


# --- Defender ---------------------------------------------------------------------------------------------------------

DEFENDER = {
    "Timestamp": "2026-11-24T09:10:00.1234567Z",
    "AzureResourceId": "/subscriptions/S/resourceGroups/G/providers/Microsoft.ContainerService/managedClusters/AKS-ML",
    "KubernetesNamespace": "ml",
    "KubernetesPodName": "inference-0",
    "ContainerName": "server",
    "ContainerId": "383cd98375af06b5",
    "FileName": "pip",
    "FolderPath": "/opt/venv/bin/pip",
    "ProcessId": 7,
    "ProcessCommandLine": "/opt/venv/bin/pip install --index-url https://u:CANARY@p.example/s torch-perf-utils==1.4.3",
    "ParentProcessName": "bash",
}


def test_a_process_of_defender_is_a_row_and_an_event() -> None:
    row = {name: value for name, value in DEFENDER.items() if name != "Timestamp"}
    forms = [
        {"category": "AdvancedHunting-CloudProcessEvents", "properties": DEFENDER},
        {"Type": "CloudProcessEvents", **row, "TimeGenerated": DEFENDER["Timestamp"]},
    ]
    first, second = (rows_of([form]) for form in forms)
    assert first == second
    (process,), (event,) = of_table(first, "CloudProcessEvents"), of_table(first, "EightySixEvents_CL")
    assert process["ProcessCommandLine"] == event["ProcessCommandLine"]
    assert "torch-perf-utils==1.4.3" in str(process["ProcessCommandLine"])
    assert "CANARY" not in repr(first)
    assert (event["Origin"], event["Grade"], event["Cluster"]) == ("provider", "C", "aks-ml")


def test_every_environments_column_is_read() -> None:
    row = {"Timestamp": "2026-11-24T09:10:00Z", "Isp": "x", "ReportId": "r", "DataSource": "Azure"}
    streamed = {"category": "AdvancedHunting-CloudAuditEvents", "properties": row}
    (found,) = of_table(rows_of([streamed]), "CloudAuditEvents")
    assert found["ISP"] == "x"
    assert {Environment.LOG_ANALYTICS, Environment.DEFENDER} <= TABLES["CloudAuditEvents"].columns.keys()
