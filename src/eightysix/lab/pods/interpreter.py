"""The Python that runs inside of the lab's pods: the machine's own `/usr/bin/python3`, else the base of the running one."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

from msgspec import Struct

from eightysix.model.errors import LabError

__all__ = ["Interpreter", "find"]

OLDEST = (3, 11)
"""The lock files in `venvs/` are made for this one and later."""

_TELL = (
    "import sys, venv; print(*sys.version_info[:3]); print(sys.base_prefix); print(sys.implementation.name)"
)


class Interpreter(Struct, frozen=True):
    """`path` is the same inside and outside of a pod; `prefix` must be mounted where it does not lie below `/usr`."""

    path: str
    prefix: str
    version: tuple[int, int, int]

    @property
    def short(self) -> str:
        """As in names of folders: 3.11."""
        return f"{self.version[0]}.{self.version[1]}"

    @property
    def outside_usr(self) -> bool:
        """Whether `/usr` alone does not bring it."""
        return not f"{self.prefix}/".startswith("/usr/")


@cache
def find() -> Interpreter:
    """The first that is new enough. Raises `LabError` where there is none."""
    base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    told = []
    for path in ("/usr/bin/python3", str(base)):
        found = _ask(path)
        if found is not None and found.version >= OLDEST:
            return found
        told.append(f"{path} is {'.'.join(map(str, found.version)) if found else 'not there'}")
    raise LabError(
        f"no Python {OLDEST[0]}.{OLDEST[1]} or later for the pods: {'; '.join(told)}",
        "On Debian and Ubuntu: apt install python3",
    )


def _ask(path: str) -> Interpreter | None:
    try:
        done = subprocess.run(
            [path, "-I", "-c", _TELL], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.splitlines()
    if done.returncode or len(lines) != 3 or lines[2] != "cpython":
        return None
    major, minor, micro = (int(part) for part in lines[0].split())
    real = Path(path).resolve()
    return Interpreter(str(real), lines[1], (major, minor, micro))
