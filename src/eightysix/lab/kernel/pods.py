"""Which pod a cgroup belongs to: the pods file, read again whenever it grew, and the cgroups that the kernel told of."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from eightysix.lab.kernel.cgroups import Hierarchy

__all__ = ["Entry", "Pods"]

_MOST_BYTES = 16 << 20
"""Of the pods file that are read."""

_MOST_GROUPS = 16_384
"""Cgroups whose paths are known; the oldest are forgotten."""


class Entry(Struct, frozen=True):
    """One line. `cgroup` is the path below the sensor's own cgroup, `pod` Tetragon's pod object."""

    container_id: str
    cgroup: str
    pod: dict[str, Any]


class Pods:
    """Pods by cgroup id. A process in a cgroup below a container's belongs to that container."""

    def __init__(self, file: Path | None, hierarchy: Hierarchy | None) -> None:
        self._file = file
        self._hierarchy = hierarchy
        self._read = 0
        self._entries: dict[str, Entry] = {}
        self._paths: dict[int, str] = {}
        self.malformed = 0
        self.refresh()
        for number, path in hierarchy.folders() if hierarchy is not None else ():
            self._paths[number] = path

    def refresh(self) -> None:
        """Read what was added to the file. Half a line waits for its end."""
        if self._file is None:
            return
        try:
            size = self._file.stat().st_size
            if size <= self._read or self._read >= _MOST_BYTES:
                return
            with self._file.open("rb") as stream:
                stream.seek(self._read)
                data = stream.read(_MOST_BYTES - self._read)
        except OSError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            try:
                entry = msgspec.json.decode(line, type=Entry)
            except (msgspec.MsgspecError, ValueError):
                self.malformed += 1
                continue
            self._entries[entry.cgroup.strip("/")] = entry

    def learn(self, number: int, path: str) -> None:
        """A cgroup was made at `path` of the hierarchy."""
        below = self._hierarchy.below(path) if self._hierarchy is not None else None
        if below is None:
            return
        while len(self._paths) >= _MOST_GROUPS:
            del self._paths[next(iter(self._paths))]
        self._paths[number] = below

    def place(self, number: int, below: str) -> None:
        """Say where a cgroup is that only has a name."""
        self._paths[number] = below

    def of(self, cgroup: int) -> Entry | None:
        """The pod of a cgroup; None for one that the file does not know."""
        path = self._paths.get(cgroup)
        return None if path is None else self.at(path)

    def at(self, path: str) -> Entry | None:
        """The pod at a path below the folder, or the nearest above it."""
        known = self._look(path)
        if known is None:
            self.refresh()
            known = self._look(path)
        return known

    def _look(self, path: str) -> Entry | None:
        while True:
            entry = self._entries.get(path)
            if entry is not None or not path:
                return entry
            path = os.path.dirname(path)
