"""Every written recording, with all its telemetry and with parts of it, against the truth about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from eightysix.context.addresses import Ranges
from eightysix.context.baseline import Baseline
from eightysix.context.principals import identities
from eightysix.model.incident import Incident, Report
from eightysix.rules.catalog import load_packaged
from eightysix.serve.replay import Replay, ReplayOptions
from tests.streams import ATTACKS, LOOK_ALIKES, Label, Recording, Scenario, Setting, Streams, recordings

ORDER = ("none", "watch", "suspect", "contain")


def written(streams: Streams, folder: Path) -> str:
    folder.mkdir()
    for name, lines in streams.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(folder)


def judged(recording: Recording, folder: Path) -> Report:
    baseline: Baseline | None = None
    if recording.baseline:
        before = Replay((), ReplayOptions())
        before.read([written(recording.baseline, folder / "before")], None)
        baseline, _ = before.build_baseline()
    declared = recording.declared
    options = ReplayOptions(
        baseline=baseline,
        egress=Ranges(declared.get("egress", ())),
        identities=identities(declared.get("identity", ())),
    )
    replay = Replay(load_packaged(), options)
    return replay.read([written(recording.streams, folder / "now")], None)


def is_about(incident: Incident, label: Label) -> bool:
    return incident.pod is None or not label.pod_uid or incident.pod.uid in ("", label.pod_uid)


@pytest.mark.parametrize(
    ("name", "scenario", "setting"),
    recordings(ATTACKS) + recordings(LOOK_ALIKES),
    ids=lambda value: str(value)[:60],
)
def test_recording(name: str, scenario: Scenario, setting: Setting, tmp_path: Path) -> None:
    recording = scenario(setting)
    label = recording.label
    report = judged(recording, tmp_path)
    mine = [incident for incident in report.incidents if is_about(incident, label)]
    others = [incident for incident in report.incidents if not is_about(incident, label)]
    verdict = max((ORDER.index(incident.verdict) for incident in mine), default=0)
    assert ORDER.index(label.at_least) <= verdict <= ORDER.index(label.at_most)
    assert all(incident.verdict == "watch" for incident in others)
    if label.malicious and verdict:
        told = {stage.stage for incident in mine for stage in incident.stages}
        assert set(label.stages) <= told
    if label.malicious and verdict and label.t0_s is not None and label.leaves_s is not None:
        offsets = [stage.offset_s for incident in mine for stage in incident.stages if stage.stage == "leave"]
        assert any(abs(offset - (label.leaves_s - label.t0_s)) < 1.5 for offset in offsets)


def test_report_counts_every_record(tmp_path: Path) -> None:
    recording = ATTACKS["breach-86s"]()
    report = judged(recording, tmp_path)
    counts = report.counts
    assert counts.records == sum(len(lines) for lines in recording.streams.values())
    assert counts.events == counts.records
    assert counts.malformed == counts.oversized == counts.unrecognised == 0
