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


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several processes (pytest-xdist), the tests of one file run in one of them, for its fixtures' sake. What takes
    longest comes first, so that no process is left with it at the end."""
    for item in items:
        file = item.nodeid.partition("::")[0]
        together = next((folder for folder in TOGETHER if file.startswith(folder)), file)
        item.add_marker(pytest.mark.xdist_group(together))
    items.sort(key=lambda item: not item.nodeid.startswith(TOGETHER))


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
