"""Reads MessagePack without building what it describes: extensions stay bytes until they are known to be calls.

LangGraph writes an object as an extension whose data is MessagePack again: module, name, arguments, sometimes a method.
Flax writes arrays under the same codes with a shape first. The two are told apart by what lies inside, not by the code.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from eightysix.scan.artifact import Artifact
from eightysix.scan.budget import Budget, OverBudgetError
from eightysix.scan.interface import Scan
from eightysix.scan.texts.tree import DEPTH, Built, Doubled

__all__ = ["BrokenMsgpackError", "Decoded", "could_be", "decode", "plausible", "read"]

KEPT = 64 << 10
"""Bytes of a text or a binary that are kept in the tree: names and arguments are short, arrays are not."""

PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
"""How binary pickles begin: msgpack-numpy stores arrays of objects as such (its `decode` unpickles them)."""


class BrokenMsgpackError(ValueError):
    """The bytes break the format. `offset` says where."""

    def __init__(self, offset: int, why: str) -> None:
        super().__init__(why)
        self.offset = offset


class Decoded(Struct):
    """The tree of one value, where it ended, and the binaries in it that begin as pickles (offset, length)."""

    root: Any
    end: int
    pickles: list[tuple[int, int]]


class _Open:
    """A container that is being read."""

    __slots__ = ("items", "left", "mapping")

    def __init__(self, mapping: bool, count: int) -> None:
        self.mapping = mapping
        self.left = count * 2 if mapping else count
        self.items: list[Any] = []

    def close(self) -> Any:
        if not self.mapping:
            return self.items
        pairs = [
            (key if isinstance(key, str) else f"({key!r})" if isinstance(key, int) else "(key)", value)
            for key, value in zip(self.items[::2], self.items[1::2], strict=True)
        ]
        made = dict(pairs)
        odd = [key for key in self.items[::2] if isinstance(key, (dict, list, Built))]
        if odd:
            made.setdefault("(keys)", odd)
        return made if len(made) >= len(pairs) else Doubled(pairs)


_SIZED = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
_NUMBERS = {0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
_EXTENSIONS = {0xC7: 1, 0xC8: 2, 0xC9: 4}
_FIXED = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}


class _Reader:
    """One value at `place` in `view`."""

    def __init__(self, view: memoryview, place: int, end: int, budget: Budget, depth: int) -> None:
        self._view = view
        self._place = place
        self._end = end
        self._budget = budget
        self._depth = depth
        self.pickles: list[tuple[int, int]] = []

    def _take(self, length: int) -> memoryview:
        first = self._place
        if length > self._end - first:
            raise BrokenMsgpackError(first, "ends early")
        self._place = first + length
        return self._view[first : self._place]

    def _number(self, width: int) -> int:
        return int.from_bytes(self._take(width), "big")

    def value(self) -> Decoded:
        """Read one value with all that it holds."""
        stack: list[_Open] = []
        count = 0
        while True:
            count += 1
            if not count % 1024:
                self._budget.step(1024)
            value = self._one()
            if isinstance(value, _Open):
                if value.left:
                    if len(stack) + self._depth >= DEPTH:
                        raise OverBudgetError("depth", DEPTH)
                    if value.left > self._end - self._place:
                        raise BrokenMsgpackError(self._place, "announces more than there is")
                    stack.append(value)
                    continue
                value = value.close()
            while stack:
                stack[-1].items.append(value)
                stack[-1].left -= 1
                if stack[-1].left:
                    break
                value = stack.pop().close()
            if not stack:
                self._budget.step(count % 1024)
                return Decoded(value, self._place, self.pickles)

    def _one(self) -> Any:
        first = self._place
        code = self._number(1)
        if code < 0x80 or code >= 0xE0:
            return code if code < 0x80 else code - 0x100
        if code < 0x90:
            return _Open(True, code & 0x0F)
        if code < 0xA0:
            return _Open(False, code & 0x0F)
        if code < 0xC0:
            return self._text(code & 0x1F)
        if code in _SIZED:
            length = self._number(_SIZED[code])
            return self._text(length) if code >= 0xD9 else self._binary(length)
        if code in _NUMBERS:
            return self._scalar(code)
        if code in (0xC0, 0xC2, 0xC3):
            return None if code == 0xC0 else code == 0xC3
        if code in (0xDC, 0xDD):
            return _Open(False, self._number(2 if code == 0xDC else 4))
        if code in (0xDE, 0xDF):
            return _Open(True, self._number(2 if code == 0xDE else 4))
        if code in _EXTENSIONS or code in _FIXED:
            length = self._number(_EXTENSIONS[code]) if code in _EXTENSIONS else _FIXED[code]
            return self._extension(length, first)
        raise BrokenMsgpackError(first, "a byte that the format does not use")

    def _scalar(self, code: int) -> Any:
        width = _NUMBERS[code]
        data = self._take(width)
        if code in (0xCA, 0xCB):
            return 1.5  # its value decides nothing
        return int.from_bytes(data, "big", signed=code >= 0xD0)

    def _text(self, length: int) -> str:
        data = self._take(length)
        return bytes(data[:KEPT]).decode("utf-8", "replace")

    def _binary(self, length: int) -> str:
        first = self._place
        data = self._take(length)
        if length > 2 and bytes(data[:2]) in PICKLES:
            self.pickles.append((first, length))
        return ""

    def _extension(self, length: int, first: int) -> Any:
        code = self._number(1)
        begin = self._place
        data = self._take(length)
        # NOTE: an array of one to fifteen values, or a longer one: everything that LangGraph or Flax write begins so.
        if not length or not (0x90 <= data[0] <= 0x9F or data[0] in (0xDC, 0xDD) or code == DELTA):
            return ""
        if self._depth >= DEPTH:
            raise OverBudgetError("depth", DEPTH)
        inner = _Reader(self._view, begin, begin + length, self._budget, self._depth + 8)
        try:
            decoded = inner.value()
        except BrokenMsgpackError:
            return ""
        self.pickles += decoded.pickles
        parts = decoded.root
        named = (
            isinstance(parts, list) and len(parts) >= 3 and all(isinstance(part, str) for part in parts[:2])
        )
        if not named or _array(parts):
            return parts
        method = parts[3] if len(parts) > 3 and isinstance(parts[3], str) else ""
        return Built(code, parts[0], parts[1], parts[2], method, first)


DELTA = 7
"""LangGraph's extension that wraps one value without naming a class."""


