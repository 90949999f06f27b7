"""Which results of calls are worth a note: dtypes, buffers, bytes written as text. All others are known by their maker."""

from __future__ import annotations

from eightysix.scan.pickle.dtypes import dtype_of, record
from eightysix.scan.pickle.predicates import Call
from eightysix.scan.pickle.values import Dtype, Heap, Items, Made, Name, Value, Written

__all__ = ["is_noted", "note_of", "with_state"]

MOST_FIELDS = 4_096
"""Fields of a structure that are followed."""

_COPYREG = frozenset(("_reconstructor", "__newobj__", "__newobj_ex__"))
_CODECS = frozenset(("_codecs", "codecs"))


def is_noted(name: Name) -> bool:
    """Whether `note_of` may have something to say about calls of `name`."""
    if name.qualname == "dtype":
        return name.module.partition(".")[0] == "numpy"
    if name.qualname in _COPYREG:
        return name.module == "copyreg"
    if name.qualname == "encode":
        return name.module in _CODECS
    return (name.qualname == "BytesIO" and name.module in ("io", "_io")) or name.full == "torch.Size"


def note_of(call: Call, heap: Heap) -> Value | Written | None:
    """What to note about the result of `call`, None where nothing is. A `Name` says that it is an instance of that."""
    name, arguments = call.name, call.arguments
    if not arguments:
        return None
    if name.qualname == "encode":
        codec = heap.value(arguments[1]) if len(arguments) > 1 else "utf-8"
        plain = heap.is_text(arguments[0])
        return Written(arguments[0], codec if isinstance(codec, str) else "latin-1") if plain else None
    if name.qualname == "dtype":
        return _dtype(heap.value(arguments[0]))
    if name.qualname in _COPYREG:
        first = heap.value(arguments[0])
        return first if isinstance(first, Name) else None
    return Made(name, arguments)


def _dtype(first: Value) -> Dtype:
    if isinstance(first, str):
        return dtype_of(first)
    if isinstance(first, Dtype):
        return first
    if isinstance(first, Name):
        return dtype_of(first.qualname.rsplit(".", 1)[-1].removesuffix("_"))
    if isinstance(first, Items) and first.items:
        return Dtype("structure", None, None)
    return Dtype("?", None, None)


def with_state(kind: Dtype, state: int, heap: Heap) -> Dtype:
    """`kind` after a BUILD with `state`: (version, order, subarray, names, fields, size, alignment, flags, ...)."""
    items = heap.items(state)
    if items is None or len(items) < 6:
        return kind
    subarray, fields, size = heap.value(items[2]), heap.value(items[4]), heap.value(items[5])
    if isinstance(subarray, Items) and subarray.items:
        base = heap.value(subarray.items[0])
        objects = base.objects if isinstance(base, Dtype) else None
        return Dtype(kind.text, kind.size if not isinstance(size, int) or size < 0 else size, objects)
    if not isinstance(fields, Items):
        return kind
    if len(fields.items or ()) > MOST_FIELDS:
        return Dtype(kind.text, None, None)
    # NOTE: each value is a pair of a dtype and an offset; the dtype is noted, so the dictionary remembers its items.
    pairs = [heap.value(code) for code in (fields.items or ())[1::2]]
    kinds = [heap.value(pair.items[0]) for pair in pairs if isinstance(pair, Items) and pair.items]
    inner = record([(one, 1) for one in kinds if isinstance(one, Dtype)])
    objects = inner.objects if kinds and len(kinds) == len(pairs) else None
    return Dtype(kind.text, size if isinstance(size, int) and size >= 0 else inner.size, objects)
