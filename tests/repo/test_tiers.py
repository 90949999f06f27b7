"""A tier that was skipped is told with its reason, and fails the run where it is required."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = """
import pytest
from tests.tiers import require_tier

def test_passes():
    pass

def test_finds_something_missing():
    require_tier("engine", "the engine is in the shop")

@pytest.mark.tier("moon")
@pytest.mark.parametrize("day", [1, 2])
def test_belongs(day):
    pytest.skip("no moon tonight")

def test_skips_for_itself():
    pytest.skip("just so")
"""


MODULE = """
from tests.tiers import require_tier

require_tier("module", "not today", allow_module_level=True)
"""


@pytest.fixture
def suite(root: Path, tmp_path: Path) -> Path:
    """A small suite with the plug-in of this one."""
    (tmp_path / "test_suite.py").write_text(SUITE)
    (tmp_path / "conftest.py").write_text(
        "from tests.tiers import Tiers\n\ndef pytest_configure(config):\n    config.pluginmanager.register(Tiers())\n"
    )
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {root}\nmarkers = tier(name): a tier\n")
    return tmp_path


def run(suite: Path, required: str = "", *more: str) -> subprocess.CompletedProcess[str]:
    """Run the small suite with `required` tiers."""
    env = {key: text for key, text in os.environ.items() if not key.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *more, str(suite)]
    env["EIGHTYSIX_REQUIRED_TIERS"] = required
    return subprocess.run(
        command, env=env, cwd=suite, capture_output=True, text=True, check=False, timeout=120
    )


def test_each_skipped_tier_is_told_with_its_reason(suite: Path) -> None:
    done = run(suite)
    assert done.returncode == 0, done.stdout
    assert (
        "engine: 1 test skipped: the engine is in the shop\nmoon: 2 tests skipped: no moon tonight"
        in done.stdout
    )


def test_a_skip_without_a_tier_is_not_listed(suite: Path) -> None:
    assert "just so" not in run(suite).stdout


@pytest.mark.parametrize("required", ["engine", "moon", "other, moon"])
def test_a_required_tier_that_was_skipped_fails_the_run(suite: Path, required: str) -> None:
    done = run(suite, required)
    assert done.returncode == 1
    assert "is required here" in done.stdout


def test_a_required_tier_that_ran_is_fine(suite: Path) -> None:
    assert run(suite, "other").returncode == 0


def test_the_last_line_is_the_summary_of_pytest(suite: Path) -> None:
    last = run(suite, "moon").stdout.splitlines()[-1]
    assert "1 passed, 4 skipped" in last


def test_a_module_that_is_skipped_as_a_whole_is_told_once(suite: Path) -> None:
    (suite / "test_module.py").write_text(MODULE)
    assert "\nmodule: 1 test skipped: not today" in run(suite).stdout


def test_several_processes_tell_the_same(suite: Path) -> None:
    pytest.importorskip("xdist")
    (suite / "test_module.py").write_text(MODULE)
    one, several = run(suite, "module"), run(suite, "module", "--numprocesses=2", "--dist=loadscope")
    assert told(several.stdout) == told(one.stdout) != ""
    assert several.returncode == one.returncode == 1


def told(output: str) -> str:
    """What is told of skipped tiers."""
    return output.partition(" skipped tiers ")[2].partition("\n")[2].rpartition("\n" + "=" * 3)[0].strip()
