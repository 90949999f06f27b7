"""Walks the objects of an HDF5 file and gives their attributes: no more of the format than finding text in it takes.

An own reader, since hostile files have crashed the library written in C. It knows superblocks 0 to 3, object headers of
both versions, groups as symbol tables or links, attributes in headers, and texts of fixed and variable length (HDF5 File
Format Specification 3.0). What it meets and cannot follow is told, never passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import Struct

from eightysix.scan.artifact import Artifact
from eightysix.scan.budget import Budget
from eightysix.scan.graphs.hdf5_heap import Heaps, fractal_objects
from eightysix.scan.graphs.hdf5_words import UNDEFINED, BrokenError, File

__all__ = ["Attribute", "BrokenError", "Found", "walk"]

OBJECTS = 200_000
"""Groups and datasets of one file; a model has some tens of thousands at most."""

_BLOCKS = 64
"""Continuations of one object header."""

_LONGEST = 16 << 20


class Attribute(Struct, frozen=True):
    """A text that is attached to an object. `place` is where its bytes lie, in the file."""

    name: str
    place: int
    length: int


class Found(Struct):
    """What a walk tells besides attributes: why parts were not followed, and which other files the file leans on."""

    blind: set[str]
    external: list[tuple[str, int]]


Message = tuple[int, int, int, int]
"""Type, flags, first and last offset."""


def walk(artifact: Artifact, budget: Budget, found: Found, tell: Callable[[Attribute], None]) -> None:
    """Call `tell` for each text attribute of each object that can be reached. Raises `BrokenError`."""
    file = File(artifact)
    root = file.superblock()
    heaps = Heaps(file)
    seen: set[int] = set()
    stack = [root]
    while stack:
        address = stack.pop()
        if address in seen:
            continue
        seen.add(address)
        budget.step(20)
        if len(seen) > OBJECTS:
            found.blind.add(f"more than {OBJECTS:,} objects")
            return
        for message in _messages(file, address):
            budget.step(1)
            stack.extend(_told(file, heaps, message, found, budget, tell))


def _told(
    file: File,
    heaps: Heaps,
    message: Message,
    found: Found,
    budget: Budget,
    tell: Callable[[Attribute], None],
) -> Iterator[int]:
    """Tell what a message says; the objects that it leads to."""
    kind, flags, first, last = message
    if kind == 0x0C:
        _attribute(file, heaps, flags, first, last, found, tell)
    elif kind == 0x15:
        for start, end in _dense(file, first, found, budget, attributes=True):
            _attribute(file, heaps, 0, start, end, found, tell)
    elif kind == 0x11:
        yield from _table(file, first, budget)
    elif kind == 0x06:
        yield from _link(file, first, last, found)
    elif kind == 0x02:
        for start, end in _dense(file, first, found, budget, attributes=False):
            yield from _link(file, start, end, found)
    elif kind == 0x07:
        _external(file, first, last, found)
    elif kind == 0x08 and last - first > 1 and file.bytes(first, 2) in (b"\4\3", b"\5\3"):
        found.external.append(("a virtual dataset", first))


def _messages(file: File, address: int) -> Iterator[Message]:
    """The messages of an object header, with its continuations."""
    if file.bytes(address, 4) == b"OHDR":
        yield from _second(file, address)
        return
    if file.byte(address) != 1:
        raise BrokenError("an object has no header", address)
    count = file.number(address + 2, 2)
    length = file.number(address + 8, 4)
    blocks = [(address + 16, address + 16 + length)]
    for number, (place, end) in enumerate(blocks):
        if number > _BLOCKS:
            raise BrokenError("an object header has too many parts", address)
        end = min(end, file.size)
        while place + 8 <= end and count > 0:
            kind, size, flags = file.number(place, 2), file.number(place + 2, 2), file.byte(place + 4)
            first, last = place + 8, place + 8 + size
            if last > end:
                raise BrokenError("a message is longer than its header", place)
            if kind == 0x10:
                start = file.base + file.number(first, file.offsets)
                blocks.append((start, start + file.number(first + file.offsets, file.lengths)))
            elif kind:
                yield kind, flags, first, last
            place = last
            count -= 1


def _second(file: File, address: int) -> Iterator[Message]:
    flags = file.byte(address + 5)
    place = address + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    length = file.number(place, width)
    blocks = [(place + width, place + width + length)]
    order = 2 if flags & 4 else 0
    for number, (place, end) in enumerate(blocks):
        if number > _BLOCKS:
            raise BrokenError("an object header has too many parts", address)
        end = min(end, file.size)
        while place + 4 + order <= end:
            kind, size, marks = file.byte(place), file.number(place + 1, 2), file.byte(place + 3)
            first, last = place + 4 + order, place + 4 + order + size
            if last > end:
                raise BrokenError("a message is longer than its header", place)
            if kind == 0x10:
                start = file.base + file.number(first, file.offsets)
                size = file.number(first + file.offsets, file.lengths)
                if file.bytes(start, 4) != b"OCHK":
                    raise BrokenError("a continuation has no signature", start)
                blocks.append((start + 4, start + size - 4))
            elif kind:
                yield kind, marks, first, last
            place = last


def _attribute(
    file: File,
    heaps: Heaps,
    flags: int,
    first: int,
    last: int,
    found: Found,
    tell: Callable[[Attribute], None],
) -> None:
    if flags & 2:
        found.blind.add("an attribute that is stored elsewhere (shared message)")
        return
    version = file.byte(first)
    name_size, type_size, space_size = (file.number(first + 2 + 2 * i, 2) for i in range(3))
    place = first + (9 if version == 3 else 8)
    if version not in (1, 2, 3):
        raise BrokenError(f"an attribute has the version {version}", first)
    name = file.bytes(place, name_size).split(b"\0")[0].decode("utf-8", "replace")
    grain = 8 if version == 1 else 1
    kind = place + -(-name_size // grain) * grain
    space = kind + -(-type_size // grain) * grain
    data = space + -(-space_size // grain) * grain
    if version > 1 and file.byte(first + 1) & 1:
        found.blind.add(f"the attribute {name[:40]!r} has a shared type")
        return
    if data > last:
        raise BrokenError("an attribute is longer than its message", first)
    count = _elements(file, space)
    what, width = file.byte(kind) & 15, file.number(kind + 4, 4)
    if what == 3:
        length = min(width * count, last - data)
        tell(Attribute(name, data, length))
    elif what == 9:
        for number in range(min(count, 100_000)):
            entry = data + number * (8 + file.offsets)
            if entry + 8 + file.offsets > last:
                break
            place, size = heaps.object(
                file.number(entry + 4, file.offsets), file.number(entry + 4 + file.offsets, 4)
            )
            if size:
                tell(Attribute(name, place, min(size, file.number(entry, 4) or size, _LONGEST)))


def _elements(file: File, place: int) -> int:
    version, rank = file.byte(place), file.byte(place + 1)
    start = place + (8 if version == 1 else 4)
    count = 1
    for number in range(min(rank, 32)):
        count = min(count * file.number(start + number * file.lengths, file.lengths), 1 << 32)
    return count


def _table(file: File, first: int, budget: Budget) -> Iterator[int]:
    """The objects of a group that is a symbol table: a B-tree of version 1 whose leaves list them."""
    stack = [file.base + file.number(first, file.offsets)]
    seen: set[int] = set()
    while stack:
        node = stack.pop()
        if node in seen or len(seen) > OBJECTS:
            continue
        seen.add(node)
        mark = file.bytes(node, 4)
        budget.step(10)
        if mark == b"TREE":
            used = file.number(node + 6, 2)
            place = node + 8 + 2 * file.offsets + file.lengths
            for _ in range(used):
                stack.append(file.base + file.number(place, file.offsets))
                place += file.offsets + file.lengths
        elif mark == b"SNOD":
            entry = node + 8
            for _ in range(file.number(node + 6, 2)):
                if file.number(entry + 2 * file.offsets, 4) != 2:  # 2: a soft link, which has no object
                    yield file.base + file.number(entry + file.offsets, file.offsets)
                entry += 2 * file.offsets + 24
        else:
            raise BrokenError("a group's table has no signature", node)


def _link(file: File, first: int, last: int, found: Found) -> Iterator[int]:
    """The object that a link message points to; links to other files are noted."""
    flags = file.byte(first + 1)
    place = first + 2
    kind = 0
    if flags & 8:
        kind = file.byte(place)
        place += 1
    place += (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
    width = 1 << (flags & 3)
    place += width + file.number(place, width)
    if place > last:
        raise BrokenError("a link is longer than its message", first)
    if kind == 0:
        yield file.base + file.number(place, file.offsets)
    elif kind == 64:
        size = file.number(place, 2)
        target = file.bytes(place + 3, min(size, 4_096)).split(b"\0")[0]
        found.external.append((target.decode("utf-8", "replace"), first))


def _external(file: File, first: int, last: int, found: Found) -> None:
    """The files that hold a dataset's numbers (message 0x07); their names lie in a local heap."""
    used = file.number(first + 6, 2)
    heap = file.base + file.number(first + 8, file.offsets)
    if file.bytes(heap, 4) != b"HEAP":
        found.external.append(("a file whose name cannot be read", first))
        return
    data = file.base + file.number(heap + 8 + 2 * file.lengths, file.offsets)
    place = first + 8 + file.offsets
    for _ in range(min(used, 64)):
        if place + 3 * file.lengths > last:
            break
        name = file.bytes(data + file.number(place, file.lengths), 4_096).split(b"\0")[0]
        found.external.append((name.decode("utf-8", "replace"), first))
        place += 3 * file.lengths


def _dense(
    file: File, first: int, found: Found, budget: Budget, *, attributes: bool
) -> Iterator[tuple[int, int]]:
    """Links or attributes that are too many for the header: they lie in a fractal heap."""
    flags = file.byte(first + 1)
    place = first + 2
    if flags & 1:
        place += 2 if attributes else 8
    heap = file.number(place, file.offsets)
    names = file.number(place + file.offsets, file.offsets)
    if heap == UNDEFINED[file.offsets] or names == UNDEFINED[file.offsets]:
        return
    yield from fractal_objects(file, file.base + heap, file.base + names, found.blind, budget)
