"""Telemetry as rows: every start of a program, every audit event in whichever wrapping, and the account of detection."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from eightysix.model.table import Row, ScalarType
from eightysix.sources.lines import Block
from eightysix.sources.tables import Tabulator, tabulate, tabulate_blocks
from eightysix.store.columns import local_columns
from eightysix.store.tables import load
from tests.streams import ATTACKS, FULL, LOOK_ALIKES

Json = Any
TABLES = load()
STREAMS = ATTACKS["breach-86s"](FULL).streams
AUDIT = [json.loads(line) for line in STREAMS["kubernetes-audit.jsonl"]]


def rows_of(records: Iterable[object], tabulator: Tabulator | None = None) -> list[tuple[str, Row]]:
    lines = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in records]
    block = Block("input", 1, b"".join(line + b"\n" for line in lines))
    return list(tabulate_blocks([block], TABLES, tabulator=tabulator))


def of_table(rows: Iterable[tuple[str, Row]], table: str) -> list[Row]:
    return [row for name, row in rows if name == table]


_PYTHON: dict[ScalarType, tuple[type, ...]] = {
    ScalarType.STRING: (str,),
    ScalarType.GUID: (str,),
    ScalarType.TIMESPAN: (str,),
    ScalarType.LONG: (int,),
    ScalarType.INT: (int,),
    ScalarType.DATETIME: (int,),
    ScalarType.REAL: (int, float),
    ScalarType.BOOL: (bool,),
    ScalarType.DYNAMIC: (str, int, float, bool, list, dict),
}


def assert_fits(table: str, row: Row) -> None:
    """Every value is of its column's type."""
    columns = {column.name: column.type for column in local_columns(TABLES[table])}
    for name, value in row.items():
        assert name in columns, (table, name)
        kind = columns[name]
        assert type(value) in _PYTHON[kind], (table, name, value)
        assert kind is not ScalarType.INT or -(2**31) <= value < 2**31  # type: ignore[operator]
    assert "TimeGenerated" in row or "Timestamp" in row


# --- Tetragon ---------------------------------------------------------------------------------------------------------


def test_every_start_of_a_program_is_a_row() -> None:
    lines = [line.encode() for line in STREAMS["tetragon.jsonl"]]
    starts = [json.loads(line)["process_exec"] for line in lines if line.startswith(b'{"process_exec"')]
    rows = rows_of(lines)
    processes = of_table(rows, "CloudProcessEvents")
    assert [row["ProcessId"] for row in processes] == [start["process"]["pid"] for start in starts]
    assert [row["ParentProcessId"] for row in processes] == [str(start["parent"]["pid"]) for start in starts]
    install = next(row for row in processes if "install" in str(row["ProcessCommandLine"]))
    assert install == {
        "TimeGenerated": install["Timestamp"],
        "Timestamp": install["TimeGenerated"],
        "ReportId": install["ReportId"],
        "ActionType": "ProcessCreated",
        "AzureResourceId": "aks-ml-prod",
        "HostName": "aks-gpu-31337-vmss000000",
        "KubernetesNamespace": "ml",
        "KubernetesPodName": "inference-0",
        "KubernetesResource": "ml/StatefulSet/inference",
        "ContainerName": "server",
        "ContainerId": "383cd98375af06b5f7e2961b56e601d02d156d875563f60fa52ca1a830b7fb51",
        "ContainerImageName": "registry.example/ml/inference:prod",
        "ImageDigest": "sha256:967595ea6691061266398554f72ff8ee7627dabadbbbd1db03001ffb6cbed960",
        "FileName": install["ProcessName"],
        "FolderPath": install["FolderPath"],
        "ProcessName": install["ProcessName"],
        "ProcessId": install["ProcessId"],
        "ProcessCommandLine": install["ProcessCommandLine"],
        "ProcessCreationTime": install["ProcessCreationTime"],
        "ParentProcessName": install["ParentProcessName"],
        "ParentProcessId": install["ParentProcessId"],
        "InitiatingProcessId": install["InitiatingProcessId"],
    }
    assert "torch-perf-utils" in str(install["ProcessCommandLine"])
    events = of_table(rows, "EightySixEvents_CL")
    assert sum(row["Kind"] == "exec" for row in events) == len(starts)
    assert any(row["Kind"] == "connect" and row["DestinationIp"] == "169.254.169.254" for row in events)
    assert any(row["Kind"] == "file" and row.get("CredentialDomain") == "cluster" for row in events)


def test_a_pod_is_told_once() -> None:
    pods = of_table(rows_of(line.encode() for line in STREAMS["tetragon.jsonl"]), "KubePodInventory")
    assert [(row["Namespace"], row["Name"], row["Computer"]) for row in pods] == [
        ("ml", "inference-0", "aks-gpu-31337-vmss000000")
    ]


# --- Kubernetes audit -------------------------------------------------------------------------------------------------


