"""What the surveys of Falco, sensors and Azure count, beside what their own decoders tell."""

from __future__ import annotations

import json
from typing import Any

from eightysix.sources.survey.census import Census, Place
from eightysix.sources.survey.falco import falco_survey
from eightysix.sources.survey.sensor import sensor_survey
from eightysix.sources.survey.surveys import surveys
from tests.reconstruct.coverage.records import cloud, ns

Json = dict[str, Any]


def lines(*records: Json) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def alert(second: int, rule: str, **fields: Any) -> Json:
    return {
        "rule": rule,
        "priority": "Informational",
        "output": f"{rule} {second}",
        "source": "syscall",
        "hostname": "node-1",
        "time": f"2026-11-23T09:00:{second:02}.000000000Z",
        "output_fields": {"evt.time": ns(second), "proc.pid": 7, "proc.pid.ts": ns(0), **fields},
    }


POD = {
    "k8s.ns.name": "ml",
    "k8s.pod.name": "inference-1",
    "container.id": "3fae1a38cacb",
    "proc.exepath": "/usr/bin/python3",
}


def test_falco_is_counted_by_what_its_outputs_name() -> None:
    census = Census()
    connect = {
        "evt.type": "connect",
        "fd.name": "10.0.0.1:5->203.0.113.9:443",
        "fd.rip": "203.0.113.9",
        "fd.rport": 443,
    }
    orphan = {"evt.type": "connect", "container.id": "ffffffffffff", "fd.rip": "203.0.113.9", "fd.rport": 443}
    block = lines(
        alert(1, "Eightysix connection of an interpreter", **POD, **connect),
        alert(2, "Somebody else's rule", **orphan),
        alert(3, "Falco internal: syscall event drop", n_drops="86", n_evts="1000"),
    )
    survey = falco_survey(census)
    batch = survey.decode(block, "a", 1)
    survey.decode(block, "b", 1)  # the same again
    assert batch.recognised == 3
    assert batch.events == []
    tally = census.tallies[Place("falco", "", "node-1")]
    assert (tally.records, tally.duplicates) == (3, 3)
    assert tally.kinds["connect"] == 2
    assert (tally.unattributed, tally.of) == (1, 2)
    assert tally.lost == {"system calls that Falco dropped": 86}
    assert tally.hooks == {"ours": 1, "others": 1}
    (pod,) = census.pods.values()
    assert (pod.namespace, pod.name, pod.python, pod.kernel, pod.sensor) == (
        "ml",
        "inference-1",
        True,
        True,
        False,
    )


def test_sensors_are_counted_by_pod_and_gaps_by_who_tells_them() -> None:
    census = Census()
    base = {
        "v": 1,
        "boot_id": "b",
        "pid": 7,
        "ns_pid": 7,
        "tid": 7,
        "start_ticks": 1,
        "chain": [],
        "dists": [],
    }
    pod = {
        "cluster": "c",
        "namespace": "ml",
        "name": "a",
        "uid": "1",
        "workload": "w",
        "workload_kind": "Deployment",
    }
    block = lines(
        {**base, "t_ns": ns(1), "event": "import", "module": "torch", "node": "n", "pod": pod},
        {**base, "t_ns": ns(2), "event": "connect", "dst": "203.0.113.9", "port": 443},
        {**base, "t_ns": ns(3), "event": "gap", "gap": "missing", "number": 5, "node": "n", "pod": pod},
        {**base, "t_ns": ns(4), "event": "withdrawn", "node": "n", "pod": pod},
    )
    sensor_survey(census).decode(block, "a", 1)
    with_receiver = census.tallies[Place("sensor", "c", "n")]
    assert with_receiver.lost == {
        "records of sensors that never came": 5,
        "starts without the sensor, which was withdrawn": 1,
    }
    without = census.tallies[Place("sensor", "", "")]
    assert (without.unattributed, without.of) == (1, 1)
    (known,) = census.pods.values()
    assert (known.sensor, known.kernel, known.workload) == (True, False, "w")


def test_rows_that_differ_in_anything_that_counts_are_not_the_same() -> None:
    census = Census()
    azure = next(one for one in surveys(census) if one.source == "azure")
    row = cloud("AzureActivity")[0]
    others = [
        {**row, "OperationName": "y"},
        {**row, "ResultType": "Failure"},
        {**row, "CorrelationId": "other"},
    ]
    azure.decode(lines(row, *others, row), "a", 1)
    (tally,) = census.tallies.values()
    assert (tally.records, tally.duplicates) == (4, 1)
