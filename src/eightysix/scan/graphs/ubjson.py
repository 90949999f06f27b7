"""Walks UBJSON, in which XGBoost keeps models: plain values, so that all there is to judge is whether they are whole."""

from __future__ import annotations

from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Scan

__all__ = ["read"]

_WIDTH = {
    0x69: 1,
    0x55: 1,
    0x49: 2,
    0x6C: 4,
    0x4C: 8,
    0x64: 4,
    0x44: 8,
    0x5A: 0,
    0x4E: 0,
    0x54: 0,
    0x46: 0,
    0x43: 1,
}
"""Bytes behind the markers i U I l L d D Z N T F C (ubjson.org, type reference)."""

_DEPTH = 64
_OBJECT, _ARRAY, _TEXT, _HUGE = b"{", b"[", b"S", b"H"


class _BrokenError(Exception):
    def __init__(self, place: int) -> None:
        super().__init__()
        self.place = place


def read(artifact: Artifact, scan: Scan) -> None:
    """Report where it breaks; nothing otherwise."""
    try:
        end = _Walk(artifact, scan).value(0, 0)
    except _BrokenError as error:
        scan.report("graph-broken", artifact, "the values are not whole", offset=error.place)
        return
    if end < len(artifact):
        scan.report(
            "hidden-data", artifact, f"{len(artifact) - end:,} bytes lie behind the model", offset=end
        )
        scan.descend(artifact.window(f"bytes at {end}", end, len(artifact) - end))


class _Walk:
    def __init__(self, artifact: Artifact, scan: Scan) -> None:
        self.view = artifact.view()
        self.size = len(artifact)
        self.scan = scan

    def byte(self, place: int) -> int:
        if not 0 <= place < self.size:
            raise _BrokenError(place)
        return self.view[place]

    def length(self, place: int) -> tuple[int, int]:
        """A number that says how long something is."""
        width = _WIDTH.get(self.byte(place), 0)
        if not width or place + 1 + width > self.size:
            raise _BrokenError(place)
        value = int.from_bytes(
            self.view[place + 1 : place + 1 + width], "big", signed=self.view[place] != 0x55
        )
        if not 0 <= value <= self.size:
            raise _BrokenError(place)
        return value, place + 1 + width

    def text(self, place: int) -> int:
        length, place = self.length(place)
        if place + length > self.size:
            raise _BrokenError(place)
        return place + length

    def value(self, place: int, depth: int, marker: int = 0) -> int:
        """The offset behind a value; `marker` where its type stands in front of the container."""
        self.scan.budget.step(1)
        if depth > _DEPTH:
            raise _BrokenError(place)
        if not marker:
            marker = self.byte(place)
            place += 1
        if marker in _WIDTH:
            if place + _WIDTH[marker] > self.size:
                raise _BrokenError(place)
            return place + _WIDTH[marker]
        if marker in (_TEXT[0], _HUGE[0]):
            return self.text(place)
        if marker in (_OBJECT[0], _ARRAY[0]):
            return self.container(place, depth, named=marker == _OBJECT[0])
        raise _BrokenError(place)

    def container(self, place: int, depth: int, named: bool) -> int:
        kind = count = None
        if self.byte(place) == ord("$"):
            kind, place = self.byte(place + 1), place + 2
        if self.byte(place) == ord("#"):
            count, place = self.length(place + 1)
        if kind is not None and count is None:
            raise _BrokenError(place)
        if kind in _WIDTH and count is not None and not named:
            place += _WIDTH[kind] * count
            if place > self.size:
                raise _BrokenError(place)
            return place
        end = ord("}" if named else "]")
        number = 0
        while (number < count) if count is not None else self.byte(place) != end:
            if named:
                place = self.text(place)
            place = self.value(place, depth + 1, kind or 0)
            number += 1
        return place if count is not None else place + 1
