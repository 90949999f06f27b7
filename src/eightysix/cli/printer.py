"""Output that waits for its reader in a thread of its own: a pager that nobody scrolls, or a log pipe that is full, must
not stop the one who looks for breaches."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TextIO

__all__ = ["MAX_WAITING", "Printer"]

MAX_WAITING = 1 << 20
"""Bytes that wait for a reader: some hundred incidents in full."""


_PIECE = 16 << 10


class Printer:
    """Writes texts to `out` in their order. `woken` is called when writing failed. A stream without a descriptor of its own
    (a test's) is written at once."""

    def __init__(self, out: TextIO) -> None:
        self.woken: Callable[[], None] = lambda: None
        self.error: OSError | None = None
        """Why nothing can be written any more."""
        self._out = out
        self._encoding = getattr(out, "encoding", None) or "utf-8"
        self._texts: deque[bytes] = deque()
        self._size = 0
        self._began = 0.0  # when the write began that is under way; 0 for none
        self._ending = False
        self._changed = threading.Condition()
        self._descriptor = _descriptor(out)
        self._thread = threading.Thread(target=self._run, name="print", daemon=True)
        if self._descriptor >= 0:
            out.flush()
            self._thread.start()

    def put(self, text: str) -> bool:
        """Take `text`; False where too much waits already. After an error everything is taken, and goes nowhere."""
        if self._descriptor < 0:
            self._out.write(text)
            self._out.flush()
            return True
        data = text.encode(self._encoding, "backslashreplace")
        with self._changed:
            if self.error is not None:
                return True
            if self._size and self._size + len(data) > MAX_WAITING:
                return False
            self._texts.append(data)
            self._size += len(data)
            self._changed.notify_all()
        return True

    def wait(self, timeout_s: float) -> None:
        """Return when something was taken by the reader, or after `timeout_s`."""
        with self._changed:
            size = self._size
            self._changed.wait_for(lambda: self._size < size or self.error is not None, timeout_s)

    def stalled_s(self) -> float:
        """For how long the reader has taken nothing of what waits for it."""
        began = self._began
        return time.monotonic() - began if began else 0.0

    def close(self, timeout_s: float) -> bool:
        """Write what waits; whether all of it was taken within `timeout_s`."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        if self._descriptor >= 0:
            self._thread.join(timeout_s)
        return not self._size and self.error is None

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._texts or self._ending)
                if not self._texts:
                    return
                data = self._texts.popleft()
            try:
                self._write(data)
            except OSError as error:
                with self._changed:
                    self.error = error
                    self._changed.notify_all()
                self.woken()
                return
            with self._changed:
                self._size -= len(data)
                self._changed.notify_all()

    def _write(self, data: bytes) -> None:
        # Not through `out`: a thread that waits inside of it would hold its lock when the process ends.
        view = memoryview(data)
        self._began = time.monotonic()
        while view:
            try:
                view = view[os.write(self._descriptor, view[:_PIECE]) :]
                self._began = time.monotonic()
            except BlockingIOError:  # whoever started us made it so
                time.sleep(0.05)
        self._began = 0.0


def _descriptor(out: TextIO) -> int:
    try:
        return out.fileno()
    except (OSError, ValueError, AttributeError):
        return -1
