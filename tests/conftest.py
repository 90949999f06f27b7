"""Fixtures and hooks of the whole suite."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.tiers import Tiers, require_tier

ROOT = Path(__file__).resolve().parent.parent

# One machine is slower than another, and a test must not fail for that; CI finds the same examples every time.
settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


def pytest_configure(config: pytest.Config) -> None:
    """Count skipped tiers; see tests/tiers.py."""
    config.pluginmanager.register(Tiers(), "tiers")


TOGETHER = ("tests/lab/", "tests/sensor/")
"""Tests that share what a machine has once (network namespaces, the kernel's tracing, one runtime): one after the other."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first, so that no process is left with it at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(TOGETHER))


def unit_of(nodeid: str) -> str:
    """What runs in one process: the tests of one file, for its fixtures' sake, or of folders that must be one by one."""
    file = nodeid.partition("::")[0]
    return next((folder for folder in TOGETHER if file.startswith(folder)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """With several processes. NOTE: groups by mark (`--dist=loadgroup`) are lost with pytest 9.2, whose node ids no longer
    change when xdist appends the group."""
    from xdist.scheduler import LoadScopeScheduling

    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = unit_of
    return scheduler


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Recorded telemetry and samples that are not part of the repository; skips the tier `shared-data` without them.

    `EIGHTYSIX_SHARED_DATA` names the folder; else `../shared/data` beside the repository is taken.
    """
    named = os.environ.get("EIGHTYSIX_SHARED_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        where = f"EIGHTYSIX_SHARED_DATA={named} is no folder" if named else "../shared/data is not there"
        require_tier("shared-data", where)
    return folder
