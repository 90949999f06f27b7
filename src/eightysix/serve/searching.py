"""Which of many large files hold some text at all: what makes one pod out of a whole cluster's hour a matter of seconds.

Runs in processes of its own, one a processor, each of which runs this very file: nothing is imported here but what the
standard library has.
"""

from __future__ import annotations

import json
import mmap
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

__all__ = ["MAX_LINES", "files_with", "lines_with"]

MAX_LINES = 20_000
"""Lines that are taken out of one file."""

_WORTH = 64 << 20
"""Bytes from which processes of their own pay: one starts in about 0.02 s, in which 50 MB are searched (measured)."""


def files_with(
    files: Sequence[str], needles: Sequence[bytes], processes: int = 0, *, worth: int = _WORTH
) -> list[str]:
    """Those of `files` that hold any of `needles`, in their order. A file that cannot be opened counts as one that does:
    whoever reads it tells why it cannot be read."""
    if not needles:
        return []
    total = sum(map(_size, files))
    many = processes or os.cpu_count() or 1
    if total < worth or many < 2 or len(files) < 2 or not _can_start():
        return _search(files, needles)
    parts = _parts(files, many)
    # NOTE: the first part is searched here. Whoever calls needs no `__main__` guard, and threads of theirs are not forked:
    # a child is a Python of its own that runs this file, and nothing of the caller's.
    children = [_Child(part, needles) for part in parts[1:]]
    found = {*_search(parts[0], needles)}
    for child in children:
        found.update(child.told())
    return [file for file in files if file in found]


class _Child:
    """A process that searches; what it fails at is searched here."""

    def __init__(self, files: Sequence[str], needles: Sequence[bytes]) -> None:
        self._files, self._needles = files, needles
        self._process: subprocess.Popen[bytes] | None = None
        asked = json.dumps([list(files), [needle.hex() for needle in needles]]).encode()
        with suppress(OSError):
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            # Written at once, as it reads everything before it answers.
            _write(self._process.stdin, asked)

    def told(self) -> list[str]:
        """The files that hold any of the needles."""
        if self._process is not None and self._process.stdout is not None:
            with self._process.stdout as answered:
                answer = answered.read()
            if self._process.wait() == 0:
                with suppress(ValueError, TypeError, IndexError):
                    return [self._files[number] for number in json.loads(answer)]
        return _search(self._files, self._needles)


def _write(stream: IO[bytes] | None, text: bytes) -> None:
    """Write and close, whoever reads or not."""
    if stream is not None:
        try:
            stream.write(text)
        finally:
            with suppress(OSError):  # what is left of it in the buffer
                stream.close()


def _can_start() -> bool:
    """Whether this file can be given to a Python: not where everything is packed into one program."""
    return bool(sys.executable) and os.path.isfile(__file__) and not getattr(sys, "frozen", False)


def _serve() -> None:
    """As a child: search what standard input names, tell which files it was."""
    files, needles = json.loads(sys.stdin.buffer.read())
    wanted = [bytes.fromhex(needle) for needle in needles]
    found = [number for number, file in enumerate(files) if holds(file, wanted)]
    sys.stdout.write(json.dumps(found))


def _parts(files: Sequence[str], many: int) -> list[list[str]]:
    """`files` in parts of about the same size, one for each process."""
    parts: list[list[str]] = [[] for _ in range(many)]
    sizes = [0] * len(parts)
    for file in sorted(files, key=lambda file: (-_size(file), file)):
        place = sizes.index(min(sizes))
        parts[place].append(file)
        sizes[place] += _size(file)
    return [part for part in parts if part]


def _search(files: Sequence[str], needles: Sequence[bytes]) -> list[str]:
    return [file for file in files if holds(file, needles)]


def holds(file: str, needles: Sequence[bytes]) -> bool:
    """Whether `file` holds any of `needles`."""
    try:
        with open(file, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as text:
            return any(text.find(needle) >= 0 for needle in needles)
    except ValueError:  # nothing in it
        return False
    except OSError:
        return True


def lines_with(file: str, needles: Sequence[bytes]) -> list[tuple[int, bytes]]:
    """The lines of `file` that hold any of `needles`, with their numbers from 1, at most `MAX_LINES`."""
    found: dict[int, tuple[int, int]] = {}
    try:
        with open(file, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as text:
            for needle in needles:
                at = text.find(needle)
                while at >= 0 and len(found) < MAX_LINES:
                    start = text.rfind(b"\n", 0, at) + 1
                    end = text.find(b"\n", at)
                    end = len(text) if end < 0 else end
                    found[start] = (start, end)
                    at = text.find(needle, end)
            told, line, counted = [], 1, 0
            for start in sorted(found):
                line += text[counted:start].count(b"\n")
                counted = start
                told.append((line, text[start : found[start][1]]))
            return told
    except (OSError, ValueError):
        return []


def _size(file: str) -> int:
    try:
        return os.stat(file).st_size
    except OSError:
        return 0


if __name__ == "__main__":
    _serve()
