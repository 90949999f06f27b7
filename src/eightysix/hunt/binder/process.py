"""One Node.js process that answers a line for a line, within a time and within bytes."""

from __future__ import annotations

import os
import selectors
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from eightysix.hunt.binder.parser import SCRIPT

__all__ = ["MEMORY_MB", "ParserError", "Process"]

MEMORY_MB = 1024
"""Heap that the parser may have; the whole process has 180 MB after the pack."""
_MAX_ANSWER = 64 << 20
"""Bytes of an answer: a query of 64 KiB has at most some 30,000 uses of columns."""


class ParserError(Exception):
    """The parser died, took too long, or said too much."""


class Process:
    """Started at once; `close` ends it."""

    def __init__(self, parser: Path) -> None:
        node = shutil.which("node") or "node"
        # A file, not a pipe: nobody reads it before the process is dead.
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        # Only PATH: NODE_OPTIONS and the like of the caller are not for this one.
        inherited = {"PATH": os.environ.get("PATH", os.defpath)}
        try:
            self._process = subprocess.Popen(
                [node, f"--max-old-space-size={MEMORY_MB}", str(SCRIPT), str(parser)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                env=inherited,
                bufsize=0,
            )
        except OSError as error:
            self._said.close()
            raise ParserError(f"Node.js cannot be started: {error.strerror}") from None

    def ask(self, line: bytes, seconds: float) -> bytes:
        """The answer to `line`, which must hold no line break."""
        deadline = time.monotonic() + seconds
        write, read = self._process.stdin, self._process.stdout
        assert write is not None  # noqa: S101 - for the type checker: both are pipes
        assert read is not None  # noqa: S101
        os.set_blocking(write.fileno(), False)
        left = memoryview(line + b"\n")
        answer = bytearray()
        with selectors.DefaultSelector() as ready:
            ready.register(read, selectors.EVENT_READ)
            ready.register(write, selectors.EVENT_WRITE)
            while not answer.endswith(b"\n"):
                events = ready.select(max(0.0, deadline - time.monotonic()))
                if not events:
                    raise ParserError("the parser did not answer in time")
                for key, _mask in events:
                    if key.fileobj is write:
                        left = left[self._write(left) :]
                        if not left:
                            ready.unregister(write)
                    else:
                        answer += self._read()
                if len(answer) > _MAX_ANSWER:
                    raise ParserError("the parser said too much")
        return bytes(answer)

    def _write(self, data: memoryview) -> int:
        assert self._process.stdin is not None  # noqa: S101
        try:
            return os.write(self._process.stdin.fileno(), data)
        except BlockingIOError:
            return 0
        except OSError:
            raise ParserError(self._death()) from None

    def _read(self) -> bytes:
        assert self._process.stdout is not None  # noqa: S101
        data = os.read(self._process.stdout.fileno(), 1 << 16)
        if not data:
            raise ParserError(self._death())
        return data

    def _death(self) -> str:
        self._process.kill()
        self._process.wait()
        self._said.seek(0)
        said = self._said.read(1 << 16).decode("utf-8", "replace").split("\n")
        told = next((one for one in said if "error: " in one.lower() and not one.startswith(" ")), "")
        return f"the parser died: {told[:200]}" if told else "the parser died"

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._said):
            if stream is not None:
                stream.close()
