"""Where the in-process sensor of the pods comes from: an installed `eightysix-sensor`, or this checkout of it."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import eightysix
from eightysix.lab.pods.environments import cache_folder
from eightysix.lab.pods.image import SENSOR_PLACE
from eightysix.model.errors import LabError

__all__ = ["LIBRARY", "bring", "source"]

LIBRARY = "eightysix_preload.so"
_PACKAGE = "eightysix_sensor"
_COMPILE_S = 60.0


def bring(folder: Path) -> tuple[str, str]:
    """Copy the sensor into `folder`, which it makes; returns that and, in the pod, the path of its library. Either may be
    empty: what is not there is not invented."""
    package = source()
    if package is None:
        return "", ""
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-P", "-m", _PACKAGE, "install", str(folder)],
        env={**os.environ, "PYTHONPATH": str(package.parent)},
        capture_output=True,
        text=True,
        timeout=_COMPILE_S,
        check=False,
    )
    if done.returncode:
        raise LabError(f"the sensor cannot be copied: {done.stderr.strip()[-300:]}")
    library = folder / LIBRARY
    compiled = None if library.exists() else _compiled(package)
    if compiled is not None:
        shutil.copyfile(compiled, library)
    return str(folder), f"{SENSOR_PLACE}/{LIBRARY}" if library.exists() else ""


def source() -> Path | None:
    """The sensor's package; None where there is none."""
    found = importlib.util.find_spec(_PACKAGE)
    if found is not None and found.origin:
        return Path(found.origin).parent
    checkout = Path(eightysix.__file__).resolve().parents[2] / "sensor" / "src" / _PACKAGE
    return checkout if (checkout / "__main__.py").is_file() else None


def _compiled(package: Path) -> Path | None:
    """The native part of a checkout, compiled once where a compiler is; pods see this machine's `/usr`, so for its libc."""
    native = package.parents[1] / "native"
    script = native / "compile.py"
    if not script.is_file():
        return None
    key = hashlib.sha256(platform.machine().encode())
    for path in (*sorted(native.glob("*.[ch]")), script):
        key.update(path.read_bytes())
    folder = cache_folder() / "native" / key.hexdigest()[:16]
    if not any(folder.glob(f"*/{LIBRARY}")):
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [sys.executable, str(script), str(folder)], capture_output=True, timeout=_COMPILE_S, check=False
        )
        if done.returncode:
            return None
    return next(iter(sorted(folder.glob(f"{platform.machine()}-*/{LIBRARY}"))), None)
