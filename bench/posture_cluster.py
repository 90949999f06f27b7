"""A whole posture, from what a cluster tells to the plain report: out of a file, and asked over HTTP; and a million bindings.

    python -m bench.posture_cluster [--pods 10000 25000 100000] [--output bench/results/posture_cluster.json]

The objects are drawn (seed 86) as a cluster tells of its own, with statuses, defaults and managed fields, about 3 KB a pod: 20
pods a Deployment with its ReplicaSet, an account for every second workload, a role and a binding for every fourth of these, a
node for every twenty pods, some privileged DaemonSets with GPU operands, node pools and identities of the cloud. `report` is
`eightysix posture FILE` in a process of its own: CPU, peak memory and time. `collect` asks the lab's API server, a process of
its own too, page by page over TLS, and tells memory along the way: flat is what stays when the pods that are alike are known.
`bindings` are role bindings in one list, of as many roles and accounts. CPU is user and system time of the measured process.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from bench.apiserver import memory_mb, pod

RBAC = "rbac.authorization.k8s.io"
EACH = 20


def meta(name: str, namespace: str = "", **more: Any) -> dict[str, Any]:
    told = {"name": name, "uid": f"{zlib.crc32(f'{namespace}/{name}'.encode()):08x}", "resourceVersion": "1"}
    return {**told, **({"namespace": namespace} if namespace else {}), **more}


def owned(kind: str, name: str) -> list[dict[str, Any]]:
    return [{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": name, "controller": True}]


def objects(pods: int) -> Iterator[dict[str, Any]]:
    """Everything of a cluster, one after the other."""
    chance = random.Random(86)
    workloads, nodes = pods // EACH, max(pods // 20, 1)
    spaces = max(pods // 500, 2)
    for number in range(spaces):
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": meta(f"team-{number}")}
    for number in range(nodes):
        spec = {"providerID": f"azure:///vmss/{number}"}
        yield {"apiVersion": "v1", "kind": "Node", "metadata": meta(f"aks-gpu-{number:06d}"), "spec": spec}
    for number in range(workloads):
        yield from workload(number, f"team-{number % spaces}", chance, nodes)


def workload(number: int, space: str, chance: random.Random, nodes: int) -> Iterator[dict[str, Any]]:
    name, account = f"inference-{number}", f"sa-{number // 2}"
    if number % 2 == 0:
        yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta(account, space)}
    if number % 8 == 0:
        verbs = chance.choice((["get"], ["list"], ["create"], ["patch"]))
        what = chance.choice(("secrets", "pods/exec", "pods", "serviceaccounts/token", "configmaps"))
        rules = [{"apiGroups": [""], "resources": [what], "verbs": verbs}]
        yield {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": meta(name, space), "rules": rules}
        yield {
            "apiVersion": f"{RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": meta(name, space),
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": space}],
        }
    if number % 400 == 0:
        yield {
            "apiVersion": f"{RBAC}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": meta(name),
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": space}],
        }
    hash_ = f"{number:010x}"
    made = pod(number, chance)
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {**made["spec"], "serviceAccountName": account},
    }
    template["spec"].pop("nodeName")
    if number % 200 == 1:
        template["spec"]["containers"][0]["securityContext"] = {"privileged": True}
        template["spec"]["containers"][0]["image"] = "nvcr.io/nvidia/k8s-device-plugin:1"
    kind = "DaemonSet" if number % 200 == 1 else "Deployment"
    yield {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": meta(name, space),
        "spec": {"replicas": EACH, "template": template},
    }
    direct = name if kind == "DaemonSet" else f"{name}-{hash_}"
    if kind == "Deployment":
        yield {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": meta(direct, space, ownerReferences=owned(kind, name)),
            "spec": {"replicas": EACH, "template": template},
        }
    for each in range(EACH):
        made["metadata"] = {
            **meta(f"{direct}-{each:05x}", space),
            "labels": {"app": name, "pod-template-hash": hash_},
            "ownerReferences": owned("DaemonSet" if kind == "DaemonSet" else "ReplicaSet", direct),
            "managedFields": made["metadata"]["managedFields"],
        }
        suffix = "".join(chance.choice("bcdfghjklm") for _ in range(5))
        yield {**made, "spec": placed(template["spec"], chance.randrange(nodes), suffix)}


def placed(spec: dict[str, Any], node: int, suffix: str) -> dict[str, Any]:
    """A pod's specification as admission and scheduler leave it."""
    told = msgspec.json.encode(spec).replace(b"kube-api-access-x2x4z", f"kube-api-access-{suffix}".encode())
    return {**msgspec.json.decode(told), "nodeName": f"aks-gpu-{node:06d}"}


