"""The bytes under examination: a window onto a file, a member of an archive, or what a decompressor gave back."""

from __future__ import annotations

from mmap import mmap

__all__ = ["LAYER", "Artifact"]

LAYER = "layer"
"""Context of the layer of an image: names in it may begin at the root, which is the container's."""


class Artifact:
    """A read-only window onto bytes, with the way that led there.

    `raw` holds the bytes (a `bytes`, or a map of a file that must not be copied whole), `start` and `end` bound the
    window in it. `path` is the file that was given, `member` the way inside of it. `depth` counts the containers
    around it. `context` says what it is read for, where its container knows: `torch` (a torch archive), `torchscript`,
    `numpy`, `joblib`, `keras`, `nemo`, `layer` (of an image), or empty.

    Offsets in every method count from `start`; reading past the end gives fewer bytes, never an error.
    """

    __slots__ = ("_view", "context", "depth", "end", "member", "path", "raw", "start")

    def __init__(
        self,
        raw: bytes | mmap,
        path: str,
        *,
        start: int = 0,
        end: int | None = None,
        member: str = "",
        depth: int = 0,
        context: str = "",
    ) -> None:
        self.raw = raw
        self.path = path
        self.start = start
        self.end = len(raw) if end is None else end
        self.member = member
        self.depth = depth
        self.context = context
        self._view: memoryview | None = None

    def __len__(self) -> int:
        return self.end - self.start

    @property
    def name(self) -> str:
        """The last part of the member or the path: for messages only, never for deciding what it is."""
        return (self.member or self.path).rsplit("!", 1)[-1].rsplit("/", 1)[-1]

    def at(self, offset: int, length: int) -> bytes:
        """A copy of up to `length` bytes from `offset` on; empty outside of the window."""
        if offset < 0 or length <= 0:
            return b""
        first = self.start + offset
        return bytes(self.raw[first : min(first + length, self.end)]) if first < self.end else b""

    def head(self, length: int) -> bytes:
        """A copy of the first `length` bytes."""
        return self.at(0, length)

    def tail(self, length: int) -> bytes:
        """A copy of the last `length` bytes."""
        return self.at(max(0, len(self) - length), length)

    def find(self, needle: bytes, offset: int = 0, end: int | None = None) -> int:
        """Where `needle` lies first between `offset` and `end` (default: the window's); -1 where nowhere."""
        last = self.end if end is None else min(self.start + end, self.end)
        place = self.raw.find(needle, self.start + offset, last)
        return place - self.start if place >= 0 else -1

    def view(self) -> memoryview:
        """The window without a copy. Release nothing: it lives as long as the artifact."""
        if self._view is None:
            self._view = memoryview(self.raw)[self.start : self.end]
        return self._view

    def window(self, name: str, offset: int, length: int, *, context: str = "") -> Artifact:
        """A part that lies in these bytes as it is (a stored member, an embedded stream), without a copy.

        `name` is added to the way, empty for a part that has no name of its own; the window is cut at the end of this.
        """
        start = min(self.start + max(0, offset), self.end)
        end = min(start + max(0, length), self.end)
        return Artifact(
            self.raw,
            self.path,
            start=start,
            end=end,
            member=self._way(name),
            depth=self.depth + 1,
            context=context,
        )

    def unpacked(self, name: str, data: bytes | mmap, *, context: str = "") -> Artifact:
        """A part that had to be unpacked: `data` are its bytes. `name` as for `window`."""
        return Artifact(data, self.path, member=self._way(name), depth=self.depth + 1, context=context)

    def _way(self, name: str) -> str:
        if not name:
            return self.member
        return f"{self.member}!{name}" if self.member else name
