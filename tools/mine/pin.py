"""Choose the releases to mine and write down what was chosen: `python -m tools.mine.pin --before DATE`.

pip picks the newest wheel that the index took up before `DATE`; a poisoned release is usually found within days, so the
date should be some weeks back. What it picked stands in pins.toml with the file's hash, and only that is mined.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
WANTED = HERE / "wanted.toml"
PINS = HERE / "pins.toml"
#: Days that a release must have been public. Poisoned releases of the last years were taken down within a week.
LEAST_AGE = 28

#: The same sources lie in the wheel of every platform; these are the small ones (torch for macOS has no CUDA: 80 MB
#: instead of 900). Tried in turn, because old releases have no wheel for new interpreters.
_TARGETS = (
    ("3.12", ("macosx_14_0_arm64", "macosx_13_0_arm64", "macosx_12_0_arm64", "macosx_11_0_arm64", "macosx_10_13_universal2",
              "macosx_10_9_universal2", "macosx_10_13_x86_64", "macosx_10_9_x86_64")),
    ("3.12", ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")),
    ("3.11", ("macosx_12_0_arm64", "macosx_11_0_arm64", "macosx_10_9_x86_64", "macosx_10_9_universal2", "manylinux2014_x86_64")),
    ("3.9", ("macosx_11_0_arm64", "macosx_10_9_x86_64", "macosx_10_13_x86_64", "manylinux2014_x86_64", "manylinux1_x86_64")),
    ("3.8", ("macosx_11_0_arm64", "macosx_10_9_x86_64", "macosx_10_13_x86_64", "manylinux2014_x86_64", "manylinux1_x86_64")),
    ("3.7", ("macosx_10_9_x86_64", "macosx_10_6_intel", "manylinux1_x86_64", "manylinux2010_x86_64")),
)  # fmt: skip


def _ask(name: str, version: str, before: str) -> dict[str, Any] | None:
    """What pip would take for `name` at `version` ("" is the newest), tried on one platform after another."""
    requirement = f"{name}=={version}" if version else name
    for python, platforms in _TARGETS:
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--dry-run",
            "--ignore-installed",
            "--no-deps",
            "--quiet",
        ]
        command += [
            "--only-binary",
            ":all:",
            "--target",
            "unused",
            "--report",
            "-",
            "--python-version",
            python,
        ]
        command += ["--uploaded-prior-to", before, *(f"--platform={each}" for each in platforms), requirement]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            found = json.loads(done.stdout[done.stdout.index("{") :])["install"][0]
            address = found["download_info"]
            return {
                "name": name,
                "version": found["metadata"]["version"],
                "file": address["url"].rsplit("/", 1)[1],
                "sha256": address["archive_info"]["hashes"]["sha256"],
                "python": python,
                "platforms": list(platforms),
            }
    return None


def main() -> int:
    """Write pins.toml anew; names of what has no wheel are told and fail the run unless --partial."""
    parser = argparse.ArgumentParser(prog="python -m tools.mine.pin", description=__doc__)
    parser.add_argument("--before", default="", help=f"ISO date; {LEAST_AGE} days ago if not given")
    parser.add_argument("--jobs", type=int, default=4)
    options = parser.parse_args()
    latest = datetime.now(UTC) - timedelta(days=LEAST_AGE)
    before = options.before or latest.date().isoformat()
    if before > latest.date().isoformat():
        parser.error(f"--before {before}: a release must have been public for {LEAST_AGE} days")
    groups = tomllib.loads(WANTED.read_text())
    asked = [
        (group, name, version) for group, names in groups.items() for name in names for version in names[name]
    ]
    with ThreadPoolExecutor(options.jobs) as pool:
        found = list(pool.map(lambda one: _ask(one[1], one[2], before), asked))
    lines = [
        "# Written by tools/mine/pin.py from wanted.toml. Every file was on the index before the date below.\n"
    ]
    lines.append(f'before = "{before}"\n')
    for (group, _, _), pin in zip(asked, found, strict=True):
        if pin is not None:
            lines.append("\n[[pin]]\n" + f'group = "{group}"\n')
            lines.extend(f"{key} = {json.dumps(value)}\n" for key, value in pin.items())
    PINS.write_text("".join(lines))
    for (_, name, version), pin in zip(asked, found, strict=True):
        if pin is None:
            print(f"no wheel: {name} {version}".rstrip())
    print(f"{sum(pin is not None for pin in found)} of {len(asked)} pinned")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
