"""What `make run` shows: a recorded breach, then its look-alike, both read from files that ship with the project."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BREACH = "examples/breach-86s"
LOOK_ALIKE = "examples/look-alike"


def detect(folder: str) -> int:
    """Run the command from the root of the repository, as a person would; to find something is no failure here."""
    command = [sys.executable, "-P", "-m", "eightysix", "detect", folder, "--exit-zero"]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def main() -> int:
    """Replay both and give the first failure, if any."""
    failed = detect(BREACH)
    print(f"\nNow the look-alike, which must stay quiet: {LOOK_ALIKE}\n", flush=True)
    return detect(LOOK_ALIKE) or failed


if __name__ == "__main__":
    sys.exit(main())
