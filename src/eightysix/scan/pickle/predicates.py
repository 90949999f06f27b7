"""Whether a call is one that the index allows: the predicates that `scan.index.role` words, over abstract values.

Each answers with what is wrong, empty where nothing is. A predicate that is not known here denies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from eightysix.scan.index import RoleKind, predicates
from eightysix.scan.pickle.values import Dtype, Heap, Items, Made, Name, Storage, Value

__all__ = ["Call", "allowed", "is_buffer", "is_dunder", "outside_storage", "prepare"]

LATIN = frozenset(("latin1", "latin-1", "iso-8859-1", "ascii", "utf-8", "utf8"))
LAYOUTS: Final = "torch."

ARRAY_LIBRARIES = frozenset(("numpy", "pandas", "scipy", "sklearn", "torch", "xarray", "astropy", "dask"))

MOST: Final = 4_096
"""Items of one argument that are looked at. No reconstructor takes more; a call with more is not allowed."""

MOST_DIMENSIONS: Final = 64
"""numpy has at most 64 dimensions, torch fewer."""

MOST_FIELDS: Final = 32
DEEPEST: Final = 3

INIT_FREE = frozenset(("NEWOBJ", "NEWOBJ_EX", "copyreg"))
"""Ways to make an instance that run `__new__` and no `__init__`."""


class Call(Struct, frozen=True):
    """A call as the stream asks for it. `how` is the opcode; `named` whether it has keyword arguments."""

    name: Name
    arguments: tuple[int, ...] | None
    how: str
    named: bool = False


def prepare(name: Name) -> None:
    """Work out what calls of `name` are judged by."""
    given = predicates(name.role)
    conditions = []
    loads = []
    for one, arguments in given:
        numbers = tuple(number for number in arguments if isinstance(number, int))
        conditions.append((_JUDGES.get(one, _unknown), numbers))
        if one == "nested" and numbers:
            loads.append(numbers[0])
        elif one == "scalar":
            loads.append(1)
    name.conditions = tuple(conditions)
    name.loads = tuple(loads)
    name.views = name.qualname in _VIEWS and name.module == "torch._utils"


def allowed(call: Call, heap: Heap) -> str:
    """What is wrong with `call`, empty where the index allows it."""
    for judge, numbers in call.name.conditions:
        wrong: str = judge(call, heap, numbers)
        if wrong:
            return wrong
    return ""


def _unknown(_call: Call, _heap: Heap, _numbers: tuple[int, ...]) -> str:
    return "nothing here knows the condition under which it may be called"


def _default(call: Call, number: int) -> bool:
    """Whether argument `number` is left to the function's own default, which its author chose."""
    return call.arguments is not None and number >= len(call.arguments) and not call.named


def _argument(call: Call, heap: Heap, number: int) -> tuple[bool, Value]:
    if call.arguments is None or number >= len(call.arguments):
        return False, None
    return True, heap.value(call.arguments[number])


def _newobj(call: Call, _heap: Heap, _numbers: tuple[int, ...]) -> str:
    if call.how in INIT_FREE or (call.how in ("OBJ", "INST") and call.arguments == ()):
        return ""
    return "its constructor acts on what it is given, and data is made without running it"


def _noitems(_call: Call, _heap: Heap, _numbers: tuple[int, ...]) -> str:
    return ""  # judged where items are put into the instance


def _factory(call: Call, heap: Heap, numbers: tuple[int, ...]) -> str:
    there, value = _argument(call, heap, numbers[0])
    if not there and call.arguments is not None and not call.named:
        return ""
    if there and (value is None or (_constructs(value) and not _has(value, "newobj"))):
        return ""
    return f"argument {numbers[0]} is called later, and it is no class that may be made freely"


def _dtype(call: Call, heap: Heap, _numbers: tuple[int, ...]) -> str:
    there, value = _argument(call, heap, 0)
    if there and _is_dtype_text(value, heap, 0):
        return ""
    return "its first argument does not describe a type of data"


def _is_dtype_text(value: Value, heap: Heap, depth: int) -> bool:
    if isinstance(value, str | int | Dtype) or value is None:
        return True
    if isinstance(value, Name):
        return value.role.kind in (RoleKind.CONSTRUCT, RoleKind.VALUE)
    if isinstance(value, Made):
        return value.by.role.kind in (RoleKind.CONSTRUCT, RoleKind.FUNCTION)
    if isinstance(value, Items) and depth < DEEPEST:
        # NOTE: a list of plain data is not remembered (items None) and holds no name: it can do nothing.
        return all(
            _is_dtype_text(heap.value(item), heap, depth + 1) for item in (value.items or ())[:MOST_FIELDS]
        )
    return False


def _constructs(value: Value) -> bool:
    return isinstance(value, Name) and value.role.kind == RoleKind.CONSTRUCT


