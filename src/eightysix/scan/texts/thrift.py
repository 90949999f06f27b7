"""Thrift's compact protocol, as far as Parquet's footer and page headers need it: structures as plain mappings."""

from __future__ import annotations

from typing import Any

__all__ = ["BrokenThriftError", "Struct", "read_struct"]

DEPTH = 32
"""Nesting of Parquet's metadata ends at about ten."""

VALUES = 2_000_000
"""Values in one structure: the footer of 1,000 row groups with 1,000 columns has about as many."""

Struct = dict[int, Any]
"""Fields by their number."""


class BrokenThriftError(ValueError):
    """The bytes are no structure of this protocol."""


class _Reader:
    def __init__(self, data: bytes | memoryview, place: int) -> None:
        self._data = data
        self.place = place
        self._left = VALUES

    def _byte(self) -> int:
        if self.place >= len(self._data):
            raise BrokenThriftError("ends early")
        self.place += 1
        return self._data[self.place - 1]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise BrokenThriftError("a number of more than 64 bits")

    def _signed(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _bytes(self) -> bytes:
        length = self._varint()
        if length > len(self._data) - self.place:
            raise BrokenThriftError("announces more than there is")
        self.place += length
        return bytes(self._data[self.place - length : self.place])

    def value(self, kind: int, depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or depth > DEPTH:
            raise BrokenThriftError("more than Parquet's metadata needs")
        if kind in (1, 2):
            return kind == 1
        if kind == 3:
            return self._byte()
        if kind in (4, 5, 6):
            return self._signed()
        if kind == 7:
            self.place += 8
            return 0.0
        if kind == 8:
            return self._bytes()
        if kind in (9, 10):
            return self._list(depth)
        if kind == 11:
            return self._map(depth)
        if kind == 12:
            return self.struct(depth + 1)
        raise BrokenThriftError("a type that the protocol does not have")

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        size = head >> 4 if head >> 4 != 15 else self._varint()
        if size > len(self._data) - self.place:
            raise BrokenThriftError("announces more than there is")
        kind = head & 0x0F
        if kind in (1, 2):
            return [self._byte() == 1 for _ in range(size)]
        return [self.value(kind, depth + 1) for _ in range(size)]

    def _map(self, depth: int) -> list[tuple[Any, Any]]:
        size = self._varint()
        if size > len(self._data) - self.place:
            raise BrokenThriftError("announces more than there is")
        kinds = self._byte() if size else 0
        return [(self.value(kinds >> 4, depth + 1), self.value(kinds & 15, depth + 1)) for _ in range(size)]

    def struct(self, depth: int) -> Struct:
        fields: Struct = {}
        number = 0
        while True:
            head = self._byte()
            if not head:
                return fields
            number = number + (head >> 4) if head >> 4 else self._signed()
            fields[number] = self.value(head & 0x0F, depth)


def read_struct(data: bytes | memoryview, place: int = 0) -> tuple[Struct, int]:
    """The structure at `place`, and where it ends. Raises `BrokenThriftError`."""
    reader = _Reader(data, place)
    return reader.struct(0), reader.place
