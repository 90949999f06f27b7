"""Stories of recorded runs, as the command tells them, in every format."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

from eightysix.context.techniques import NAMES
from eightysix.model.story import Reconstruction
from eightysix.reconstruct.selection import selection
from eightysix.report.interface import RenderOptions
from eightysix.report.reconstruction.interface import FORMATS, get_reconstruction_format
from eightysix.rules.catalog import load_packaged
from eightysix.serve.reconstruction import Reconstructing
from eightysix.serve.replay import ReplayOptions
from tests.report.checks import check_quiet, check_sarif, problems
from tests.report.hostile import assert_inert, columns_of
from tests.report.reconstruction.test_machine import check_csv, check_layer, check_timesketch, ocsf
from tests.report.reconstruction.test_markdown import check as check_markdown

RECORDED = Path(__file__).resolve().parents[3] / "src" / "eightysix" / "lab" / "recorded"
RUNS = ["attack-86s", "registry-push", "second-pod", "langchain-state", "honest-model", "notebook-rebuild"]


@cache
def story_of(run: str) -> Reconstruction:
    told = Reconstructing(load_packaged(), ReplayOptions())
    return told.read([str(RECORDED / run)], None, selection())


def rendered(name: str, run: str, verbose: int = 0) -> str:
    options = RenderOptions(80, False, verbose)
    return "".join(get_reconstruction_format(name).write(story_of(run), options))


@pytest.mark.parametrize("run", RUNS)
def test_formats_for_machines_are_valid(run: str) -> None:
    stories = story_of(run).stories
    results = check_sarif(rendered("sarif", run))["runs"][0]["results"]
    assert [result["fingerprints"]["story/v1"] for result in results] == [story.id for story in stories]
    for line in rendered("ocsf", run).splitlines():
        assert problems(ocsf(), json.loads(line)) == []
    techniques = {item["techniqueID"] for item in check_layer(rendered("navigator", run))["techniques"]}
    assert techniques <= NAMES.keys()
    assert bool(techniques) == bool(stories)
    assert len(check_timesketch(rendered("timesketch", run))) == len(check_csv(rendered("csv", run)))
    for name in ("sarif", "ocsf", "navigator", "timesketch", "csv"):
        check_quiet(rendered(name, run))


@pytest.mark.parametrize("run", RUNS)
def test_what_people_read_keeps_to_its_rules(run: str) -> None:
    check_markdown(rendered("markdown", run))
    commands = [line for story in story_of(run).stories for item in story.rotate for line in item.commands]
    assert all(line.isascii() and line.isprintable() for line in commands)
    for verbose in (0, 1):
        for line in rendered("plain", run, verbose).splitlines():
            assert_inert(line)
            # a word of a command is never broken
            assert columns_of(line) <= 80 or any(
                line.strip(" ").removesuffix(" \\") in told for told in commands
            )


def test_the_recorded_breach_is_told_in_its_lanes() -> None:
    lines = rendered("plain", "attack-86s").splitlines()
    marks = [line for line in lines if "●" in line]
    columns = [line.index("●") for line in marks]
    assert columns[0] == min(columns) < columns[-1]  # what landed is in the first lane
    assert [line.split()[-3:] for line in marks if "secrets are listed" in line] == [
        ["listed", "C", "control-plane"]
    ]
    (at,) = (number for number, line in enumerate(lines) if "T+86.0  ┄" in line)
    assert all(lines.index(line) < at for line in marks)


def test_each_format_is_written() -> None:
    for name in FORMATS:
        assert rendered(name, "attack-86s")
