"""What people read, reviewed as whole texts; EIGHTYSIX_UPDATE_SNAPSHOTS=1 writes them anew."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eightysix.posture.judge import judge
from eightysix.posture.reading import SnapshotBuilder
from eightysix.report.posture.interface import FORMATS, get_posture_format
from tests.report.hostile import HARMS, assert_inert, columns_of, hostile_text, poison
from tests.report.posture.sample import example, rendered

SNAPSHOTS = Path(__file__).parent / "snapshots"
_EXAMPLE = example()


@pytest.mark.parametrize(
    ("name", "cloud", "used", "width", "verbose"),
    [
        ("example", True, True, 80, 0),
        ("example-verbose", True, True, 100, 1),
        ("example-cluster-alone", False, False, 80, 0),
    ],
)
def test_the_example(name: str, cloud: bool, used: bool, width: int, verbose: int) -> None:
    text = rendered(example(cloud, used), width, verbose)
    file = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("EIGHTYSIX_UPDATE_SNAPSHOTS") == "1":
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def test_nothing_is_told_in_words() -> None:
    builder = SnapshotBuilder(manifests=True)
    text = rendered(judge(builder.snapshot()))
    assert (
        text == "Posture\n0 pods · 0 workloads · 0 identities · 5 edges\n"
        "No pod and no workload was read, so nothing can be said of what one reaches.\n\n"
    )


@given(st.sampled_from(sorted(HARMS)).map(HARMS.__getitem__) | hostile_text, st.sampled_from((66, 80, 100)))
@settings(max_examples=25, deadline=None)
def test_no_name_harms_who_reads_it(harm: str, width: int) -> None:
    posture = poison(_EXAMPLE, lambda: harm)
    for verbose in (0, 1):
        text = rendered(posture, width, verbose)
        for line in text.split("\n"):
            assert_inert(line)
            assert columns_of(line) <= width


def test_colour_adds_nothing_but_colour() -> None:
    text = rendered(example(), colour=True)
    for code in ("0", "1", "2", "1;31", "1;33", "1;34", "36"):
        text = text.replace(f"\x1b[{code}m", "")
    assert "\n".join(line.rstrip() for line in text.split("\n")) == rendered(example())


def test_json_is_the_documented_schema() -> None:
    told = json.loads(rendered(example(), name="json"))
    assert told["schema"] == "eightysix/posture/v1"
    assert list(told)[4:10] == ["pods", "identities", "edges", "paths", "fixes", "not_seen"]
    assert {"density", "domains", "risk", "why"} <= set(told["pods"][0])
    assert {"type", "source", "target", "evidence", "confidence"} <= set(told["edges"][0])
    assert {"object", "path"} == set(next(edge for edge in told["edges"] if edge["evidence"])["evidence"][0])
    assert rendered(example(), name="json") == rendered(example(), name="json")


def test_every_format_is_there() -> None:
    assert [get_posture_format(name).name for name in FORMATS] == list(FORMATS)
