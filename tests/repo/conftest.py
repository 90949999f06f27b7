"""What the tests about the repository share: a copy to work in, and an environment with its command on PATH."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# Environments, caches and git's own folder; everything else of a checkout is small.
NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv*", ".*_cache", ".hypothesis", "__pycache__", "dist", "build"
)


@pytest.fixture(scope="session")
def checkout_env(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment of a subprocess in which `eightysix` is this checkout, run by this interpreter.

    What the person or the CI has set for the tool (`EIGHTYSIX_*`), for colour and width is left out.
    """
    folder = tmp_path_factory.mktemp("bin")
    launcher = folder / "eightysix"
    launcher.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -m eightysix "$@"\n')
    launcher.chmod(0o755)
    ours = ("EIGHTYSIX_", "PYTEST_")
    theirs = ("FORCE_COLOR", "COLUMNS", "LINES", "PYTHONPATH")
    env = {key: text for key, text in os.environ.items() if not key.startswith(ours) and key not in theirs}
    packages = os.environ.get("PYTHONPATH")  # set where the set-up had to do without a virtual environment
    env["PYTHONPATH"] = os.pathsep.join(filter(None, (str(root / "src"), packages)))
    env["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"
    env["NO_COLOR"] = "1"
    return env


@pytest.fixture(scope="session")
def copy_of_repository(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give a fresh copy of the checkout under a name, so that a test may write."""

    def copy(name: str) -> Path:
        return shutil.copytree(root, tmp_path_factory.mktemp(name) / "eightysix", ignore=NOT_COPIED)

    return copy
