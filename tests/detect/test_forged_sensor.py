"""What the code of an attacker writes into the sensor's socket makes no verdict fall.

Forgeries are laid over written attacks and over given real runs: twins of what the kernel saw under the application's
name, requests to harmless places, roots, installers, old habits, landings, processes that never were. The whole sweep,
with combinations, is `python -m tests.detect.forge`.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eightysix.model.words import Verdict
from tests.detect.forge import FORGERIES, Streams, forged, judge, verdicts
from tests.streams import ATTACKS, FULL, KERNEL_AND_AUDIT, KERNEL_ONLY

TOLD = (
    "breach-86s",
    "build-backend",
    "dropper",
    "hook-pth-session",
    "inline-child",
    "model-unpickles",
    "state-builds-client",
    "breach-past-the-sensor",
)
"""Attacks of different kinds; among them those whose verdict fell when this was first tried."""

SETTINGS = {"full": FULL, "kernel-audit": KERNEL_AND_AUDIT, "kernel": KERNEL_ONLY}


@cache
def streams_of(name: str, setting: str) -> Streams:
    return ATTACKS[name](SETTINGS[setting]).streams


def without_sensor(streams: Streams) -> Streams:
    return {name: lines for name, lines in streams.items() if not name.startswith("sensor")}


def fallen(before: dict[str, Verdict], after: dict[str, Verdict]) -> dict[str, tuple[str, str]]:
    """Pods whose verdict fell."""
    return {
        pod: (str(verdict), str(after.get(pod, "none")))
        for pod, verdict in before.items()
        if pod not in after or after[pod].rank < verdict.rank
    }


@pytest.mark.parametrize("name", TOLD)
@pytest.mark.parametrize("forgery", FORGERIES)
def test_beside_the_true_records_no_verdict_falls(name: str, forgery: str) -> None:
    setting = "kernel" if name in ("build-backend", "hook-pth-session", "model-unpickles") else "full"
    streams = streams_of(name, setting)
    before = verdicts(judge(streams))
    assert before
    assert fallen(before, verdicts(judge(forged(streams, [forgery], beside=True)))) == {}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_in_place_of_the_true_records_no_verdict_falls_below_that_of_no_sensor(forgery: str) -> None:
    streams = streams_of("breach-86s", "full")
    before = verdicts(judge(without_sensor(streams)))
    assert set(before.values()) == {Verdict.CONTAIN}
    assert fallen(before, verdicts(judge(forged(streams, [forgery], beside=False)))) == {}


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(TOLD),
    st.sampled_from(sorted(SETTINGS)),
    st.lists(st.sampled_from(sorted(FORGERIES)), min_size=2, max_size=5, unique=True),
)
def test_no_combination_makes_a_verdict_fall(name: str, setting: str, forgeries: list[str]) -> None:
    streams = streams_of(name, setting)
    before = verdicts(judge(streams))
    assert fallen(before, verdicts(judge(forged(streams, forgeries, beside=True)))) == {}


@pytest.mark.parametrize("run", ["attack-86s", "attack-fast"])
@pytest.mark.parametrize("files", [("tetragon",), ("tetragon", "kubernetes-audit")])
def test_over_real_runs_no_verdict_falls(shared_data: Path, run: str, files: tuple[str, ...]) -> None:
    folder = shared_data / "telemetry" / run
    streams = {f"{name}.jsonl": (folder / f"{name}.jsonl").read_text().splitlines() for name in files}
    before = verdicts(judge(streams))
    assert before
    for forgery in FORGERIES:
        assert fallen(before, verdicts(judge(forged(streams, [forgery], beside=True)))) == {}, forgery


def test_forgeries_are_read_as_sensor_records_of_that_pod() -> None:
    """A forgery that is not understood proves nothing."""
    streams = streams_of("breach-86s", "kernel")
    for name in FORGERIES:
        lines = forged(streams, [name], beside=False)["forged.jsonl"]
        assert lines, name
        report = judge({"forged.jsonl": lines})
        assert (report.counts.malformed, report.counts.unrecognised) == (0, 0), name
        assert {json.loads(line)["pod"]["name"] for line in lines} == {"inference-0"}
