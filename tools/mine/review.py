"""What changes between two builds of the index, for a person to read: `python -m tools.mine.review OLD NEW`.

A name that becomes usable is what an attacker would want to slip in; a name that stops being usable is a false alarm in
the making. Both are listed name by name; names that were never usable and are not now are only counted.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from eightysix.scan.index.role import Role, RoleKind
from eightysix.scan.index.tables import Table

__all__ = ["Change", "changes", "contents"]

USABLE = frozenset({RoleKind.CONSTRUCT, RoleKind.VALUE, RoleKind.FUNCTION})
_SHOWN = 60


class Change(NamedTuple):
    """A name whose role is another one; None where a build does not have it."""

    table: str
    name: str
    old: Role | None
    new: Role | None

    @property
    def matters(self) -> bool:
        """Whether it becomes usable, stops being so, or may be used under other conditions."""
        return any(role is not None and role.kind in USABLE for role in (self.old, self.new))


def contents(folder: Path, table: str) -> dict[str, Role]:
    """Every name of one table with its role."""
    path = folder / f"{table}.idx"
    if not path.exists():
        return {}
    held = Table(path)
    found = {}
    for module in held.modules():
        for name in held.names(module):
            role = held.find(module, name)
            if role is not None:
                found[f"{module}:{name}"] = role
    return found


def _same(old: Role | None, new: Role | None) -> bool:
    """Whether the two allow the same. The release and the path of calls change at every build and mean nothing."""
    if old is None or new is None:
        return old is new
    return (old.kind, old.predicate, old.effect) == (new.kind, new.predicate, new.effect)


def changes(old: Path, new: Path) -> Iterator[Change]:
    """All names whose role differs, table by table."""
    for table in sorted({path.stem for folder in (old, new) for path in folder.glob("*.idx")}):
        before, after = contents(old, table), contents(new, table)
        for name in sorted(before.keys() | after.keys()):
            if not _same(before.get(name), after.get(name)):
                yield Change(table, name, before.get(name), after.get(name))


def _said(role: Role | None) -> str:
    if role is None:
        return "not known"
    return " ".join(
        part for part in (role.kind, role.predicate, f"({role.effect})" if role.effect else "") if part
    )


def main() -> int:
    """Print the review; 0 always, for it is read by a person."""
    parser = argparse.ArgumentParser(prog="python -m tools.mine.review", description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--all", action="store_true", help=f"every name, not the first {_SHOWN} of a table")
    options = parser.parse_args()
    kinds: Counter[tuple[str, str]] = Counter()
    shown: Counter[str] = Counter()
    for change in changes(options.old, options.new):
        kinds[_word(change.old), _word(change.new)] += 1
        if not change.matters:
            continue
        shown[change.table] += 1
        if options.all or shown[change.table] <= _SHOWN:
            print(f"{change.table}: {change.name}: {_said(change.old)} -> {_said(change.new)}")
    for table, number in sorted(shown.items()):
        if not options.all and number > _SHOWN:
            print(f"{table}: {number - _SHOWN} more; --all shows them")
    for (before, after), number in sorted(kinds.items()):
        print(f"{number:7} {before} -> {after}")
    return 0


def _word(role: Role | None) -> str:
    return "not known" if role is None else str(role.kind)


if __name__ == "__main__":
    raise SystemExit(main())
