"""Fetches what the HTML report is built from (esbuild, TypeScript, Preact, d3, dagre) by npm, for `make web` and tests.

python tools/report_libraries.py            exit 0 in either case: tests that need them say why they are skipped
python tools/report_libraries.py --needed   exit 1 where they cannot be fetched
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["FOLDER", "install", "lacking", "main"]

FOLDER = Path(__file__).resolve().parent.parent / "web" / "report"
INSTALL_S = 600.0
"""Seconds for npm to fetch 15 MB."""

_KEPT = Path("node_modules", ".eightysix-lock")  # the lock file that was installed from


def lacking() -> str:
    """What stands in the way of building, in words; empty where nothing does."""
    if shutil.which("node") is None:
        return "Node.js is not installed"
    kept = FOLDER / _KEPT
    if not kept.is_file() or kept.read_bytes() != (FOLDER / "package-lock.json").read_bytes():
        return "what the report is built from is not installed"
    return ""


def install() -> str:
    """Fetch by the lock file, without running any script of a package; what went wrong, in words."""
    if not lacking():
        return ""
    npm = shutil.which("npm")
    if npm is None:
        return "npm is not installed"
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(
            command, cwd=FOLDER, capture_output=True, text=True, check=False, timeout=INSTALL_S
        )
    except subprocess.TimeoutExpired:
        return "npm did not end in time"
    if done.returncode:
        return f"npm failed: {(done.stderr.strip().splitlines() or ['?'])[-1][:300]}"
    shutil.copyfile(FOLDER / "package-lock.json", FOLDER / _KEPT)
    return ""


def main(arguments: list[str]) -> int:
    """Fetch once, and say what is in the way."""
    wrong = install()
    if wrong:
        print(f"eightysix: {wrong}. The HTML report cannot be built anew here.", file=sys.stderr)
    return 1 if wrong and "--needed" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
