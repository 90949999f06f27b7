"""Follows the history and writes each move, judged, as a line for detection and for people.

The history is the truth and the feed follows from it: where the feed is a file, its last whole line says where to go on, so
that a death between a row and its line loses nothing, and at worst tells the rows of one write twice.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Sequence
from itertools import islice
from operator import attrgetter
from pathlib import Path

import msgspec

from eightysix.gate.feed import line, of_move
from eightysix.gate.moves import Promotion, findings
from eightysix.model.errors import EightysixError, StateError
from eightysix.model.gate import GateEvent, GateEventKind, GateFinding, Reference, TagMove
from eightysix.serve.gate.evidence import Evidence
from eightysix.store.history import GateHistory

__all__ = ["Feed", "FeedFile", "last_told"]

_TAIL = 1 << 20
_AT_ONCE = 64
"""Rows that are judged with what was read once, and flushed to the disk together: the first of them waits for the last."""
_PAUSE_S = 0.5
_PREFIX = "move-"


class FeedFile:
    """A file that lines are added to, on the disk when `write` returns. Mode 0600."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._torn = False
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
            self._descriptor = os.open(path, flags, 0o600)
            if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
                os.close(self._descriptor)
                raise StateError(f"the events {path} are no file", "name a file, which may be missing")
            self._mend()
        except OSError as error:
            raise StateError(
                f"the events {path} cannot be written: {error.strerror}",
                "check the folder, its rights and its room",
            ) from error

    def write(self, data: bytes) -> None:
        """Add whole lines."""
        try:
            if self._torn:
                self._mend()
            view = memoryview(data)
            while view:
                self._torn = True
                view = view[os.write(self._descriptor, view) :]
            self._torn = False
            os.fdatasync(self._descriptor)
        except OSError as error:
            raise StateError(
                f"the events {self.path} cannot be written: {error.strerror}", "check the disk and its room"
            ) from error

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _mend(self) -> None:
        """End a line that a death cut off: it is told again, and what stands there is no line of anybody's."""
        size = os.fstat(self._descriptor).st_size
        if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
            os.write(self._descriptor, b"\n")


def last_told(path: Path) -> int:
    """The sequence of the last move in a feed; 0 where there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            tail = file.read(_TAIL)
    except FileNotFoundError:
        return 0
    for told in reversed(tail.splitlines()):
        try:
            event = msgspec.json.decode(told, type=GateEvent)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        number = event.id.removeprefix(_PREFIX)
        if event.kind is GateEventKind.MOVE and number.isdecimal() and number.isascii():
            return int(number)
    return 0


class Feed:
    """Judges rows of the history from `since` on and gives them to `write`, while its `with` block lasts."""

    def __init__(
        self,
        history: GateHistory,
        write: Callable[[bytes], None],
        since: int,
        *,
        promotions: Sequence[Promotion] = (),
        tell: Callable[[TagMove, tuple[GateFinding, ...]], None] = lambda _move, _findings: None,
        trouble: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self._history = history
        self._write = write
        self._promotions = tuple(promotions)
        self._tell = tell
        self._trouble = trouble
        self.sequence = since
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="gate-feed", daemon=True)

    def __enter__(self) -> Feed:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        self._wake.set()
        self._thread.join()

    def wake(self) -> None:
        """There may be new rows."""
        self._wake.set()

    def drain(self) -> int:
        """Tell every row that is there, in this thread; how many."""
        count = 0
        moves = self._history.moves(self.sequence)
        while stretch := tuple(islice(moves, _AT_ONCE)):
            self._together(stretch)
            count += len(stretch)
        return count

    def _together(self, stretch: Sequence[TagMove]) -> None:
        evidence = Evidence(self._history, stretch, promotions=self._promotions)
        judged: dict[int, tuple[GateFinding, ...]] = {}
        for move in sorted(stretch, key=attrgetter("registry", "repository", "sequence")):
            place = Reference(move.registry, move.repository, move.tag)
            judged[move.sequence] = findings(*evidence.of(place, subject=move.sequence))
        self._write(b"".join(line(of_move(move, judged[move.sequence])) for move in stretch))
        self.sequence = stretch[-1].sequence
        for move in stretch:
            self._tell(move, judged[move.sequence])

    def _work(self) -> None:
        while True:
            last = self._stopping
            self._wake.wait(_PAUSE_S)
            self._wake.clear()
            try:
                self.drain()
            except Exception as error:  # noqa: BLE001 - a thread that dies here would leave detection deaf, and nobody told
                known = isinstance(error, EightysixError | OSError)
                what = error.what if isinstance(error, StateError) else str(error)
                self._trouble(what if known else f"a move could not be told: {type(error).__name__}: {what}")
            if last:
                return
