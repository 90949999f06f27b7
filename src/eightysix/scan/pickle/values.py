"""What the machine knows about a value: a number, and beside it notes about the few values that matter.

Nearly all values of a pickle are data that nobody will ask about. So a value is the *place* of the opcode that made it,
one integer: text, numbers and bytes are read from the stream again when somebody asks, and a memo of ten million strings
costs eight bytes each. The bits above the place say what else is known:

- bits 44 to 57, the maker: number of the name that was called to make the value, 0 where none was;
- `CONTAINER`: a list, dictionary, set or tuple;
- `FETCHED`: such a container that came out of the memo, so it is in two places;
- `NAME`: the value is the imported object itself, the maker bits say which;
- `NOTED`: something stands in the notes, or the value holds something that does.

`NAME` and `NOTED` are the highest bits: `max(items) >= NAME` tells in one call of C whether a batch needs a look.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from struct import Struct as Layout
from typing import Any, Final

from msgspec import Struct

from eightysix.scan.artifact import Artifact
from eightysix.scan.budget import OverBudgetError
from eightysix.scan.index import Role
from eightysix.scan.pickle import opcodes as op
from eightysix.scan.pythonic import unescaped

__all__ = [
    "COMPUTED",
    "CONTAINER",
    "FETCHED",
    "MAKER",
    "MAKER_SHIFT",
    "NAME",
    "NOTED",
    "PLACE",
    "UNKNOWN",
    "Dtype",
    "Heap",
    "Items",
    "Made",
    "Module",
    "Name",
    "Storage",
    "Unknown",
    "Value",
    "Written",
]

PLACE: Final = (1 << 44) - 1
MAKER_SHIFT: Final = 44
MAKER: Final = ((1 << 14) - 1) << MAKER_SHIFT
CONTAINER: Final = 1 << 58
FETCHED: Final = 1 << 59
NAME: Final = 1 << 60
NOTED: Final = 1 << 61

LONGEST_TEXT: Final = 1 << 16
"""Bytes of one text or number that are read: no name, shape or argument that decides anything is longer."""

TUPLES_KEPT: Final = 1 << 16
"""Tuples whose items are remembered, the newest: arguments, shapes and states are used right after they are made. What
is forgotten is not known, and what is not known is not allowed."""

LONGEST_TUPLE: Final = 256
"""Items of one tuple that are remembered: no call that data needs has more arguments."""

LONGEST_HELD: Final = 20_000
MOST_HELD: Final = 200_000
"""Items of lists and dictionaries that are remembered because one of them is a name or a note: of one, and of all."""

MOST_LASTING: Final = 1 << 18
"""Dtypes and storages of one stream: the largest models have some ten thousand tensors."""

MOST_NAMES: Final = (1 << 14) - 1

_U16 = Layout("<H").unpack_from
_I32 = Layout("<i").unpack_from
_U32 = Layout("<I").unpack_from
_U64 = Layout("<Q").unpack_from

_SIZED = {
    op.SHORT_BINUNICODE: 1,
    op.SHORT_BINBYTES: 1,
    op.SHORT_BINSTRING: 1,
    op.LONG1: 1,
    op.BINUNICODE: 4,
    op.BINBYTES: 4,
    op.BINSTRING: 4,
    op.LONG4: 4,
    op.BINUNICODE8: 8,
    op.BINBYTES8: 8,
    op.BYTEARRAY8: 8,
}
_TEXTS = frozenset((op.SHORT_BINUNICODE, op.BINUNICODE, op.BINUNICODE8))
_STRINGS = frozenset((op.SHORT_BINSTRING, op.BINSTRING))
_BYTES = frozenset((op.SHORT_BINBYTES, op.BINBYTES, op.BINBYTES8, op.BYTEARRAY8))


_LINES = frozenset((op.INT, op.LONG, op.STRING, op.UNICODE, op.FLOAT))
_ATOMS = (
    _LINES
    | _SIZED.keys()
    | {op.BININT, op.BININT1, op.BININT2, op.BINFLOAT, op.NONE, op.NEWTRUE, op.NEWFALSE}
)
_COMPUTING = frozenset(
    (op.REDUCE, op.OBJ, op.INST, op.NEWOBJ, op.NEWOBJ_EX, op.STACK_GLOBAL, op.EXT1, op.EXT2, op.EXT4)
)


def _forget_half(table: dict[int, Any]) -> None:
    for place in list(islice(table, len(table) // 2)):
        del table[place]


class Name:
    """An imported object: as it was written, as CPython would import it, and what it may be used for."""

    __slots__ = (
        "conditions",
        "index",
        "loads",
        "module",
        "noted",
        "place",
        "qualname",
        "role",
        "views",
        "written",
    )

    def __init__(
        self, index: int, written: tuple[str, str], module: str, qualname: str, role: Role, place: int
    ) -> None:
        self.index = index
        self.written = written
        self.module = module
        self.qualname = qualname
        self.role = role
        self.place = place
        # Worked out once, because a stream may call a million times (`predicates.prepare`).
        self.conditions: tuple[Any, ...] = ()
        self.loads: tuple[int, ...] = ()
        self.views = False
        self.noted = False

    @property
    def full(self) -> str:
        """`module.qualname`."""
        return f"{self.module}.{self.qualname}"


class Items(Struct, frozen=True):
    """A container. `items` are the values in it where they are known, as codes; of a dictionary keys and values in turn."""

    kind: str
    items: Sequence[int] | None


class Made(Struct, frozen=True):
    """What a call gave back. `by` is the name that was called; `arguments` are known where somebody will ask."""

    by: Name
    arguments: tuple[int, ...] | None = None


class Storage(Struct, frozen=True):
    """Memory of a tensor that lies outside of the pickle. `size` counts elements, None where it is not known."""

    type: Name
    key: str
    size: int | None


class Dtype(Struct, frozen=True):
    """A numpy dtype. `size` of one element in bytes and whether it holds `objects` are None where they are not known."""

    text: str
    size: int | None
    objects: bool | None


class Module(Struct, frozen=True):
    """A module that a call imported by a constant text."""

    name: str


class Written(Struct, frozen=True):
    """Bytes that protocols below 3 write as a text and a call that encodes it. `text` is the code of the text."""

    text: int
    codec: str


class Unknown(Struct, frozen=True):
    """A value of which nothing is known but that it is one. `computed`: made by running something."""

    computed: bool = False


UNKNOWN = Unknown()
COMPUTED = Unknown(computed=True)

Value = str | bytes | int | float | None | Dtype | Items | Made | Module | Name | Storage | Unknown


class Heap:
    """What is known about the values of one stream; the bytes themselves are read again on demand."""

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact
        self.view = artifact.view()
        self.names: list[Name | None] = [None]
        self.tuples: dict[int, tuple[int, ...]] = {}
        self.contents: dict[int, list[int]] = {}
        self.forgotten = 0
        self._held = 0
        self._lasting: dict[int, Value] = {}
        self._passing: dict[int, Value | Written] = {}

    def pack(self, place: int, items: Sequence[int]) -> int:
        """The code of a tuple made at `place`; remembers its items."""
        self.tuples[place] = tuple(items[: LONGEST_TUPLE + 1])
        if len(self.tuples) > TUPLES_KEPT:
            _forget_half(self.tuples)
        return place | CONTAINER | NOTED if items and max(items) >= NAME else place | CONTAINER

    def items(self, code: int) -> tuple[int, ...] | None:
        """The items of the tuple `code`, None where it is none or they are forgotten."""
        place = code & PLACE
        if code & CONTAINER and not code & NAME:
            found = self.tuples.get(place)
            return found if found is None or len(found) <= LONGEST_TUPLE else None
        # NOTE: a mark and TUPLE with nothing between them is how protocol 0 writes an empty tuple.
        return () if code == place and self.view[place] in (op.EMPTY_TUPLE, op.TUPLE) else None

    def is_forgotten(self, code: int) -> bool:
        """Whether `code` is a tuple or dictionary that was filled so long ago that nobody knows with what."""
        place = code & PLACE
        if not code & CONTAINER or code & NAME:
            return False
        if self.view[place] in (op.EMPTY_DICT, op.DICT):
            return place < self.forgotten and place not in self.contents
        return self.view[place] in (op.TUPLE, op.TUPLE2) and place not in self.tuples

    def hold(self, place: int, items: Sequence[int]) -> None:
        """Remember what goes into the container made at `place`. The oldest are forgotten, up to `forgotten`."""
        held = self.contents.setdefault(place, [])
        if len(held) + len(items) > LONGEST_HELD:
            self.forgotten = max(self.forgotten, place + 1)
            return
        held.extend(items)
        self._held += len(items)
        while self._held > MOST_HELD:
            oldest = next(iter(self.contents))
            self._held -= len(self.contents.pop(oldest))
            self.forgotten = max(self.forgotten, oldest + 1)

    def note(self, place: int, value: Value | Written) -> None:
        """Remember `value` for the code made at `place`: types, storages and modules for good, the rest for a while."""
        if isinstance(value, Dtype | Storage | Module):
            if len(self._lasting) >= MOST_LASTING:
                raise OverBudgetError("types and storages", MOST_LASTING)
            self._lasting[place] = value
            return
        self._passing[place] = value
        if len(self._passing) > TUPLES_KEPT:
            _forget_half(self._passing)

    def written(self, value: Written, limit: int = LONGEST_TEXT) -> bytes:
        """The bytes that `value` stands for, up to `limit`."""
        start, length = self.extent(value.text & PLACE)
        if length:
            text = bytes(self.view[start : start + min(length, limit)]).decode("utf-8", "ignore")
        else:
            found = self.value(value.text)
            text = found if isinstance(found, str) else ""
        return text.encode("utf-8" if "utf" in value.codec else "latin-1", "replace")

    def written_at(self, code: int) -> Written | None:
        """The bytes written as text that `code` is, None where it is something else."""
        value = self._passing.get(code & PLACE) if code & NOTED else None
        return value if isinstance(value, Written) else None

    def dtype_of(self, code: int) -> Dtype | None:
        """The dtype that `code` is, None where it is none."""
        value = self._lasting.get(code & PLACE) if code & NOTED else None
        return value if isinstance(value, Dtype) else None

    def name_of(self, code: int) -> Name | None:
        """The imported object that `code` is; None where it is anything else."""
        return self.names[(code & MAKER) >> MAKER_SHIFT] if code & NAME else None

    def maker_of(self, code: int) -> Name | None:
        """The name whose call made `code`; None where no call did."""
        return None if code & NAME else self.names[(code & MAKER) >> MAKER_SHIFT]

    def value(self, code: int) -> Value:
        """What is known about `code`."""
        if code & NAME:
            return self.names[(code & MAKER) >> MAKER_SHIFT]
        place = code & PLACE
        if code & NOTED:
            if place in self._lasting:
                return self._lasting[place]
            if place in self._passing:
                found = self._passing[place]
                return self.written(found) if isinstance(found, Written) else found
        maker = self.names[(code & MAKER) >> MAKER_SHIFT]
        if maker is not None:
            return Made(maker)
        return self._container(place) if code & CONTAINER else self._atom(place)

    def _container(self, place: int) -> Value:
        kind = self.view[place]
        if kind in (op.TUPLE, op.TUPLE1, op.TUPLE2, op.TUPLE3):
            return Items("tuple", self.items(place | CONTAINER))
        # NOTE: not copied: whoever asks a million times must not pay for its length.
        items = self.contents.get(place)
        if kind in (op.EMPTY_DICT, op.DICT):
            return Items("dict", items)
        return Items("set" if kind in (op.EMPTY_SET, op.FROZENSET) else "list", items)

    def _atom(self, place: int) -> Value:
        kind = self.view[place]
        if kind == op.BININT1:
            return self.view[place + 1]
        if kind == op.BININT2:
            return int(_U16(self.view, place + 1)[0])
        if kind == op.BININT:
            return int(_I32(self.view, place + 1)[0])
        if kind in (op.EMPTY_TUPLE, op.TUPLE):
            return Items("tuple", ())
        if kind in (op.NEWTRUE, op.NEWFALSE):
            return kind == op.NEWTRUE
        if kind == op.NONE:
            return None
        if kind in _SIZED:
            return self._sized(place, kind)
        if kind in _LINES:
            return self._line(place, kind)
        return COMPUTED if kind in _COMPUTING else UNKNOWN

    def extent(self, place: int) -> tuple[int, int]:
        """Where the payload of the opcode at `place` begins, and how many bytes it has; (0, 0) where it has none."""
        width = _SIZED.get(self.view[place], 0)
        if not width:
            return 0, 0
        length = int.from_bytes(self.view[place + 1 : place + 1 + width], "little")
        return place + 1 + width, length

    def _sized(self, place: int, kind: int) -> Value:
        start, length = self.extent(place)
        payload = bytes(self.view[start : start + min(length, LONGEST_TEXT)])
        if kind in (op.LONG1, op.LONG4):
            return int.from_bytes(payload, "little", signed=True) if length <= 64 else UNKNOWN
        if kind in _BYTES:
            return payload if length <= LONGEST_TEXT else UNKNOWN
        return payload.decode("latin-1" if kind in _STRINGS else "utf-8", "replace")

    def _line(self, place: int, kind: int) -> Value:
        end = self.artifact.find(b"\n", place, place + LONGEST_TEXT)
        line = self.artifact.at(place + 1, min(end - place - 1, LONGEST_TEXT)) if end > 0 else b""
        if kind == op.UNICODE:
            return _escaped(line, "raw-unicode-escape")
        if kind == op.STRING:
            # NOTE: CPython takes the quotes off and decodes escapes as latin-1 text (codecs.escape_decode).
            return _escaped(line.strip()[1:-1], "unicode-escape")
        if kind == op.FLOAT:
            return UNKNOWN
        if kind == op.INT and line.strip() in (b"00", b"01"):
            return line.strip() == b"01"
        try:
            return int(line.strip().rstrip(b"L")) if len(line) <= 64 else UNKNOWN
        except ValueError:
            return UNKNOWN

    def is_text(self, code: int) -> bool:
        """Whether `code` is a text that stands in the stream as it is."""
        return not code & (NAME | MAKER | CONTAINER) and (
            self.view[code & PLACE] in _TEXTS
            or self.view[code & PLACE] in _STRINGS
            or self.view[code & PLACE] in (op.STRING, op.UNICODE)
        )

    def is_bytes(self, code: int) -> bool:
        """Whether `code` is bytes that stand in the stream as they are."""
        return not code & (NAME | MAKER | CONTAINER) and self.view[code & PLACE] in _BYTES | _STRINGS

    def is_atom(self, code: int) -> bool:
        """Whether `code` is a number, text, bytes, None or a truth value."""
        return not code & (NAME | MAKER | CONTAINER) and self.view[code & PLACE] in _ATOMS


def _escaped(line: bytes, codec: str) -> str:
    try:
        return unescaped(line, codec)
    except UnicodeDecodeError:
        return line.decode("latin-1")
