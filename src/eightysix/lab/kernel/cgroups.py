"""Where cgroups are: the mount of version 2, ids of folders, and which pod an id belongs to."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from eightysix.model.errors import LabError

__all__ = ["Hierarchy", "hierarchy_of", "mount_point", "processes_below"]

_MOST_FOLDERS = 4096
"""Cgroups that are looked at: a node runs some hundred containers, and what is made later is told by the kernel."""


class Hierarchy:
    """The cgroup of version 2 at a mount, and the place of one folder in it."""

    def __init__(self, mount: Path, root: str, folder: Path) -> None:
        inside = folder.relative_to(mount).as_posix()
        below = f"{root.rstrip('/')}/{inside}" if inside != "." else root
        self.folder = folder
        self.path = below if below.startswith("/") else f"/{below}"
        """The folder's path from the root of the hierarchy, as the kernel tells paths."""
        self.level = len([part for part in self.path.split("/") if part])
        self.id = folder.stat().st_ino
        """The cgroup's id: the inode's number (kernfs, 64-bit)."""

    def below(self, path: str) -> str | None:
        """A path of the hierarchy as one below the folder (empty: the folder itself); None outside of it."""
        if path == self.path:
            return ""
        prefix = self.path.rstrip("/") + "/"
        return path[len(prefix) :] if path.startswith(prefix) else None

    def group_of(self, pid: int) -> int:
        """Id of the cgroup that a process is in now; 0 for one that is elsewhere or gone."""
        try:
            text = Path(f"/proc/{pid}/cgroup").read_text()
        except OSError:
            return 0
        for line in text.splitlines():
            if line.startswith("0::"):
                below = self.below(line[3:])
                try:
                    return 0 if below is None else (self.folder / below).stat().st_ino
                except OSError:
                    return 0
        return 0

    def folders(self) -> Iterator[tuple[int, str]]:
        """Ids and paths (below the folder) of all cgroups there are now."""
        for count, (place, names, _) in enumerate(os.walk(self.folder)):
            if count >= _MOST_FOLDERS:
                return
            names.sort()
            try:
                number = os.stat(place).st_ino
            except OSError:
                continue
            below = os.path.relpath(place, self.folder)
            yield number, "" if below == "." else below


def mount_point(mountinfo: str | None = None) -> tuple[Path, str] | None:
    """Where version 2 is mounted, and which cgroup is the root of that mount: `/sys/fs/cgroup`, on machines with both
    versions often `/sys/fs/cgroup/unified`. The shortest one wins. None where it is not mounted."""
    found = _mounts(mountinfo)
    return min(found, key=lambda one: len(str(one[0])), default=None)


def hierarchy_of(folder: Path, mountinfo: str | None = None) -> Hierarchy:
    """Where a cgroup's folder is. Raises `LabError` for one that is none of version 2."""
    folder = folder.resolve()
    found = [
        (mount, root) for mount, root in _mounts(mountinfo) if folder == mount or mount in folder.parents
    ]
    if not found or not folder.is_dir():
        raise LabError(f"{folder} is no cgroup of version 2 (mount -t cgroup2 none /sys/fs/cgroup)")
    mount, root = max(found, key=lambda one: len(one[0].parts))
    return Hierarchy(mount, root, folder)


def processes_below(hierarchy: Hierarchy) -> list[int]:
    """Processes in the folder's cgroup and all below it, now."""
    found: set[int] = set()
    for _, below in hierarchy.folders():
        try:
            text = (hierarchy.folder / below / "cgroup.procs").read_text()
        except OSError:
            continue
        found.update(int(word) for word in text.split() if word.isdigit())
    found.discard(0)
    return sorted(found)


def _mounts(text: str | None) -> Sequence[tuple[Path, str]]:
    """Mounts of version 2 by /proc/self/mountinfo (proc_pid_mountinfo(5)): root is the fourth word, the place the fifth,
    the type the first behind the dash."""
    if text is None:
        text = Path("/proc/self/mountinfo").read_text()
    found: list[tuple[Path, str]] = []
    for line in text.splitlines():
        before, dash, after = line.partition(" - ")
        words = before.split()
        if dash and len(words) >= 5 and after.split(" ", 1)[0] == "cgroup2":
            found.append((Path(_plain(words[4])), _plain(words[3])))
    return found


def _plain(word: str) -> str:
    for escaped, plain in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        word = word.replace(escaped, plain)
    return word