def _has(value: Value, predicate: str) -> bool:
    return isinstance(value, Name) and any(name == predicate for name, _ in predicates(value.role))


def _class(call: Call, heap: Heap, numbers: tuple[int, ...]) -> str:
    there, value = _argument(call, heap, numbers[0])
    if _default(call, numbers[0]) or (there and (_constructs(value) or _unjudged(value))):
        return ""
    return f"argument {numbers[0]} is no class that data is made of"


def _unjudged(value: Value) -> bool:
    """An unknown name is reported by itself, with the policy line that would accept it: not a second time."""
    return isinstance(value, Name) and value.role.kind == RoleKind.UNKNOWN


def _make(call: Call, heap: Heap, numbers: tuple[int, ...]) -> str:
    there, value = _argument(call, heap, numbers[0])
    if _default(call, numbers[0]) or (there and _callable(call, value)):
        return ""
    return f"argument {numbers[0]} is called, and it is no class that may be made freely"


def _callable(call: Call, value: Value) -> bool:
    """Whether `value` may be called with arguments. An instance may be where both are of the same library: numpy's
    random generators are handed an instance where older releases were handed its class."""
    if isinstance(value, Made):
        same = value.by.module.partition(".")[0] == call.name.module.partition(".")[0]
        return same and value.by.role.kind in (RoleKind.CONSTRUCT, RoleKind.FUNCTION)
    if isinstance(value, Name):
        if value.role.kind == RoleKind.FUNCTION:
            return not value.role.predicate or _has(value, "make")
        return _unjudged(value) or (_constructs(value) and not _has(value, "newobj"))
    return value is None or isinstance(
        value, str | bytes | int | float
    )  # looked up, or an error: never called


def _call(call: Call, heap: Heap, numbers: tuple[int, ...]) -> str:
    function_there, function = _argument(call, heap, numbers[0])
    arguments_there = call.arguments is not None and len(numbers) > 1 and numbers[1] < len(call.arguments)
    if not function_there or not arguments_there or call.arguments is None or not isinstance(function, Name):
        return f"argument {numbers[0]} is called, and it is no name that was imported"
    if function.role.kind not in (RoleKind.FUNCTION, RoleKind.CONSTRUCT):
        return f"argument {numbers[0]} is called, and {function.full} must not be"
    if function.full == call.name.full:
        return "it calls itself"
    given = heap.items(call.arguments[numbers[1]])
    return allowed(Call(function, given, "REDUCE"), heap)


def _nested(call: Call, heap: Heap, numbers: tuple[int, ...]) -> str:
    there, value = _argument(call, heap, numbers[0])
    if there and (isinstance(value, bytes) or is_buffer(value) or _blob(call, heap, numbers[0])):
        return ""
    return f"argument {numbers[0]} is loaded, and it does not stand in the stream as it is"


def _blob(call: Call, heap: Heap, number: int) -> bool:
    """Bytes too long to be read back as a value."""
    return call.arguments is not None and heap.is_bytes(call.arguments[number])


def is_buffer(value: Value) -> bool:
    """Whether `value` is an `io.BytesIO` over something."""
    return isinstance(value, Made) and value.by.qualname == "BytesIO" and value.by.module in ("io", "_io")


def _array(call: Call, heap: Heap, _numbers: tuple[int, ...]) -> str:
    _, subtype = _argument(call, heap, 0)
    if not _constructs(subtype) and not _unjudged(subtype):
        return "argument 0 is no class of arrays"
    there, shape = _argument(call, heap, 1)
    if not there or not isinstance(shape, Items) or shape.items is None or len(shape.items) > MOST_DIMENSIONS:
        return "argument 1 is no shape"
    if not all(isinstance(heap.value(item), int) for item in shape.items):
        return "argument 1 is no shape"
    there, kind = _argument(call, heap, 2)
    return "" if there and isinstance(kind, bytes | str | Dtype | Name) else "argument 2 is no type of data"


def _scalar(call: Call, heap: Heap, _numbers: tuple[int, ...]) -> str:
    there, kind = _argument(call, heap, 0)
    if not there or not isinstance(kind, Dtype):
        return "argument 0 is no dtype"
    return _nested(call, heap, (1,)) if kind.objects is not False and len(call.arguments or ()) > 1 else ""


def _text(call: Call, heap: Heap, _numbers: tuple[int, ...]) -> str:
    if call.arguments is None or len(call.arguments) > MOST:
        return "its arguments are no short tuple"
    for number, code in enumerate(call.arguments):
        value = heap.value(code)
        if not (value is None or isinstance(value, str | bytes | int | float) or heap.is_atom(code)):
            return f"argument {number} is neither text nor number"
    return ""


