"""tracefs, where it is not mounted: it is, for this process alone."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from eightysix.model.errors import LabError

__all__ = ["TRACEFS", "mount_tracefs"]

TRACEFS = Path("/sys/kernel/tracing")

_CLONE_NEWNS, _MS_REC, _MS_SLAVE = 0x00020000, 0x4000, 0x80000
"""include/uapi/linux/sched.h, include/uapi/linux/mount.h"""


def mount_tracefs() -> None:
    """See to it that tracefs is there. What is mounted for it is gone with this process."""
    if (TRACEFS / "events").is_dir():
        return
    libc = ctypes.CDLL(None, use_errno=True)
    # A slave, not private: what is mounted outside later must still be seen here.
    failed = (
        libc.unshare(_CLONE_NEWNS)
        or libc.mount(b"none", b"/", None, _MS_REC | _MS_SLAVE, None)
        or libc.mount(b"none", os.fsencode(TRACEFS), b"tracefs", 0, None)
    )
    if failed:
        raise LabError(f"tracefs cannot be mounted: {os.strerror(ctypes.get_errno())}")
