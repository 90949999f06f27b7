"""The lab's API server with many pods: how long it takes to read them page by page, and how much memory they are.

    python -m bench.apiserver [--pods 20000] [--limit 500] [--output bench/results/apiserver.json]

The server is a process of its own (`python -m eightysix.lab.apiserver`, TLS), the reader is this one, with the standard
library's client and msgspec on one kept connection. The pods are as a cluster tells of its own: about 3 KB each.
"""

from __future__ import annotations

import argparse
import http.client
import json
import platform
import random
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec


def pod(at: int, chance: random.Random) -> dict[str, Any]:
    """A pod of an inference service as the API server of a cluster tells of it: defaults, statuses, managed fields."""
    digest = f"{chance.getrandbits(256):064x}"
    labels = {
        "app": f"inference-{at % 200}",
        "azure.workload.identity/use": "true",
        "pod-template-hash": f"{at % 977:010x}",
    }
    fields: dict[str, Any] = {
        f"f:{word}": {} for word in ("image", "imagePullPolicy", "name", "ports", "resources", "env")
    }
    mount = {
        "name": "kube-api-access-x2x4z",
        "readOnly": True,
        "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"inference-{at % 200}-{at:06d}",
            "namespace": f"team-{at % 40:02d}",
            "labels": labels,
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "name": f"inference-{at % 200}",
                    "uid": digest[:36],
                }
            ],
            "managedFields": [
                {"manager": who, "operation": "Update", "fieldsV1": {"f:spec": fields}}
                for who in ("kcm", "kubelet")
            ],
        },
        "spec": {
            "nodeName": f"aks-gpu-31337-vmss{at % 300:06x}",
            "serviceAccountName": "default",
            "containers": [
                {
                    "name": "server",
                    "image": f"registry.example/ml/inference@sha256:{digest}",
                    "env": [{"name": f"SETTING_{number}", "value": "x" * 20} for number in range(12)],
                    "ports": [{"containerPort": 8080, "protocol": "TCP"}],
                    "resources": {
                        "limits": {"nvidia.com/gpu": "1"},
                        "requests": {"cpu": "4", "memory": "16Gi"},
                    },
                    "volumeMounts": [mount],
                    "livenessProbe": {
                        "httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"},
                        "periodSeconds": 10,
                    },
                }
            ],
            "volumes": [
                {
                    "name": mount["name"],
                    "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]},
                }
            ],
            "tolerations": [{"key": "sku", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"}],
        },
        "status": {
            "phase": "Running",
            "podIP": f"10.{at >> 16 & 255}.{at >> 8 & 255}.{at & 255}",
            "conditions": [
                {"type": kind, "status": "True", "lastTransitionTime": "2026-11-20T08:00:00Z"}
                for kind in ("Initialized", "Ready", "ContainersReady", "PodScheduled")
            ],
            "containerStatuses": [
                {"name": "server", "ready": True, "restartCount": 0, "imageID": f"sha256:{digest}"}
            ],
        },
    }


def memory_mb(process: int) -> float:
    """Resident memory of a process."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def read(
    connection: http.client.HTTPSConnection, headers: dict[str, str], limit: int
) -> tuple[int, int, list[float]]:
    """Pods, bytes and the seconds of each page of one list."""
    pods = size = 0
    took = []
    more = ""
    while True:
        began = time.perf_counter()
        connection.request("GET", f"/api/v1/pods?limit={limit}&continue={more}", headers=headers)
        body = connection.getresponse().read()
        took.append(time.perf_counter() - began)
        page = msgspec.json.decode(body)
        pods += len(page["items"])
        size += len(body)
        more = page["metadata"].get("continue", "")
        if not more:
            return pods, size, took


def main() -> int:
    """Measure, print, and write what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pods", type=int, default=20_000)
    parser.add_argument("--limit", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output")
    options = parser.parse_args()
    chance = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        objects = Path(folder, "pods.json")
        items = b",".join(msgspec.json.encode(pod(at, chance)) for at in range(options.pods))
        objects.write_bytes(b'{"apiVersion":"v1","kind":"PodList","items":[' + items + b"]}")
        began = time.perf_counter()
        words = [
            sys.executable,
            "-m",
            "eightysix.lab.apiserver",
            "--objects",
            str(objects),
            "--folder",
            folder,
        ]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdin is not None
            told = json.loads(process.stdout.readline())
            ready_s = time.perf_counter() - began
            config = json.loads(Path(told["kubeconfig"]).read_text())
            headers = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"}
            context = ssl.create_default_context(cafile=str(Path(folder, "ca.crt")))
            host, _, port = told["url"].removeprefix("https://").rpartition(":")
            connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=60)
            before_mb = memory_mb(process.pid)
            rounds: list[float] = []
            pods, size, pages = 0, 0, [0.0]
            for _ in range(options.rounds):
                began = time.perf_counter()
                pods, size, pages = read(connection, headers, options.limit)
                rounds.append(time.perf_counter() - began)
                assert pods == options.pods
            after_mb = memory_mb(process.pid)
            connection.close()
            process.stdin.close()
            process.wait(20)
    found = {
        "pods": options.pods,
        "limit": options.limit,
        "python": platform.python_version(),
        "bytes": size,
        "bytes_a_pod": round(size / pods),
        "ready_s": round(ready_s, 2),
        "list_s": round(statistics.median(rounds), 3),
        "page_ms": round(statistics.median(pages) * 1000, 2),
        "server_mb_loaded": round(before_mb, 1),
        "server_mb_after": round(after_mb, 1),
    }
    print(json.dumps(found, indent=1))
    if options.output:
        Path(options.output).write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
