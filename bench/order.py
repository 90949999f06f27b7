"""Whether order matters: Python EQL and eightysix on the same true chains, with one source late by up to 0 to 600 s.

    python -m bench.order [--chains 50] [--output bench/results/order.json]

EQL's sequences want their events in order and lose chains when one source is late (U(0, s) seconds); eightysix judges by
event time and loses none. Both sides see the same arrivals.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from random import Random
from typing import Any

import eql  # type: ignore[import-untyped]

from eightysix.detect import Engine, Knowledge
from eightysix.model.event import Artifact, Event, EventId
from eightysix.model.words import Access, Domain, Grade, Kind, Origin, Source, Verdict
from eightysix.rules.catalog import load_packaged

BASE_S = 1_795_510_800
LATENESS_S = (0, 30, 60, 120, 600)
QUERY = """sequence by pod with maxspan=300s
  [any where kind == "install"] [any where kind == "metadata"] [any where kind == "token"]"""


def chain(pod: int, random: Random) -> list[tuple[float, str, Event]]:
    """One true chain: time, what EQL calls it, and the event."""
    start = random.uniform(0, 3000)
    times = [
        start + offset
        for offset in (0.0, random.uniform(5, 40), random.uniform(41, 70), random.uniform(71, 86))
    ]
    common: dict[str, Any] = {
        "source": Source.TETRAGON,
        "origin": Origin.KERNEL,
        "grade": Grade.B,
        "pod_uid": f"pod-{pod}",
        "container_id": f"{pod:064x}",
        "process_started_ns": BASE_S * 10**9 - 10**9,
    }
    server = f"s-{pod}"
    landed = {"activity": "install", "exec_id": f"pip-{pod}", "artifacts": (Artifact("pypi", "x"),)}
    token = "/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - a path
    what: list[tuple[str, dict[str, Any]]] = [
        ("install", {"kind": Kind.EXEC, **landed}),
        (
            "metadata",
            {
                "kind": Kind.CONNECT,
                "exec_id": server,
                "dst_ip": "169.254.169.254",
                "dst_port": 80,
                "domain": Domain.CLOUD,
            },
        ),
        (
            "token",
            {
                "kind": Kind.FILE,
                "exec_id": server,
                "file_path": token,
                "access": Access.READ,
                "domain": Domain.CLUSTER,
            },
        ),
        ("api", {"kind": Kind.CONNECT, "exec_id": server, "dst_ip": "10.0.0.1", "dst_port": 443}),
    ]
    return [
        (
            at,
            name,
            Event(
                event_id=EventId(f"{pod}-{name}"), time_ns=int((BASE_S + at) * 1e9), **{**common, **fields}
            ),
        )
        for at, (name, fields) in zip(times, what, strict=True)
    ]


def by_eql(arrivals: list[tuple[float, float, str, Event]]) -> int:
    """Chains that Python EQL finds, fed in order of arrival."""
    with eql.parser.elasticsearch_syntax:
        query = eql.parse_query(QUERY)
    engine = eql.PythonEngine()
    hits: set[str] = set()
    engine.add_query(query)
    engine.add_output_hook(lambda found: hits.add(found.events[0].data["pod"]))
    engine.stream_events(
        eql.Event(name, int(at * 10**7), {"kind": name, "pod": event.pod_uid})
        for _, at, name, event in sorted(arrivals, key=lambda a: a[0])
    )
    return len(hits)


def by_eightysix(arrivals: list[tuple[float, float, str, Event]]) -> int:
    """Chains that the engine contains, fed in order of arrival."""
    engine = Engine(load_packaged(), Knowledge(sources=frozenset({Source.TETRAGON})))
    engine.feed(event for _, _, _, event in sorted(arrivals, key=lambda a: a[0]))
    return sum(incident.verdict is Verdict.CONTAIN for incident in engine.incidents())


def run(chains: int) -> dict[str, object]:
    rows = []
    for lateness in LATENESS_S:
        random = Random(86)
        arrivals = []
        for pod in range(chains):
            for at, name, event in chain(pod, random):
                late = random.uniform(0, lateness) if name == "install" else 0.0
                arrivals.append((at + late, at, name, event))
        rows.append(
            {"late_s": lateness, "true": chains, "eql": by_eql(arrivals), "eightysix": by_eightysix(arrivals)}
        )
    return {"rows": rows, "late": "one source (what landed) late by U(0, late_s)"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--chains", type=int, default=50)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    text = json.dumps(run(args.chains), indent=1) + "\n"
    if args.output:
        args.output.write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
