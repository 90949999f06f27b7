"""What landed in one pod and came to another with a volume: joined by three tellers together, and by no two of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from eightysix.model.incident import Incident
from eightysix.model.words import Verdict
from eightysix.rules.catalog import load_all
from eightysix.serve.replay import Replay, ReplayOptions
from tests.streams import ATTACKS, FULL, LOOK_ALIKES

AUDIT = "kubernetes-audit.jsonl"
Change = Callable[[str, str], str]
"""A line of a file as it becomes."""


def found(
    folder: Path, streams: dict[str, list[str]], change: Change = lambda _, line: line
) -> list[Incident]:
    for name, lines in streams.items():
        (folder / name).write_text("".join(f"{change(name, line)}\n" for line in lines))
    return list(Replay(load_all("").rules, ReplayOptions()).read([str(folder)], None).incidents)


def with_second_claim(_: str, line: str) -> str:
    """The pod that comes after has another volume."""
    record = json.loads(line)
    if record.get("verb") == "create" and "09:25" in record["requestReceivedTimestamp"]:
        return line.replace("inference-venv", "other-venv")
    return line


def installed_long_before(name: str, line: str) -> str:
    """The sensor tells of the same package, and that it has lain there for days: it came with the image."""
    record = json.loads(line)
    for dist in record.get("dists", ()) if name == "sensor.jsonl" else ():
        dist["age_s"] = 400_000.0
    return json.dumps(record)


def refused(name: str, line: str) -> str:
    """The pods were never made with that claim: the API server said no."""
    return line.replace('"code":201', '"code":403') if name == AUDIT else line


NEAR_MISSES: dict[str, Change] = {
    "another claim": with_second_claim,
    "no claim": lambda _, line: line.replace("persistentVolumeClaim", "emptyDir"),
    "refused": refused,
    "another version": lambda name, line: line.replace("1.4.3", "1.4.2") if name == "sensor.jsonl" else line,
    "another package": lambda name, line: (
        line.replace("torch-perf-utils", "torch-perf") if name == "sensor.jsonl" else line
    ),
    "installed long before": installed_long_before,
    "another namespace": lambda name, line: (
        line.replace('"namespace":"ml"', '"namespace":"mm"')
        if name == AUDIT and '"verb":"create"' in line and "09:25:5" in line
        else line
    ),
}


def test_the_package_that_came_with_the_volume_is_a_landing(tmp_path: Path) -> None:
    (incident,) = found(tmp_path, ATTACKS["volume-replaced-pod"](FULL).streams)
    land = incident.stages[0]
    assert incident.verdict is Verdict.SUSPECT  # nothing landed in this container: that is never contained
    assert (land.stage, land.at, land.grade) == ("land", "2026-11-24T09:20:00.000000Z", "C")
    assert "torch-perf-utils==1.4.3 in ml/inference-" in land.process
    assert any("nothing landed in this container" in gap for gap in incident.gaps)


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_two_of_three_join_nothing(name: str, tmp_path: Path) -> None:
    streams = ATTACKS["volume-replaced-pod"](FULL).streams
    changed = {file: [NEAR_MISSES[name](file, line) for line in lines] for file, lines in streams.items()}
    assert changed != streams
    assert not [i for i in found(tmp_path, streams, NEAR_MISSES[name]) if i.verdict is not Verdict.WATCH]


@pytest.mark.parametrize("file", ["sensor.jsonl", AUDIT])
def test_a_teller_who_is_silent_joins_nothing(file: str, tmp_path: Path) -> None:
    streams = ATTACKS["volume-replaced-pod"](FULL).streams
    assert not found(tmp_path, {name: lines for name, lines in streams.items() if name != file})


def test_a_library_that_came_with_the_volume_is_no_finding(tmp_path: Path) -> None:
    told = found(tmp_path, LOOK_ALIKES["volume-updated"](FULL).streams)
    assert all(incident.verdict is Verdict.WATCH for incident in told)


def test_a_pod_of_the_same_name_is_known_by_its_claim_too(tmp_path: Path) -> None:
    """At level Request the uid is not told: of a StatefulSet's pods, whose name stays, the name is enough."""

    def without_answer(name: str, line: str) -> str:
        record = json.loads(line)
        answer = record.pop("responseObject", None)
        if answer is not None:
            record["requestObject"]["metadata"] = {"name": answer["metadata"]["name"]}
        return json.dumps(record)

    (incident,) = found(tmp_path, ATTACKS["volume-replaced-pod"](FULL).streams, without_answer)
    assert incident.verdict is Verdict.SUSPECT
