"""Falco, names and the sensor as rows."""

from __future__ import annotations

import json
from dataclasses import replace

from eightysix.lab.generate.falco_form import FALCO
from tests.sources.tables.test_tabulate import Json, assert_fits, of_table, rows_of
from tests.streams import ATTACKS, FULL, KERNEL_AND_AUDIT

ANSWER: Json = {
    "time": "2026-11-24T09:26:00.1Z",
    "verdict": "FORWARDED",
    "IP": {"source": "10.244.0.12", "destination": "10.244.1.7"},
    "l4": {"UDP": {"source_port": 53, "destination_port": 41_234}},
    "source": {"namespace": "kube-system"},
    "destination": {"namespace": "ml", "pod_name": "inference-0"},
    "l7": {
        "type": "RESPONSE",
        "dns": {"query": "paste.example.", "ips": ["198.51.100.86", "198.51.100.87"], "ttl": 30},
    },
}


def test_an_answer_is_one_row_and_an_event_for_each_address() -> None:
    rows = rows_of([{"flow": ANSWER, "node_name": "n1", "time": ANSWER["time"]}])
    assert [row["DestinationIp"] for row in of_table(rows, "EightySixEvents_CL")] == [
        "198.51.100.86",
        "198.51.100.87",
    ]
    (row,) = of_table(rows, "CloudDnsEvents")
    assert_fits("CloudDnsEvents", row)
    told = {
        name: value for name, value in row.items() if name not in ("TimeGenerated", "Timestamp", "ReportId")
    }
    assert told == {
        "ActionType": "DnsResponse",
        "DnsQuery": "paste.example",
        "DnsQueryTypeName": "A",
        "DnsResponseCodeName": "NOERROR",
        "HostName": "n1",
        "KubernetesNamespace": "ml",
        "KubernetesPodName": "inference-0",
        "AdditionalFields": {"SourceIp": "10.244.1.7", "TtlSeconds": 30},
    }


def test_a_question_of_corednss_log_is_a_row_without_a_pod() -> None:
    line = b'2026-11-24T09:26:00Z [INFO] 10.244.1.7:1 - 1 "A IN paste.example. udp 44 false 512" NOERROR qr 1 9 0.1s'
    (row,) = of_table(rows_of([line]), "CloudDnsEvents")
    assert (row["ActionType"], row["DnsQuery"], row["AdditionalFields"]) == (
        "DnsQuery",
        "paste.example",
        {"SourceIp": "10.244.1.7"},
    )
    assert "KubernetesPodName" not in row


def test_every_start_that_falco_tells_is_a_row() -> None:
    lines = ATTACKS["dropper"](replace(KERNEL_AND_AUDIT, falco=FALCO)).streams["falco.jsonl"]
    fields = [json.loads(line)["output_fields"] for line in lines]
    starts = [one for one in fields if one["evt.type"] in ("execve", "execveat")]
    rows = rows_of(line.encode() for line in lines)
    processes = of_table(rows, "CloudProcessEvents")
    assert [row["ProcessId"] for row in processes] == [one["proc.pid"] for one in starts]
    assert [row.get("ParentProcessId") for row in processes] == [
        str(one["proc.ppid"]) if one.get("proc.ppid") else None for one in starts
    ]
    for row in processes:
        assert_fits("CloudProcessEvents", row)


def test_what_the_sensor_tells_is_there() -> None:
    lines = ATTACKS["breach-86s"](FULL).streams["sensor.jsonl"]
    rows = of_table(rows_of(line.encode() for line in lines), "EightySixEvents_CL")
    assert {row["EventSource"] for row in rows} == {"sensor"}
    assert {row["Origin"] for row in rows} == {"suspect"}
    assert any("Chain" in row and "Distributions" in row for row in rows)
