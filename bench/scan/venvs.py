"""Virtual environments of their own for libraries and peers, made from requirement files and kept for the next run."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def environment(root: Path, name: str, requirements: Path, python: str = sys.executable) -> Path:
    """The interpreter of environment `name` below `root`, made or made anew where its requirements changed."""
    place = root / name
    interpreter = place / "bin" / "python"
    stamp = place / "requirements.sha256"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if interpreter.is_file() and stamp.is_file() and stamp.read_text() == wanted:
        return interpreter
    subprocess.run([python, "-m", "venv", "--clear", str(place)], check=True)
    command = [
        str(interpreter),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-r",
        str(requirements),
    ]
    subprocess.run(command, check=True)
    stamp.write_text(wanted)
    return interpreter
