"""The rootless tier by somebody who has no right at all on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import eightysix
from eightysix.lab.kernel.strace import missing
from eightysix.lab.pods import environments, interpreter
from tests.lab.pods.tiers import need_rootless
from tests.tiers import require_tier

NOBODY = 65_534
NEEDED = ("msgspec", "yaml", "h11", "cryptography", "cffi", "_cffi_backend", "google_re2", "re2")
"""Distributions that the lab and detection import, as far as they are there."""


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that nobody owns, with all that runs: interpreters of developers often lie where others may not look."""
    need_rootless()
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        require_tier("rootless", "only root can become somebody without rights (setpriv)")
    if why := missing():
        require_tier("strace", why)
    python = interpreter.find()
    if python.version[:2] != sys.version_info[:2] or python.outside_usr:
        require_tier("rootless", f"{python.path} cannot use the packages of this interpreter")
    folder = Path(f"/var/tmp/eightysix-test-{os.getpid()}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copytree(
        Path(eightysix.__file__).parent,
        folder / "src" / "eightysix",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    checkout = Path(eightysix.__file__).resolve().parents[2] / "sensor"
    if checkout.is_dir():
        shutil.copytree(checkout, folder / "sensor", ignore=shutil.ignore_patterns("__pycache__"))
    for packages in {path for path in sys.path if path.endswith("-packages")}:
        for name in NEEDED:
            for path in Path(packages).glob(f"{name}*"):
                if path.is_dir() and "." not in path.name:
                    shutil.copytree(path, folder / "site" / path.name, dirs_exist_ok=True)
                elif path.suffix == ".so":
                    (folder / "site").mkdir(exist_ok=True)
                    shutil.copyfile(path, folder / "site" / path.name)
    venv = environments.folder_of("serving", python)
    shutil.copytree(venv, folder / "cache/eightysix/lab/venvs" / venv.name, symlinks=True)
    (folder / "tmp").mkdir()
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.mark.tier("rootless")
def test_nobody_plays_an_attack_and_both_sensors_see_it(home: Path) -> None:
    drop = [
        "setpriv",
        f"--reuid={NOBODY}",
        f"--regid={NOBODY}",
        "--clear-groups",
        "--inh-caps=-all",
        "--bounding-set=-all",
    ]
    env = {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "TMPDIR": str(home / "tmp"),
        "PYTHONPATH": f"{home}/src:{home}/site",
        "PATH": os.environ["PATH"],
    }
    command = [
        *drop,
        interpreter.find().path,
        "-m",
        "eightysix",
        "lab",
        "run",
        "attack-fast",
        "--output",
        str(home / "run"),
    ]
    done = subprocess.run(
        command, env=env, cwd=home, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "eightysix: not possible here: root: not root\n"
    assert "detection says: contain; it was an attack, and contain is right" in done.stdout
    about = json.loads((home / "run" / "run.json").read_bytes())
    assert (about["tier"], about["kernel"]) == ("rootless", "strace")
    assert about["kernel_counts"]["records"] > 20
    assert about["sensor"] in ("preload", "python")
    assert (home / "run" / "telemetry" / "sensor.jsonl").read_bytes().count(b"\n") > 20
    assert list((home / "cache/eightysix/lab/runs").iterdir()) == []
