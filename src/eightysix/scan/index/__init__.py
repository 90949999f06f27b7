"""What a name that a pickle imports may be used for, mined from real releases of the libraries that have it.

Default deny: a name is good for something only if the miner read its source and saw no effect within reach. How the
index is made stands in docs/scan-index.md; the words of the answer, predicates among them, in `role`.
"""

from __future__ import annotations

from functools import lru_cache

from eightysix.scan.index.role import PREDICATES, Role, RoleKind, predicates
from eightysix.scan.index.table import directory, table

__all__ = ["PREDICATES", "Role", "RoleKind", "index_version", "predicates", "role", "torchscript_role"]

#: No importable name of any indexed library is longer than 120; what is longer is not one.
_LONGEST = 400
_REMEMBERED = 16384

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
    if top in known.standard:
        return table("python").find(module, name) or _STANDARD
    distribution = known.tops.get(top)
    if distribution is None:
        return _inner(name) or _UNKNOWN
    found = table(distribution).find(module, name)
    if found is not None:
        return found
    if "." in name or _dunder(name):
        return _INSIDE
    newest = known.releases[distribution][-1][0]
    return Role(RoleKind.UNKNOWN, library=f"{distribution} {newest}")


def _dunder(part: str) -> bool:
    return part.startswith("__") and part.endswith("__")


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
