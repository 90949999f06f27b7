"""Bytes as they arrive to blocks of whole lines; what is no whole line yet is held, and completed later."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from eightysix.model.incident import Problem
from eightysix.serve.follow.position import joined_tail
from eightysix.sources.decompress import Limits
from eightysix.sources.lines import Block, blocks_of_lines

__all__ = ["Cutter"]

OnProblem = Callable[[Problem], None]

_anything = msgspec.json.Decoder(msgspec.Raw)

_MARK = b"\xef\xbb\xbf"
_ONE_A_LINE = (
    "its first line is no whole record: only JSON Lines can be followed, one record on each line "
    "(jq -c . writes them so); eightysix detect reads other layouts"
)


class Cutter:
    """Cuts what one file or stream gives. `offset` and `line` tell where the first line begins that was not given out.

    Memory: at most one line of `limits.record_bytes` and what is taken at once. A longer line is told as `oversized`
    and left out; of it `offset` grows although nothing is given out, so that it is never read again.
    """

    def __init__(self, name: str, limits: Limits, on_problem: OnProblem) -> None:
        self.name = name
        self.offset = 0
        self.line = 1
        self.skipping = False
        self.tail = b""  # the last bytes before `offset`
        self.last = b""  # the last bytes before `end`
        self.held_bytes = 0
        self._held: list[bytes] = []
        self._begun = False  # whether anything but zeros came
        self._limits = limits
        self._on_problem = on_problem

    @property
    def end(self) -> int:
        """Where reading goes on."""
        return self.offset + self.held_bytes

    def resume(self, offset: int, line: int, tail: bytes, *, skipping: bool) -> None:
        """Go on at a position."""
        self.offset, self.line, self.tail, self.skipping = offset, line, tail, skipping
        self.last = tail
        self._held, self.held_bytes, self._begun = [], 0, offset > 0

    def take(self, data: bytes) -> list[Block]:
        """The lines that `data` completes."""
        self.last = joined_tail(self.last, data)
        if not self._begun:
            data = self._begin(data)
        if self.skipping:
            newline = data.find(b"\n")
            if newline < 0:
                self._pass(data)
                return []
            self._pass(data[: newline + 1])
            self.skipping, self.line, data = False, self.line + 1, data[newline + 1 :]
        cut = data.rfind(b"\n") + 1
        blocks = self._give(data[:cut]) if cut else []
        if cut < len(data):
            self._hold(data[cut:])
        return blocks

    def rest(self) -> list[Block]:
        """Give out what is held as a line that ends here; whatever follows in the file still counts as this line."""
        data = b"".join(self._held)
        self._held, self.held_bytes = [], 0
        if not data:
            return []
        self._pass(data)
        return [Block(self.name, self.line, data)] if data.strip() else []

    def whole_record(self) -> bool:
        """Whether what is held is a record that lacks nothing but its newline."""
        if not self._held or not self._held[-1].rstrip().endswith(b"}"):
            return False
        try:
            _anything.decode(b"".join(self._held))
        except (ValueError, RecursionError):
            return False
        return True

    def _begin(self, data: bytes) -> bytes:
        """Leave out a byte order mark and, where a file was truncated under a writer that went on at its old place,
        the hole of zeros before what it wrote."""
        begun = data[len(_MARK) :] if data.startswith(_MARK) else data.lstrip(b"\0")
        self._begun = bool(begun)
        self._pass(data[: len(data) - len(begun)])
        return begun

    def _give(self, data: bytes) -> list[Block]:
        text = b"".join((*self._held, data)) if self._held else data
        self._held, self.held_bytes = [], 0
        if self.line == 1:
            self._look_at_first(text)
        blocks = list(blocks_of_lines(iter((text,)), self.name, self.line, self._limits, self._on_problem))
        if len(blocks) == 1 and blocks[0].newlines:
            self.line += len(blocks[0].newlines)
        else:
            self.line += text.count(b"\n")
        self._pass(text)
        return blocks

    def _hold(self, data: bytes) -> None:
        self._held.append(data)
        self.held_bytes += len(data)
        if len(self._held) > 64:  # written byte by byte
            self._held = [b"".join(self._held)]
        if self.held_bytes > self._limits.record_bytes:
            reason = f"longer than {self._limits.record_bytes} bytes"
            self._on_problem(Problem(self.name, self.line, "oversized", reason))
            self._pass(b"".join(self._held))
            self._held, self.held_bytes, self.skipping = [], 0, True

    def _pass(self, data: bytes) -> None:
        self.offset += len(data)
        self.tail = joined_tail(self.tail, data)

    def _look_at_first(self, text: bytes) -> None:
        """Say once what the operator must change, where each line will be told as malformed."""
        first = text[: text.index(b"\n")].strip()
        if len(first) > self._limits.record_bytes or first[:1] not in (b"{", b"["):
            return
        try:
            if first[:1] == b"{":
                _anything.decode(first)
                return
        except (ValueError, RecursionError):
            pass
        self._on_problem(Problem(self.name, 1, "unreadable", _ONE_A_LINE))
