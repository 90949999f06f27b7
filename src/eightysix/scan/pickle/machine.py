"""Moves over the opcodes of one pickle as CPython's unpickler does, with codes of `values` in the place of objects.

The loop is made to be fast in plain Python: opcodes in the order of how often they occur, payloads skipped and never
read, no object for a value, a memo of machine integers. All that needs thought is left to `effects`. It keeps to the
rules of the C unpickler where the memo, marks and the end of the stack are concerned, and never stops earlier than it:
an error of types (a call of a number) is for `effects` to report, and reading goes on.
"""

from __future__ import annotations

import mmap
import struct
from typing import Final

from msgspec import Struct

from eightysix.scan.artifact import Artifact
from eightysix.scan.budget import Budget, OverBudgetError
from eightysix.scan.pickle import opcodes as op
from eightysix.scan.pickle.effects import Effects
from eightysix.scan.pickle.memo import BrokenError, Memo
from eightysix.scan.pickle.values import CONTAINER, FETCHED, MAKER, NAME, PLACE

__all__ = ["BrokenError", "Memo", "Outcome", "run"]

CHUNK: Final = 4096
"""Bytes between two looks at budget, frames and depth."""

DEEPEST: Final = 2_000
"""Containers within each other; CPython's own pickler gives up at about 500 (its recursion limit is 1,000 frames)."""

MOST_ON_STACK: Final = 3_200_000
"""Values that may lie on the stack at once, 40 bytes of ours each. Picklers put containers down in batches of 1,000."""

MARK: Final = 2
"""Values that a mark counts as: what lies below it is a list of its own."""

FEW: Final = 64
SELDOM: Final = 64
"""Marks on the stack up to which what lies below them is counted at every look; beyond, at every so many looks."""

DROP_EVERY: Final = 16 << 20
"""Bytes of a mapped file after which pages that were read are given back."""

_U32 = struct.Struct("<I").unpack_from
_I32 = struct.Struct("<i").unpack_from
_U64 = struct.Struct("<Q").unpack_from

# Bytes behind an opcode that are read before anything else; the byte after a short text's length is looked at as well.
_WIDTHS = {
    op.BININT1: 1,
    op.BINGET: 1,
    op.BINPUT: 1,
    op.LONG1: 1,
    op.PROTO: 1,
    op.EXT1: 1,
    op.SHORT_BINUNICODE: 2,
}
_WIDTHS |= {op.SHORT_BINBYTES: 1, op.SHORT_BINSTRING: 1, op.BININT2: 2, op.EXT2: 2, op.BININT: 4, op.LONG4: 4}
_WIDTHS |= {
    op.BINUNICODE: 4,
    op.BINBYTES: 4,
    op.BINSTRING: 4,
    op.LONG_BINGET: 4,
    op.LONG_BINPUT: 4,
    op.EXT4: 4,
}
_WIDTHS |= {op.BINUNICODE8: 8, op.BINBYTES8: 8, op.BYTEARRAY8: 8, op.FRAME: 8, op.BINFLOAT: 8}

_MARKED_ENDS = frozenset((op.LIST, op.DICT, op.FROZENSET, op.OBJ, op.INST, op.POP_MARK))
_LINES = frozenset((op.INT, op.LONG, op.FLOAT, op.STRING, op.UNICODE))

# First bytes of a text that somebody may ask about: `_` (dunder names), and what an encoded pickle begins with
# (`gA` is base64 of 0x80 0x0., `Y` of `c`, `K` of `(`, 8, 6 and 2 the hex digits of 0x80, `c` and `(`).
_MARKED = bytes(1 if chr(byte) in "_gYK862" else 0 for byte in range(256))


class Outcome(Struct, frozen=True, kw_only=True):
    """How the reading of a stream ended. `end` is the offset after STOP, None where it broke; then `broken` says why,
    and `place` where. `result` is the code of the value that the stream gives."""

    end: int | None
    place: int
    broken: str = ""
    result: int = 0
    opcodes: int = 0
    missing_slot: bool = False