def wrapped(event: Json) -> dict[str, Json]:
    """One audit event in each way in which Azure delivers it."""
    resource = (
        "/SUBSCRIPTIONS/S/RESOURCEGROUPS/G/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/AKS-ML-PROD"
    )
    time = event["stageTimestamp"]
    log = {
        "category": "kube-audit",
        "time": time,
        "resourceId": resource,
        "properties": {"log": json.dumps(event), "pod": "kube-apiserver-1"},
    }
    columns = {
        "Annotations": "annotations",
        "AuditId": "auditID",
        "Level": "level",
        "ObjectRef": "objectRef",
        "RequestUri": "requestURI",
        "RequestReceivedTime": "requestReceivedTimestamp",
        "ResponseStatus": "responseStatus",
        "SourceIps": "sourceIPs",
        "Stage": "stage",
        "StageReceivedTime": "stageTimestamp",
        "User": "user",
        "UserAgent": "userAgent",
        "Verb": "verb",
    }
    row = {name: event[member] for name, member in columns.items() if member in event}
    row |= {"Type": "AKSAudit", "TimeGenerated": time, "PodName": "kube-apiserver-1"}
    row["_ResourceId"] = resource.lower()
    return {
        "resource log": log,
        "event hub": {"records": [log]},
        "parsed on the way": {**log, "properties": {**log["properties"], "log": event}},
        "diagnostics": {
            "Category": "kube-audit",
            "log_s": json.dumps(event),
            "pod_s": "kube-apiserver-1",
            "TimeGenerated": time,
            "_ResourceId": resource.lower(),
        },
        "row": row,
        "row of text": {k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in row.items()},
    }


@pytest.mark.parametrize("event", AUDIT, ids=lambda event: f"{event['verb']}-{event['requestURI'][-20:]}")
def test_an_audit_event_is_the_same_row_however_it_was_exported(event: Json) -> None:
    (plain,) = of_table(rows_of([event]), "AKSAudit")
    assert plain["AuditId"] == event["auditID"]
    assert plain["ObjectRef"] == event["objectRef"]
    assert plain["User"]["extra"] == event["user"]["extra"] if "extra" in event["user"] else True  # type: ignore[index]
    beside = {
        "PodName": "kube-apiserver-1",
        "_ResourceId": "/subscriptions/s/resourcegroups/g/providers/microsoft.containerservice/managedclusters/aks-ml-prod",
    }
    for name, record in wrapped(event).items():
        (row,) = of_table(rows_of([record]), "AKSAudit")
        assert {**row, "Type": ""} == {**plain, **beside, "Type": ""}, name


def test_what_reads_is_not_in_the_admin_table() -> None:
    rows = rows_of(AUDIT)
    told = [row["Verb"] for row in of_table(rows, "AKSAuditAdmin")]
    assert told == [event["verb"] for event in AUDIT if event["verb"] not in ("get", "list", "watch")]
    admin = {**wrapped(AUDIT[0])["resource log"], "category": "kube-audit-admin"}
    assert [name for name, _ in rows_of([admin]) if name.startswith("AKS")] == ["AKSAuditAdmin"]


def test_a_command_in_a_pod_by_websocket_is_no_row_of_the_admin_table() -> None:
    streams = LOOK_ALIKES["exec-debugging"](FULL).streams
    (name,) = [name for name in streams if b"kube-audit" in streams[name][0].encode() or "audit" in name]
    rows = rows_of(line.encode() for line in streams[name])
    execs = [
        (table, row["Verb"], row["Stage"])
        for table, row in rows
        if table.startswith("AKS") and dict(row["ObjectRef"]).get("subresource") == "exec"  # type: ignore[call-overload]
    ]
    assert execs == [("AKSAudit", "get", "ResponseStarted")]


def test_bodies_keep_what_a_pod_asks_for_and_no_data() -> None:
    secret = {
        "kind": "Secret",
        "metadata": {
            "name": "s",
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "CANARY"},
        },
        "data": {"a": "CANARY"},
        "stringData": {"a": "CANARY"},
    }
    pod = {
        "kind": "Pod",
        "metadata": {"name": "p", "labels": {"a": "CANARY"}},
        "spec": {
            "hostPID": True,
            "containers": [
                {
                    "name": "c",
                    "image": "i",
                    "args": ["CANARY"],
                    "command": ["CANARY"],
                    "env": [{"name": "A", "value": "CANARY"}],
                    "securityContext": {"privileged": True},
                    "resources": {"limits": {"nvidia.com/gpu": 1}},
                }
            ],
        },
    }
    token = {"kind": "TokenRequest", "spec": {"audiences": ["a"]}, "status": {"token": "CANARY"}}
    kept = []
    for response in (secret, pod, token, {"kind": "SecretList", "items": [secret]}, "CANARY", ["CANARY"]):
        event = {**AUDIT[0], "responseObject": response, "requestObject": json.dumps(response)}
        event |= {"requestURI": "/api/v1/x?command=CANARY&token=CANARY", "userAgent": "x CANARY"}
        event["responseStatus"] = {"code": 200, "message": "CANARY"}
        for record in (event, *wrapped(event).values()):
            rows = rows_of([record])
            assert "CANARY" not in repr(rows)
        kept.append(of_table(rows_of([event]), "AKSAudit")[0].get("ResponseObject"))
    assert kept == [
        {"kind": "Secret", "metadata": {"name": "s"}},
        {
            "kind": "Pod",
            "metadata": {"name": "p"},
            "spec": {
                "hostPID": True,
                "containers": [
                    {
                        "name": "c",
                        "image": "i",
                        "securityContext": {"privileged": True},
                        "resources": {"limits": {"nvidia.com/gpu": "1"}},
                    }
                ],
            },
        },
        {"kind": "TokenRequest", "spec": {"audiences": ["a"]}},
        {"kind": "SecretList"},
        None,
        None,
    ]


# --- all together -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_rows_of_every_written_attack_fit_their_tables(tmp_path: Path, name: str) -> None:
    for file, lines in ATTACKS[name](FULL).streams.items():
        (tmp_path / file).write_text("".join(f"{line}\n" for line in lines))
    tabulator = Tabulator(TABLES)
    tables = set()
    for table, row in tabulate([str(tmp_path)], TABLES, tabulator=tabulator):
        assert_fits(table, row)
        tables.add(table)
    assert {"EightySixEvents_CL", "AKSAudit"} <= tables
    assert tabulator.misfits == {}
