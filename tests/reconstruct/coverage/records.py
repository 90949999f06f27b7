"""An estate in which everything is seen, as records of each source: what is taken away from it must be what is missed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Json = dict[str, Any]

CLUSTER = "aks-ml-prod"
NODES = ("aks-gpu-1", "aks-gpu-2")
RESOURCE = f"/SUBSCRIPTIONS/S/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/{CLUSTER.upper()}"
MINUTES = 60


def at(second: float) -> str:
    """A moment so many seconds after nine o'clock, as Tetragon writes it."""
    whole, part = divmod(round(second * 1_000_000), 1_000_000)
    return f"2026-11-23T{9 + whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}.{part:06}123Z"


def ns(second: float) -> int:
    """The same in nanoseconds since 1970."""
    return (1_795_424_400 + round(second * 1000) // 1000) * 1_000_000_000 + round(
        second * 1_000_000
    ) % 1_000_000 * 1000


def pod(node: str) -> Json:
    number = node[-1]
    return {
        "namespace": "ml",
        "name": f"inference-{number}",
        "uid": f"00000000-0000-4000-8000-00000000000{number}",
        "workload": "inference",
        "workload_kind": "Deployment",
        "container": {"id": f"containerd://{number * 64}", "name": "server"},
    }


def process(node: str, pid: int, *, binary: str = "/usr/bin/python3", inside: bool = True) -> Json:
    found: Json = {
        "exec_id": f"{node}:{pid}",
        "pid": pid,
        "binary": binary,
        "arguments": "server.py",
        "ns": {"mnt": {"inum": 1, "is_host": not inside}},
    }
    if inside:
        found |= {"pod": pod(node), "docker": node[-1] * 31}
    return found


def kernel(node: str, *, cluster: str = CLUSTER, minutes: int = MINUTES) -> list[Json]:
    """An hour of Tetragon on one node: every ten seconds something of each kind."""
    found: list[Json] = []
    tail = {"node_name": node, "cluster_name": cluster}

    def probe(second: float, function: str, policy: str, *args: Json) -> None:
        body = {
            "process": process(node, 7),
            "function_name": function,
            "policy_name": policy,
            "args": list(args),
        }
        found.append({"process_kprobe": body, "time": at(second), **tail})

    for second in range(0, minutes * 60, 10):
        found.append({"process_exec": {"process": process(node, second + 10)}, "time": at(second), **tail})
        host = process(node, second + 11, binary="/usr/bin/kubelet", inside=False)
        found.append({"process_exec": {"process": host}, "time": at(second + 1), **tail})
        address = "169.254.169.254" if second % 60 else "203.0.113.9"
        probe(
            second + 2, "tcp_connect", "eightysix-connections", {"sock_arg": {"daddr": address, "dport": 80}}
        )
        token = {"file_arg": {"path": "/run/secrets/token"}}
        probe(second + 3, "security_file_permission", "eightysix-files", token, {"int_arg": 4})
        if second % 600 == 0:
            probe(second + 4, "__x64_sys_setns", "eightysix-host", {"int_arg": 3}, {"int_arg": 0})
    return found


def sensor(node: str, *, minutes: int = MINUTES) -> list[Json]:
    """An hour of one pod's sensor."""
    body = pod(node)
    who = {
        "cluster": CLUSTER,
        "namespace": "ml",
        "name": body["name"],
        "uid": body["uid"],
        "workload": "inference",
    }
    found: list[Json] = []
    for second in range(0, minutes * 60, 20):
        more: Json = {"event": "connect", "dst": "203.0.113.9", "port": 443}
        if second % 60 == 0:
            more = {"event": "file", "path": "/run/secrets/token", "mode": "r"}
        if second % 300 == 0:
            more = {"event": "import", "module": "torch"}
        found.append(
            {
                "v": 1,
                "t_ns": ns(second + 5),
                "boot_id": "b",
                "pid": 7,
                "ns_pid": 7,
                "tid": 7,
                "start_ticks": 1,
                "seq": second,
                "chain": [],
                "root": "",
                "at_import": "",
                "dists": [],
                "node": node,
                "pod": who,
                **more,
            }
        )
    return found


