"""Where the members of an archive would land when somebody unpacks it: outside of the folder, or through a link."""

from __future__ import annotations

__all__ = ["Links", "escapes", "parts_of", "rooted"]

_MOST_LINKS = 100_000
"""Links of one archive that are kept in mind; ours, and more than `Limits.members` lets in."""


def parts_of(name: str) -> list[str]:
    """The parts of a member's name, as an unpacker on any system may see them: both slashes separate."""
    return [part for part in name.replace("\\", "/").split("/") if part not in {"", "."}]


def escapes(name: str) -> bool:
    """Whether `name` climbs out of the folder it is unpacked into, at any point of the way."""
    level = 0
    for part in parts_of(name):
        level += -1 if part == ".." else 1
        if level < 0:
            return True
    return False


def rooted(name: str) -> bool:
    """Whether `name` begins at a root: a slash, a drive letter or a share."""
    return name.startswith(("/", "\\")) or (len(name) > 2 and name[1] == ":" and name[2] in "/\\")


class Links:
    """The links that an archive brought so far, and what would be written through them."""

    def __init__(self) -> None:
        self._outward: set[tuple[str, ...]] = set()

    def add(self, name: str, target: str) -> bool:
        """Note the link `name`. Whether it leads out of the folder."""
        way = parts_of(name)
        outward = rooted(target) or escapes("/".join([*way[:-1], target.replace("\\", "/")]))
        if outward and len(self._outward) < _MOST_LINKS:
            self._outward.add(tuple(way))
        return outward

    def through(self, name: str) -> str:
        """The link by which `name` would be written outside of the folder; empty where none is."""
        if not self._outward:
            return ""
        way = tuple(parts_of(name))
        for length in range(1, len(way)):
            if way[:length] in self._outward:
                return "/".join(way[:length])
        return ""