def _array(parts: list[Any]) -> bool:
    """LangGraph's extension for NumPy arrays: dtype, shape, order, data."""
    return len(parts) == 4 and isinstance(parts[1], (list, tuple))


def decode(data: memoryview, budget: Budget, place: int = 0) -> Decoded:
    """The value at `place`. Raises `BrokenMsgpackError`."""
    return _Reader(data, place, len(data), budget, 0).value()


def plausible(head: bytes, length: int) -> bool:
    """Whether bytes begin as a map with a text key, a list of such maps, or an extension that names a class.

    MessagePack has no magic. Nothing that is called so here begins as a number, a text or an empty container.
    """
    place = 0
    for _level in range(4):
        if place >= len(head):
            return False
        code = head[place]
        if 0x91 <= code <= 0x9F:
            place += 1
        elif code in (0xDC, 0xDD):
            place += 3 if code == 0xDC else 5
        elif 0x81 <= code <= 0x8F:
            return _key(head, place + 1)
        elif code in (0xDE, 0xDF):
            return _key(head, place + (3 if code == 0xDE else 5))
        elif code in _EXTENSIONS or code in _FIXED:
            inner = place + 2 + _EXTENSIONS.get(code, 0)
            begin = {0xDC: 3, 0xDD: 5}.get(head[inner], 1) if inner < len(head) else 0
            if begin and (head[inner] in (0x93, 0x94) or begin > 1) and _key(head, inner + begin):
                size = _FIXED.get(code) or int.from_bytes(
                    head[place + 1 : place + 1 + _EXTENSIONS[code]], "big"
                )
                return size <= length
            return False
        else:
            return False
    return False


def _key(head: bytes, place: int) -> bool:
    """A short printable text that lies in the head whole."""
    code = head[place] if place < len(head) else 0
    if 0xA1 <= code <= 0xBF:
        first, size = place + 1, code & 0x1F
    elif code in (0xD9, 0xDA, 0xDB):
        first = place + 1 + _SIZED[code]
        size = int.from_bytes(head[place + 1 : first], "big")
    else:
        return False
    text = head[first : first + size]
    try:
        return 0 < size == len(text) and text.decode().isprintable()
    except UnicodeDecodeError:
        return False


def could_be(data: bytes) -> bool:
    """Whether a value that is said to be MessagePack holds anything: a container or an extension."""
    return (
        0x81 <= data[0] <= 0x9F or data[0] in (0xC7, 0xC8, 0xC9, 0xDC, 0xDD, 0xDE, 0xDF) or data[0] in _FIXED
    )


def read(artifact: Artifact, scan: Scan) -> None:
    """Judge MessagePack: one value, or several one after the other."""
    from eightysix.scan.texts.judge import judge_document  # it judges what comes out of here as well

    view = artifact.view()
    place = 0
    while place < len(view):
        try:
            decoded = decode(view, scan.budget, place)
        except BrokenMsgpackError as broken:
            scan.report("msgpack-broken", artifact, str(broken), offset=broken.offset)
            return
        except OverBudgetError as over:
            if over.limit != "depth":
                raise
            scan.report("bomb", artifact, str(over))
            return
        for offset, length in decoded.pickles:
            scan.descend(artifact.window(f"@{offset}", offset, length))
        judge_document(decoded.root, artifact, scan)
        place = decoded.end
