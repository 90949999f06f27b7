"""The files of the index: a directory, and one table a distribution, read part by part.

`data/directory.msgpack` says which table knows a top-level package and where everything was mined from. A table is a
header (its length in the first four bytes), then parts of some 40 kB with the modules in order, each compressed msgpack;
a look-up inflates only the part that its module is in. The files are our own, written by the miner in `tools/mine`, and
come with the package; they are not input.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct

from eightysix.scan.index.role import Role

__all__ = ["Directory", "Header", "Table", "directory", "table"]

DATA = Path(__file__).parent / "data"
DIRECTORY = DATA / "directory.msgpack"
_PREFIX = 4


class Directory(Struct, frozen=True):
    """What the index as a whole knows.

    `tops` leads from a top-level package, or from a library's part of a package that several share, to the table.
    `standard` lists the top-level modules that belong to Python itself.
    """

    version: str
    miner: str
    before: str
    tops: dict[str, str]
    standard: frozenset[str]
    releases: dict[str, list[tuple[str, str]]]


class Header(Struct, frozen=True):
    """Of one table: its roles, and for each part the first module in it, its offset and its length."""

    roles: list[Role]
    parts: list[tuple[str, int, int]]


class Table:
    """One distribution's names."""

    def __init__(self, path: Path):
        content = path.read_bytes()
        end = _PREFIX + int.from_bytes(content[:_PREFIX], "big")
        self._header = msgspec.msgpack.decode(zlib.decompress(content[_PREFIX:end]), type=Header)
        self._starts = [first for first, _, _ in self._header.parts]
        self._body = content[end:]
        self._parts: dict[int, dict[str, dict[str, int]]] = {}

    def _part(self, number: int) -> dict[str, dict[str, int]]:
        part = self._parts.get(number)
        if part is None:
            _, offset, length = self._header.parts[number]
            packed = msgspec.msgpack.decode(
                zlib.decompress(self._body[offset : offset + length]), type=dict[str, dict[int, str]]
            )
            part = {
                module: {name: role for role, names in groups.items() for name in names.split(" ")}
                for module, groups in packed.items()
            }
            self._parts[number] = part
        return part

    def names(self, module: str) -> dict[str, int]:
        """The names of `module`, each with the number of its role."""
        number = bisect_right(self._starts, module) - 1
        return self._part(number).get(module, {}) if number >= 0 else {}

    def find(self, module: str, name: str) -> Role | None:
        """The role of a name; None where the table has none."""
        number = self.names(module).get(name)
        return None if number is None else self._header.roles[number]

    def modules(self) -> list[str]:
        """All modules that it knows a name of."""
        return [module for number in range(len(self._starts)) for module in self._part(number)]


@cache
def directory() -> Directory:
    """The directory, read once."""
    return msgspec.msgpack.decode(DIRECTORY.read_bytes(), type=Directory)


@cache
def table(name: str) -> Table:
    """The table of distribution `name`, read on first use."""
    return Table(DATA / f"{name}.idx")
