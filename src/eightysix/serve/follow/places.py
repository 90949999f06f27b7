"""Which files there are to follow, now: named files with what rotation made of them, and folders.

Looking is cheap while nothing changes: folders are listed again when their own time of change moved. Where that cannot
be trusted (network file systems tell it late) they are listed every `RELIST_S` anyhow.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence

from msgspec import Struct

from eightysix.model.incident import Problem

__all__ = ["MAX_DEPTH", "MAX_ENTRIES", "RELIST_S", "Found", "Places", "is_rotated_name", "printable"]

OnProblem = Callable[[Problem], None]

RELIST_S = 5.0
"""Seconds after which folders are listed whatever their time of change says."""

MAX_ENTRIES = 5_000
"""Entries of all followed folders together that are looked at. A node's log folders hold some hundred."""

MAX_DEPTH = 16
"""Levels of folders below a named one."""

_RACY_NS = 100_000_000
"""A folder that changed this shortly before it was listed may change again without its time moving: the kernel keeps
times by the tick (4 to 10 ms)."""


class Found(Struct, frozen=True):
    """One file. `named` files were asked for by their own name; `sibling` ones lie beside such a file and are called as
    if rotation had made them of it: `of` is its path."""

    path: str
    dev: int
    ino: int
    size: int
    mtime_ns: int
    named: bool = False
    of: str = ""


class _Folder(Struct):
    mtime_ns: int
    listed_ns: int

    def changed(self, status: os.stat_result) -> bool:
        return self.mtime_ns != status.st_mtime_ns or self.listed_ns - self.mtime_ns < _RACY_NS


class Places:
    """The files that `paths` stand for. A path may appear, vanish and turn from file to folder at any time.

    `clock` counts seconds, `wall_ns` tells the time of day in nanoseconds, as file times do.
    """

    def __init__(
        self,
        paths: Sequence[str],
        on_problem: OnProblem,
        clock: Callable[[], float],
        wall_ns: Callable[[], int],
    ) -> None:
        self._paths = tuple(dict.fromkeys(paths))
        self._on_problem = on_problem
        self._clock = clock
        self._wall_ns = wall_ns
        self._folders: dict[str, _Folder] = {}
        self._named: dict[str, tuple[int, int]] = {}
        self._listed_at = float("-inf")
        self._told: set[str] = set()
        self._missing_since: dict[str, float] = {}
        self._looked = False
        self._entries = 0

    def folders(self) -> tuple[str, ...]:
        """Folders in which files may appear, as of the last look."""
        return tuple(self._folders)

    def look(self) -> list[Found] | None:
        """Every file, by inode once, the oldest first; None where nothing can have come, gone or moved."""
        if self._clock() - self._listed_at < RELIST_S and not self.stirred():
            return None
        self._listed_at = self._clock()
        self._folders, self._named, self._entries = {}, {}, 0
        found: dict[tuple[int, int], Found] = {}
        for path in self._paths:
            for each in self._files(path):
                known = found.get((each.dev, each.ino))
                if known is None or (each.named and not known.named):
                    found[each.dev, each.ino] = each
        self._looked = True
        return sorted(found.values(), key=_age)

    def stirred(self) -> bool:
        """Whether files came, went or moved since the last look."""
        for path, folder in self._folders.items():
            status = _status(path)
            if status is None or folder.changed(status):
                return True
        for path, known in self._named.items():
            status = _status(path)
            if (status.st_dev, status.st_ino) != known if status else known != (0, 0):
                return True
        return False

    def _files(self, path: str) -> list[Found]:
        status = _status(path)
        if status is not None and stat.S_ISDIR(status.st_mode):
            found: list[Found] = []
            self._walk(path, 0, found)
            return found
        self._named[path] = (status.st_dev, status.st_ino) if status else (0, 0)
        found = self._siblings(path)
        if status is None:
            # Between renaming the old file and making the new one there is none: no reason to speak.
            since = self._missing_since.setdefault(path, self._clock() if self._looked else float("-inf"))
            if self._clock() - since >= RELIST_S:
                self._tell(path, "is not there: waiting for it")
            return found
        self._missing_since.pop(path, None)
        if stat.S_ISREG(status.st_mode):
            self._told.discard(path)
            found.append(_found(path, status, named=True))
        else:
            self._tell(path, "is no file: what is no file cannot be followed; give a pipe as standard input")
        return found

    def _siblings(self, path: str) -> list[Found]:
        """What rotation may have made of `path`, where the file really lies."""
        real = os.path.realpath(path)
        folder, name = os.path.split(real)
        return [
            Found(each.path, each.dev, each.ino, each.size, each.mtime_ns, of=path)
            for each in self._list(folder or ".", lambda other: is_rotated_name(name, other))[0]
        ]

    def _walk(self, folder: str, depth: int, found: list[Found]) -> None:
        files, folders = self._list(folder, None)
        found.extend(files)
        for each in sorted(folders):
            if depth >= MAX_DEPTH:
                self._tell(each, f"lies {MAX_DEPTH} folders deep: it is left out")
                continue
            self._walk(each, depth + 1, found)

    def _list(self, folder: str, wanted: Callable[[str], bool] | None) -> tuple[list[Found], list[str]]:
        """Files of one folder whose name is `wanted`, and the folders in it. Links to folders are not followed."""
        files: list[Found] = []
        folders: list[str] = []
        before = _status(folder)
        if before is None:
            return files, folders
        self._folders[folder] = _Folder(before.st_mtime_ns, self._wall_ns())
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    self._entries += 1
                    if self._entries > MAX_ENTRIES:
                        self._tell(folder, f"more than {MAX_ENTRIES} entries: the rest is not followed")
                        break
                    if wanted is not None and not wanted(entry.name):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                        continue
                    status = _status(entry.path)
                    if status is not None and stat.S_ISREG(status.st_mode):
                        files.append(_found(entry.path, status))
                    elif (
                        status is not None
                        and stat.S_ISDIR(status.st_mode)
                        and not _within(entry.path, folder)
                    ):
                        self._tell(
                            entry.path,
                            "a link to a folder elsewhere is not followed: name that folder itself",
                        )
        except OSError as error:
            self._tell(folder, f"cannot be listed: {error.strerror}")
        return files, folders

    def _tell(self, path: str, reason: str) -> None:
        if path not in self._told:
            self._told.add(path)
            self._on_problem(Problem(printable(path), 0, "unreadable", reason))


