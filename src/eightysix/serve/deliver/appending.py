"""Lines at the end of a file, on the disk when the call returns, whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from eightysix.model.errors import DeliveryError

__all__ = ["append_lines"]


def append_lines(path: str, lines: Sequence[str], what: str) -> None:
    """Append `lines` to `path`, made with mode 0600. Opened anew each time, so that logrotate can move it away.

    A line that a crash left torn gets an end, so that it spoils no other. Raises `DeliveryError` that may pass (a full
    disk, a missing folder).
    """
    data = b"".join(line.encode("utf-8", "backslashreplace") + b"\n" for line in lines)
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags, 0o600)
        try:
            _append(descriptor, data)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        raise DeliveryError(
            f"{what}: {path} cannot be written: {reason}", "it is tried again; make room or set its rights"
        ) from error


def _append(descriptor: int, data: bytes) -> None:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("it is no regular file")
    if found.st_size and os.pread(descriptor, 1, found.st_size - 1) != b"\n":
        data = b"\n" + data
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, found.st_size)  # the only writer: no half of a line stays
        raise
