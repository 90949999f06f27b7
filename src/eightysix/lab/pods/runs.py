"""Folders of running labs, and what is left of those that were killed: found by pid and start time, and removed."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from eightysix.lab.pods.environments import cache_folder
from eightysix.model.errors import LabError

__all__ = ["Place", "sweep", "unified"]

_OWNER = "owner.json"
_CGROUP = "eightysix-lab-"


class Place:
    """What one run has on the machine beside its output: an empty folder to mount over, endpoints, and cgroups as root."""

    def __init__(self, *, cgroups: bool) -> None:
        self.id = secrets.token_hex(4)
        self.cgroup = f"/{_CGROUP}{self.id}" if cgroups else ""
        base = _folder()
        base.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = Path(tempfile.mkdtemp(prefix=".", dir=base))
        told = {"pid": os.getpid(), "start": _start_of(os.getpid()), "cgroup": self.cgroup}
        (fresh / _OWNER).write_text(json.dumps(told))
        self.folder = base / self.id
        fresh.rename(self.folder)  # never without its owner: the next sweep would take it for a dead one's
        self.world = self.folder / "world"
        self.endpoints = self.folder / "endpoints"
        for folder in (self.world, self.endpoints):
            folder.mkdir()
        if cgroups:
            _on_machine(self.cgroup).mkdir()

    @property
    def cgroup_folder(self) -> Path | None:
        """Its cgroup as the machine has it; None where the run has none of its own."""
        return _on_machine(self.cgroup) if self.cgroup else None

    def remove(self) -> None:
        """Remove all of it. Everything inside must have ended."""
        _remove(self.folder, self.cgroup)


def sweep() -> list[str]:
    """Remove what runs left whose process is no more; returns their ids."""
    gone = []
    with suppress(FileNotFoundError):
        for folder in sorted(_folder().iterdir()):
            try:
                told = json.loads((folder / _OWNER).read_bytes())
                pid, start, cgroup = int(told["pid"]), str(told["start"]), str(told["cgroup"])
            except (OSError, ValueError, KeyError, TypeError):
                continue
            if start and _start_of(pid) == start:
                continue
            _remove(folder, cgroup)
            gone.append(folder.name)
    return gone


def unified() -> Path | None:
    """Where the machine has the unified cgroup hierarchy, whole; None where it has none (cgroups(7))."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            fields = line.split()
            kind = fields[fields.index("-") + 1]
            if kind == "cgroup2" and os.access(fields[4], os.W_OK):
                return Path(fields[4])
    return None


def _folder() -> Path:
    return cache_folder() / "runs"


def _on_machine(cgroup: str) -> Path:
    base = unified()
    if base is None:
        raise LabError("no unified cgroup hierarchy is mounted and writable here", "Try --tier rootless.")
    return base / cgroup.lstrip("/")


def _start_of(pid: int) -> str:
    """Boot and start time of a process; empty where there is none. Pids repeat, this does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
    return f"{boot}/{stat.rpartition(')')[2].split()[19]}"


def _remove(folder: Path, cgroup: str) -> None:
    if cgroup.startswith(f"/{_CGROUP}") and "/" not in cgroup[1:] and unified() is not None:
        _remove_cgroups(_on_machine(cgroup))
    shutil.rmtree(folder, ignore_errors=True)


def _remove_cgroups(top: Path) -> None:
    """The innermost first. What still runs in one is of this run, and is ended."""
    with suppress(OSError):
        (top / "cgroup.kill").write_text("1")
    for path, _, _ in os.walk(top, topdown=False):
        with suppress(OSError):
            os.rmdir(path)
