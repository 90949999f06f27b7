"""Reads GGUF: counts, typed key-value pairs, places of tensors, numbers. The numbers are never touched.

Layout and limits follow the format's description and the reader of ggml (`gguf_init_from_file_impl`): versions 1 to 3,
either byte order, at most 4 dimensions. Every count is held against the bytes that are left before anything loops.
"""

from __future__ import annotations

from struct import Struct

from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Scan
from eightysix.scan.weights.code import looks_like_code
from eightysix.scan.weights.jinja import judge_template
from eightysix.scan.weights.places import hidden, holes, overlaps
from eightysix.scan.weights.shown import shown

__all__ = ["read"]

DIMENSIONS = 4
"""GGML_MAX_DIMS: the array into which loaders copy them (CVE-2024-21802 wrote behind it)."""

NAME = 64
"""GGML_MAX_NAME: longer names do not fit the loader's buffer."""

NESTING = 2
"""Arrays of arrays: the format allows them, no writer nests them, ggml refuses them."""

KEY = (1 << 16) - 1
"""Bytes of a key, by the format's description."""

_MOST = (1 << 63) - 1
_LONGEST = 1 << 32
"""No string and no array of a model has as many items: a file that is cut does not look like that."""
_TEMPLATE_READ = 1 << 20
_STEPS = 20
"""Steps of the budget for a character of a template: parsing one costs more than reading a number."""
_WIDTH = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of the value types; 8 is a string, 9 an array."""
_STRING, _ARRAY, _UINT32 = 8, 9, 4

_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36), 10: (256, 84),
    11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292), 16: (256, 66), 17: (256, 74),
    18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2),
    26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17),
    40: (64, 36), 41: (128, 18),
}  # fmt: skip
"""Elements and bytes of one block of each tensor type: GGML_QUANT_SIZES of the gguf package; type 9 as ggml's C has it."""


class _BoundsError(Exception):
    """A count or length that the file cannot hold. `place` is where it is said."""

    def __init__(self, why: str, place: int) -> None:
        super().__init__(why)
        self.place = place


class _CutError(Exception):
    """The file ends inside of its header."""


class _Cursor:
    """Reads little numbers from the header, in the file's byte order."""

    __slots__ = ("end", "kept", "long", "place", "view", "word")

    def __init__(self, artifact: Artifact, order: str, wide: bool) -> None:
        self.view = artifact.view()
        self.end = len(artifact)
        self.place = 8
        self.word = Struct(order + "I")
        self.long = Struct(order + ("Q" if wide else "I"))
        self.kept = Struct(order + "Q")

    @property
    def left(self) -> int:
        """Bytes that are not read yet."""
        return self.end - self.place

    def take(self, kind: Struct) -> int:
        """One number."""
        if self.left < kind.size:
            raise _CutError
        (value,) = kind.unpack_from(self.view, self.place)
        self.place += kind.size
        return int(value)

    def length(self, what: str, each: int = 1, most: int = _LONGEST) -> int:
        """A count of things of at least `each` bytes, which must be there; above `most` no cut explains it."""
        place = self.place
        count = self.take(self.long)
        if count * each > self.left:
            if count > most:
                raise _BoundsError(f"{what} is {count:,}", place)
            raise _CutError
        return count

    def text(self, what: str, most: int = _LONGEST) -> memoryview:
        """One string's bytes."""
        length = self.length(what, most=most)
        self.place += length
        return self.view[self.place - length : self.place]


def read(artifact: Artifact, scan: Scan) -> None:
    """Judge counts, values, templates and places."""
    version = int.from_bytes(artifact.at(4, 4), "little")
    order = "<"
    if version and not version & 0xFFFF:
        version, order = int.from_bytes(artifact.at(4, 4), "big"), ">"
    if not 1 <= version <= 3:
        scan.report("weights-header", artifact, f"version {version} of the format is not known", offset=4)
        return
    cursor = _Cursor(artifact, order, wide=version > 1)
    try:
        tensors = _count(cursor, "the number of tensors", 24 if version > 1 else 16)
        pairs = _count(cursor, "the number of values", 12 if version > 1 else 8)
        alignment = _values(artifact, scan, cursor, pairs)
        spans = _tensors(artifact, scan, cursor, tensors, alignment)
    except _BoundsError as error:
        scan.report("tensor-bounds", artifact, str(error), offset=error.place)
        return
    except _CutError:
        scan.report("tensor-layout", artifact, "the file ends inside of its header", offset=cursor.place)
        return
    if spans is not None:
        _layout(artifact, scan, cursor.place, alignment, spans)


