"""How large the page of a large cluster's posture is, and what it costs to open, search, sort and pick in Chromium.

    python -m bench.posture_html [--runs 3] [--output bench/results/posture_html.json]

Needs Chromium and Playwright. Clusters are written here as manifests, so that all of `posture` makes what is shown: workloads in
a hundred namespaces, each with an account of its own; one in five is bound to a role that reads Secrets or makes pods, one in
fifty mounts the host's disk, half hold keys of a hub or a model provider. `typical` has 1,000 workloads of 100 pods each,
`distinct` 10,000 of 10. What is told of each interaction is the processor's time of the page's main thread until the second frame
after it; of several runs the least, as other work on the machine only adds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from eightysix.model.posture import Posture
from eightysix.posture.judge import World, judge
from eightysix.posture.reading import SnapshotBuilder
from eightysix.report.interface import RenderOptions
from eightysix.report.posture.html import FORMAT

__all__ = ["cluster", "main", "measure"]

SIZES = {"typical": (1_000, 100), "distinct": (10_000, 10)}

SETTLED = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
TYPED = """(text) => { const field = document.querySelector("#matrix").closest("section").querySelector("input[type=search]");
  field.value = text; field.dispatchEvent(new Event("input", {bubbles: true})); }"""
PRESSED = "(selector) => document.querySelector(selector).click()"


def objects(workloads: int, replicas: int) -> Iterator[dict[str, Any]]:
    """The cluster's objects."""
    rbac = {"apiVersion": "rbac.authorization.k8s.io/v1"}
    for name, verb, thing in (("reader", "get", "secrets"), ("maker", "create", "pods")):
        rule = {"apiGroups": [""], "resources": [thing], "verbs": [verb]}
        yield {**rbac, "kind": "ClusterRole", "metadata": {"name": name}, "rules": [rule]}
    for number in range(workloads):
        meta = {"name": f"app-{number:05d}", "namespace": f"team-{number % 100:03d}"}
        yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}
        if number % 5 == 0:
            kind = "ClusterRoleBinding" if number % 200 == 0 else "RoleBinding"
            subject = {"kind": "ServiceAccount", **meta}
            role = {
                "kind": "ClusterRole",
                "name": "maker" if number % 3 else "reader",
                "apiGroup": "rbac.authorization.k8s.io",
            }
            yield {**rbac, "kind": kind, "metadata": meta, "subjects": [subject], "roleRef": role}
        container: dict[str, Any] = {"name": "main", "image": f"registry.example/app-{number % 700}:latest"}
        if number % 2:
            key = {"secretKeyRef": {"name": "keys", "key": "key"}}
            container["env"] = [
                {"name": "HF_TOKEN" if number % 4 == 1 else "OPENAI_API_KEY", "valueFrom": key}
            ]
        spec: dict[str, Any] = {"serviceAccountName": meta["name"], "containers": [container]}
        if number % 50 == 7:
            spec["volumes"] = [{"name": "host", "hostPath": {"path": "/"}}]
            container["volumeMounts"] = [{"name": "host", "mountPath": "/host"}]
        template = {"metadata": {"labels": {"app": meta["name"]}}, "spec": spec}
        yield {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": meta,
            "spec": {"replicas": replicas, "template": template},
        }


def cluster(workloads: int, replicas: int) -> Posture:
    """What `posture` tells of it."""
    builder = SnapshotBuilder("large", "2026-11-23T12:00:00Z", "1.34", manifests=True)
    for one in objects(workloads, replicas):
        builder.take(json.dumps(one).encode(), "large.json")
    snapshot = builder.snapshot()
    return judge(snapshot, world=World(snapshot), cuts=True, places=builder.places)


def one_run(browser: Any, file: Path) -> dict[str, float]:
    """The page opened and used, once."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def busy() -> float:
        metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
        return float(metrics["TaskDuration"]) * 1000

    found: dict[str, float] = {}

    def spent(name: str, script: str, *given: object) -> None:
        start = busy()
        page.evaluate(script, *given)
        page.evaluate(SETTLED)
        found[name] = busy() - start

    page.goto(file.as_uri())
    page.wait_for_selector("table.pods")
    page.evaluate(SETTLED)
    found["open_cpu_ms"] = busy()
    found["first_paint_ms"] = page.evaluate(
        "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    )
    spent("search_cpu_ms", TYPED, "team-007/app-0")
    spent("search_nothing_cpu_ms", TYPED, "no such workload")
    spent("clear_cpu_ms", TYPED, "")
    spent("sort_by_name_cpu_ms", PRESSED, "table.pods th:nth-child(2) .sort")
    spent("filter_by_sink_cpu_ms", PRESSED, ".sinks button")
    spent("pick_a_workload_cpu_ms", PRESSED, "table.pods tbody tr:nth-child(3)")
    spent("all_paths_together_cpu_ms", PRESSED, ".chips .chip")
    metrics = session.send("Performance.getMetrics")["metrics"]
    found["heap_mb"] = next(one["value"] for one in metrics if one["name"] == "JSHeapUsedSize") / 1e6
    page.close()
    return found


def measure(runs: int) -> dict[str, Any]:
    """Size and times of each cluster's page."""
    from playwright.sync_api import sync_playwright

    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        for name, (workloads, replicas) in SIZES.items():
            told = cluster(workloads, replicas)
            file = Path(folder, f"{name}.html")
            file.write_text("".join(FORMAT.write(told, RenderOptions())), "utf-8")
            measured = [one_run(browser, file) for _ in range(runs)]
            found[name] = {
                "pods": sum(pod.pods for pod in told.pods),
                "workloads": len(told.pods),
                "edges": len(told.edges),
                "paths": len(told.paths),
                "bytes": file.stat().st_size,
                **{key: round(min(one[key] for one in measured), 1) for key in measured[0]},
            }
        version = browser.version
        browser.close()
    return {
        "chromium": version,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load_average": [round(one, 1) for one in os.getloadavg()],
        "runs": runs,
        "clusters": found,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    text = json.dumps(measure(options.runs), indent=1) + "\n"
    if options.output is None:
        sys.stdout.write(text)
    else:
        options.output.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
