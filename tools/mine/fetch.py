"""Bring the pinned wheels into a cache folder with pip, each held to its hash: `python -m tools.mine.fetch CACHE`."""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from tools.mine.pin import PINS

__all__ = ["Pin", "read_pins", "verified"]


class Pin(msgspec.Struct, frozen=True):
    """One wheel that the index is mined from."""

    group: str
    name: str
    version: str
    file: str
    sha256: str
    python: str
    platforms: list[str]


def read_pins(path: Path = PINS) -> tuple[str, list[Pin]]:
    """The date before which every pinned file was public, and the pins."""
    table = tomllib.loads(path.read_text())
    return table["before"], msgspec.convert(table["pin"], list[Pin])


def verified(cache: Path, pin: Pin) -> Path:
    """The wheel of `pin` in `cache`; OSError where it is missing or is another file."""
    path = cache / pin.file
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != pin.sha256:
        raise OSError(f"{path}: sha256 is {found}, pinned is {pin.sha256}")
    return path


def _download(cache: Path, pin: Pin) -> str:
    """Bring one wheel; the reason why not, or ""."""
    try:
        verified(cache, pin)
        return ""
    except FileNotFoundError:
        pass
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
        listed.write(f"{pin.name}=={pin.version} --hash=sha256:{pin.sha256}\n")
        listed.flush()
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--require-hashes",
            "--only-binary",
        ]
        command += [
            ":all:",
            "--python-version",
            pin.python,
            *(f"--platform={each}" for each in pin.platforms),
        ]
        command += ["--dest", str(cache), "--no-cache-dir", "--requirement", listed.name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"{pin.file}: {done.stderr.strip()[-300:]}"


def main() -> int:
    """Bring them all; 1 if one is missing."""
    parser = argparse.ArgumentParser(prog="python -m tools.mine.fetch", description=__doc__)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    _, pins = read_pins()
    with ThreadPoolExecutor(options.jobs) as pool:
        failed = [why for why in pool.map(lambda pin: _download(options.cache, pin), pins) if why]
    print("\n".join(failed) or f"{len(pins)} wheels, all with their pinned hash")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
