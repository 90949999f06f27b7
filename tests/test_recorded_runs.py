"""Every recorded run of the lab, with all its telemetry and with parts of it, against its label: the acceptance suite.

The recordings were made by real processes (`eightysix lab record`); what they hold was written by a kernel, a sensor, an
API server and services, not by whoever wrote the rules.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from eightysix.lab.interface import Bounds, Subset
from eightysix.lab.recorded import Recording, names, open_recording
from eightysix.model.incident import Report
from eightysix.rules.catalog import load_packaged
from eightysix.serve.replay import Replay, ReplayOptions

ORDER = ("none", "watch", "suspect", "contain")


def judged(recording: Recording, subset: Subset, folder: Path) -> Report:
    now, before = folder / "now", folder / "before"
    for place, files in ((now, recording.subset(subset)), (before, recording.before(subset))):
        place.mkdir()
        for name, text in files.items():
            (place / name).write_bytes(text)
    options = ReplayOptions()
    if recording.label.before:
        earlier = Replay((), ReplayOptions())
        earlier.read([str(before)], None)
        baseline, _ = earlier.build_baseline()
        options = ReplayOptions(baseline=baseline)
    return Replay(load_packaged(), options).read([str(now)], None)


def worst(report: Report) -> str:
    return ORDER[max((ORDER.index(incident.verdict) for incident in report.incidents), default=0)]


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("subset", list(Subset))
def test_recorded_run(name: str, subset: Subset, tmp_path: Path) -> None:
    recording = open_recording(name)
    label = recording.label
    bounds = label.subsets[subset]
    if not recording.subset(subset):
        assert bounds == Bounds("none", "none", bounds.why)
        return
    report = judged(recording, subset, tmp_path)
    verdict = worst(report)
    assert ORDER.index(bounds.at_least) <= ORDER.index(verdict) <= ORDER.index(bounds.at_most), verdict
    assert not report.counts.malformed
    assert not report.counts.unrecognised


@pytest.mark.parametrize("name", names())
def test_label_keeps_what_is_promised(name: str) -> None:
    """Attacks reach `contain` with everything and `suspect` with kernel and audit, or say why not; a look-alike nothing."""
    label = open_recording(name).label
    assert label.scenario == name
    if not label.malicious:
        assert all(bounds.at_most in ("none", "watch") for bounds in label.subsets.values())
        return
    assert label.subsets[Subset.ALL].at_least == "contain" or label.subsets[Subset.ALL].why
    for bounds in label.subsets.values():
        assert bounds.at_least in ("suspect", "contain") or bounds.why


@pytest.mark.parametrize("name", names())
def test_a_whole_attack_is_told_as_it_was(name: str, tmp_path: Path) -> None:
    recording = open_recording(name)
    label = recording.label
    if not label.malicious:
        return
    report = judged(recording, Subset.ALL, tmp_path)
    told = {stage.stage for incident in report.incidents for stage in incident.stages}
    assert set(label.stages) <= told