def audit(
    category: str = "kube-audit", *, verbs: Sequence[str] = ("get", "list", "create"), minutes: int = MINUTES
) -> list[Json]:
    """An hour of an AKS cluster's audit log, of the pods' accounts and the nodes' kubelets, 40 s late."""
    found: list[Json] = []
    for second in range(0, minutes * 60, 30):
        for number, verb in enumerate(verbs):
            extra = {"authentication.kubernetes.io/pod-name": ["inference-1"]}
            extra["authentication.kubernetes.io/credential-id"] = ["JTI=1"]
            user: Json = {"username": "system:serviceaccount:ml:inference", "extra": extra}
            found.append(_request(second + number, verb, user, category))
        for number, node in enumerate(NODES):
            kubelet = {"username": f"system:node:{node}"}
            found.append(
                _request(second + 5 + number, "update" if "get" not in verbs else "get", kubelet, category)
            )
    return found


def _request(second: float, verb: str, user: Json, category: str) -> Json:
    event = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Request",
        "stage": "ResponseComplete",
        "auditID": f"{second}-{verb}-{user['username']}",
        "requestURI": "/api/v1/namespaces/ml/secrets",
        "verb": verb,
        "user": user,
        "objectRef": {"resource": "secrets", "namespace": "ml"},
        "responseStatus": {"code": 200},
        "requestObject": {"spec": {}},
        "requestReceivedTimestamp": at(second)[:-4] + "Z",
        "stageTimestamp": at(second)[:-4] + "Z",
    }
    log = json.dumps(event)
    return {"category": category, "resourceId": RESOURCE, "time": at(second + 40), "properties": {"log": log}}


def cloud(table: str, *, minutes: int = MINUTES, **more: Any) -> list[Json]:
    """Some rows of one of Azure's tables, four minutes late."""
    return [
        {
            "Type": table,
            "TimeGenerated": at(second),
            "_TimeReceived": at(second + 240),
            "CorrelationId": f"{second}",
            "ServicePrincipalId": "22222222-2222-4222-8222-222222222222",
            "OperationName": "x",
            "ResultType": "0",
            **more,
        }
        for second in range(0, minutes * 60, 900)
    ]


def flows(*, minutes: int = MINUTES) -> list[Json]:
    """Answers of the cluster's resolver, as Hubble has them."""
    return [
        {
            "flow": {
                "time": at(second),
                "verdict": "FORWARDED",
                "node_name": f"{CLUSTER}/{NODES[0]}",
                "Type": "L7",
                "source": {
                    "namespace": "kube-system",
                    "pod_name": "coredns-1",
                    "labels": ["k8s:k8s-app=kube-dns"],
                },
                "destination": {"namespace": "ml", "pod_name": "inference-1", "cluster_name": CLUSTER},
                "IP": {"source": "10.0.0.10", "destination": "10.244.0.5"},
                "l4": {"UDP": {"source_port": 53, "destination_port": 40000}},
                "l7": {
                    "type": "RESPONSE",
                    "dns": {"query": "example.org.", "ips": ["203.0.113.9"], "ttl": 30},
                },
            },
            "node_name": f"{CLUSTER}/{NODES[0]}",
            "time": at(second),
        }
        for second in range(0, minutes * 60, 60)
    ]


CLOUD = (
    "AADManagedIdentitySignInLogs",
    "AADServicePrincipalSignInLogs",
    "AzureActivity",
    "AZKVAuditLogs",
    "StorageBlobLogs",
    "ContainerRegistryLoginEvents",
    "ContainerRegistryRepositoryEvents",
)


def everything(minutes: int = MINUTES) -> dict[str, list[Json]]:
    """By file, every record of an estate without a gap (but for what no record tells: baseline and ledger)."""
    return {
        **{f"tetragon-{node}.jsonl": kernel(node, minutes=minutes) for node in NODES},
        **{f"sensor-{node}.jsonl": sensor(node, minutes=minutes) for node in NODES},
        "audit.jsonl": audit(minutes=minutes),
        "flows.jsonl": flows(minutes=minutes),
        **{f"{table}.jsonl": cloud(table, minutes=minutes) for table in CLOUD},
    }


def write(folder: Path, files: Mapping[str, Sequence[Json]]) -> str:
    """Write it as JSON Lines, as exporters do: compact."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, records in files.items():
        text = "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records)
        (folder / name).write_text(text, encoding="utf-8")
    return str(folder)
