"""What a name amounts to that a document wants imported: harmless, unknown, or something that no data needs."""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from importlib import import_module

from eightysix.scan.agent.known import known

__all__ = ["Standing", "acts", "standing"]

NAME_LIMIT = 300
"""Characters of a dotted name that are looked up; the longest in the index has fewer."""

_MAINS = frozenset(("__main__", "__mp_main__"))


class Standing(Enum):
    """`KNOWN` builds data. `UNKNOWN` is vouched for by nobody. `GADGET` acts, or reaches past data by its very form."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    GADGET = "gadget"


def standing(name: str, *, functions: bool = True) -> Standing:
    """Of `module.qualname`, wherever the module ends in it: a name that can be read as a gadget is one.

    `functions` says whether data of this kind has a reason to call functions; without it only classes are known.
    """
    parts = name.split(".")
    if len(name) > NAME_LIMIT or any(_dunder(part) for part in parts):
        return Standing.GADGET
    if name in known().types or name in known().methods:
        return Standing.KNOWN
    if len(parts) == 1:
        parts = ["builtins", name]
    answers = [_asked(".".join(parts[:at]), ".".join(parts[at:])) for at in range(len(parts) - 1, 0, -1)]
    if "gadget" in answers:
        return Standing.GADGET
    if "known" in answers or (functions and "function" in answers):
        return Standing.KNOWN
    # The last part alone as the name is how the loaders split; denied there is denied.
    return Standing.GADGET if answers[0] == "denied" else Standing.UNKNOWN


def _dunder(part: str) -> bool:
    return part.startswith("__") and part.endswith("__") and part not in _MAINS


_BUILDS = frozenset(("", "noitems", "dtype", "text", "factory", "array", "scalar", "encode", "layout"))
"""Predicates of the index under which a call from a document builds data. The others pass control on to an argument."""


@lru_cache(4096)
def _asked(module: str, name: str) -> str:
    role = import_module("eightysix.scan.index").role(module, name)
    if role.kind in ("construct", "function"):
        words = {word.partition("@")[0] for word in role.predicate.split(",")}
        if not words <= _BUILDS:
            return "unknown"
        return "known" if role.kind == "construct" else "function"
    return "function" if role.kind == "value" and not role.effect else str(role.kind)


_LOUD = frozenset(
    (
        "starts a process",
        "opens a network connection",
        "listens on the network",
        "loads a native library or calls into memory",
    )
)
"""Effects that importing a module has no need of. Reading files is not among them: modules read their version so."""

_CODE = "runs code given as text or bytes"
"""Only by name: `dataclass` and `namedtuple` come to it on the way."""


def acts(name: str) -> str:
    """What the index says that a call of `name` at import reaches; empty where that is nothing out of the ordinary."""
    parts = name.split(".")
    for at in range(len(parts) - 1, 0, -1):
        module, rest = ".".join(parts[:at]), ".".join(parts[at:])
        # `os` takes over what acts from a module of the platform, which is where the index has it.
        for place in (module, "posix") if module == "os" else (module,):
            role = import_module("eightysix.scan.index").role(place, rest)
            if role.kind in ("gadget", "denied") and (
                role.effect in _LOUD or (role.effect == _CODE and not role.via)
            ):
                return str(role.effect)
    return ""