def _encode(call: Call, heap: Heap, _numbers: tuple[int, ...]) -> str:
    arguments = call.arguments
    if not arguments or not heap.is_text(arguments[0]):
        return "argument 0 is no text"
    if len(arguments) > 2 or call.named:
        return "it is given more than a text and a codec"
    if len(arguments) == 1:
        return ""
    codec = heap.value(arguments[1])
    if isinstance(codec, str) and codec.lower().replace("_", "-") in LATIN:
        return ""
    return "data is encoded as latin-1 and nothing else"


def _layout(call: Call, heap: Heap, _numbers: tuple[int, ...]) -> str:
    there, value = _argument(call, heap, 0)
    if (
        there
        and isinstance(value, str)
        and value.startswith(LAYOUTS)
        and value[len(LAYOUTS) :].isidentifier()
    ):
        return ""
    return "argument 0 names no layout"


def _singleton(call: Call, heap: Heap, numbers: tuple[int, ...]) -> str:
    there, value = _argument(call, heap, numbers[0])
    constant = value is None or (isinstance(value, Name) and value.qualname in ("Ellipsis", "NotImplemented"))
    return "" if there and constant and len(call.arguments or ()) == 1 else "it is given more than a constant"


def _member(call: Call, heap: Heap, numbers: tuple[int, ...]) -> str:
    owner_there, owner = _argument(call, heap, numbers[0])
    text_there, text = _argument(call, heap, numbers[1])
    if not owner_there or not (_constructs(owner) or _unjudged(owner)):
        return f"argument {numbers[0]} is no class that data is made of"
    if not text_there or not isinstance(text, str) or not text.isidentifier() or is_dunder(text):
        return f"argument {numbers[1]} is no name that data has"
    return "" if len(call.arguments or ()) == 2 else "it is given more than a class and a name"


def is_dunder(text: str) -> bool:
    """Whether `text` is a name that Python itself gives a meaning."""
    return text.startswith("__") and text.endswith("__")


def _defer(call: Call, heap: Heap, numbers: tuple[int, ...]) -> str:
    there, value = _argument(call, heap, numbers[0])
    if there and isinstance(value, Name):
        kind = value.role.kind
        if kind == RoleKind.UNKNOWN or (kind == RoleKind.VALUE and not value.role.effect):
            return ""
        if (kind == RoleKind.CONSTRUCT and not _has(value, "newobj")) or (
            kind == RoleKind.FUNCTION and not value.role.predicate
        ):
            return ""
    return f"argument {numbers[0]} is called later, and it is nothing that may be"


def _stated(_call: Call, _heap: Heap, _numbers: tuple[int, ...]) -> str:
    return ""  # judged where the state is set


_JUDGES: dict[str, Callable[[Call, Heap, tuple[int, ...]], str]] = {
    "newobj": _newobj,
    "noitems": _noitems,
    "factory": _factory,
    "dtype": _dtype,
    "class": _class,
    "make": _make,
    "call": _call,
    "nested": _nested,
    "array": _array,
    "scalar": _scalar,
    "text": _text,
    "encode": _encode,
    "layout": _layout,
    "singleton": _singleton,
    "member": _member,
    "defer": _defer,
    "source": _stated,
    "empty": _stated,
    "plain": _stated,
}

_VIEWS = frozenset(("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_qtensor"))


def outside_storage(call: Call, heap: Heap) -> str:
    """Whether `call` makes a tensor that reaches past its storage (CVE-2026-24747 and its kind): in words, or empty.

    torch checks this only where it builds the tensor with its own allocator; a view made of a short storage reads and
    writes the memory behind it.
    """
    if not call.name.views or call.arguments is None:
        return ""
    if len(call.arguments) < 4:
        return "it lacks a storage, an offset, a size and strides"
    storage, offset = heap.value(call.arguments[0]), heap.value(call.arguments[1])
    if not isinstance(storage, Storage) or storage.size is None:
        return ""
    size, stride = _numbers(heap, call.arguments[2]), _numbers(heap, call.arguments[3])
    if not isinstance(offset, int) or size is None or stride is None or len(size) != len(stride):
        return "its offset, size and strides do not fit together"
    if offset < 0 or any(number < 0 for number in (*size, *stride)):
        return "its offset, size or strides are negative"
    if 0 in size:
        return ""
    reach = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True)) + 1
    if reach > storage.size:
        return f"it reaches {reach:,} elements into a storage of {storage.size:,}"
    return ""


def _numbers(heap: Heap, code: int) -> list[int] | None:
    items = heap.items(code)
    maker = heap.value(code)
    if items is None and isinstance(maker, Made) and maker.arguments:  # torch.Size((2, 3))
        items = heap.items(maker.arguments[0])
    if items is None or len(items) > MOST_DIMENSIONS:
        return None
    values = [heap.value(item) for item in items]
    numbers = [value for value in values if isinstance(value, int)]
    return numbers if len(numbers) == len(values) else None
