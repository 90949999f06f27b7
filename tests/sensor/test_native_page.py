"""The page of the native part says what was measured, and the measured gates were met."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.sensor_native import BEGIN, END, TITLES, gates, table
from tests.sensor.preloading import SENSOR


@pytest.fixture
def results(root: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((root / "bench" / "results" / "sensor_native.json").read_text())
    return told


def test_the_page_has_the_table_of_the_results(root: Path, results: dict[str, Any]) -> None:
    page = (root / "docs" / "sensor-native.md").read_text()
    assert page.partition(BEGIN)[2].partition(END)[0] == table(results), "make bench-sensor writes it anew"
    assert set(results["ns per event"]["native"]) == set(TITLES)


def test_what_was_measured_is_within_the_gates(results: dict[str, Any]) -> None:
    assert {name: told for name, told in gates(results).items() if told[0] > told[1]} == {}


def test_bounds_that_the_page_names_are_those_of_the_source(root: Path) -> None:
    health = (SENSOR / "native" / "health.c").read_text()
    assert "MOST_DEAD = 3, WELL_AFTER_S = 10, FORGET_AFTER_S = 900" in health
    page = " ".join((root / "docs" / "sensor-native.md").read_text().split())
    assert "When three starts of the last fifteen minutes are neither out nor alive" in page
    assert "when it has lived for ten seconds" in page
