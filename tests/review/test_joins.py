"""Joins and order: what must not depend on which file comes first, and what must not be joined at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eightysix.model.incident import Incident
from eightysix.rules.catalog import load_packaged
from eightysix.serve.replay import Replay, ReplayOptions
from tests.review.stream import EVIL, STORE, Pod, judge, write
from tests.review.test_attacks import breach, steal


def _both_orders(
    folder: Path, first: list[dict[str, Any]], second: list[dict[str, Any]]
) -> list[list[Incident]]:
    paths = [write(folder, "a.jsonl", first), write(folder, "b.jsonl", second)]
    return [
        list(Replay(load_packaged(), ReplayOptions()).read(order, None).incidents)
        for order in (paths, paths[::-1])
    ]


def _final(incidents: list[Incident]) -> list[object]:
    return [
        (i.id, i.revision, i.verdict, i.score, i.t0, [(s.stage, s.at, s.destination) for s in i.stages])
        for i in incidents
    ]


def test_revision_does_not_depend_on_the_exec_coming_before_its_connection(tmp_path: Path) -> None:
    """The same connection has another event id when its process is not known yet: the given runs show it, too."""
    pod, process = breach()
    steal(pod, process, 9)
    late = [r for r in pod.kernel if "process_kprobe" in r and EVIL[0] in str(r)]
    early = [r for r in pod.kernel if r not in late]
    one, other = _both_orders(tmp_path, early, late)
    assert _final(one) == _final(other)


def test_first_of_two_connections_whose_times_have_different_digits(tmp_path: Path) -> None:
    """protojson writes 0, 3, 6 or 9 digits: as text, `.100Z` is greater than `.100500Z`."""
    pod, process = breach()
    steal(pod, process, 9, leave=False)
    process.connect(12.1, EVIL)
    process.connect(12.1005, EVIL)
    first, second = pod.kernel[-2:]
    first["time"] = first["time"].replace(".100000Z", ".100Z")
    one, other = _both_orders(tmp_path, [*pod.kernel[:-2], first], [second])
    assert _final(one) == _final(other)


def test_sensor_records_of_two_pods_belong_to_neither(tmp_path: Path) -> None:
    """The second pod shows starts and plain connections only: it is a pod of the input all the same."""
    pod, process = breach()
    steal(pod, process, 9)
    other = Pod("other-0", 2, init_tree=False)
    idle = other.process(0.03, "/opt/venv/bin/python", "/app/other.py")
    idle.connect(3, STORE)
    idle.connect(20, ("203.0.113.40", 443))
    chain = ["numpy==2.1.0"]
    for at in (9.0, 9.6, 20.0):
        other.sense(at, "connect", 1, chain, dst="203.0.113.40", dport=443, age=3.0)
    report = judge(tmp_path, pod, other)
    assert report.coverage.unattributed == 3
    assert all(e.source != "sensor" for i in report.incidents for s in i.stages for e in s.evidence)
