"""The namespaces of one run, held by one process: when it ends, everything in them ends, and every mount goes with them.

The kernel does the cleaning: init of a pid namespace takes all of its processes along, a private mount namespace its
mounts, a network namespace its interfaces. The holder ends at the end of its standard input, so even a lab that was
killed leaves nothing but an empty folder and, as root, empty cgroups (`sweep` removes those).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from eightysix.model.errors import LabError

__all__ = ["Keeper", "child_of"]

_HOLD = """\
set -e
mount -t tmpfs -o mode=0755,size=2g,nosuid eightysix-lab "$1"
mkdir "$1/net" "$1/pods" "$1/lower" "$1/runtime"
if [ -n "$2" ]; then
  umount -l /sys/fs/cgroup
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
echo ready
cat > /dev/null
"""
"""OCI runtimes want the unified hierarchy at `/sys/fs/cgroup`; a hybrid one is covered, for this run alone."""

COMMAND_S = 30.0
"""Seconds that one command of setting up may take."""


class Keeper:
    """Holds the namespaces. Inside, `folder` is a tmpfs that nobody else sees; `fallback` is an empty folder to mount it over
    where the machine has none that says nothing about it."""

    def __init__(self, fallback: Path, *, rootless: bool, cgroups: bool = False) -> None:
        self.folder = folder = _neutral() or fallback
        self.rootless = rootless
        kinds = ("--user", "--map-root-user") if rootless else ()
        self._holder = subprocess.Popen(
            [
                *("unshare", *kinds, "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"),
                *("--mount-proc", "--propagation", "private"),
                *("sh", "-c", _HOLD, "eightysix-lab", str(folder), "yes" if cgroups else ""),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the lab, which ends things in their order
        )
        assert self._holder.stdout and self._holder.stderr  # noqa: S101, PT018 - for the type checker
        if self._holder.stdout.readline() != "ready\n":
            said = self._holder.stderr.read(4096).strip()
            self.close()
            raise LabError(f"namespaces cannot be made here: {said or 'no word why'}", "Try another --tier.")
        self.pid = child_of(self._holder.pid)
        self.inside = Path(f"/proc/{self.pid}/root{folder}")
        """The run's tmpfs as this process can reach it."""

    def enter(self, *argv: str, net: str = "", of: int = 0) -> list[str]:
        """The command that runs `argv` inside, in the network namespace `net` (else the machine's own; nothing that talks is
        started without one). `of` names another process whose mounts and pids are meant."""
        user = ("--user", "--preserve-credentials") if self.rootless else ()
        network = (f"--net={self.inside}/net/{net}",) if net else ()
        return ["nsenter", f"--target={of or self.pid}", *user, "--mount", "--pid", *network, "--", *argv]

    def run(self, *argv: str, net: str = "", timeout_s: float = COMMAND_S) -> str:
        """Run a command of setting up, and return what it printed. Raises `LabError` with its words where it fails."""
        done = subprocess.run(
            self.enter(*argv, net=net),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if done.returncode:
            raise LabError(f"`{' '.join(argv)[:200]}` failed in the lab: {done.stdout.strip()[-400:]}")
        return done.stdout

    def shell(self, script: str, *, net: str = "") -> str:
        """Run a script of setting up."""
        return self.run("sh", "-ec", script, net=net)

    def spawn(self, *argv: str, net: str = "", **more: Any) -> subprocess.Popen[bytes]:
        """Start something that stays; `more` is for `Popen`."""
        return subprocess.Popen(self.enter(*argv, net=net), start_new_session=True, **more)

    def processes(self) -> Sequence[int]:
        """Every process of the run, by the machine's pids."""
        mine = os.readlink(f"/proc/{self.pid}/ns/pid")
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    if os.readlink(f"/proc/{name}/ns/pid") == mine:
                        found.append(int(name))
                except OSError:
                    continue
        return found

    def close(self) -> None:
        """End everything inside. Doing it twice is no harm."""
        if self._holder.stdin and not self._holder.stdin.closed:
            self._holder.stdin.close()
        try:
            self._holder.wait(5)
        except subprocess.TimeoutExpired:
            self._holder.kill()  # --kill-child takes init along, and init all else
            self._holder.wait(10)
        for stream in (self._holder.stdout, self._holder.stderr):
            if stream:
                stream.close()

    def __enter__(self) -> Keeper:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _neutral() -> Path | None:
    """An empty folder that every machine has: paths of the run are seen in telemetry, as arguments of the runtime."""
    for folder in (Path("/mnt"), Path("/media"), Path("/srv")):
        try:
            if not folder.is_symlink() and not any(folder.iterdir()):
                return folder
        except OSError:
            continue
    return None


def child_of(parent: int) -> int:
    """The child of a process that has one; 0 where it has none (yet)."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                stat = Path("/proc", name, "stat").read_text()
            except OSError:
                continue
            if int(stat.rpartition(")")[2].split()[1]) == parent:
                return int(name)
    return 0
