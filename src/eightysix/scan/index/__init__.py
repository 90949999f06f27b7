"""What a name that a pickle imports may be used for, mined from real releases of the libraries that have it.

Default deny: a name is good for something only if the miner read its source and saw no effect within reach. How the
index is made stands in docs/scan-index.md; the words of the answer, predicates among them, in `role`.
"""

from __future__ import annotations

import sys
from functools import lru_cache

from eightysix.scan.index.role import PREDICATES, Role, RoleKind, is_inert_source, predicates
from eightysix.scan.index.tables import directory, table

__all__ = [
    "PREDICATES",
    "Role",
    "RoleKind",
    "index_version",
    "is_inert_source",
    "predicates",
    "role",
    "torchscript_role",
]

#: No importable name of any indexed library is longer than 120; what is longer is not one.
_LONGEST = 400
_REMEMBERED = 16384
_SHARED = 3

_UNKNOWN = Role(RoleKind.UNKNOWN)
_NO_NAME = Role(RoleKind.DENIED, effect="is no name that a Python import could have")
_INSIDE = Role(RoleKind.DENIED, effect="reaches into an object, past the classes of its module")
_STANDARD = Role(RoleKind.DENIED, effect="", library="python")


def _plain(dotted: str) -> bool:
    """Whether each part is an ASCII identifier. Others import as well, but no library has one: they imitate names."""
    return (
        len(dotted) <= _LONGEST
        and dotted.isascii()
        and all(part.isidentifier() for part in dotted.split("."))
    )


@lru_cache(_REMEMBERED)
def role(module: str, name: str) -> Role:
    """The role of `name` in `module`, as CPython's unpickler would import it.

    Call it with what `_compat_pickle` makes of the names of protocols below 3. `name` may be dotted.
    """
    if not _plain(module) or not _plain(name):
        return _NO_NAME
    top = module.partition(".")[0]
    if top in ("__main__", "__torch__"):
        return _inner(name) or _UNKNOWN
    known = directory()
    if top in known.standard or top in sys.stdlib_module_names:
        return table("python").find(module, name) or _STANDARD
    distribution = _distribution(known.tops, module)
    if distribution is None:
        return _inner(name) or _UNKNOWN
    found = table(distribution).find(module, name)
    if found is not None:
        return found
    if "." in name or _dunder(name):
        return _member(distribution, module, name) or _INSIDE
    newest = known.releases[distribution][-1][0]
    return Role(RoleKind.UNKNOWN, library=f"{distribution} {newest}")


def _distribution(tops: dict[str, str], module: str) -> str | None:
    """The table for `module`, by the first of its parts, or by up to four: google.cloud.storage shares two with others."""
    end = 0
    for _ in range(_SHARED + 1):
        end = module.find(".", end + 1)
        found = tops.get(module if end < 0 else module[:end])
        if found is not None or end < 0:
            return found
    return None


def _dunder(part: str) -> bool:
    return part.startswith("__") and part.endswith("__")


def _member(distribution: str, module: str, name: str) -> Role | None:
    """VALUE for a plain member of a class that may be made: what does harm there is in the index by its own name, or by
    that of a base. The effect says that nobody looked at it, so it is no callable for anything else."""
    owner, _, last = name.rpartition(".")
    found = table(distribution).find(module, owner) if owner and not _dunder(last) else None
    if found is None or found.kind is not RoleKind.CONSTRUCT:
        return None
    return Role(
        RoleKind.VALUE,
        effect="is a member of a class that was not looked at by itself",
        library=found.library,
    )


def _inner(name: str) -> Role | None:
    """DENIED where a name of a library that nobody mined goes through anything but classes: `Config.Mode` may be one
    inside another, `sys.modules` and `Config.__init__` are not."""
    *outer, last = name.split(".")
    if _dunder(last) or any(_dunder(part) or not part.lstrip("_")[:1].isupper() for part in outer):
        return _INSIDE
    return None


def torchscript_role(module: str, name: str) -> Role:
    """The role of a class inside a TorchScript archive: `__torch__` classes are compiled from the archive itself."""
    if module.partition(".")[0] == "__torch__" and _plain(name):
        return Role(RoleKind.CONSTRUCT)
    return role(module, name)


def index_version() -> str:
    """Changes whenever the data does; verdicts from another index are not these."""
    return directory().version
