"""The graph of a large cluster: build it, find every pod's best path to every sink, score all pods, find five fixes.

    python -m bench.posture [--pods 10000 100000] [--output bench/results/posture.json]

The cluster is drawn by numpy (seed 86): per 100,000 pods 5,000 nodes, 50,000 service accounts, 5,000 namespaces, 60,000
permission sets, 500 cloud identities, and edges up to 2,000,000; 10,008 sinks, of which 5,000 are namespaces and 5,000 nodes
(each of these families is searched as one, for the nearest). One edge in five is inferred, one in ten assumed. Each size is drawn
by a process of its own and measured in another, three times; the least counts. `arrays` is the graph out of arrays;
`edges` out of as many `Edge` objects, as generators give them, whose making is not counted, their memory is. Paths stand in the
answers' predecessor arrays; `paths_text` is what 1,000 of them cost as sentences. CPU is user and system time: where other work
runs beside, it is the number to compare.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from eightysix.model.posture import Confidence, Edge
from eightysix.posture.fixes import choke_points
from eightysix.posture.graph import Graph, targets_of
from eightysix.posture.paths import best_paths
from eightysix.posture.risk import Scores

T = TypeVar("T")

TYPES = [
    "CONTAINS",
    "EXEC",
    "HOLDS",
    "HOLDS_ROLE",
    "IMDS_NODE_ID",
    "NODE_PODS",
    "NS_ADMIN",
    "PRIVILEGED",
    "SA_TOKEN_MOUNTED",
    "WI_FEDERATED",
]
GREAT = [
    "acr-write",
    "cluster-admin",
    "data-read",
    "kv-secrets",
    "llm-spend",
    "model-store-write",
    "registry-read",
    "sub-owner",
]
RUNS = 3


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number:06d}" for number in range(count)]


def cluster(pods: int) -> tuple[list[str], dict[str, Any]]:
    """Ids in order, and arrays of sources, targets, types and confidences."""
    nodes, accounts, spaces, sets, clouds = (
        pods // 20,
        pods // 2,
        pods // 20,
        pods * 6 // 10,
        max(pods // 200, 60),
    )
    parts = {
        "cloud": names("cloud-identity:", clouds),
        "space": names("namespace:", spaces),
        "node": names("node:", nodes),
        "set": names("permission-set:r::", sets),
        "pod": names("pod:n/", pods),
        "account": names("service-account:n/", accounts),
        "sink": sorted(
            [*(f"sink:{one}" for one in GREAT), *names("sink:node/", nodes), *names("sink:ns-admin/", spaces)]
        ),
    }
    first, at = {}, 0
    for name, ids in parts.items():
        first[name] = at
        at += len(ids)
    sink = {one: first["sink"] + number for number, one in enumerate(parts["sink"])}
    chance = np.random.default_rng(86)
    found: list[tuple[Any, Any, Any]] = []

    def add(kind: str, sources: Any, targets: Any) -> None:
        found.append((sources, targets, np.full(len(sources), TYPES.index(kind))))

    def some(of: str, count: int) -> Any:
        return first[of] + chance.integers(0, len(parts[of]), count)

    everyone = first["pod"] + np.arange(pods)
    on, account = some("node", pods), some("account", pods)
    add("SA_TOKEN_MOUNTED", everyone, account)
    escaping = np.flatnonzero(chance.random(pods) < 0.03)
    add("PRIVILEGED", everyone[escaping], on[escaping])
    add("NODE_PODS", on, everyone)
    add("NODE_PODS", on, account)
    add("HOLDS", some("account", pods * 12 // 10), some("set", pods * 12 // 10))
    add("EXEC", first["set"] + np.arange(sets), some("space", sets))
    add("CONTAINS", some("space", pods), everyone)
    add("CONTAINS", some("space", accounts), first["account"] + np.arange(accounts))
    add("NS_ADMIN", some("set", 30), np.full(30, sink["sink:cluster-admin"]))
    add(
        "NS_ADMIN",
        some("set", spaces),
        first["sink"] + np.array([sink[one] - first["sink"] for one in sink if one.startswith("sink:ns-")]),
    )
    add(
        "CONTAINS",
        first["node"] + np.arange(nodes),
        np.array([sink[one] for one in sink if one.startswith("sink:node/")]),
    )
    add("WI_FEDERATED", some("account", accounts * 8 // 100), some("cloud", accounts * 8 // 100))
    kubelets = first["cloud"] + chance.integers(0, 40, nodes)
    add("IMDS_NODE_ID", first["node"] + np.arange(nodes), kubelets)
    reaching = np.flatnonzero(chance.random(pods) < 0.8)
    add("IMDS_NODE_ID", everyone[reaching], kubelets[on[reaching] - first["node"]])
    for one in GREAT:
        if one != "cluster-admin":
            owners = first["cloud"] + 40 + chance.choice(clouds - 40, 12, replace=False)
            add("HOLDS_ROLE", owners, np.full(12, sink[f"sink:{one}"]))
    left = pods * 20 - sum(one[0].size for one in found)
    add("EXEC", first["set"] + chance.integers(0, sets // 20, left), some("pod", left))
    arrays = {
        "sources": np.concatenate([one[0] for one in found]).astype(np.int32),
        "targets": np.concatenate([one[1] for one in found]).astype(np.int32),
        "kinds": np.concatenate([one[2] for one in found]).astype(np.uint16),
    }
    dice = chance.random(pods * 20)
    arrays["confidence"] = ((dice > 0.7).astype(np.uint8) + (dice > 0.9)).astype(np.uint8)
    return [one for ids in parts.values() for one in ids], arrays


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_mb() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def timed(times: dict[str, float], name: str, call: Callable[[], T]) -> T:
    start = cpu()
    result = call()
    times[name] = round(cpu() - start, 3)
    return result


def measure(path: Path, mode: str) -> dict[str, Any]:
    """One build and all answers; for arrays then scores, texts and fixes, too."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files if name != "ids"}
        ids = str(file["ids"]).split("\n")
    found: dict[str, Any] = {"import_mb": peak_mb()}
    times: dict[str, float] = {}
    if mode == "edges":
        levels = tuple(Confidence)
        columns = (arrays.pop(name) for name in ("kinds", "sources", "targets", "confidence"))
        rows = zip(*columns, strict=True)
        edges = tuple(
            Edge(TYPES[kind], ids[source], ids[target], confidence=levels[code])
            for kind, source, target, code in rows
        )
        graph = timed(times, "build_cpu_s", lambda: Graph.of(edges))
    else:
        codes = (arrays["kinds"], arrays["confidence"])
        graph = timed(
            times, "build_cpu_s", lambda: Graph(ids, arrays["sources"], arrays["targets"], codes, TYPES)
        )
    targets = targets_of(graph.sinks())
    reaches = timed(times, "search_cpu_s", lambda: list(graph.search_all(targets)))
    found |= times
    found["build_and_search_cpu_s"] = round(sum(times.values()), 3)
    found["peak_mb"] = peak_mb()
    pods = [one for one in ids if one.startswith("pod:")]
    numbers = graph.numbers(pods)
    found |= {"vertices": len(graph.ids), "edges": len(graph), "sinks": len(graph.sinks())}
    found["reached"] = {reach.target.name: int((reach.level[numbers] >= 0).sum()) for reach in reaches}
    found["longest"] = max(length for reach in reaches for _, length in reach.levels)
    if mode == "arrays":
        scores = timed(found, "scores_cpu_s", lambda: Scores(graph, reaches))
        timed(found, "risk_of_1000_cpu_s", lambda: [scores.of(pod) for pod in pods[:1000]])
        few = pods[:: max(len(pods) * len(reaches) // 1000, 1)]
        timed(found, "paths_text_cpu_s", lambda: sum(1 for _ in best_paths(graph, reaches, few)))
        chokes = timed(
            found, "five_fixes_cpu_s", lambda: choke_points(graph, dict.fromkeys(pods, 1), targets)
        )
        found["fixes_pods"] = [fix.pods for fix in chokes.fixes]
        found["peak_with_fixes_mb"] = peak_mb()
    return found


def run(pods: int, folder: Path) -> dict[str, Any]:
    file = folder / f"{pods}.npz"
    subprocess.run(
        [sys.executable, "-m", "bench.posture", "--draw", str(pods), "--file", str(file)], check=True
    )
    document: dict[str, Any] = {}
    for mode in ("arrays", "edges"):
        command = [sys.executable, "-m", "bench.posture", "--measure", mode, "--file", str(file)]
        outputs = [subprocess.run(command, check=True, capture_output=True).stdout for _ in range(RUNS)]
        document[mode] = min(map(json.loads, outputs), key=lambda one: float(one["build_and_search_cpu_s"]))
    return document


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pods", type=int, nargs="+", default=[10_000, 25_000, 100_000])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--draw", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--measure", choices=["arrays", "edges"], help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.draw:
        ids, arrays = cluster(options.draw)
        np.savez(options.file, ids=np.array("\n".join(ids)), **arrays)
        return
    if options.measure:
        print(json.dumps(measure(options.file, options.measure)))
        return
    document: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}, numpy {np.__version__}",
        "others": f"load average {os.getloadavg()[0]:.1f} before",
    }
    with tempfile.TemporaryDirectory() as folder:
        document["pods"] = {str(pods): run(pods, Path(folder)) for pods in options.pods}
    document["others"] += f", {os.getloadavg()[0]:.1f} after"
    text = json.dumps(document, indent=1) + "\n"
    if options.output:
        options.output.write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
