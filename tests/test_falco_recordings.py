"""The same recording told by Falco as by Tetragon: the same verdicts, where Falco's fields allow it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from eightysix.context.baseline import Baseline
from eightysix.lab.generate.falco_form import FALCO, FalcoForm
from eightysix.model.incident import Incident, Report
from eightysix.rules.catalog import load_packaged
from eightysix.serve.replay import Replay, ReplayOptions
from tests.sources.test_dns import ACCOUNT, answer
from tests.streams import ATTACKS, KERNEL_AND_AUDIT, LOOK_ALIKES, Recording, Streams

ORDER = ("none", "watch", "suspect", "contain")

META = replace(FALCO, meta=True)

TELLS_MORE = {"breach-forked-worker-unknown"}
"""Tetragon lost the process; Falco knows it."""


NO_WORKLOAD = {"gated-model", "push-without-history"}
"""The pod of a StatefulSet: its workload is in no field of Falco, so no baseline knows it, and nothing is new to it."""

NEW_TO_WORKLOAD = {"model-unpickles-known"}
"""The same, and the rest is enough to be told without it."""

NO_NAMESPACES = {"node-takeover", "privileged-pods"}
"""Tetragon tells the namespaces of a process; Falco does not, so an entry to the node that no command shows is not seen."""

APART = NO_WORKLOAD | NEW_TO_WORKLOAD | NO_NAMESPACES


def told_by(source: str, streams: Streams) -> Streams:
    """The streams without those of the other kernel sensor."""
    other = "tetragon.jsonl" if source == "falco" else "falco.jsonl"
    return {name: lines for name, lines in streams.items() if name != other}


def judged(recording: Recording, sources: str, folder: Path) -> Report:
    def write(streams: Streams, name: str) -> str:
        place = folder / name
        place.mkdir(parents=True)
        for file, lines in (streams if sources == "both" else told_by(sources, streams)).items():
            (place / file).write_text("\n".join(lines) + "\n", encoding="utf-8")
        return str(place)

    baseline: Baseline | None = None
    if recording.baseline:
        before = Replay((), ReplayOptions())
        before.read([write(recording.baseline, f"{sources}/before")], None)
        baseline, _ = before.build_baseline()
    replay = Replay(load_packaged(), ReplayOptions(baseline=baseline))
    report = replay.read([write(recording.streams, f"{sources}/now")], None)
    assert report.counts.malformed == report.counts.unrecognised == 0
    return report


def verdicts(incidents: tuple[Incident, ...]) -> list[tuple[str, str, int, str]]:
    return sorted((i.rule, str(i.verdict), i.score, i.pod.uid if i.pod else "") for i in incidents)


def recording_of(name: str, form: FalcoForm) -> Recording:
    scenario = ATTACKS.get(name) or LOOK_ALIKES[name]
    return scenario(replace(KERNEL_AND_AUDIT, falco=form))


@pytest.mark.parametrize("name", sorted({*ATTACKS, *LOOK_ALIKES} - TELLS_MORE - APART))
def test_falco_tells_what_tetragon_tells(name: str, tmp_path: Path) -> None:
    recording = recording_of(name, META)
    falco = judged(recording, "falco", tmp_path)
    tetragon = judged(recording, "tetragon", tmp_path)
    assert verdicts(falco.incidents) == verdicts(tetragon.incidents)
    assert {rule.rule: rule.evaluable for rule in falco.coverage.rules} == {
        rule.rule: rule.evaluable for rule in tetragon.coverage.rules
    }


@pytest.mark.parametrize("name", sorted(NO_WORKLOAD))
def test_without_a_workload_nothing_is_new_to_it(name: str, tmp_path: Path) -> None:
    recording = recording_of(name, META)
    assert judged(recording, "tetragon", tmp_path).incidents
    assert not judged(recording, "falco", tmp_path).incidents


@pytest.mark.parametrize("name", sorted(NEW_TO_WORKLOAD))
def test_without_a_workload_the_points_for_what_is_new_to_it_are_missing(name: str, tmp_path: Path) -> None:
    recording = recording_of(name, META)
    ((rule, verdict, score, pod),) = verdicts(judged(recording, "falco", tmp_path).incidents)
    ((told, contain, more, same),) = verdicts(judged(recording, "tetragon", tmp_path).incidents)
    assert (rule, pod, verdict, contain) == (told, same, "suspect", "contain")
    assert more - score == 25


@pytest.mark.parametrize("name", sorted(NO_NAMESPACES))
def test_without_namespaces_the_verdict_rests_on_the_rest(name: str, tmp_path: Path) -> None:
    recording = recording_of(name, META)
    falco = verdicts(judged(recording, "falco", tmp_path).incidents)
    tetragon = verdicts(judged(recording, "tetragon", tmp_path).incidents)
    assert [(rule, verdict) for rule, verdict, _, _ in falco] == [
        (rule, verdict) for rule, verdict, _, _ in tetragon
    ]
    assert sum(score for _, _, score, _ in falco) < sum(score for _, _, score, _ in tetragon)


FORMS = {
    "numbers-as-text": replace(META, text=True, iso=True),
    "no-pod-uid": replace(META, uid=False),
    "no-pod": replace(META, pods=False),
    "no-start-times": replace(META, starts=False),
}

LEAST = {
    ("breach-86s", "numbers-as-text"): "contain",
    ("breach-86s", "no-pod-uid"): "contain",
    ("breach-86s", "no-pod"): "watch",  # the audit log cannot be joined to a container without a name
    ("breach-86s", "no-start-times"): "contain",
    ("dropper", "numbers-as-text"): "contain",
    ("dropper", "no-pod-uid"): "contain",
    ("dropper", "no-pod"): "suspect",
    ("dropper", "no-start-times"): "contain",
}


@pytest.mark.parametrize(("name", "form"), LEAST)
def test_fields_that_are_missing_cost_certainty_and_not_the_chain(
    name: str, form: str, tmp_path: Path
) -> None:
    report = judged(recording_of(name, FORMS[form]), "falco", tmp_path)
    verdict = max((ORDER.index(incident.verdict) for incident in report.incidents), default=0)
    assert ORDER[verdict] == LEAST[name, form]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["self-patching-server", "exec-debugging", "dependencies-at-start"])
def test_look_alikes_stay_quiet_whatever_is_missing(name: str, form: str, tmp_path: Path) -> None:
    report = judged(recording_of(name, FORMS[form]), "falco", tmp_path)
    assert all(incident.verdict == "watch" for incident in report.incidents)


@pytest.mark.parametrize(
    "name", ["breach-86s", "dropper", "hook-pth", "self-patching-server", "exec-debugging", "ray-head"]
)
def test_both_sensors_on_one_node_tell_one_story(name: str, tmp_path: Path) -> None:
    recording = recording_of(name, META)
    alone = judged(recording, "tetragon", tmp_path)
    both = judged(recording, "both", tmp_path)
    assert verdicts(both.incidents) == verdicts(alone.incidents)
    for incident in both.incidents:
        assert len(incident.stages) == next(len(i.stages) for i in alone.incidents if i.id == incident.id)


def test_two_sensors_that_each_see_a_part_tell_the_whole(tmp_path: Path) -> None:
    recording = recording_of("dropper", META)
    alone = judged(recording, "tetragon", tmp_path / "alone")
    streams = {
        **recording.streams,
        "tetragon.jsonl": [line for line in recording.streams["tetragon.jsonl"] if '"file_arg"' not in line],
        "falco.jsonl": [line for line in recording.streams["falco.jsonl"] if '"openat"' in line],
    }
    half = judged(replace(recording, streams=streams), "both", tmp_path / "half")
    assert verdicts(half.incidents) == verdicts(alone.incidents)
    evidence = {e.source for i in half.incidents for stage in i.stages for e in stage.evidence}
    assert {"tetragon", "falco"} <= evidence


def test_the_account_that_data_went_to_is_named(tmp_path: Path) -> None:
    recording = recording_of("breach-86s", META)
    told = answer(time="2026-11-24T09:26:25.100000000Z")
    told["flow"]["l7"]["dns"]["ips"] = ["198.51.100.86"]
    streams = {**recording.streams, "hubble.jsonl": [json.dumps(told)]}
    report = judged(replace(recording, streams=streams), "falco", tmp_path)
    (incident,) = report.incidents
    assert [s.destination for s in incident.stages if s.stage == "leave"] == [
        f"198.51.100.86:443 ({ACCOUNT})"
    ]
    assert not any("who is behind" in gap for gap in incident.gaps)
    assert {source.source for source in report.coverage.sources} == {"dns", "falco", "kubernetes-audit"}


def test_the_order_of_alerts_changes_nothing(tmp_path: Path) -> None:
    recording = recording_of("dropper", META)
    forward = judged(recording, "falco", tmp_path / "forward")
    lines = recording.streams["falco.jsonl"]
    streams = {**recording.streams, "falco.jsonl": lines[::-1]}
    backward = judged(replace(recording, streams=streams), "falco", tmp_path / "backward")
    assert verdicts(backward.incidents) == verdicts(forward.incidents)
    assert [i.revision for i in backward.incidents] == [i.revision for i in forward.incidents]
