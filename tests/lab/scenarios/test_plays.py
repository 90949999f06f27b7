"""Scenarios played for real and held against their labels: those that EIGHTYSIX_LAB_PLAYS names, by no means all by default.

`make lab-torch` names `torch`; `all` means every one (some ten minutes). What is played by default is in tests/lab/pods; the
recordings of all are judged in tests/test_recorded_runs.py.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eightysix.lab.interface import FOLDER, TELEMETRY, Scenario, Subset, Tier
from eightysix.lab.pods import environments
from eightysix.lab.pods.interpreter import find
from eightysix.lab.recorded import Recording
from eightysix.lab.run import run
from eightysix.lab.scenarios import load
from eightysix.serve.lab import receiving
from tests.lab.pods.tiers import need_root
from tests.test_recorded_runs import ORDER, judged, worst
from tests.tiers import require_tier

PLAYS = frozenset(os.environ.get("EIGHTYSIX_LAB_PLAYS", "").split(","))


def wanted() -> list[Scenario]:
    found = load().values()
    return [one for one in found if {one.name, "all", *one.needs} & PLAYS]


@pytest.mark.parametrize("scenario", wanted(), ids=lambda scenario: scenario.name)
def test_play(scenario: Scenario, tmp_path: Path) -> None:
    need_root()
    if "torch" in scenario.needs and not environments.ready("torch", find()):
        require_tier("torch", "the pods' environment with torch is not built (eightysix lab setup torch)")
    folder = tmp_path / "run"
    told: list[object] = []
    run(scenario, Tier.ROOT, folder, tell=lambda *words: told.append(words), receiving=receiving)
    files = {
        name: (folder / FOLDER / name).read_bytes()
        for name in TELEMETRY
        if (folder / FOLDER / name).is_file()
    }
    files["truth.jsonl"] = (folder / "truth.jsonl").read_bytes()
    recording = Recording(scenario.name, scenario.label, {name: text for name, text in files.items() if text})
    verdicts = {}
    for subset in Subset:
        place = tmp_path / subset
        place.mkdir()
        verdicts[subset] = worst(judged(recording, subset, place))
    bounds = scenario.label.subsets
    wrong = {
        str(subset): verdict
        for subset, verdict in verdicts.items()
        if not ORDER.index(bounds[subset].at_least)
        <= ORDER.index(verdict)
        <= ORDER.index(bounds[subset].at_most)
    }
    assert not wrong, verdicts
