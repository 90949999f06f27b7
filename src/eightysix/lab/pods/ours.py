"""Processes of this package that a run starts: how they are started, and how they say that they are ready."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import eightysix
from eightysix.model.errors import LabError

__all__ = ["python_of_ours", "until_ready"]


def python_of_ours(module: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """Command and environment that run a module of this package with this interpreter, installed or from source."""
    source = str(Path(eightysix.__file__).resolve().parent.parent)
    path = [source, *filter(None, [os.environ.get("PYTHONPATH", "")])]
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "XDG_CACHE_HOME")
    }
    return [sys.executable, "-P", "-m", module, *arguments], {**kept, "PYTHONPATH": os.pathsep.join(path)}


def until_ready(
    process: subprocess.Popen[bytes], log: Path, seconds: float, what: str, advice: str = ""
) -> Mapping[str, Any]:
    """The line in which `process` says that it is ready; its end is the end of the waiting. Raises `LabError` with the end
    of its `log` where it says none within `seconds`, and ends it."""
    assert process.stdout is not None  # noqa: S101 - asked for by whoever started it
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        line = process.stdout.readline(1 << 16)
    finally:
        timer.cancel()
    if b'"ready"' not in line:
        process.kill()
        process.wait()
        said = log.read_text(errors="replace").strip()[-600:]
        raise LabError(f"{what} did not start: {said or 'no word why'}", advice)
    told: Mapping[str, Any] = json.loads(line)
    return told