def is_rotated_name(name: str, other: str) -> bool:
    """Whether rotation calls a former file `name` so: `a.log.1`, `a.log-20261123.gz`, `a.log.old`,
    `a-2026-11-23T08-20-31.123.log.gz` (Tetragon), `0.log.20261123-082031` (kubelet)."""
    stem, dot, ending = name.rpartition(".")
    if not dot:
        stem, ending = name, ""
    for prefix, suffix in ((name, ""), (stem, f".{ending}" if ending else "")):
        rest = other.removeprefix(prefix)
        if rest == other or rest[:1] not in (".", "-", "_"):
            continue
        for packed in (".gz", ".zst"):
            rest = rest.removesuffix(packed)
        if suffix and not rest.endswith(suffix):
            continue
        middle = rest[1 : len(rest) - len(suffix)] if suffix else rest[1:]
        if middle[:1].isdigit() or middle == "old":
            return True
    return False


def printable(path: str) -> str:
    """`path` as text that every output format can hold: bytes that are no UTF-8 become `\\xNN`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _age(found: Found) -> tuple[int, bool, int, str]:
    """Oldest first; of the same tick the file in use last, and `.2` before `.1`."""
    number = found.path.rpartition(".")[2]
    return (
        found.mtime_ns,
        found.named,
        -int(number) if number.isdecimal() and len(number) < 6 else 0,
        found.path,
    )


def _within(path: str, folder: str) -> bool:
    """Whether what the link `path` leads to lies in `folder`, as the links of a ConfigMap do."""
    return os.path.realpath(path).startswith(os.path.realpath(folder) + os.sep)


def _found(path: str, status: os.stat_result, *, named: bool = False) -> Found:
    return Found(path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, named)


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return None
