"""Where Microsoft's parser lies, and how it gets there: one npm package of a pinned version and digest, in a cache.

Nothing is fetched unless `install` is called: by `eightysix hunt validate --setup`, or by `make test`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from eightysix.model.errors import MissingExtraError, StateError

__all__ = ["SCRIPT", "find", "folder", "install", "lacking"]

SCRIPT = Path(__file__).with_name("bind.js")

_FILES = ("package.json", "package-lock.json")
_LIBRARY = Path("node_modules", "@kusto", "language-service-next", "Kusto.Language.Bridge.min.js")
_ADVICE = "Install Node.js 18 or later with npm, then: eightysix hunt validate --setup"

INSTALL_S = 600.0
"""Seconds for npm to fetch 6 MB."""


def folder() -> Path:
    """Where the parser is kept: `EIGHTYSIX_BINDER`, or in the user's cache under the digest of the lock file."""
    given = os.environ.get("EIGHTYSIX_BINDER")
    if given:
        return Path(given)
    cache = os.environ.get("XDG_CACHE_HOME")
    base = Path(cache) if cache and Path(cache).is_absolute() else Path.home() / ".cache"
    digest = hashlib.sha256(SCRIPT.with_name("package-lock.json").read_bytes()).hexdigest()
    return base / "eightysix" / f"binder-{digest[:16]}"


def lacking() -> str:
    """What stands in the way of binding, in words; empty where nothing does."""
    if shutil.which("node") is None:
        return "Node.js is not installed"
    if not (folder() / _LIBRARY).is_file():
        return "Microsoft's parser is not installed"
    return ""


def find() -> Path:
    """The folder with the parser. Raises `MissingExtraError` where something is missing."""
    missing = lacking()
    if missing:
        raise MissingExtraError(f"validating needs Microsoft's parser of KQL, and {missing}", _ADVICE)
    return folder()


def install() -> Path:
    """Fetch the parser through npm, by its lock file and without running any script of it; the folder where it lies.

    What is there already is left alone. Raises `MissingExtraError` without npm, `StateError` where npm fails.
    """
    where = folder()
    if (where / _LIBRARY).is_file():
        return where
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise MissingExtraError("Microsoft's parser of KQL comes by npm, which is not installed", _ADVICE)
    try:
        where.mkdir(parents=True, exist_ok=True)
        for name in _FILES:
            shutil.copyfile(SCRIPT.with_name(name), where / name)
        done = subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            cwd=where,
            capture_output=True,
            check=False,
            timeout=INSTALL_S,
        )
    except subprocess.TimeoutExpired:
        raise StateError("npm did not end in time", "Try again later.") from None
    except OSError as error:
        raise StateError(
            f"{where} cannot be written: {error.strerror}", "Name a folder: EIGHTYSIX_BINDER"
        ) from None
    if done.returncode or not (where / _LIBRARY).is_file():
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise StateError(f"npm failed: {said[-1][:300] if said else done.returncode}", "Try again later.")
    return where
