"""The header of a 7z archive: folders of packed streams, and the files in them. Reads, and judges nothing.

Layout: 7zFormat.txt and Methods.txt of the LZMA SDK. Every count is held against the bytes that are there, so that a header
of some bytes asks for no more memory than its length.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from msgspec import Struct

__all__ = ["Coder", "File", "Folder", "MalformedError", "Parser", "Streams"]

_END, _HEADER, _PROPERTIES, _STREAMS, _FILES = 0, 1, 2, 4, 5
_PACK, _UNPACK, _SUB = 6, 7, 8
_SIZE, _CRC, _FOLDER, _UNPACK_SIZE, _COUNTS = 9, 10, 11, 12, 13
_EMPTY, _NAMES, _ATTRIBUTES = 14, 17, 21

_MOST_CODERS = 32
"""Coders of one folder; the limit of 7-Zip itself (`k_Scan_NumCoders_MAX` is 64, its files have up to 4)."""


class MalformedError(Exception):
    """The header does not add up."""


class Coder(Struct, frozen=True):
    """One step of unpacking."""

    method: bytes
    properties: bytes
    inputs: int
    outputs: int


class Folder(Struct):
    """One packed content, and how it is unpacked. `sizes` are of each coder's output, `parts` of the files in
    it. `checked` says that its checksum stands with the folders, which counts when those of the files are read."""

    coders: list[Coder]
    pairs: list[tuple[int, int]]
    packed: list[int]
    sizes: list[int]
    parts: list[int]
    checked: bool = False

    @property
    def chain(self) -> list[int] | None:
        """The coders in the order in which the bytes pass them; None where they branch or form no chain."""
        if any(one.inputs != 1 or one.outputs != 1 for one in self.coders) or len(self.packed) != 1:
            return None
        following = {out: into for into, out in self.pairs}
        place: int | None = self.packed[0]
        order: list[int] = []
        while place is not None:
            if place in order or place >= len(self.coders):
                return None
            order.append(place)
            place = following.get(place)
        return order if len(order) == len(self.coders) else None

    @property
    def size(self) -> int:
        """Of all that comes out."""
        bound = {out for _, out in self.pairs}
        return next((size for index, size in enumerate(self.sizes) if index not in bound), 0)


class Streams(Struct):
    """Where the packed streams lie and what folders they make."""

    position: int = 0
    packed: list[int] = []
    folders: list[Folder] = []


class File(Struct):
    """One file: its name, whether it has content, and its attributes as 7-Zip keeps them."""

    name: str = ""
    filled: bool = True
    attributes: int = 0


class Parser:
    """Reads one header from `data`."""

    def __init__(self, data: bytes, most: int) -> None:
        self._data = data
        self._place = 0
        self._most = most

    def byte(self) -> int:
        """The next byte."""
        if self._place >= len(self._data):
            raise MalformedError("ends in the middle")
        self._place += 1
        return self._data[self._place - 1]

    def streams(self) -> Streams:
        """What stands behind the mark of streams, up to its end."""
        streams = Streams()
        counted = False
        while (kind := self.byte()) != _END:
            if kind == _PACK:
                self._pack(streams)
            elif kind == _UNPACK:
                self._unpack(streams)
            elif kind == _SUB:
                self._sub(streams)
                counted = True
            else:
                raise MalformedError(f"has the unknown mark {kind}")
        if not counted:
            for folder in streams.folders:
                folder.parts = [folder.size]
        return streams

    def archive(self) -> tuple[Streams, list[File]]:
        """What stands behind the mark of a header."""
        streams, files = Streams(), []
        while (kind := self.byte()) != _END:
            if kind == _PROPERTIES:
                while self.byte() != _END:
                    self._bytes(self._number())
            elif kind == _STREAMS:
                streams = self.streams()
            elif kind == _FILES:
                files = self._files()
            elif kind == 3:  # streams beside the main ones, which no writer makes
                self.streams()
            else:
                raise MalformedError(f"has the unknown mark {kind}")
        return streams, files

    def _number(self) -> int:
        """7-Zip's numbers: leading ones of the first byte say how many bytes follow."""
        first = self.byte()
        mask, value = 0x80, 0
        for index in range(8):
            if not first & mask:
                return value | (first & (mask - 1)) << (8 * index)
            value |= self.byte() << (8 * index)
            mask >>= 1
        return value

    def _count(self) -> int:
        """A number of things of at least a bit each: no more than the bytes that are left can say."""
        value = self._number()
        if value > self._most or value > 8 * (len(self._data) - self._place) + 8:
            raise MalformedError(f"counts {value:,} of something")
        return value

    def _bytes(self, length: int) -> bytes:
        if length > len(self._data) - self._place:
            raise MalformedError("ends in the middle")
        self._place += length
        return self._data[self._place - length : self._place]

    def _bits(self, count: int) -> list[bool]:
        data = self._bytes((count + 7) // 8)
        return [bool(data[index // 8] & 0x80 >> index % 8) for index in range(count)]

    def _skip_digests(self, count: int) -> list[bool]:
        defined = [True] * count if self.byte() else self._bits(count)
        self._bytes(4 * sum(defined))
        return defined

    def _pack(self, streams: Streams) -> None:
        streams.position = self._number()
        count = self._count()
        while (kind := self.byte()) != _END:
            if kind == _SIZE:
                streams.packed = [self._number() for _ in range(count)]
            elif kind == _CRC:
                self._skip_digests(count)
            else:
                raise MalformedError(f"has the unknown mark {kind}")

    def _unpack(self, streams: Streams) -> None:
        if self.byte() != _FOLDER:
            raise MalformedError("has no folders where they should be")
        count = self._count()
        if self.byte():
            raise MalformedError("keeps its folders elsewhere")
        streams.folders = [self._folder() for _ in range(count)]
        if self.byte() != _UNPACK_SIZE:
            raise MalformedError("has no sizes where they should be")
        for folder in streams.folders:
            folder.sizes = [self._number() for coder in folder.coders for _ in range(coder.outputs)]
        while (kind := self.byte()) != _END:
            if kind != _CRC:
                raise MalformedError(f"has the unknown mark {kind}")
            for folder, checked in zip(streams.folders, self._skip_digests(count), strict=True):
                folder.checked = checked

    def _folder(self) -> Folder:
        coders: list[Coder] = []
        for _ in range(self._limited(_MOST_CODERS)):
            flags = self.byte()
            method = self._bytes(flags & 0x0F)
            inputs, outputs = (
                (self._limited(_MOST_CODERS), self._limited(_MOST_CODERS)) if flags & 0x10 else (1, 1)
            )
            coders.append(
                Coder(method, self._bytes(self._number()) if flags & 0x20 else b"", inputs, outputs)
            )
        ins, outs = sum(coder.inputs for coder in coders), sum(coder.outputs for coder in coders)
        if not outs:
            raise MalformedError("has a folder without coders")
        pairs = [(self._number(), self._number()) for _ in range(outs - 1)]
        free = ins - len(pairs)
        if free < 1:
            raise MalformedError("has a folder without input")
        if free == 1:
            bound = {into for into, _ in pairs}
            packed = [index for index in range(ins) if index not in bound][:1]
        else:
            packed = [self._number() for _ in range(free)]
        return Folder(coders, pairs, packed, [], [])

    def _limited(self, most: int) -> int:
        value = self._number()
        if value > most:
            raise MalformedError(f"counts {value:,} of something")
        return value

    def _sub(self, streams: Streams) -> None:
        counts = [1] * len(streams.folders)
        kind = self.byte()
        if kind == _COUNTS:
            counts = [self._count() for _ in streams.folders]
            kind = self.byte()
        for folder, count in zip(streams.folders, counts, strict=True):
            folder.parts = []
            if not count:
                continue
            left = folder.size
            if kind == _SIZE:
                for _ in range(count - 1):
                    size = self._number()
                    folder.parts.append(size)
                    left -= size
            elif count > 1:
                raise MalformedError("does not say how long its files are")
            if left < 0:
                raise MalformedError("has files that are longer than their folder")
            folder.parts.append(left)
        if kind == _SIZE:
            kind = self.byte()
        while kind != _END:
            if kind != _CRC:
                raise MalformedError(f"has the unknown mark {kind}")
            self._skip_digests(
                sum(len(one.parts) for one in streams.folders if len(one.parts) != 1 or not one.checked)
            )
            kind = self.byte()

    def _files(self) -> list[File]:
        count = self._count()
        files = [File() for _ in range(count)]
        while (kind := self.byte()) != _END:
            inner = Parser(self._bytes(self._number()), self._most)
            if kind == _EMPTY:
                for file, empty in zip(files, inner._bits(count), strict=True):
                    file.filled = not empty
            elif kind == _NAMES:
                inner._names(files)
            elif kind == _ATTRIBUTES:
                inner._attributes(files)
        return files

    def _names(self, files: Sequence[File]) -> None:
        if self.byte():
            raise MalformedError("keeps its names elsewhere")
        names = self._data[self._place :].decode("utf-16-le", "replace").split("\x00")
        for file, name in zip(files, names, strict=False):
            file.name = name

    def _attributes(self, files: Sequence[File]) -> None:
        defined = [True] * len(files) if self.byte() else self._bits(len(files))
        if self.byte():
            raise MalformedError("keeps its attributes elsewhere")
        for file, there in zip(files, defined, strict=True):
            if there:
                file.attributes = struct.unpack("<I", self._bytes(4))[0]
