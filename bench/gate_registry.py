"""A round of HEAD over watched tags of a real docker-registry on loopback: seconds, processor time, memory.

    python -m bench.gate_registry [--tags 1000] [--runs 5] [--output bench/results/gate_registry.json]

The registry is Debian's, a process of its own; tags lie in 20 repositories. Each run begins with a new reconciler, so its
connections are opened within the measured time. `of_one` is what one HEAD takes, one after the other. The least of all runs
counts; both processes share the processors with whatever else runs, which is told.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from eightysix.lab.registry import LocalRegistry, Pusher
from eightysix.model.gate import Reference, RegistryEvent
from eightysix.serve.registry import Pace, Reconciler, RegistryClient, Settings, settings_for_asking

REPOSITORIES = 20


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def one_round(registry: LocalRegistry, watched: list[Reference], rate: float) -> dict[str, float]:
    told: list[RegistryEvent] = []
    settings = settings_for_asking(Settings())
    theirs, ours, start = registry.cpu_seconds(), time.process_time(), time.perf_counter()
    with Reconciler(
        lambda host: RegistryClient(host, settings=settings),
        watched,
        lambda event, asked_ns: told.append(event),
        pace=Pace(rate=rate),
    ) as one:
        done = one.wait_for_round(60.0)
        seconds = time.perf_counter() - start
        cpu, registry_cpu = time.process_time() - ours, registry.cpu_seconds() - theirs
    one.close_clients()
    assert done
    assert len(told) == len(watched)
    assert one.status().registries[0].failures == {}
    return {
        "seconds": round(seconds, 3),
        "cpu_s": round(cpu, 3),
        "registry_cpu_s": round(registry_cpu, 3),
    }


def of_one(registry: LocalRegistry, reference: Reference, times: int = 500) -> dict[str, float]:
    took = []
    with RegistryClient(registry.host) as client:
        client.head(reference.repository, reference.tag)
        cpu = time.process_time()
        for _ in range(times):
            start = time.perf_counter()
            client.head(reference.repository, reference.tag)
            took.append(time.perf_counter() - start)
        cpu = (time.process_time() - cpu) / times
    cuts = statistics.quantiles(took, n=100)
    return {
        "p50_ms": round(cuts[49] * 1e3, 2),
        "p99_ms": round(cuts[98] * 1e3, 2),
        "cpu_ms": round(cpu * 1e3, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tags", type=int, default=1_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    before = f"load average {os.getloadavg()[0]:.1f} before"
    with tempfile.TemporaryDirectory() as folder, LocalRegistry(Path(folder)) as registry:
        watched = []
        with Pusher(registry.host) as pusher:
            for number in range(options.tags):
                repository, tag = f"ml/model-{number % REPOSITORIES}", f"v{number}"
                pusher.push(repository, tag, {"model.safetensors": str(number % 50).encode()})
                watched.append(Reference(registry.host, repository, tag))
        memory = resident_mb()
        paced = [one_round(registry, watched, Pace().rate) for _ in range(options.runs)]
        free = [one_round(registry, watched, 1e6) for _ in range(options.runs)]
        result: dict[str, Any] = {
            "tags": options.tags,
            "machine": f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}",
            "others": f"{before}, {os.getloadavg()[0]:.1f} after, on {os.cpu_count()} processors",
            "round": min(paced, key=lambda run: run["seconds"]),
            "round_all": [run["seconds"] for run in paced],
            "round_without_rate": min(free, key=lambda run: run["seconds"]),
            "round_without_rate_all": [run["seconds"] for run in free],
            "head": of_one(registry, watched[0]),
            "memory_mb": {
                "before": round(memory, 1),
                "after": round(resident_mb(), 1),
                "most": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1),
            },
        }
    text = json.dumps(result, indent=1) + "\n"
    sys.stdout.write(text)
    if options.output:
        options.output.write_text(text)


if __name__ == "__main__":
    main()