def _count(cursor: _Cursor, what: str, each: int) -> int:
    place = cursor.place
    count = cursor.take(cursor.long)
    # Unlike a length, a count that the rest of the file cannot hold was multiplied by a struct's size: CVE-2024-23605.
    if count * each > cursor.end and count > 1 << 24:
        raise _BoundsError(f"{what} is {count:,}", place)
    return count


def _values(artifact: Artifact, scan: Scan, cursor: _Cursor, pairs: int) -> int:
    """Walk the key-value pairs; the alignment that they ask for."""
    alignment = 32
    seen: set[bytes] = set()
    for number in range(pairs):
        if not number % 256:
            scan.budget.step(256)
        key = bytes(cursor.text("the length of a key", KEY)[:4_096])
        if key in seen:
            scan.report("weights-header", artifact, f"the key {shown(key)} occurs twice", offset=cursor.place)
        seen.add(key)
        place = cursor.place
        kind = cursor.take(cursor.word)
        if kind == _STRING:
            _text(artifact, scan, key, cursor.text("the length of a string"), place)
        elif kind == _ARRAY:
            _array(artifact, scan, cursor, key, 1)
        elif kind == _UINT32 and key == b"general.alignment":
            alignment = cursor.take(cursor.word)
            if alignment == 0 or alignment & (alignment - 1):
                raise _BoundsError(f"the alignment is {alignment:,}, no power of two", place)
        else:
            _skip(cursor, kind, 1, place)
        if key == b"general.alignment" and kind != _UINT32:
            raise _BoundsError("the alignment is not the number that loaders take it for", place)
    return alignment


def _skip(cursor: _Cursor, kind: int, count: int, place: int) -> None:
    width = _WIDTH.get(kind)
    if width is None:
        raise _BoundsError(f"a value has the type {kind:,}, which the format does not know", place)
    if count * width > cursor.left:
        raise _CutError
    cursor.place += count * width


def _array(artifact: Artifact, scan: Scan, cursor: _Cursor, key: bytes, depth: int) -> None:
    place = cursor.place
    kind = cursor.take(cursor.word)
    each = {_STRING: cursor.long.size, _ARRAY: 4 + cursor.long.size}.get(kind) or _WIDTH.get(kind, 1)
    count = cursor.length("the number of an array's items", each)
    if kind == _STRING:
        _strings(artifact, scan, cursor, key, count)
    elif kind == _ARRAY:
        if depth >= NESTING:
            raise _BoundsError("arrays are nested", place)
        for _ in range(count):
            scan.budget.step(1)
            _array(artifact, scan, cursor, key, depth + 1)
    else:
        _skip(cursor, kind, count, place)


def _strings(artifact: Artifact, scan: Scan, cursor: _Cursor, key: bytes, count: int) -> None:
    """Strings in an array: vocabularies have hundreds of thousands, so only the long ones are looked at."""
    scan.budget.step(count)
    unpack, size, view, end = cursor.long.unpack_from, cursor.long.size, cursor.view, cursor.end
    place = cursor.place
    for _ in range(count):
        if end - place < size:
            raise _CutError
        (length,) = unpack(view, place)
        place += size
        if length > end - place:
            if length > _LONGEST:
                raise _BoundsError(f"the length of a string is {length:,}", place - size)
            raise _CutError
        if length > 16:
            _text(artifact, scan, key, view[place : place + length], place)
        place += length
    cursor.place = place


