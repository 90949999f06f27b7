"""What programs of the lab print, bounded: a log of the first megabytes, or the last 64 KiB."""

from __future__ import annotations

import os
import selectors
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from eightysix.lab.interface import Done
from eightysix.model.errors import LabError

__all__ = ["MAX_LOG", "MAX_TAIL", "Log", "Tail"]

MAX_LOG = 8 << 20
MAX_TAIL = 64 << 10

_LOOK_S = 0.2
"""Seconds without output after which it is looked whether the command still runs."""


class Log:
    """Copies what a process prints into a file, and throws away what is beyond `MAX_LOG`."""

    def __init__(self, process: subprocess.Popen[bytes], path: Path) -> None:
        assert process.stdout is not None  # noqa: S101 - whoever starts it asks for a pipe
        self._stream = process.stdout
        self._path = path
        self._thread = threading.Thread(target=self._copy, name=f"log {path.name}", daemon=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._thread.start()

    def _copy(self) -> None:
        left = MAX_LOG
        with self._path.open("ab") as file:
            while data := os.read(self._stream.fileno(), 1 << 16):
                file.write(data[:left])
                file.flush()
                left = max(0, left - len(data))

    def last(self, most: int = 600) -> str:
        """The last words."""
        try:
            text = self._path.read_bytes()[-most:]
        except OSError:
            return ""
        return text.decode(errors="replace").strip()

    def close(self) -> None:
        """Wait for the end of the copying; a process that left its output to others is not waited for."""
        self._thread.join(2.0)
        if not self._thread.is_alive():
            self._stream.close()


class Tail:
    """A command that is waited for, of whose output the end is kept."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def wait(self, timeout_s: float) -> Done:
        """Wait until it ends and its output is closed. Raises `LabError` when that takes longer than `timeout_s`."""
        process = self._process
        assert process.stdout is not None  # noqa: S101 - asked for above
        deadline = time.monotonic() + timeout_s
        kept = bytearray()
        with process.stdout as stream, selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            while True:
                if not selector.select(min(_LOOK_S, max(0.0, deadline - time.monotonic()))):
                    if process.poll() is not None:
                        break  # something that it started holds the pipe
                    if time.monotonic() >= deadline:
                        self._give_up(timeout_s)
                    continue
                data = os.read(stream.fileno(), 1 << 16)
                if not data:
                    break
                kept += data
                if len(kept) > 2 * MAX_TAIL:
                    del kept[:-MAX_TAIL]
        try:
            code = process.wait(max(_LOOK_S, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._give_up(timeout_s)
        return Done(code, bytes(kept[-MAX_TAIL:]).decode(errors="replace"))

    def _give_up(self, timeout_s: float) -> NoReturn:
        self._process.kill()
        self._process.wait()
        raise LabError(
            f"a command took longer than {timeout_s:.0f} s in the lab: {' '.join(self._command[-3:])[:200]}"
        )
