"""Heaps of HDF5: the global one for texts of variable length, and the fractal one for many links or attributes."""

from __future__ import annotations

from collections.abc import Iterator

from eightysix.scan.budget import Budget
from eightysix.scan.graphs.hdf5_words import UNDEFINED, BrokenError, File

__all__ = ["Heaps", "fractal_objects"]

_COLLECTIONS = 10_000
_DEPTH = 8


class Heaps:
    """The collections of the global heap, each indexed once."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.kept: dict[int, dict[int, tuple[int, int]]] = {}

    def object(self, address: int, index: int) -> tuple[int, int]:
        """Offset and length of an object; (0, 0) where the address is the null of an empty text."""
        if not address or not index:
            return 0, 0
        if address not in self.kept:
            if len(self.kept) >= _COLLECTIONS:
                raise BrokenError("too many collections of texts", address)
            self.kept[address] = self._index(self.file.base + address)
        found = self.kept[address].get(index)
        if found is None:
            raise BrokenError("a text is not in its heap", self.file.base + address)
        return found

    def _index(self, place: int) -> dict[int, tuple[int, int]]:
        file = self.file
        if file.bytes(place, 4) != b"GCOL":
            raise BrokenError("a heap has no signature", place)
        end = min(place + file.number(place + 8, file.lengths), file.size)
        objects: dict[int, tuple[int, int]] = {}
        place += 8 + file.lengths
        while place + 8 + file.lengths <= end:
            index = file.number(place, 2)
            size = file.number(place + 8, file.lengths)
            if not index:
                break
            start = place + 8 + file.lengths
            if start + size > end:
                raise BrokenError("a text is longer than its heap", place)
            objects[index] = (start, size)
            place = start + -(-size // 8) * 8
        return objects


class _Fractal:
    """The header of a fractal heap, and where its blocks lie (specification III.G)."""

    def __init__(self, file: File, place: int) -> None:
        if file.bytes(place, 4) != b"FRHP":
            raise BrokenError("a fractal heap has no signature", place)
        o, n = file.offsets, file.lengths
        self.file = file
        self.filtered = file.number(place + 7, 2)
        self.checked = bool(file.byte(place + 9) & 2)
        self.id_size = file.number(place + 5, 2)
        at = place + 14 + n + o + n + o + 8 * n
        self.width = file.number(at, 2)
        self.starting = file.number(at + 2, n)
        self.largest = file.number(at + 2 + n, n)
        self.bits = file.number(at + 2 + 2 * n, 2)
        self.root = file.number(at + 6 + 2 * n, o)
        self.rows = file.number(at + 6 + 2 * n + o, 2)
        self.offset_width = -(-self.bits // 8)
        most = min(self.largest, file.number(place + 10, 4))
        self.length_width = max(1, -(-most.bit_length() // 8))
        if not self.starting or not self.width or self.largest < self.starting or self.bits > 64:
            raise BrokenError("a fractal heap has impossible sizes", place)

    def locate(self, offset: int, length: int) -> tuple[int, int] | None:
        """Where an object of the heap lies in the file."""
        if self.root == UNDEFINED[self.file.offsets]:
            return None
        place = self.file.base + self.root
        if not self.rows:
            return self._inside(place, 0, offset, length, self.starting)
        return self._indirect(place, 0, self.rows, offset, length, 0)

    def _inside(self, place: int, start: int, offset: int, length: int, size: int) -> tuple[int, int] | None:
        if self.file.bytes(place, 4) != b"FHDB":
            raise BrokenError("a block of a fractal heap has no signature", place)
        first = place + offset - start
        if offset - start + length > size or first + length > self.file.size:
            raise BrokenError("an object lies outside of its heap", place)
        return first, first + length

    def _row(self, row: int) -> int:
        return self.starting if row == 0 else self.starting << min(row - 1, 62)

    def _indirect(
        self, place: int, start: int, rows: int, offset: int, length: int, depth: int
    ) -> tuple[int, int] | None:
        file = self.file
        if depth > _DEPTH or file.bytes(place, 4) != b"FHIB":
            raise BrokenError("a block of a fractal heap has no signature", place)
        entry = place + 5 + file.offsets + self.offset_width
        covered = start
        for row in range(min(rows, 64)):
            size = self._row(row)
            if offset >= covered + size * self.width:
                covered += size * self.width
                entry += self.width * file.offsets
                continue
            column = (offset - covered) // size
            child = file.number(entry + column * file.offsets, file.offsets)
            covered += column * size
            if child == UNDEFINED[file.offsets]:
                return None
            if size <= self.largest:
                return self._inside(file.base + child, covered, offset, length, size)
            inner = (size // self.starting // self.width).bit_length()
            return self._indirect(file.base + child, covered, inner, offset, length, depth + 1)
        return None


def fractal_objects(
    file: File, heap: int, names: int, blind: set[str], budget: Budget
) -> Iterator[tuple[int, int]]:
    """Where the objects lie that the B-tree (version 2) at `names` lists from the fractal heap at `heap`."""
    fractal = _Fractal(file, heap)
    if fractal.filtered:
        blind.add("a compressed heap of links or attributes")
        return
    if file.bytes(names, 4) != b"BTHD":
        raise BrokenError("an index has no signature", names)
    kind, record = file.byte(names + 5), file.number(names + 10, 2)
    # Type 5 is the index of links by name: a hash in front. Type 8, of attributes by name, begins with the heap's id.
    skip = {5: 4, 8: 0}.get(kind)
    if skip is None:
        blind.add(f"an index of type {kind}")
        return
    for place in _records(file, names, record, budget):
        at = place + skip
        mark = file.byte(at)
        if mark >> 4 & 3:
            blind.add("an object that lies outside of its heap's blocks")
            continue
        offset = file.number(at + 1, fractal.offset_width)
        length = file.number(at + 1 + fractal.offset_width, fractal.length_width)
        found = fractal.locate(offset, length)
        if found is None:
            blind.add("a block of a heap that is not there")
        else:
            yield found


def _records(file: File, header: int, record: int, budget: Budget) -> Iterator[int]:
    """The offsets of all records of a B-tree of version 2."""
    node_size, depth = file.number(header + 6, 4), file.number(header + 12, 2)
    root = file.number(header + 16, file.offsets)
    count = file.number(header + 16 + file.offsets, 2)
    if depth > _DEPTH or not record or node_size < 32:
        raise BrokenError("an index has impossible sizes", header)
    if root == UNDEFINED[file.offsets]:
        return
    # Widths of the pointers in inner nodes follow from how many records fit below (specification III.A.2).
    most = [(node_size - 10) // record]
    totals = [most[0]]
    widths = [0]
    for _ in range(depth):
        pointer = file.offsets + _bytes(most[0]) + (widths[-1] and _bytes(totals[-1]))
        fits = max(1, (node_size - 10 - pointer) // (record + pointer))
        most.append(fits)
        totals.append((fits + 1) * totals[-1] + fits)
        widths.append(pointer)
    stack = [(file.base + root, count, depth)]
    while stack:
        place, count, level = stack.pop()
        budget.step(count + 5)
        if file.bytes(place, 4) != (b"BTIN" if level else b"BTLF") or count > most[level]:
            raise BrokenError("a node of an index is garbled", place)
        yield from (place + 6 + number * record for number in range(count))
        if level:
            at = place + 6 + count * record
            for number in range(count + 1):
                child = at + number * widths[level]
                inner = file.number(child + file.offsets, _bytes(most[level - 1]))
                stack.append((file.base + file.number(child, file.offsets), inner, level - 1))


def _bytes(number: int) -> int:
    return max(1, -(-number.bit_length() // 8))
