"""Waking up when something was written: inotify where the kernel tells it, looking where it does not.

inotify says nothing about what another machine writes (NFS, SMB), nor on some overlay and FUSE file systems, and no list
of file systems is complete. So it is believed until writes were found that it had not told; from then on it is polled.
"""

from __future__ import annotations

import ctypes
import os
import select
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

__all__ = ["CHECK_S", "IDLE_POLL_S", "IDLE_S", "PACE_S", "POLL_S", "Wake", "Watcher", "wait_for"]

PACE_S = 0.016
"""Shortest time between two wake-ups: at 500 records a second, eight are then taken at once, for a fifth of the CPU that
one by one they would cost. It is also the most that pacing adds to the time from a write to reading it."""

POLL_S = 0.016
"""Time between two looks where inotify is not believed, while looking is cheap: see `_SHARE`."""

IDLE_POLL_S = 0.05
IDLE_S = 10.0
"""The same after `IDLE_S` without anything: a wake-up costs a tenth of a millisecond of CPU, and nothing should cost
half a percent of a core all night."""

CHECK_S = 0.5
"""Time between two looks where inotify is believed: what it fails to tell is found after this, and counted."""

_SHARE = 250
"""Looking may take one part in this many of the time: with many files it is done less often, at most every `CHECK_S`."""

_MISSES = 3
"""Writes that inotify did not tell, one after the other, until it is believed no more."""

_IN_FILE = 0x2 | 0x4 | 0x400 | 0x800  # MODIFY, ATTRIB (also the last link is gone), DELETE_SELF, MOVE_SELF
_IN_FOLDER = 0x40 | 0x80 | 0x100 | 0x200  # MOVED_FROM, MOVED_TO, CREATE, DELETE
_CLOEXEC_NONBLOCK = 0o2000000 | 0o4000
"""From <sys/inotify.h>; the numbers are the same on every architecture but for the last, where alpha, mips and sparc
differ: there opening fails, and it is polled."""


class Wake:
    """What another thread or a signal handler sets to end a wait."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)

    def fileno(self) -> int:
        """What a wait looks at."""
        return self._read

    def set(self) -> None:
        """End the wait that is on, or the next one."""
        with suppress(BlockingIOError):  # the pipe is full: it is set
            os.write(self._write, b"\0")

    def clear(self) -> None:
        """Be ready for the next one."""
        with suppress(BlockingIOError):
            while os.read(self._read, 4096):
                pass

    def close(self) -> None:
        """Give the descriptors back."""
        os.close(self._read)
        os.close(self._write)


class Watcher:
    """inotify through libc, without a package for it. `believed` is False where the system has none."""

    def __init__(self, *, use: bool = True) -> None:
        self._descriptor = -1
        self._watched: set[int] = set()
        self._misses = 0
        self.believed = False
        if not use:
            return
        with suppress(OSError, AttributeError):
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._descriptor = self._libc.inotify_init1(_CLOEXEC_NONBLOCK)
            self.believed = self._descriptor >= 0

    def watch(self, files: Iterable[str], folders: Iterable[str]) -> None:
        """Watch exactly these. What cannot be watched (rights, the system's limit) makes it be polled."""
        if not self.believed:
            return
        numbers = set()
        for path, mask in [(path, _IN_FOLDER) for path in folders] + [(path, _IN_FILE) for path in files]:
            # All anew: a path may have another inode now. For the same inode this changes nothing.
            number = self._libc.inotify_add_watch(self._descriptor, os.fsencode(path), ctypes.c_uint32(mask))
            if number >= 0:
                numbers.add(number)
            elif os.path.exists(path):
                self.believed = False
        for number in self._watched - numbers:
            self._libc.inotify_rm_watch(self._descriptor, number)
        self._watched = numbers

    def fileno(self) -> int:
        """What a wait looks at."""
        return self._descriptor

    def drain(self) -> bool:
        """Take what it told; whether it told anything."""
        told = False
        if self._descriptor >= 0:
            with suppress(BlockingIOError):
                while os.read(self._descriptor, 1 << 16):
                    told = True
        if told:
            self._misses = 0
        return told

    def missed(self) -> None:
        """A write was found that it had not told."""
        self._misses += 1
        if self._misses >= _MISSES:
            self.believed = False

    def close(self) -> None:
        """Give the descriptor back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self.believed = -1, False


def wait_for(
    timeout_s: float,
    others: Sequence[int],
    wake: Wake | None,
    watcher: Watcher | None = None,
    stirred: Callable[[], bool] | None = None,
    *,
    poll_s: float = POLL_S,
) -> None:
    """Return when one of `others` can be read, `wake` is set, the watcher tells something, `stirred` finds something, or
    after `timeout_s`. Both of the last or neither are given; `poll_s` is how often is looked without inotify."""
    deadline = time.monotonic() + timeout_s
    poller = select.poll()
    for descriptor in (*others, *([wake.fileno()] if wake else [])):
        poller.register(descriptor, select.POLLIN)
    believed = watcher is not None and watcher.believed
    if watcher is not None and believed:
        poller.register(watcher.fileno(), select.POLLIN)
    step = timeout_s if stirred is None else CHECK_S if believed else poll_s
    while (left := deadline - time.monotonic()) > 0:
        ready = poller.poll(max(1, round(min(left, step) * 1000)))
        if ready:
            if wake is not None and any(descriptor == wake.fileno() for descriptor, _ in ready):
                wake.clear()
            return
        if stirred is None or watcher is None:
            continue
        before = time.perf_counter()
        if stirred():
            if believed and not watcher.drain():
                watcher.missed()
            return
        if not believed:
            step = min(CHECK_S, max(poll_s, _SHARE * (time.perf_counter() - before)))
