"""Records written over several lines: pretty-printed JSON, arrays of records, documents one after the other.

A bracket scanner, not a parser: it counts depth itself (no recursion), keeps one record and one chunk in memory, and looks
at each byte once, a damaged part at most a few times. What it hands on is judged by the decoders.

`[{...}, {...}]` gives its elements, and so do `{"records": [...]}` (Azure Event Hub) and `{"items": [...]}` (lists of
Kubernetes): each becomes one block with the number of the line where it starts. Of such a list's other keys nothing is kept.
After damage the next line that looks like the start of a record (same indentation as the damaged one's, or none) is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from eightysix.model.incident import Problem
from eightysix.sources.decompress import Limits
from eightysix.sources.lines import Block

__all__ = ["MAX_DEPTH", "blocks_of_documents"]

MAX_DEPTH = 500
"""Deepest nesting that is followed; Kubernetes and Tetragon records stay below 30, msgspec gives up near 1,000."""

_SPACE = b" \t\r\n"
_STRUCTURE = bytes.maketrans(
    bytes(byte for byte in range(256) if byte not in b"{}[],: \t\r\n"),
    b"x" * (256 - len(b"{}[],: \t\r\n")),
)
_OPEN_OBJECT, _CLOSE_OBJECT, _OPEN_ARRAY, _CLOSE_ARRAY, _COMMA, _COLON = b"{}[],:"
_OPENING, _CLOSING = b"{[", b"}]"
_OTHER = ord("x")
_LIST_KEYS = (b"records", b"items")
_LIST_NAMES = ("records", "items")
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_WINDOW = 4096
"""Bytes between two strings that are looked at together: after damage no more than this is looked at again."""

_HEAD_START = 1 << 16
"""Bytes that may be looked at twice before there is much to compare with: small files never come to that limit."""

_OVERLAP = 80
"""Bytes kept before the scan position: the longest marker, and escapes before a quote."""


def blocks_of_documents(
    chunks: Iterator[bytes], file: str, limits: Limits, on_problem: Callable[[Problem], None]
) -> Iterator[Block]:
    """One block a record. Records longer than `limits.record_bytes`, as written, are told as `oversized`."""
    scanner = _Scanner(file, limits.record_bytes, on_problem)
    for chunk in chunks:
        yield from scanner.feed(chunk)
    yield from scanner.finish()


class _Scanner:
    """State between chunks. `base` brackets of `stack` wrap records; whatever is deeper belongs to a record."""

    def __init__(self, file: str, longest: int, on_problem: Callable[[Problem], None]) -> None:
        self.file, self.longest, self.on_problem = file, longest, on_problem
        self.text = b""
        self.position = 0
        self.line, self.line_position = 1, 0  # the line number at an earlier position
        self.stack = bytearray()
        self.base = 0
        self.start = -1  # of the record that is being read and kept
        self.since = 0  # nothing before this is looked at again
        self.string = -1  # where the string that is being read starts
        self.last = 0  # last significant byte
        self.key = b""
        self.passing = False  # inside a record that is not kept
        self.marker = b""  # where to go on after damage, else empty
        self.resume = b"\n{"
        self.garbage_line = 0
        self.seen = _HEAD_START
        self.rescanned = self.wasted = 0

    def feed(self, chunk: bytes) -> Iterator[Block]:
        keep = max(0, (self.start if self.start >= 0 else self.position) - _OVERLAP)
        self._line_at(keep)
        self.text = self.text[keep:] + chunk
        self.seen += len(chunk)
        self.position -= keep
        self.line_position -= keep
        self.since = max(0, self.since - keep)
        self.string = max(0, self.string - keep) if self.string >= 0 else -1
        self.start = self.start - keep if self.start >= 0 else -1
        yield from self._scan()
        if self.start >= 0 and self.position - self.start > self.longest:
            self._oversized()

    def finish(self) -> Iterator[Block]:
        """Tell what is left open; what it swallowed is read again from the next start of a record."""
        while self.start >= 0:
            self._damage(len(self.text), "ends before its last bracket")
            yield from self._scan()
        if self.base and not self.marker:
            self._tell(len(self.text), "malformed", "the array is not closed")

    def _scan(self) -> Iterator[Block]:
        while self.position < len(self.text):
            if self.marker:
                self._search()
            elif self.string >= 0:
                self._in_string()
            else:
                yield from self._outside()

    # -- strings

    def _in_string(self) -> None:
        text, position = self.text, self.position
        quote = text.find(b'"', position)
        end = quote if quote >= 0 else len(text)
        newline = text.find(b"\n", position, end)
        if newline >= 0:
            self._damage(newline, "line break inside a string")
            return
        if quote < 0:
            self.position = end
            return
        before = quote
        while before > self.string and text[before - 1] == 0x5C:
            before -= 1
        self.position = quote + 1
        if (quote - before) & 1:
            return
        if len(self.stack) == 1:
            self.key = text[self.string : quote] if quote - self.string <= 8 else b""
        self.string = -1
        self.last = _OTHER

    # -- between strings

    def _outside(self) -> Iterator[Block]:
        text, begin = self.text, self.position
        quote = text.find(b'"', begin, begin + _WINDOW)
        end = quote if quote >= 0 else min(len(text), begin + _WINDOW)
        part = text[begin:end]
        marks = part.translate(_STRUCTURE, _SPACE)
        self.position = end
        depth = len(self.stack)
        if depth - marks.count(b"}") - marks.count(b"]") > max(self.base, 1):
            for mark in marks:
                if not self._step(mark):
                    self._damage(begin, "brackets do not match")
                    return
        elif marks:
            yield from self._boundaries(part, begin)
            if self.position != end or self.marker:
                return
        if quote >= 0:
            if len(self.stack) == self.base and not self._garbage(quote):
                return
            self.string, self.position = quote + 1, quote + 1

    def _boundaries(self, part: bytes, begin: int) -> Iterator[Block]:
        """The same byte by byte, where a record may begin or end."""
        for position, mark in enumerate(part, begin):
            if mark in _SPACE:
                continue
            if len(self.stack) == self.base:
                whole = self._whole(position) if mark == _OPEN_OBJECT else 0
                if whole:
                    self.start, self.position, self.last = position, whole, _CLOSE_OBJECT
                    yield from self._record(whole)
                    self.start, self.passing = -1, False
                    return
                if not self._between(position, mark):
                    return
                continue
            if mark == _OPEN_ARRAY and self._is_list():
                self.stack.append(mark)
                self.base, self.start, self.passing, self.last = 2, -1, False, mark
                continue
            if not self._step(mark if mark in b"{}[],:" else _OTHER):
                self._damage(position, "brackets do not match")
                return
            if len(self.stack) == self.base:
                if not self.passing:
                    yield from self._record(position + 1)
                self.start, self.passing = -1, False

    def _whole(self, position: int) -> int:
        """The end of a record that is laid out as usual, 0 where that is not sure: thirty times the scanner's speed.

        Either it fills its line, or its last bracket is the first one with the same indentation as the first one's line;
        then msgspec has the last word. Attempts that fail may cost as much as was read, not more.
        """
        text = self.text
        newline = text.find(b"\n", position, position + self.longest)
        if self.wasted > self.seen or newline < 0:
            return 0
        if text[position + 1 : position + 64].lstrip(b" \t\r")[:1] == b"\n":
            closing = self._indented(position, b"}")
            end = text.find(closing, newline, position + self.longest) + len(closing)
            end = end if end >= position + len(closing) else 0
        else:
            end = position + len(text[position:newline].rstrip(b" \t\r,]"))
        if end:
            try:
                value = _object.decode(memoryview(text)[position:end])
            except (ValueError, RecursionError):
                end = 0
            else:
                end = end if self.base or value.keys().isdisjoint(_LIST_NAMES) else 0
        if not end:
            self.wasted += min(len(text) - position, self.longest)
        return end

    def _is_list(self) -> bool:
        return (
            len(self.stack) == 1
            and self.base == 0
            and self.last == _COLON
            and self.stack[0] == _OPEN_OBJECT
            and self.key in _LIST_KEYS
        )

    def _between(self, position: int, mark: int) -> bool:
        """A byte outside of any record; False if the scan goes on elsewhere."""
        self.last = mark
        if mark == _OPEN_OBJECT or (mark == _OPEN_ARRAY and self.base):
            self.start = self.since = position
            self.stack.append(mark)
        elif mark == _OPEN_ARRAY:
            self.stack.append(mark)
            self.base = 1
        elif mark == _CLOSE_ARRAY and self.base:
            self.stack.pop()
            self.passing = self.base == 2  # what follows in {"records": [...], ...}
            self.base, self.since = 0, position
        elif mark != _COMMA:
            return self._garbage(position)
        return True

    def _step(self, mark: int) -> bool:
        """Follow one significant byte inside a record; False if no JSON continues so."""
        stack = self.stack
        if mark in _OPENING:
            before = self.last
            fits = before == _OPEN_ARRAY or before == (_COLON if stack[-1] == _OPEN_OBJECT else _COMMA)
            if not fits or len(stack) >= MAX_DEPTH:
                return False
            stack.append(mark)
        elif mark in _CLOSING:
            if stack[-1] != mark - 2:  # in ASCII each opening bracket is two before its closing one
                return False
            stack.pop()
        self.last = mark
        return True

    # -- results

    def _record(self, end: int) -> Iterator[Block]:
        if end - self.start > self.longest:
            self._oversized()
            return
        line = self._line_at(self.start)
        data = self.text[self.start : end].replace(b"\n", b" ")
        yield Block(self.file, line, data + b"\n")

    def _oversized(self) -> None:
        self._tell(self.start, "oversized", f"longer than {self.longest} bytes")
        self.resume = self._indented(self.start, b"{")
        self.start, self.passing = -1, True

    def _garbage(self, position: int) -> bool:
        """Text where a record should begin: told once a line. True if the scan goes on right here (inside an array)."""
        line = self._line_at(position)
        if line != self.garbage_line:
            self.garbage_line = line
            self._tell(position, "malformed", "not a JSON record")
        if self.base:
            return True
        self.position, self.marker = position, b"\n"
        return False

    def _tell(self, position: int, kind: str, reason: str) -> None:
        self.on_problem(Problem(self.file, self._line_at(position), kind, reason))

    # -- after damage

    def _damage(self, position: int, reason: str) -> None:
        if self.start >= 0:
            deep = len(self.stack) >= MAX_DEPTH
            self._tell(self.start, "malformed", f"nested deeper than {MAX_DEPTH}" if deep else reason)
            self.resume = self._indented(self.start, b"{")
        elif not self.passing:  # in text that was told as garbage
            self.string, self.position = -1, position
            return
        near = max(self.since, position - _OVERLAP)
        at = self._find_start(self.start if self.start >= 0 else near)
        self.rescanned += max(0, position - at) if at >= 0 else 0
        if self.rescanned > self.seen:
            at = self._find_start(near)
        del self.stack[self.base :]
        self.start = self.string = -1
        self.passing, self.last = False, _COMMA
        if at >= 0:
            self._go_on(at)
        else:
            self.marker, self.position = self.resume, len(self.text)

    def _search(self) -> None:
        if self.marker == b"\n":
            at = self.text.find(b"\n", self.position)
            self.position = len(self.text) if at < 0 else at
            self.marker = b"\n" if at < 0 else b""
            return
        at = self._find_start(max(self.since, self.position - _OVERLAP))
        if at < 0:
            self.position = len(self.text)
        else:
            self._go_on(at)

    def _find_start(self, begin: int) -> int:
        """The newline before the next start of a record, -1 where there is none yet.

        In growing windows, so that the cost is in proportion to the distance.
        """
        reach = 256
        while True:
            end = begin + reach
            found = {self.text.find(marker, begin, end) for marker in (self.resume, b"\n{")} - {-1}
            if found or end >= len(self.text):
                return min(found, default=-1)
            reach *= 8

    def _go_on(self, newline: int) -> None:
        self.marker, self.position, self.since = b"", newline + 1, newline + 1
        if self.text[newline + 1] == _OPEN_OBJECT and self.resume != b"\n{":
            # No longer within the array whose elements were indented.
            del self.stack[:]
            self.base = 0

    def _indented(self, position: int, bracket: bytes) -> bytes:
        """A line that begins with `bracket` and is indented like the record at `position`."""
        earliest = max(0, position - _OVERLAP + 4)
        line = max(self.text.rfind(b"\n", earliest, position) + 1, earliest)
        indent = self.text[line:position]
        return b"\n" + bracket if indent.strip(_SPACE) else b"\n" + indent + bracket

    def _line_at(self, position: int) -> int:
        """Positions are asked for in rising order; one before the last is taken for the last."""
        if position > self.line_position:
            self.line += self.text.count(b"\n", self.line_position, position)
            self.line_position = position
        return self.line