def bindings(count: int) -> Iterator[dict[str, Any]]:
    """As many role bindings, of as many roles and accounts."""
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": meta("n")}
    spec = {"containers": [{"name": "c", "image": "i"}], "serviceAccountName": "s0"}
    yield {"apiVersion": "v1", "kind": "Pod", "metadata": meta("p", "n0"), "spec": spec}
    for number in range(count):
        space = f"n{number % 1000}"
        yield {
            "apiVersion": f"{RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": meta(f"b{number}", space),
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view" if number % 3 else "edit"},
            "subjects": [{"kind": "ServiceAccount", "name": f"s{number // 1000}", "namespace": space}],
        }


def write(path: Path, held: Iterator[dict[str, Any]]) -> int:
    """One object a line, as `kubectl get -o json | jq -c .items[]` has them."""
    with path.open("wb") as file:
        for one in held:
            file.write(msgspec.json.encode(one) + b"\n")
    return path.stat().st_size


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def report(path: Path, folder: Path) -> dict[str, Any]:
    """The command as a user runs it."""
    out = folder / "plain.txt"
    words = [sys.executable, "-m", "bench.posture_cluster", "--run", str(path), "--to", str(out)]
    found: dict[str, Any] = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
    found["report_lines"] = out.read_text().count("\n")
    return found


def run(path: str, to: str) -> dict[str, Any]:
    from eightysix.cli.main import main as command

    began = time.perf_counter()
    code = command(["posture", path, "--output", to, "--exit-zero", "--quiet"])
    return {
        "code": code,
        "cpu_s": round(cpu(), 2),
        "wall_s": round(time.perf_counter() - began, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def ask(folder: Path) -> dict[str, Any]:
    """Collect from the API server whose kubeconfig is in a folder, and judge."""
    from eightysix.posture.judge import World, judge
    from eightysix.posture.reading import SnapshotBuilder
    from eightysix.serve.cluster import ClusterClient, from_kubeconfig
    from eightysix.serve.posture import collect

    builder = SnapshotBuilder()
    pages = 0
    along: list[float] = []
    with ClusterClient(from_kubeconfig(str(folder / "kubeconfig"), "")) as client:
        before, original = memory_mb(os.getpid()), client.ask

        def counted(path: str, accept: str = "application/json") -> bytes:
            nonlocal pages
            if "/pods?" in path:
                pages += 1
                if pages % 20 == 1:
                    along.append(round(memory_mb(os.getpid()), 1))
            return original(path, accept)

        client.ask = counted  # type: ignore[method-assign]
        began, spent = time.perf_counter(), cpu()
        collect(builder, client)
        found: dict[str, Any] = {
            "collect_wall_s": round(time.perf_counter() - began, 2),
            "collect_cpu_s": round(cpu() - spent, 2),
        }
    snapshot = builder.snapshot()
    found |= {
        "pods": len(snapshot.pods),
        "problems": len(builder.problems),
        "mb_before": round(before, 1),
        "mb_each_20_pages_of_pods": along,
        "mb_after": round(memory_mb(os.getpid()), 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    spent = cpu()
    told = judge(snapshot, world=World(snapshot))
    found |= {"judge_cpu_s": round(cpu() - spent, 2), "templates": len(told.pods), "edges": len(told.edges)}
    return found


def collected(path: Path, folder: Path) -> dict[str, Any]:
    """The API server with these objects, and who asks it."""
    listed = folder / "objects.json"
    with listed.open("wb") as file:
        file.write(b'{"apiVersion":"v1","kind":"List","items":[')
        for number, line in enumerate(path.open("rb")):
            file.write((b"," if number else b"") + line.strip())
        file.write(b"]}")
    words = [
        sys.executable,
        "-m",
        "eightysix.lab.apiserver",
        "--objects",
        str(listed),
        "--folder",
        str(folder),
    ]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        json.loads(server.stdout.readline())
        command = [sys.executable, "-m", "bench.posture_cluster", "--ask", str(folder)]
        found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        server.stdin.close()
        server.wait(60)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pods", type=int, nargs="*", default=[10_000, 25_000, 100_000])
    parser.add_argument("--collect", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--bindings", type=int, default=1_000_000)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--run", help=argparse.SUPPRESS)
    parser.add_argument("--to", help=argparse.SUPPRESS)
    parser.add_argument("--ask", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        print(json.dumps(run(options.run, options.to)))
        return
    if options.ask:
        print(json.dumps(ask(options.ask)))
        return
    document: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}",
        "others": f"load average {os.getloadavg()[0]:.1f} before",
        "report": {},
        "collect": {},
    }
    for count in sorted({*options.pods, *options.collect}):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "cluster.jsonl")
            size = write(path, objects(count))
            if count in options.pods:
                document["report"][str(count)] = {"file_mb": size >> 20, **report(path, Path(folder))}
            if count in options.collect:
                document["collect"][str(count)] = collected(path, Path(folder))
    if options.bindings:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "bindings.jsonl")
            size = write(path, bindings(options.bindings))
            told = {"count": options.bindings, "file_mb": size >> 20, **report(path, Path(folder))}
            document["bindings"] = told
    document["others"] += f", {os.getloadavg()[0]:.1f} after"
    text = json.dumps(document, indent=1) + "\n"
    if options.output:
        options.output.write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