def _text(artifact: Artifact, scan: Scan, key: bytes, raw: memoryview, place: int) -> None:
    chat = key.startswith(b"tokenizer.chat_template")
    if chat and len(raw) > _TEMPLATE_READ:
        scan.report("template-broken", artifact, f"a template of {len(raw):,} bytes", offset=place)
    text = str(raw[:_TEMPLATE_READ], "utf-8", "replace")
    if chat or "{{" in text or "{%" in text:
        scan.budget.step(len(text) * _STEPS)
        for found in judge_template(text, chat=chat):
            # A description that holds two braces is no template: there only an escape counts.
            if chat or found.rule == "template-escape":
                scan.report(found.rule, artifact, f"{shown(key)}: {found.why}", offset=place)
    elif looks_like_code(text):
        scan.report("code-in-metadata", artifact, f"the text under {shown(key)} reads like program code")


def _tensors(
    artifact: Artifact, scan: Scan, cursor: _Cursor, count: int, alignment: int
) -> list[tuple[int, int]] | None:
    """The places of all tensors; None where one has a type whose size is not known."""
    spans: list[tuple[int, int]] = []
    names: set[bytes] = set()
    known = True
    for number in range(count):
        if not number % 256:
            scan.budget.step(256)
        start = cursor.place
        name = bytes(cursor.text("the length of a tensor's name", KEY)[:4_096])
        if len(name) >= NAME:
            raise _BoundsError(
                f"the name of a tensor has {len(name):,} bytes and more, loaders keep {NAME}", start
            )
        if name in names:
            scan.report("weights-header", artifact, f"the tensor {shown(name)} occurs twice", offset=start)
        names.add(name)
        size, kind = _size(cursor, name)
        place = cursor.place
        offset = cursor.take(cursor.kept)
        if offset > _MOST - size:
            raise _BoundsError(f"the place of {shown(name)} is {offset:,}", place)
        if offset % alignment:
            scan.report("tensor-layout", artifact, f"{shown(name)} is not aligned", offset=place)
        if size < 0:
            scan.report(
                "weights-header", artifact, f"{shown(name)} has the type {kind:,}, unknown here", offset=start
            )
            known = False
        spans.append((offset, offset + max(size, 0)))
    return spans if known else None


def _size(cursor: _Cursor, name: bytes) -> tuple[int, int]:
    """Bytes and type of the tensor at the cursor; -1 bytes for a type that is not known."""
    start = cursor.place
    dimensions = cursor.take(cursor.word)
    if dimensions > DIMENSIONS:
        raise _BoundsError(f"{shown(name)} has {dimensions:,} dimensions, loaders keep {DIMENSIONS}", start)
    elements = 1
    for _ in range(dimensions):
        elements *= cursor.take(cursor.long)
    if elements > _MOST:
        raise _BoundsError(f"the number of elements of {shown(name)} does not fit in 64 bits", start)
    kind = cursor.take(cursor.word)
    block, width = _BLOCKS.get(kind, (0, 0))
    if not block:
        return -1, kind
    size = -(-elements // block) * width
    if size > _MOST:
        raise _BoundsError(f"the size of {shown(name)} does not fit in 64 bits", start)
    return size, kind


def _layout(artifact: Artifact, scan: Scan, place: int, alignment: int, spans: list[tuple[int, int]]) -> None:
    start = min(-(-place // alignment) * alignment, len(artifact))
    size = len(artifact) - start
    spans.sort()
    end = max((last for _, last in spans), default=0)
    if end > size:
        scan.report("tensor-layout", artifact, f"the tensors end {end - size:,} bytes behind the file")
        # A cut file still has its tensors one behind the other: a jump to behind the end was written so.
        if any(last > size for _, last in holes(spans, end, alignment - 1)):
            scan.report("tensor-bounds", artifact, "a tensor lies far behind the end of the file")
    shared = overlaps(spans)
    if shared is not None:
        scan.report("tensor-bounds", artifact, "two tensors share bytes", offset=start + shared)
    if spans:
        gaps = [(start + first, start + last) for first, last in holes(spans, size)]
        hidden(scan, artifact, gaps, "beside the data")
    elif len(artifact) > place:
        hidden(scan, artifact, [(place, len(artifact))], "behind the header")
