"""Where the native part lies in this installation, and how package and native part come into a folder of their own.

The folder is what a pod mounts read-only as `/opt/eightysix`: `eightysix_sensor/` beside `eightysix_preload.so`, nothing
else, so that nothing of it can stand in for another module.
"""

from __future__ import annotations

import compileall
import os
import platform
import shutil
import tempfile
from pathlib import Path
from py_compile import PycInvalidationMode

__all__ = ["FILE", "NoNativeError", "install", "native_folder", "this_machine", "where"]

FILE = "eightysix_preload.so"
UNCHECKED = PycInvalidationMode.UNCHECKED_HASH
"""Volumes and image layers change the times of files; what lies in this folder is changed by nobody else."""


class NoNativeError(Exception):
    """This installation has no native part for the machine asked for."""


def this_machine() -> str:
    """Architecture and C library of this process: `x86_64-gnu`, `aarch64-musl`."""
    machine = {"arm64": "aarch64", "amd64": "x86_64"}.get(platform.machine().lower(), platform.machine())
    try:
        gnu = bool(os.confstr("CS_GNU_LIBC_VERSION"))
    except (AttributeError, OSError, ValueError):
        gnu = False
    return f"{machine}-{'gnu' if gnu else 'musl'}"


def native_folder() -> Path:
    """Where the wheel puts the native parts."""
    return Path(__file__).resolve().parent / "_native"


def where(machine: str = "") -> Path:
    """The native part for `machine`, by default this one. One file serves both C libraries of an architecture, so that of
    the other one is taken where its own was not built."""
    machine = machine or this_machine()
    architecture = machine.partition("-")[0]
    folder = native_folder()
    for name in (machine, f"{architecture}-gnu", f"{architecture}-musl"):
        if (folder / name / FILE).is_file():
            return folder / name / FILE
    there = sorted(path.parent.name for path in folder.glob(f"*/{FILE}"))
    has = f"it has {', '.join(there)}" if there else "it was built without a compiler (wheel py3-none-any)"
    raise NoNativeError(f"no native part for {machine} in this installation: {has}")


def install(target: str) -> list[str]:
    """Copy package and native part into the folder `target`; what is there of an earlier copy is replaced.

    Without a native part the package alone is copied, and the last line returned says so.
    """
    # Not resolve(): /proc/PID/root is a link that reads as "/" and leads elsewhere.
    folder = Path(os.path.abspath(target))
    folder.mkdir(parents=True, exist_ok=True)
    source = Path(__file__).resolve().parent
    part = Path(tempfile.mkdtemp(prefix=".part-", dir=folder))
    try:
        copied = part / source.name
        shutil.copytree(source, copied, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        # A mount that is read-only keeps no bytecode, and without it each start compiles the package. It is for the version
        # that runs this; the names of files in it are put right when it is loaded.
        compileall.compile_dir(
            str(copied), ddir=str(folder / source.name), quiet=2, invalidation_mode=UNCHECKED
        )
        _readable(copied)
        package = folder / source.name
        if package.exists():
            os.replace(package, part / "before")
        os.replace(copied, package)
        lines = [str(package)]
        try:
            native = where()
        except NoNativeError as reason:
            return [*lines, f"no LD_PRELOAD: {reason}"]
        shutil.copyfile(native, part / FILE)
        (part / FILE).chmod(0o755)
        os.replace(part / FILE, folder / FILE)
        return [*lines, str(folder / FILE)]
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _readable(folder: Path) -> None:
    """Any user of the pod reads it, whatever the umask of the one who copies."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
