"""One process owns a store: a lock file that the kernel lets go when the process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
import time

from eightysix.model.errors import StateError
from eightysix.store.events.layout import Layout

__all__ = ["Ownership", "StoreOwnedError", "owner_of"]


class StoreOwnedError(StateError):
    """Another process owns the store. `pid` is 0 where it did not say."""

    def __init__(self, what: str, advice: str = "", *, pid: int = 0) -> None:
        super().__init__(what, advice)
        self.pid = pid


class Ownership:
    """Held from when it is made until `release`. Raises `StoreOwnedError` where another process has it."""

    def __init__(self, layout: Layout, what: str, wait_s: float = 0.0) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self._file = os.open(layout.lock, flags, 0o600)
        except OSError as error:
            raise StateError(
                f"{layout.lock} cannot be opened: {error.strerror}", "check the folder and its rights"
            ) from error
        until = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() < until:
                    time.sleep(0.05)
                    continue
                os.close(self._file)
                pid, name = owner_of(layout)
                named = f"process {pid} ({name})" if pid else "another process"
                raise StoreOwnedError(
                    f"the store {layout.folder} is owned by {named}",
                    f"ask it: eightysix hunt run QUERY --store {layout.folder}; or end it to write here yourself",
                    pid=pid,
                ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()} {what}\n".encode(), 0)

    def release(self) -> None:
        """Let another process have it."""
        os.ftruncate(self._file, 0)
        os.close(self._file)


def owner_of(layout: Layout) -> tuple[int, str]:
    """Process id and name of who wrote itself into the lock last; (0, "") where nobody did."""
    try:
        descriptor = os.open(layout.lock, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return 0, ""
    try:
        text = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()
    finally:
        os.close(descriptor)
    pid, _, name = text.partition(" ")
    return (int(pid), name) if pid.isascii() and pid.isdigit() else (0, "")
