"""Reads reviewed.toml: what a person allowed, with the reason."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec

from eightysix.scan.index.role import Role, RoleKind

__all__ = ["Entry", "Reviewed", "read_reviewed"]

REVIEWED = Path(__file__).parent / "reviewed.toml"


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names of one library that are allowed for one reason. `derived`: stub classes that derive from this one, too."""

    library: str
    kind: RoleKind
    why: str
    names: str
    predicate: str = ""
    derived: str = ""

    def pairs(self) -> list[tuple[str, str]]:
        """The names, as module and qualname."""
        return [(module, name) for one in self.names.split() for module, _, name in (one.partition(":"),)]

    def role(self, label: str) -> Role:
        """What the entry allows, of release `label`."""
        return Role(self.kind, self.predicate, "", "", label)


class Reviewed(msgspec.Struct, frozen=True):
    """The whole file."""

    standard: str
    entry: list[Entry]


def read_reviewed(path: Path = REVIEWED) -> Reviewed:
    """The file's content; msgspec.ValidationError where it is not what is described."""
    found = msgspec.convert(tomllib.loads(path.read_text()), Reviewed)
    for entry in found.entry:
        if entry.kind not in (RoleKind.CONSTRUCT, RoleKind.VALUE, RoleKind.FUNCTION):
            raise msgspec.ValidationError(f"{entry.names[:40]}: an entry can only allow")
    return found
