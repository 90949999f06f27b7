"""Opens of credential files, told by the file and not by a call: links, relative paths, io_uring and 32-bit calls too.

Marks are set from outside through `/proc/<pid>/root`, when the first program of a mount namespace is seen. They listen
(FAN_OPEN); nothing waits for an answer. Numbers are those of include/uapi/linux/fanotify.h.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from eightysix.lab.kernel.clock import Clock
from eightysix.lab.kernel.facts import Opened
from eightysix.lab.kernel.policy import CREDENTIAL_ENDS, MOUNTED
from eightysix.model.errors import LabError

__all__ = ["Files", "mounts_of"]

_CLOEXEC, _NONBLOCK, _CLASS_NOTIF = 1, 2, 0
_MARK_ADD, _MARK_MOUNT = 1, 0x10
_OPEN, _OVERFLOW = 0x20, 0x4000
_AT_FDCWD = -100
_METADATA = struct.Struct("=IBBHQii")

_MOST_NAMESPACES = 256
_MOST_FILES = 256
"""Marks of one namespace: a pod mounts a handful of tokens."""

_AGAIN_NS = 200_000_000
"""Between two looks at a namespace, which cost about a millisecond."""

_HOMES = ("root",)
_MOST_HOMES = 32
_BUFFER = 65_536


class Files:
    """The marks and what they tell."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor = self._libc.fanotify_init(
            _CLASS_NOTIF | _CLOEXEC | _NONBLOCK, os.O_RDONLY | os.O_CLOEXEC
        )
        if self.descriptor < 0:
            raise LabError(f"fanotify: {os.strerror(ctypes.get_errno())} (it needs CAP_SYS_ADMIN)")
        self._known: dict[int, int] = {}
        self.marks = 0
        self.overflows = 0

    def watch(self, pid: int, namespace: int) -> None:
        """Mark the credential files in the mount namespace of `pid`: at its first program, and again at later ones, because
        tokens are renewed and mounted while a container runs. A process that is gone marks nothing; the next is asked."""
        now = Clock.now()
        known = self._known.get(namespace)
        if known is None and len(self._known) >= _MOST_NAMESPACES:
            del self._known[next(iter(self._known))]
        if known is not None and now - known < _AGAIN_NS:
            return
        root = Path(f"/proc/{pid}/root")
        try:
            table = Path(f"/proc/{pid}/mountinfo").read_text()
        except OSError:
            return
        self._known[namespace] = now
        for mount in mounts_of(table):
            self._mark(root / mount.lstrip("/"), _MARK_MOUNT)
        for place in self._files(root):
            self._mark(place, 0)

    def _mark(self, place: Path, kind: int) -> None:
        mask = ctypes.c_uint64(_OPEN)
        marked = self._libc.fanotify_mark(
            self.descriptor, _MARK_ADD | kind, mask, _AT_FDCWD, os.fsencode(place)
        )
        self.marks += marked == 0

    def _files(self, root: Path) -> Iterator[Path]:
        """Credential files that are there: below mounted secrets, and in homes. A link is followed by the kernel as seen
        from here, which for an absolute one is not the container: only files and folders are taken."""
        found = 0
        for folder in sorted({place.rstrip("/").lstrip("/") for place in MOUNTED}):
            top = root / folder
            if top.is_symlink():
                continue
            for place, _, names in os.walk(top):
                for name in sorted(names):
                    if found < _MOST_FILES and not os.path.islink(os.path.join(place, name)):
                        found += 1
                        yield Path(place, name)
        homes = list(_HOMES)
        with suppress(OSError):
            homes += [f"home/{name}" for name in sorted(os.listdir(root / "home"))[:_MOST_HOMES]]
        for home in homes:
            for end in CREDENTIAL_ENDS:
                file = root / home / end.lstrip("/")
                if file.is_file() and not file.is_symlink():
                    yield file

    def read(self) -> list[Opened]:
        """What was opened since the last time. The time is now: the kernel tells none."""
        facts: list[Opened] = []
        while True:
            try:
                data = os.read(self.descriptor, _BUFFER)
            except BlockingIOError:
                return facts
            at = Clock.now()
            while len(data) >= _METADATA.size:
                size, _, _, _, mask, descriptor, pid = _METADATA.unpack_from(data)
                data = data[max(size, _METADATA.size) :]
                if mask & _OVERFLOW:
                    self.overflows += 1
                if descriptor < 0:
                    continue
                with suppress(OSError):
                    path = os.readlink(f"/proc/self/fd/{descriptor}").removesuffix(" (deleted)")
                    facts.append(Opened(at, 0, pid, pid, path, True, False, "fanotify"))
                os.close(descriptor)

    def close(self) -> None:
        """Forget all marks."""
        os.close(self.descriptor)


def mounts_of(mountinfo: str) -> list[str]:
    """Mount points that hold credentials: at or below the folders of mounted secrets."""
    found: list[str] = []
    for line in mountinfo.splitlines():
        words = line.split()
        if len(words) > 4 and f"{words[4]}/".startswith(MOUNTED) and "\\" not in words[4]:
            found.append(words[4])
    return found[:_MOST_FILES]
