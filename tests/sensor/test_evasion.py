"""The public table of evasions is true: it is what the committed results say, and running the ways gives those again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.evasion.play import compiled, missing
from bench.evasion.table import COLUMNS, GOALS, NOTHING, WAYS, table
from bench.evasion.ways import __file__ as ways_file
from tests.tiers import require_tier

BEGIN, END = "<!-- evasion -->\n", "<!-- /evasion -->\n"


@pytest.fixture(scope="module")
def results(root: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((root / "bench" / "results" / "evasion.json").read_text())
    return told


def test_the_page_has_the_table_of_the_results(root: Path, results: dict[str, Any]) -> None:
    page = (root / "docs" / "evasion.md").read_text()
    inside = page.partition(BEGIN)[2].partition(END)[0]
    assert inside == table(results), "make evasion writes it anew"


def test_every_way_was_run(results: dict[str, Any]) -> None:
    assert list(results["ways"]) == [way.name for way in WAYS]
    for name, row in results["ways"].items():
        assert [column for column in COLUMNS if "not_run" in row[column]] == [], name


def test_every_way_is_a_function_and_has_a_goal() -> None:
    source = Path(ways_file).read_text()
    for way in WAYS:
        assert f"\ndef {way.act or way.name}(place: Place)" in source
        assert way.goal in GOALS
    assert NOTHING not in [way.name for way in WAYS]


@pytest.mark.tier("root")
def test_reality_is_as_the_table_says(root: Path, results: dict[str, Any], tmp_path: Path) -> None:
    if reason := missing():
        require_tier("root", reason)
    if not compiled(tmp_path / "native"):
        require_tier("compiler", "no compiler")
    output = tmp_path / "evasion.json"
    done = subprocess.run(
        [sys.executable, "-m", "bench.evasion.play", "--output", output],
        cwd=root, capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    now = json.loads(output.read_text())
    same_kernel = now["mechanism"] == results["mechanism"]
    differs, compared = [], 0
    for name, row in now["ways"].items():
        for column in COLUMNS if same_kernel else COLUMNS[:2]:
            told = row[column]
            if "not_run" in told:
                assert not told["not_run"].startswith("failed"), (name, told)
                continue
            compared += 1
            if told["seen"] != results["ways"][name][column]["seen"]:
                differs.append((name, column, told))
    assert differs == []
    assert compared > 2 * len(WAYS) - 12