def run(
    artifact: Artifact, start: int, effects: Effects, budget: Budget, memo: Memo | None = None
) -> Outcome:
    """Read the pickle that begins at `start`. Raises `OverBudgetError` alone.

    `memo` carries over from the stream before it where one Unpickler reads both.
    """
    walk = _Walk(artifact, start, effects, budget, Memo() if memo is None else memo)
    try:
        end, result = walk.run()
    except BrokenError as broken:
        return _broken(walk, str(broken))
    except (IndexError, struct.error):
        why = "the stream ends before STOP" if walk.at_end() else "an opcode takes more than the stack holds"
        return _broken(walk, why)
    effects.result(result, start)
    return Outcome(end=end, place=end, result=result, opcodes=walk.opcodes)


def _broken(walk: _Walk, why: str) -> Outcome:
    missing = why.startswith("memo slot")
    return Outcome(end=None, place=walk.place, broken=why, opcodes=walk.opcodes, missing_slot=missing)


class _Walk:
    """One run. A class only so that the place is known when an error ends it."""

    def __init__(self, artifact: Artifact, start: int, effects: Effects, budget: Budget, memo: Memo) -> None:
        self.artifact = artifact
        self.start = start
        self.place = start
        self.effects = effects
        self.budget = budget
        self.memo = memo
        self.opcodes = 0
        self.counted = 0
        self.dropped = start
        self.pauses = 0
        self.parked = 0

    def at_end(self) -> bool:
        """Whether the opcode at `place` needs bytes that are not there."""
        left = len(self.artifact) - self.place
        return left <= 0 or left <= _WIDTHS.get(self.artifact.view()[self.place], 0)

    def line_end(self, place: int) -> int:
        """Where the line ends that begins at `place`, without its newline.

        NOTE: CPython takes the last byte off whatever readline gives it: a line that the stream cuts off loses one byte.
        """
        length = len(self.artifact)
        if place >= length:
            raise BrokenError("the stream ends inside an opcode")
        end = self.artifact.find(b"\n", place)
        return length - 1 if end < 0 else end

    def line(self, place: int) -> tuple[bytes, int]:
        """The line from `place` on without its end, and the offset behind it; empty at the end of the stream."""
        if place >= len(self.artifact):
            return b"", place
        end = self.line_end(place)
        # NOTE: only what could be a name or number is copied; a longer line is neither.
        return self.artifact.at(place, min(end - place, 4096)), end + 1

    def number(self, place: int) -> tuple[int, int]:
        """The decimal number on the line from `place` on."""
        line, after = self.line(place)
        try:
            # NOTE: the unpickler in C reads a C string here, which ends at the first zero byte.
            index = int(line.partition(b"\0")[0])
        except ValueError:
            index = -1
        if index < 0:
            raise BrokenError("a memo slot has no number")
        return index, after

    def drop(self, place: int) -> None:
        """Give back the pages of a mapped file up to `place`: a map counts as our memory while they are in."""
        raw = self.artifact.raw
        if isinstance(raw, mmap.mmap):
            first = (self.artifact.start + self.dropped) // mmap.PAGESIZE * mmap.PAGESIZE
            last = (self.artifact.start + place) // mmap.PAGESIZE * mmap.PAGESIZE
            if last > first:
                raw.madvise(mmap.MADV_DONTNEED, first, last - first)
        self.dropped = place

    def pause(self, place: int, below: list[list[int]], stack: list[int]) -> None:
        """The look that is taken every `CHUNK` bytes."""
        self.budget.step(self.counted - self.opcodes)
        self.opcodes = self.counted
        if place - self.dropped > DROP_EVERY:
            self.drop(place)
        depth = len(below)
        if depth > DEEPEST:
            self.effects.deep(place)
        self.pauses += 1
        if depth <= FEW or not self.pauses % SELDOM:
            self.parked = sum(map(len, below)) + MARK * depth
        if self.parked + len(stack) > MOST_ON_STACK:
            raise OverBudgetError("values on the stack", MOST_ON_STACK)

    def run(self) -> tuple[int, int]:
        """The offset after STOP and the code of the result."""
        try:
            return self._loop()
        except (IndexError, struct.error, BrokenError):
            self.budget.step(self.counted - self.opcodes)
            self.opcodes = self.counted
            raise

    def _loop(self) -> tuple[int, int]:  # noqa: C901, PLR0915 - one loop: a call an opcode would double its time
        b = self.artifact.view()
        end = len(b)
        effects, memo = self.effects, self.memo
        dense, memo_append = memo.dense, memo.dense.append
        pack, plain_makers, marked = effects.heap.pack, effects.plain_makers, _MARKED
        stack: list[int] = []
        push, pop = stack.append, stack.pop
        below: list[list[int]] = []
        ops = frame_end = protocol = last = chain = 0
        sharing, hold = False, effects.hold
        i = at = self.start
        try:
            while True:
                if i > end:
                    raise BrokenError("the stream ends inside an opcode")
                if frame_end and i >= frame_end:
                    if i > frame_end:
                        effects.frame(at, "an opcode crosses the end of its frame")
                    frame_end = 0
                self.counted = ops
                self.pause(i, below, stack)
                if i >= end:
                    raise BrokenError("the stream ends before STOP")
                limit = min(i + CHUNK, frame_end or end, end)
                while i < limit:
                    at = i
                    o = b[i]
                    ops += 1
                    # --- what data is made of, the most frequent first ---
                    if o == op.BINGET:
                        i += 2
                        code = dense[k] if (k := b[at + 1]) < len(dense) else memo.get(k)
                        if code >= CONTAINER and code < NAME:
                            code |= FETCHED
                            sharing = True
                        elif code < 0:
                            memo.get(k)
                        push(code)
                    elif o == op.MEMOIZE:
                        i += 1
                        if memo.gaps or memo.sparse:
                            memo.memoize(stack[-1])
                        else:
                            memo_append(stack[-1])
                    elif o == op.SHORT_BINUNICODE:
                        i += 2 + b[i + 1]
                        push(effects.text(at, at + 2, b[at + 1]) if marked[b[at + 2]] else at)
                    elif o == op.BININT1:
                        i += 2
                        push(at)
                    elif o == op.BININT:
                        i += 5
                        push(at)
                    elif o == op.BINFLOAT:
                        i += 9
                        push(at)
                    elif o == op.BINPUT:
                        if b[i + 1] == len(dense) and not memo.sparse:
                            memo_append(stack[-1])
                        else:
                            memo.put(b[i + 1], stack[-1])
                        i += 2
                    elif o == op.LONG_BINPUT:
                        if (k := _U32(b, i + 1)[0]) == len(dense) and not memo.sparse:
                            memo_append(stack[-1])
                        else:
                            memo.put(k, stack[-1])
                            if k > i:
                                effects.slot(at, k)
                        i += 5
                    elif o == op.MARK:
                        i += 1
                        below.append(stack)
                        stack = []
                        push, pop = stack.append, stack.pop
                    elif o == op.SETITEMS:
                        i += 1
                        items = stack
                        stack = below.pop()
                        push, pop = stack.append, stack.pop
                        target = stack[-1]
                        if b[target & PLACE] != op.EMPTY_DICT or (items and max(items) >= hold):
                            effects.fill(target, items, at, "SETITEMS")
                        if sharing:
                            effects.weigh(target, items, at)
                    elif o == op.EMPTY_DICT or o == op.EMPTY_LIST or o == op.EMPTY_SET:
                        i += 1
                        push(at | CONTAINER)
                    elif o == op.BINUNICODE:
                        n = _U32(b, i + 1)[0]
                        i += 5 + n
                        push(effects.text(at, at + 5, n) if n and i <= end and marked[b[at + 5]] else at)
                    elif o == op.LONG_BINGET:
                        code = dense[k] if (k := _U32(b, i + 1)[0]) < len(dense) else memo.get(k)
                        i += 5
                        if code >= CONTAINER and code < NAME:
                            code |= FETCHED
                            sharing = True
                        elif code < 0:
                            memo.get(k)
                        push(code)
                    elif o == op.BININT2:
                        i += 3
                        push(at)
                    elif o == op.NONE or o == op.NEWTRUE or o == op.NEWFALSE or o == op.EMPTY_TUPLE:
                        i += 1
                        push(at)
                    elif o == op.TUPLE2:
                        i += 1
                        k = pop()
                        code = pack(at, (pop(), k))
                        if sharing:
                            effects.weigh(code, effects.heap.items(code) or (), at)
                        push(code)
                    elif o == op.APPENDS or o == op.ADDITEMS:
                        i += 1
                        items = stack
                        stack = below.pop()
                        push, pop = stack.append, stack.pop
                        target = stack[-1]
                        made = b[target & PLACE]
                        if made != (op.EMPTY_LIST if o == op.APPENDS else op.EMPTY_SET) or (
                            items and max(items) >= hold
                        ):
                            effects.fill(target, items, at, "APPENDS" if o == op.APPENDS else "ADDITEMS")
                        if sharing:
                            effects.weigh(target, items, at)
                    elif o == op.SETITEM or o == op.APPEND:
                        i += 1
                        items = [pop()]
                        if o == op.SETITEM:
                            items.insert(0, pop())
                        target = stack[-1]
                        made = b[target & PLACE]
                        if (
                            made != (op.EMPTY_DICT if o == op.SETITEM else op.EMPTY_LIST)
                            or max(items) >= hold
                        ):
                            effects.fill(target, items, at, "SETITEM" if o == op.SETITEM else "APPEND")
                        if sharing:
                            effects.weigh(target, items, at)
                        chain = chain + 1 if items[-1] == last else 0
                        last = target
                        if chain > DEEPEST:
                            effects.deep(at)
                            chain = 0
                    # --- what makes objects ---
                    elif o == op.REDUCE or o == op.NEWOBJ:
                        i += 1
                        k = pop()
                        target = pop()
                        if target in plain_makers and (o == op.NEWOBJ or b[k & PLACE] == op.EMPTY_TUPLE):
                            push(target & MAKER | at)
                        else:
                            how = "REDUCE" if o == op.REDUCE else "NEWOBJ"
                            push(effects.call(target, effects.heap.items(k), at, how))
                    elif o == op.BUILD:
                        k = pop()
                        i = effects.build(stack[-1], k, at, i + 1)
                        if i != at + 1 and frame_end == at + 1:
                            frame_end = 0  # joblib ends the frame before the bytes of an array
                    elif o == op.TUPLE1 or o == op.TUPLE3 or o == op.TUPLE:
                        i += 1
                        if o == op.TUPLE:
                            items = stack
                            stack = below.pop()
                            push, pop = stack.append, stack.pop
                        else:
                            items = [pop()]
                            if o == op.TUPLE3:
                                items = [pop(), *items]
                                items.insert(0, pop())
                        code = pack(at, items) if items else at
                        if sharing:
                            effects.weigh(code, items, at)
                        if items and items[-1] == last and last & CONTAINER:
                            chain += 1
                            if chain > DEEPEST:
                                effects.deep(at)
                        else:
                            chain = 0
                        last = code
                        push(code)
                    elif o == op.STACK_GLOBAL:
                        i += 1
                        k = pop()
                        push(effects.stack_name(pop(), k, at, protocol))
                        hold = effects.hold
                    elif o == op.GLOBAL:
                        module, i = self.line(i + 1)
                        name, i = self.line(i)
                        push(effects.line_name(module, name, at, protocol))
                        hold = effects.hold
                    elif o == op.SHORT_BINBYTES or o == op.SHORT_BINSTRING:
                        n = b[i + 1]
                        i += 2 + n
                        push(
                            effects.blob(at, at + 2, n)
                            if n > 3 and (b[at + 2] == op.PROTO or b[i - 1] == op.STOP)
                            else at
                        )
                    elif o == op.BINBYTES or o == op.BINBYTES8 or o == op.BYTEARRAY8 or o == op.BINSTRING:
                        n = (_U64 if o == op.BINBYTES8 or o == op.BYTEARRAY8 else _U32)(b, i + 1)[0]
                        k = i + (9 if o == op.BINBYTES8 or o == op.BYTEARRAY8 else 5)
                        i = k + n
                        if i > end:
                            effects.oversized(at, n, end - k)
                            raise BrokenError("the stream ends inside a payload")
                        push(effects.blob(at, k, n) if n > 3 else at)
                    elif o == op.BINPERSID:
                        i += 1
                        push(effects.persistent(pop(), at))
                    elif o == op.STOP:
                        code = pop()
                        self.counted = ops
                        if frame_end and i + 1 != frame_end:
                            effects.frame(at, "the stream ends before its frame does")
                        self.pause(i + 1, [], stack)
                        return i + 1, code
                    elif o == op.LONG1 or o == op.LONG4:
                        n = b[i + 1] if o == op.LONG1 else _I32(b, i + 1)[0]
                        if n < 0:
                            raise BrokenError("a number has a negative length")
                        i += n + (2 if o == op.LONG1 else 5)
                        push(at)
                    elif o == op.FRAME:
                        n = _U64(b, i + 1)[0]
                        i += 9
                        if frame_end:
                            effects.frame(at, "a frame begins inside another")
                        if i + n > end:
                            effects.oversized(at, n, end - i)
                        frame_end = min(i + n, end)
                        limit = min(limit, frame_end)
                    elif o == op.PROTO:
                        protocol = b[i + 1]
                        i += 2
                        if at != self.start or protocol > op.HIGHEST_PROTOCOL:
                            effects.protocol(at, protocol)
                    elif o == op.POP:
                        i += 1
                        if stack or not below:
                            pop()
                        else:
                            stack = below.pop()
                            push, pop = stack.append, stack.pop
                    elif o == op.DUP:
                        i += 1
                        code = stack[-1]
                        if code & CONTAINER and code < NAME:
                            code |= FETCHED
                            sharing = True
                        push(code)
                    else:
                        # --- what current picklers write seldom ---
                        self.counted = ops
                        if o in _MARKED_ENDS:
                            i += 1
                            code = at
                            if (
                                o == op.INST
                            ):  # NOTE: the unpickler in Python imports before it looks for the mark
                                module, i = self.line(i)
                                name, i = self.line(i)
                                code = effects.line_name(module, name, at, protocol)
                            items = stack
                            stack = below.pop()
                            push, pop = stack.append, stack.pop
                            if o == op.INST:
                                push(effects.call(code, tuple(items), at, "INST"))
                            elif o == op.OBJ:
                                push(effects.call(items[0], tuple(items[1:]), at, "OBJ"))
                            elif o != op.POP_MARK:
                                push(effects.container(at, items))
                                if sharing:
                                    effects.weigh(at | CONTAINER, items, at)
                        else:
                            i = self.rare(o, i, stack)
        finally:
            self.place = at
            self.counted = ops

    def rare(self, opcode: int, place: int, stack: list[int]) -> int:
        """Do what is left: text opcodes, NEWOBJ_EX, extensions, buffers. The offset after the opcode."""
        view, effects = self.artifact.view(), self.effects
        if opcode in _LINES:
            end = self.line_end(place + 1)
            marked = opcode in (op.UNICODE, op.STRING)
            stack.append(effects.line_text(place, end) if marked else place)
            return end + 1
        if opcode in (op.GET, op.PUT):
            index, after = self.number(place + 1)
            if opcode == op.PUT:
                self.memo.put(index, stack[-1])
                if index > place:
                    effects.slot(place, index)
            else:
                stack.append(self.memo.get(index))
            return after
        if opcode in (op.EXT1, op.EXT2, op.EXT4):
            width = {op.EXT1: 1, op.EXT2: 2, op.EXT4: 4}[opcode]
            stack.append(
                effects.extension(place, int.from_bytes(view[place + 1 : place + 1 + width], "little"))
            )
            return place + 1 + width
        if opcode == op.PERSID:
            line, after = self.line(place + 1)
            stack.append(effects.persistent_text(line, place))
            return after
        if opcode == op.NEWOBJ_EX:
            named, arguments, callee = stack.pop(), stack.pop(), stack.pop()
            stack.append(effects.call(callee, effects.heap.items(arguments), place, "NEWOBJ_EX", named))
        elif opcode == op.BINUNICODE8:
            length = _U64(view, place + 1)[0]
            if length > len(view) - place - 9:
                effects.oversized(place, length, len(view) - place - 9)
                raise BrokenError("the stream ends inside a payload")
            stack.append(effects.text(place, place + 9, length))
            return int(place + 9 + length)
        elif opcode == op.NEXT_BUFFER:
            stack.append(place)
            effects.buffer(place)
        elif opcode == op.READONLY_BUFFER:
            stack[-1]
            effects.buffer(place)
        else:
            raise BrokenError(f"0x{opcode:02x} is no opcode")
        return place + 1
