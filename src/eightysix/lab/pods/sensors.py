"""Where the in-process sensor of the pods comes from: an installed `eightysix-sensor`, or this checkout of it."""

from __future__ import annotations

import importlib.util
import platform
import shutil
from pathlib import Path

import eightysix
from eightysix.lab.pods.image import SENSOR_PLACE
from eightysix.lab.pods.keeper import Keeper

__all__ = ["LIBRARY", "bring"]

LIBRARY = "eightysix_preload.so"
_PACKAGE = "eightysix_sensor"


def bring(keeper: Keeper) -> tuple[str, str]:
    """Copy the sensor into the run; returns its folder and, in the pod, the path of its library. Either may be empty: what
    is not there is not invented."""
    package = _package()
    if package is None:
        return "", ""
    place = keeper.inside / "sensor"
    shutil.copytree(package, place / _PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    library = _library(package)
    if library is not None:
        shutil.copyfile(library, place / LIBRARY)
    return f"{keeper.folder}/sensor", f"{SENSOR_PLACE}/{LIBRARY}" if library else ""


def _package() -> Path | None:
    found = importlib.util.find_spec(_PACKAGE)
    if found is not None and found.origin:
        return Path(found.origin).parent
    checkout = Path(eightysix.__file__).resolve().parents[2] / "sensor" / "src" / _PACKAGE
    return checkout if checkout.is_dir() else None


def _library(package: Path) -> Path | None:
    """Built for this machine; glibc, because its `/usr` is what pods see."""
    machine = platform.machine()
    for folder in (package, package / "native", package.parents[1] / "build" / "native"):
        for name in (f"{machine}-gnu/{LIBRARY}", f"eightysix_preload.{machine}-gnu.so", LIBRARY):
            if (folder / name).is_file():
                return folder / name
    return None
