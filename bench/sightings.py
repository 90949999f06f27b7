"""Where else artifacts are, over a whole cluster: one story, and 64 of them, over as many pods as are kept.

    python -m bench.sightings

Writes `bench/results/sightings.json`. Processor seconds, the least of three.
"""

from __future__ import annotations

import json
import os
import platform
import resource
from collections.abc import Callable
from pathlib import Path

from eightysix.detect.state import PodState, step
from eightysix.model.event import Artifact, Event, EventId
from eightysix.model.words import Domain, Grade, Kind, Origin, Source
from eightysix.reconstruct.sightings import Places, find_sightings
from eightysix.reconstruct.tell import MAX_STORIES

PODS = 20_000
EVENTS = 40
START_NS = 1_795_000_000_000_000_000


def state(number: int) -> PodState:
    """A pod with an image of its workload, and one of a hundred packages."""
    found = PodState(key=f"pod-{number}")
    for at in range(EVENTS):
        package = Artifact("pypi", f"package-{number % 100}", "1.0")
        step(
            found,
            Event(
                event_id=EventId(f"{number:08x}{at:08x}"),
                time_ns=START_NS + at * 1_000_000_000,
                source=Source.TETRAGON,
                origin=Origin.KERNEL,
                grade=Grade.B,
                kind=Kind.EXEC if at == 0 else Kind.CONNECT,
                namespace="ml",
                pod=f"pod-{number}",
                pod_uid=f"pod-{number}",
                image=f"registry.example/app-{number % 400}:1",
                exec_id=str(at),
                binary="/usr/bin/python3",
                activity="install" if at == 0 else "",
                artifacts=(package,) if at == 0 else (),
                dst_ip="" if at == 0 else f"10.0.{at % 8}.1",
                dst_port=443,
                domain=Domain.CLOUD if at == 1 else None,
            ),
        )
    return found


def seconds(work: Callable[[], object]) -> float:
    """Processor seconds of the least of three runs."""
    told = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
        work()
        told.append(resource.getrusage(resource.RUSAGE_SELF).ru_utime - before)
    return round(min(told), 2)


def main() -> None:
    states = [state(number) for number in range(PODS)]
    wanted = [Artifact("pypi", f"package-{number}", "1.0") for number in range(MAX_STORIES)]

    def one() -> None:
        find_sightings(states, wanted[:1], exclude=(), taken=())

    def all_of_them() -> None:
        places = Places(states)
        for artifact in wanted:
            find_sightings(places, [artifact], exclude=(), taken=())

    document = {
        "machine": f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}",
        "pods": PODS,
        "stories": MAX_STORIES,
        "one_story_s": seconds(one),
        "all_stories_s": seconds(all_of_them),
    }
    text = json.dumps(document, indent=1) + "\n"
    Path("bench/results/sightings.json").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
