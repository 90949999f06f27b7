"""Defender's rows as events: what lands, what was asked for, and audited requests; of the provider's origin and grade C."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eightysix.model.event import Artifact, Event
from eightysix.model.words import Grade, Kind, Origin, Source
from eightysix.sources.azure import AzureDecoder
from eightysix.sources.interface import Batch
from eightysix.sources.kubernetes_audit import KubernetesAuditDecoder

Json = dict[str, Any]
TIME = "2026-11-24T09:10:00.1234567Z"
CLUSTER = "/subscriptions/S/resourceGroups/G/providers/Microsoft.ContainerService/managedClusters/AKS-ML"
PROCESS: Json = {
    "AzureResourceId": CLUSTER,
    "KubernetesNamespace": "ml",
    "KubernetesPodName": "inference-0",
    "ContainerName": "server",
    "ContainerId": "383cd98375af06b5",
    "ContainerImageName": "registry.example/ml/inference:prod",
    "ImageDigest": "sha256:ab",
    "HostName": "aks-1",
    "FileName": "pip",
    "FolderPath": "/opt/venv/bin/pip",
    "ProcessId": 7,
    "ProcessCommandLine": "/opt/venv/bin/pip install --index-url https://u:canary@p.example/s torch-perf-utils==1.4.3",
    "ProcessCreationTime": "2026-11-24T09:10:00Z",
    "ParentProcessName": "bash",
}


def decode(*records: object, every_start: bool = False) -> Batch:
    text = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    return AzureDecoder(every_start=every_start).decode(text, "defender.jsonl", 1)


def forms(table: str, row: Json) -> list[Json]:
    streamed = {"category": f"AdvancedHunting-{table}", "properties": {**row, "Timestamp": TIME}}
    named = {**row, "Type": table, "TimeGenerated": TIME}
    return [named, streamed, {"records": [streamed]}, {"records": [named]}]


def one(table: str, row: Json) -> Event:
    """The event of a row, the same in every form."""
    (event,), *others = ([*decode(form).events] for form in forms(table, row))
    assert all(other == [event] for other in others)
    return event


@pytest.mark.parametrize("folder", ["/opt/venv/bin/pip", "/opt/venv/bin", "/opt/venv/bin/"])
def test_an_install_is_the_event_that_the_kernel_would_tell(folder: str) -> None:
    event = one("CloudProcessEvents", {**PROCESS, "FolderPath": folder})
    assert (event.source, event.origin, event.grade, event.kind) == (
        Source.AZURE,
        Origin.PROVIDER,
        Grade.C,
        Kind.EXEC,
    )
    assert (event.activity, event.artifacts) == (
        "install",
        (Artifact("pypi", "torch-perf-utils", "1.4.3"), *event.artifacts[1:]),
    )
    assert (event.cluster, event.node, event.namespace, event.pod, event.pid) == (
        "aks-ml",
        "aks-1",
        "ml",
        "inference-0",
        7,
    )
    assert (event.binary, event.parent_binary) == ("/opt/venv/bin/pip", "bash")
    assert "canary" not in repr(event)


def test_the_process_of_a_machine_is_of_no_pod() -> None:
    row = {name: value for name, value in PROCESS.items() if not name.startswith(("Kubernetes", "Container"))}
    event = one("DeviceProcessEvents", {**row, "DeviceName": "aks-2", "HostName": None})
    assert (event.grade, event.node, event.pod) == (Grade.E, "aks-2", "")


def test_other_starts_are_counted_and_told_only_where_asked_for() -> None:
    row = forms("CloudProcessEvents", {**PROCESS, "FolderPath": "/bin/ls", "FileName": "ls"})[0]
    assert decode(row).events == []
    assert decode(row).kinds == {"process": 1}
    assert len(decode(row, every_start=True).events) == 1


def test_a_question_is_a_name_that_the_pod_asked_for() -> None:
    row = {"KubernetesNamespace": "ml", "KubernetesPodName": "inference-0", "DnsQuery": "Paste.Example."}
    event = one("CloudDnsEvents", {**row, "DnsQueryTypeName": "A", "DnsResponseCodeName": "NOERROR"})
    assert (event.source, event.origin, event.kind, event.dst_name, event.dst_ip) == (
        Source.DNS,
        Origin.PROVIDER,
        Kind.RESOLVE,
        "paste.example",
        "",
    )
    for change in (
        {"DnsQueryTypeName": "TXT"},
        {"DnsResponseCodeName": "NXDOMAIN"},
        {"KubernetesPodName": ""},
    ):
        assert decode({**row, **change, "Type": "CloudDnsEvents", "TimeGenerated": TIME}).events == []


def test_an_audited_request_is_the_same_event_as_in_any_other_export() -> None:
    audit = {
        "auditID": "a",
        "stage": "ResponseComplete",
        "verb": "get",
        "requestURI": "/api/v1/namespaces/ml/secrets/push",
        "user": {"username": "system:serviceaccount:ml:trainer"},
        "objectRef": {"resource": "secrets", "namespace": "ml", "name": "push"},
        "requestReceivedTimestamp": "2026-11-24T09:10:00Z",
    }
    (plain,) = KubernetesAuditDecoder().decode(json.dumps(audit).encode(), "f", 1).events
    for raw in (audit, json.dumps(audit)):
        event = one("CloudAuditEvents", {"DataSource": "Kubernetes Audit", "RawEventData": raw})
        assert (event.event_id, event.kind, event.source) == (plain.event_id, Kind.API, plain.source)
    other = {"DataSource": "AWS", "RawEventData": {"eventName": "AssumeRole"}}
    batch = decode(*forms("CloudAuditEvents", other))
    assert (batch.events, batch.problems, batch.recognised) == ([], [], 4)


DAMAGES: list[Json] = [
    {"Timestamp": "yesterday", "TimeGenerated": "yesterday"},
    {"FileName": 7},
    {"ProcessCommandLine": ["pip", "install", "x"]},
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_row_is_told_and_costs_only_itself(damage: Json) -> None:
    good, streamed, *_ = forms("CloudProcessEvents", PROCESS)
    batch = decode({**good, **damage}, {**streamed, "properties": {**streamed["properties"], **damage}}, good)
    assert [problem.line for problem in batch.problems] == [1, 2]
    assert len(batch.events) == 1
    assert batch.records == batch.recognised + len(batch.problems)


def test_other_tables_that_are_streamed_are_left_over() -> None:
    batch = decode({"category": "AdvancedHunting-DeviceNetworkEvents", "properties": {"Timestamp": TIME}})
    assert (batch.recognised, len(batch.leftover)) == (0, 1)


@pytest.mark.parametrize(
    ("result", "told"), [("200", "allowed"), ("401", "denied"), ("404", "unknown"), (None, "unknown")]
)
def test_a_registry_tells_its_result_in_the_description(result: str | None, told: str) -> None:
    row = {
        "Type": "ContainerRegistryLoginEvents",
        "TimeGenerated": TIME,
        "OperationName": "Login",
        "Identity": "11111111-1111-4111-8111-111111111111",
        "ResultType": "HttpStatusCode",
        "ResultDescription": result,
    }
    log = {
        "category": row["Type"],
        "time": TIME,
        "operationName": "Login",
        "identity": row["Identity"],
        "resultType": "HttpStatusCode",
        "resultDescription": result,
    }
    assert [event.outcome for event in decode(row, log).events] == [told, told]
