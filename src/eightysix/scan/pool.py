"""Scans many files, in this process or in several; the results come in the order of the files.

Workers are forked, so they start in a millisecond with every module loaded. One that dies (killed for its memory, or by
SIGBUS because its file was cut short while it was read) costs its file a finding, and another takes its place.
"""

from __future__ import annotations

import os
import select
import signal
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import msgspec

from eightysix.scan.scanner import Options, Result, scan_file, unscanned
from eightysix.scan.walk import Found

__all__ = ["Prepare", "scan_all"]

Prepare = Callable[[], Options]
"""Makes the options where the scanning is done: each worker has a second engine of its own."""

_LENGTH = struct.Struct("<I")
_DECODER = msgspec.msgpack.Decoder(Result)


def scan_all(files: Sequence[Found], prepare: Prepare, jobs: int = 1) -> Iterator[Result]:
    """One result a file, in order. `jobs` above 1 forks that many workers: only where this process has one thread."""
    if jobs <= 1 or len(files) < 2:
        options = prepare()
        for file in files:
            yield unscanned(file.path, file.problem) if file.problem else scan_file(file.path, options)
        return
    yield from _Pool(files, prepare, min(jobs, len(files))).results()


class _Worker:
    """One child: takes the number of a file, gives back its result."""

    def __init__(self, files: Sequence[Found], prepare: Prepare, others: Sequence[_Worker]) -> None:
        asked, self.ask = os.pipe()
        self.answer, answered = os.pipe()
        self.file: int | None = None
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                for other in others:  # a copy of another's end would keep that one alive
                    os.close(other.ask)
                    os.close(other.answer)
                os.close(self.ask)
                os.close(self.answer)
                _serve(files, prepare, asked, answered)
                code = 0
            finally:
                os._exit(code)
        os.close(asked)
        os.close(answered)

    def give(self, number: int) -> None:
        """Have it scan a file. A worker that is gone already is noticed when it is heard."""
        self.file = number
        with suppress(BrokenPipeError):
            os.write(self.ask, _LENGTH.pack(number))

    def hear(self) -> Result | None:
        """Its answer; None where it is gone."""
        head = _read(self.answer, _LENGTH.size)
        body = _read(self.answer, _LENGTH.unpack(head)[0]) if len(head) == _LENGTH.size else b""
        with suppress(msgspec.DecodeError):
            return _DECODER.decode(body) if body else None
        return None

    def end(self) -> str:
        """Let it go, and say how it ended."""
        os.close(self.ask)
        os.close(self.answer)
        _, status = os.waitpid(self.pid, 0)
        return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else "an error"


class _Pool:
    """The workers of one scan."""

    def __init__(self, files: Sequence[Found], prepare: Prepare, jobs: int) -> None:
        self._files = files
        self._prepare = prepare
        self._jobs = jobs
        self._workers: list[_Worker] = []
        self._done: dict[int, Result] = {}
        self._next = 0

    def results(self) -> Iterator[Result]:
        """In order: what is done early waits for its turn."""
        try:
            told = 0
            while told < len(self._files):
                self._hand_out()
                while told in self._done:
                    yield self._done.pop(told)
                    told += 1
                if told < len(self._files) and any(worker.file is not None for worker in self._workers):
                    self._listen()
        finally:
            for worker in self._workers:
                if worker.file is not None:  # whoever asked has gone: nobody waits for this file any more
                    with suppress(ProcessLookupError):
                        os.kill(worker.pid, signal.SIGKILL)
                worker.end()

    def _hand_out(self) -> None:
        while self._next < len(self._files):
            number = self._next
            if self._files[number].problem:
                self._done[number] = unscanned(self._files[number].path, self._files[number].problem)
                self._next += 1
                continue
            worker = next((one for one in self._workers if one.file is None), None)
            if worker is None and len(self._workers) < self._jobs:
                worker = _Worker(self._files, self._prepare, self._workers)
                self._workers.append(worker)
            if worker is None:
                return
            worker.give(number)
            self._next += 1

    def _listen(self) -> None:
        busy = {worker.answer: worker for worker in self._workers if worker.file is not None}
        poll = select.poll()  # select() cannot watch descriptors above 1,023
        for descriptor in busy:
            poll.register(descriptor, select.POLLIN)
        for descriptor, _ in poll.poll():
            worker = busy[descriptor]
            number = worker.file
            result = worker.hear()
            worker.file = None
            if number is None:
                continue
            if result is None:
                self._workers.remove(worker)
                how = worker.end()
                result = unscanned(
                    self._files[number].path, f"the process that read it ended by {how}", "reader-died"
                )
            self._done[number] = result


def _serve(files: Sequence[Found], prepare: Prepare, asked: int, answered: int) -> None:
    """The life of a worker: until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us
    options = prepare()
    while len(head := _read(asked, _LENGTH.size)) == _LENGTH.size:
        result = scan_file(files[_LENGTH.unpack(head)[0]].path, options)
        body = msgspec.msgpack.encode(result)
        _write(answered, _LENGTH.pack(len(body)) + body)


def _read(descriptor: int, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        part = os.read(descriptor, length - len(parts))
        if not part:
            break
        parts += part
    return bytes(parts)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
