"""What a name in a pickle may be used for, and the words in which that is said.

Predicates. A role with a predicate allows a use only where the predicate holds. Several are joined by commas, and all
must hold. `N` and `M` count the positional arguments from 0; an argument that is missing or not known satisfies none.

CONSTRUCT, about how the class is used:

- `newobj`: only made without running `__init__`: NEWOBJ, NEWOBJ_EX, `copyreg.__newobj__`, `copyreg._reconstructor`, OBJ
  or INST without arguments. A call by REDUCE, or by OBJ or INST with arguments, runs an `__init__` that acts on its
  arguments.
- `noitems`: the instance gets no SETITEM, SETITEMS, APPEND, APPENDS, ADDITEMS and no slot state (a BUILD with a pair),
  because its methods for these act on what they are given.
- `factory@N`: argument N is None, missing, or a reference to a class that may be made without conditions.
- `dtype`: the first argument is a constant text, a constant tuple or list of such, or a class of this library.

FUNCTION, about the arguments of the call:

- `class@N`: argument N is a reference whose role is CONSTRUCT. It is made by `__new__`, so `newobj` is satisfied.
- `make@N`: argument N is no reference (missing, a text, a number), or one whose role is CONSTRUCT without `newobj`, or
  FUNCTION without a predicate or with `make`: the function calls it.
- `call@N:M`: argument N is a reference with role FUNCTION or CONSTRUCT, argument M is a tuple, and a REDUCE of the one
  with the other would be allowed.
- `nested@N`: argument N is bytes (or a `BytesIO` of bytes) that are an artifact of their own: scan them, theirs is the
  verdict.
- `array`: argument 0 is a CONSTRUCT class of an array library, argument 1 a tuple of integers, argument 2 bytes or text.
- `scalar`: argument 0 is a dtype. If it is not known to be free of objects, argument 1 is as for `nested@1`.
- `text`: every argument is a constant text or number.
- `encode`: argument 0 is text, argument 1 is missing or one of `latin1`, `latin-1`, `iso-8859-1`, `ascii`, `utf-8`.
- `singleton@N`: argument N is the constant None, Ellipsis or NotImplemented, and the only one.
- `member@N:M`: argument N is a reference with role CONSTRUCT, argument M a constant text without `__` at its ends, there is
  no third, and the role of `qualname.text` is not GADGET. What comes out is data: a call of it is not allowed.
- `defer@N`: argument N is a reference with role VALUE, or CONSTRUCT without `newobj`, or FUNCTION without a predicate.
- `layout`: argument 0 is a constant text that names a layout (`torch.strided` and the like).
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

__all__ = ["PREDICATES", "Role", "RoleKind", "predicates"]


class RoleKind(StrEnum):
    """What a name is good for while a pickle is loaded."""

    CONSTRUCT = "construct"  # a class whose instances may be made
    VALUE = "value"  # may be referred to as data, never called
    FUNCTION = "function"  # may be called where its predicate holds
    GADGET = (
        "gadget"  # of an indexed library; reaches an effect on the world outside the pickle's own objects
    )
    DENIED = "denied"  # nothing that a data file has a reason to name
    UNKNOWN = "unknown"  # nobody looked at it


class Role(Struct, frozen=True, array_like=True):
    """The index's answer about one name.

    `predicate` limits a CONSTRUCT or FUNCTION (see the module's text). `effect` says in plain words what a GADGET or
    DENIED name reaches, empty where only the default denies it; a VALUE has one where calling it would pass control on.
    `via` is the shortened path of calls. `library` is the release that the answer was mined from, empty where no
    indexed library has the name.
    """

    kind: RoleKind
    predicate: str = ""
    effect: str = ""
    via: str = ""
    library: str = ""


#: Every predicate's name, without its argument numbers.
PREDICATES = frozenset(
    [
        "array",
        "call",
        "class",
        "defer",
        "dtype",
        "encode",
        "factory",
        "layout",
        "make",
        "member",
        "nested",
        "newobj",
        "noitems",
        "scalar",
        "singleton",
        "text",
    ]
)


def predicates(role: Role) -> list[tuple[str, tuple[int, ...]]]:
    """The predicates of `role`, each with its argument numbers: `class@0,nested@2` gives class (0,) and nested (2,)."""
    found = []
    for one in role.predicate.split(",") if role.predicate else ():
        name, _, numbers = one.partition("@")
        found.append((name, tuple(int(number) for number in numbers.split(":") if number)))
    return found
