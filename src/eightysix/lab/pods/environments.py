"""Environments of the pods: locked sets of packages, installed once into a cache and mounted at `/opt/venv`.

A folder of the cache is keyed by the lock file, the interpreter and this recipe, so that another one never serves in its
place. It is written for `/opt/venv`: scripts begin with that path, wherever the cache lies.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

from eightysix.lab.pods.interpreter import Interpreter
from eightysix.model.errors import LabError

__all__ = ["DEFAULT", "NAMES", "PLACE", "build", "cache_folder", "ready"]

NAMES = ("serving", "uvloop", "joblib", "langchain", "torch")
DEFAULT = ("serving", "uvloop", "joblib", "langchain")
"""What `make lab-setup` installs; `torch` has 1 GB and is asked for by name."""

PLACE = "/opt/venv"
"""Where a pod has it."""

_BASE = "serving"
"""The others hold all of it: they begin as its copy, and pip adds what is missing."""

_RECIPE = "2"
"""Changes whenever a finished folder would look different."""

_STAMP = ".eightysix-ready"

_RUN_PIP = """\
import sys
sys.path.insert(0, sys.argv[1])
sys.executable = sys.argv[2]
from pip._internal.cli.main import main
sys.exit(main(sys.argv[3:]))
"""
"""pip writes `sys.executable` into the first line of scripts, and that must be the path in the pod."""


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/eightysix/lab` (freedesktop.org, Base Directory Specification)."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(named) if named.startswith("/") else Path.home() / ".cache"
    return base / "eightysix" / "lab"


def lock_of(name: str) -> bytes:
    """The lock file of one environment."""
    if name not in NAMES:
        raise LabError(f"no environment is called {name}", f"There are: {', '.join(NAMES)}")
    return (files("eightysix.lab.pods") / "venvs" / f"{name}.txt").read_bytes()


def folder_of(name: str, python: Interpreter) -> Path:
    """Where the finished environment lies, or would."""
    key = hashlib.sha256()
    for part in (
        lock_of(name),
        python.path.encode(),
        repr(python.version).encode(),
        _RECIPE.encode(),
        PLACE.encode(),
    ):
        key.update(b"%d:" % len(part) + part)
    return cache_folder() / "venvs" / f"{name}-{python.short}-{key.hexdigest()[:16]}"


def ready(name: str, python: Interpreter) -> bool:
    """Whether it was built."""
    return (folder_of(name, python) / _STAMP).is_file()


def build(name: str, python: Interpreter) -> Path:
    """The folder of an environment, built first where need be: 15 s with a package index near, then never again.

    Raises `LabError` with the last words of pip where that fails; nothing half-built is left.
    """
    folder = folder_of(name, python)
    if ready(name, python):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder.parent))
    try:
        if name == _BASE:
            _skeleton(fresh, python)
        else:
            shutil.copytree(build(_BASE, python), fresh, symlinks=True, dirs_exist_ok=True)
            (fresh / _STAMP).unlink()
        fresh.chmod(0o755)
        _install(fresh, name, python)
        (fresh / _STAMP).write_text("")
        try:
            fresh.rename(folder)
        except OSError:
            if not ready(name, python):  # else somebody else was faster
                raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return folder


def _skeleton(folder: Path, python: Interpreter) -> None:
    """What `python -m venv --without-pip` makes; Debian has that module only with another package."""
    programs = folder / "bin"
    (folder / "lib" / f"python{python.short}" / "site-packages").mkdir(parents=True)
    programs.mkdir()
    (programs / "python").symlink_to(python.path)
    for other in ("python3", f"python{python.short}"):
        (programs / other).symlink_to("python")
    version = ".".join(map(str, python.version))
    home = os.path.dirname(python.path)
    (folder / "pyvenv.cfg").write_text(
        f"home = {home}\ninclude-system-site-packages = false\nversion = {version}\nexecutable = {python.path}\n"
    )


def _install(folder: Path, name: str, python: Interpreter) -> None:
    with tempfile.TemporaryDirectory(prefix="eightysix-pip-") as scratch:
        lock = Path(scratch, "lock.txt")
        lock.write_bytes(lock_of(name))
        # Only pip: whatever lies beside it would pass for installed.
        Path(scratch, "pip").symlink_to(_pip(python))
        command = [
            *(str(folder / "bin" / "python"), "-I", "-c", _RUN_PIP, scratch, f"{PLACE}/bin/python"),
            *("install", "--quiet", "--disable-pip-version-check", "--no-input", "--require-hashes"),
            *("--no-deps", "--only-binary", ":all:", "--root-user-action", "ignore", "-r", str(lock)),
        ]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=_environ(), check=False
        )
    if done.returncode:
        said = [line for line in done.stdout.splitlines() if line.strip()][-3:]
        raise LabError(
            f"the environment {name} could not be installed: {' / '.join(said)[-600:]}",
            "The first run needs a package index, or PIP_FIND_LINKS with the wheels; later runs need neither.",
        )


def _environ() -> Mapping[str, str]:
    """The machine's own settings for pip stay; those of a Python that somebody stands in do not."""
    return {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME"}}


@cache
def _pip(python: Interpreter) -> Path:
    """The folder of a pip package to run: this interpreter's, its base's, or that of the pods' Python."""
    ask = "import importlib.util as u; s = u.find_spec('pip'); print(s.submodule_search_locations[0] if s else '')"
    base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for candidate in (sys.executable, str(base), python.path):
        try:
            done = subprocess.run(
                [candidate, "-I", "-c", ask], capture_output=True, text=True, timeout=30, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0 and done.stdout.strip():
            return Path(done.stdout.strip())
    raise LabError(
        "no pip here to install the pods' packages with", "On Debian and Ubuntu: apt install python3-pip"
    )
