"""Processes that make batches of rows beside the owner of a store, which commits them (`serve.packer`).

They are given blocks of formats of which every record stands for itself, and only when there is much to read. What is
given to them comes back as batches, in no order; a row's id is made of what it says, so that the store is the same whoever
made it, but for how often pods are listed.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from contextlib import AbstractContextManager, suppress
from typing import IO, cast

import msgspec

from eightysix.model.errors import StateError
from eightysix.model.incident import Problem
from eightysix.serve.ingest import Writer
from eightysix.serve.packer import Account, Head, Told
from eightysix.sources.lines import Block
from eightysix.store.events.hot import Hot
from eightysix.store.events.packing import Packed

__all__ = ["LEAST_BYTES", "MOST", "Crew"]

LEAST_BYTES = 128 << 20
"""What is read alone before others are started: two seconds' work, a tenth of which starting two of them costs."""

MOST = 4
"""Processes: DuckDB takes what two to three of them make (bench/store.py)."""

OPEN_BYTES = 48 << 20
"""Bytes of rows that each holds until a batch is full."""

AHEAD = 2
"""Batches of each that wait for the writer, on the disk."""

_STARTS = (b'{"process_', b'{"kind":"Event"')
"""How blocks begin that any of them may read: Tetragon's export and the audit log, which are most of all telemetry."""


class _Hand:
    """One process, and a thread that hears what it says."""

    def __init__(self, told: Told, heard: queue.Queue[Packed | Account | None]) -> None:
        self.heard = heard
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "eightysix.serve.packer"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._given = cast("IO[bytes]", self.process.stdin)
        self._said = cast("IO[bytes]", self.process.stdout)
        self._write(msgspec.json.encode(told) + b"\n")
        self._thread = threading.Thread(target=self._listen, name=told.name, daemon=True)
        self._thread.start()

    def give(self, block: Block) -> None:
        """Have a block read."""
        head = Head(block.file, block.first_line, len(block.data))
        self._write(msgspec.json.encode(head) + b"\n")
        self._write(block.data, last=True)

    def _write(self, data: bytes, *, last: bool = False) -> None:
        try:
            self._given.write(data)
            if last:
                self._given.flush()
        except OSError as error:
            raise _gone(self.process.poll()) from error

    def _listen(self) -> None:
        account = None
        try:
            for line in self._said:
                said = msgspec.json.decode(line)
                if "table" in said:
                    self.heard.put(msgspec.convert(said, Packed))
                else:
                    account = msgspec.convert(said, Account)
        except (OSError, ValueError):
            account = None
        self.heard.put(account)

    def end(self) -> None:
        """Stop it now."""
        with suppress(OSError):
            self.process.kill()
        self.process.wait()
        for pipe in (self._given, self._said):
            with suppress(OSError):
                pipe.close()


class Crew(AbstractContextManager["Crew"]):
    """Takes blocks where it can, and gives their batches to `writer`. Every method may raise what the writer raises."""

    def __init__(
        self,
        hot: Hot,
        writer: Writer,
        size: int | None = None,
        least: int = LEAST_BYTES,
        open_bytes: int = OPEN_BYTES,
    ) -> None:
        self.problems: list[Problem] = []
        self.misfits = 0
        self.size = min(MOST, os.cpu_count() or 1) if size is None else size
        self._least, self._open_bytes = least, open_bytes
        self._hot = hot
        self._writer = writer
        self._hands: list[_Hand] = []
        self._heard: queue.Queue[Packed | Account | None] = queue.Queue()
        self._turn = self._seen = self._waiting = 0
        self._file, self._takes = "", False

    def __exit__(self, *_: object) -> None:
        """End all that still runs, and remove what nobody commits any more."""
        for hand in self._hands:
            hand.end()
        for left in self._hot.layout.work.glob("packed-*.ndjson"):
            with suppress(OSError):
                left.unlink()

    @property
    def processes(self) -> list[subprocess.Popen[bytes]]:
        """Those that were started."""
        return [hand.process for hand in self._hands]

    def take(self, block: Block) -> bool:
        """Have a block read by one of them; False where it is the caller's to read."""
        if block.file != self._file:
            self._file, self._takes = block.file, block.data.startswith(_STARTS)
        if not self._takes or self.size < 2:
            return False
        self._seen += len(block.data)
        if self._seen <= self._least:
            return False
        if not self._hands:
            key, work = self._hot.settings.key, str(self._hot.layout.work)
            self._hands = [
                _Hand(Told(key, work, f"packed-{number}", self._open_bytes), self._heard)
                for number in range(self.size)
            ]
            self._waiting = self.size
        self._commit(self.size * AHEAD)
        self._turn = (self._turn + 1) % self.size
        self._hands[self._turn].give(block)
        return True

    def finish(self) -> None:
        """Have everything committed that was given, and take the accounts."""
        for hand in self._hands:
            hand.give(Block("", 0, b""))
        while self._waiting:
            self._one(self._heard.get())
        self._writer.wait()  # until then the file of the last batch is read

    def _commit(self, most: int) -> None:
        """Commit what came; wait where more than `most` batches did."""
        while self._heard.qsize() > most or (self._heard.qsize() and self._writer.idle):
            self._one(self._heard.get())

    def _one(self, said: Packed | Account | None) -> None:
        if isinstance(said, Packed):
            self._writer.give(said)
            return
        self._waiting -= 1
        if said is None:
            raise _gone(None)
        self.problems += said.problems
        self.misfits += said.misfits
        strangers = self._writer.done.strangers
        for name, count in said.strangers.items():
            strangers[name] = strangers.get(name, 0) + count


def _gone(code: int | None) -> StateError:
    why = f" (code {code})" if code is not None else ""
    return StateError(
        f"a process that read telemetry for the store ended{why}",
        "ingest again: what was kept is not kept twice",
    )
