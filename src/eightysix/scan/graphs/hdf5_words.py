"""Numbers and the superblock of an HDF5 file."""

from __future__ import annotations

from eightysix.scan.artifact import Artifact

__all__ = ["UNDEFINED", "BrokenError", "File"]

UNDEFINED = {width: (1 << (8 * width)) - 1 for width in (2, 4, 8)}
"""The address that means none, by the width of addresses."""

_MAGIC = b"\x89HDF\r\n\x1a\n"


class BrokenError(Exception):
    """The file is not what the format asks for. `place` is the offset."""

    def __init__(self, why: str, place: int) -> None:
        super().__init__(why)
        self.place = place


class File:
    """Bounded reads. `offsets` and `lengths` are the widths of addresses and sizes, `base` is added to addresses."""

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact
        self.view = artifact.view()
        self.size = len(artifact)
        self.offsets = self.lengths = 8
        self.base = 0

    def number(self, place: int, width: int) -> int:
        """A number of `width` bytes."""
        if place < 0 or place + width > self.size:
            raise BrokenError("an address lies behind the end of the file", max(0, min(place, self.size)))
        return int.from_bytes(self.view[place : place + width], "little")

    def byte(self, place: int) -> int:
        """One byte."""
        return self.number(place, 1)

    def bytes(self, place: int, length: int) -> bytes:
        """Up to `length` bytes; fewer at the end of the file."""
        return self.artifact.at(place, length)

    def superblock(self) -> int:
        """Read the superblock; the address of the root group's header."""
        start = 0
        while self.bytes(start, 8) != _MAGIC:
            start = start * 2 or 512
            if start >= self.size:
                raise BrokenError("there is no superblock", 0)
        version = self.byte(start + 8)
        if version in (0, 1):
            self._widths(start + 13)
            place = start + (24 if version == 0 else 28)
            self.base = self.number(place, self.offsets)
            entry = place + 4 * self.offsets
            address = self.number(entry + self.offsets, self.offsets)
        elif version in (2, 3):
            self._widths(start + 9)
            place = start + 12
            self.base = self.number(place, self.offsets)
            address = self.number(place + 3 * self.offsets, self.offsets)
        else:
            raise BrokenError(f"the superblock has the version {version}", start + 8)
        # A user block in front of the file moves all addresses, whether the base says so or not.
        self.base = self.base or start
        return self.base + address

    def _widths(self, place: int) -> None:
        self.offsets, self.lengths = self.byte(place), self.byte(place + 1)
        if self.offsets not in UNDEFINED or self.lengths not in UNDEFINED:
            raise BrokenError("addresses have an unknown width", place)
