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
- `text`: as below.
- `empty@KEY`: in the state that BUILD sets, KEY is missing or None.
- `plain@KEY`: there, KEY is missing, None, or a constant text without `/` and `\\` and not `..`.
- `source@KEY`: the class runs the text that its state has under KEY when the state is set. That text is missing, or
  source of nothing but functions whose default values are constants: see `is_inert_source`.

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
- `member@N:M`: argument N is a reference with role CONSTRUCT, argument M a constant text without `__` at its ends,
  there is no third, and the role of `qualname.text` is not GADGET. What comes out is data: a call of it is not allowed.
- `defer@N`: argument N is a reference with role VALUE and no effect, or CONSTRUCT without `newobj`, or FUNCTION without
  a predicate.
- `layout`: argument 0 is a constant text that names a layout (`torch.strided` and the like).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from eightysix.scan.pythonic import parsed

if TYPE_CHECKING:
    import ast

__all__ = ["PREDICATES", "Role", "RoleKind", "is_inert_source", "predicates"]


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
        "empty",
        "encode",
        "factory",
        "layout",
        "make",
        "member",
        "nested",
        "newobj",
        "noitems",
        "plain",
        "scalar",
        "singleton",
        "source",
        "text",
    ]
)


def predicates(role: Role) -> list[tuple[str, tuple[int | str, ...]]]:
    """The predicates of `role`, each with its arguments: `class@0,nested@2` gives class (0,) and nested (2,)."""
    found: list[tuple[str, tuple[int | str, ...]]] = []
    for one in role.predicate.split(",") if role.predicate else ():
        name, _, given = one.partition("@")
        found.append(
            (name, tuple(int(part) if part.isdigit() else part for part in given.split(":") if part))
        )
    return found


#: The longest that scipy writes is 900 bytes.
_LONGEST_SOURCE = 8_192


def is_inert_source(text: str) -> bool:
    """Whether running `text` as Python source does nothing but define plain functions.

    No decorators, no annotations, and default values that are constants (a sign before a number among them): nothing is
    evaluated when the functions are made. What their bodies would do is not judged, except that they only pass on names.
    """
    import ast  # 10 ms that only a scipy distribution costs

    if len(text) > _LONGEST_SOURCE:
        return False
    try:
        tree = parsed(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return all(isinstance(one, ast.FunctionDef) and _inert(one) for one in tree.body)


def _inert(function: ast.FunctionDef) -> bool:
    import ast

    given = function.args
    arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    if (
        function.decorator_list
        or function.returns
        or any(one is not None and one.annotation for one in arguments)
    ):
        return False
    if getattr(function, "type_params", None):
        return False
    defaults = [one for one in (*given.defaults, *given.kw_defaults) if one is not None]
    if not all(isinstance(one, ast.Constant) for one in defaults):
        return False
    if len(function.body) != 1 or not isinstance(function.body[0], ast.Return):
        return False
    allowed = (ast.Return, ast.Tuple, ast.Name, ast.Load, ast.Constant, ast.Attribute, ast.Call, ast.keyword)
    for one in ast.walk(function.body[0]):
        if not isinstance(one, allowed):
            return False
        if isinstance(one, ast.Attribute) and not (
            isinstance(one.value, ast.Name) and one.value.id == "self"
        ):
            return False
        if isinstance(one, ast.Call) and not isinstance(one.func, ast.Attribute):
            return False
        if isinstance(one, ast.Attribute) and one.attr.startswith("__"):
            return False
    return True
