"""Arrays that joblib writes into the middle of a pickle: where the stream goes on behind them.

joblib pickles a `NumpyArrayWrapper` and writes the array's bytes right behind the BUILD of its state; its unpickler reads
them there (`NumpyArrayWrapper.read_array` in joblib/numpy_pickle.py). An array of objects is a pickle of its own.
"""

from __future__ import annotations

from collections.abc import Callable

from eightysix.scan.pickle.dtypes import elements
from eightysix.scan.pickle.values import Dtype, Heap, Items, Name

__all__ = ["behind_array", "is_wrapper", "wrapper_files"]

_ARRAY = "NumpyArrayWrapper"
_OUTSIDE = frozenset(("NDArrayWrapper", "ZNDArrayWrapper"))


def is_wrapper(name: Name) -> bool:
    """Whether instances of `name` stand for arrays of joblib. Its package was also shipped inside scikit-learn."""
    if name.qualname != _ARRAY and name.qualname not in _OUTSIDE:
        return False
    return name.module.removeprefix("sklearn.externals.").partition(".")[0] == "joblib"


def _fields(heap: Heap, state: int) -> dict[str, int]:
    value = heap.value(state)
    if not isinstance(value, Items) or value.kind != "dict" or value.items is None or len(value.items) > 64:
        return {}
    keys = [heap.value(code) for code in value.items[::2]]
    return {key: code for key, code in zip(keys, value.items[1::2], strict=False) if isinstance(key, str)}


def wrapper_files(heap: Heap, state: int) -> str:
    """The file outside of the pickle that old wrappers name, empty where none."""
    code = _fields(heap, state).get("filename")
    name = heap.value(code) if code is not None else ""
    return name if isinstance(name, str) else ""


def behind_array(heap: Heap, state: int, after: int, nested: Callable[[int], int] | None) -> int | str:
    """The offset behind the array that begins at `after`; in words what is wrong where there is none.

    `nested` reads a pickle at an offset and answers where it ends, negative where it breaks.
    """
    fields = _fields(heap, state)
    kind = heap.value(fields["dtype"]) if "dtype" in fields else None
    shape = heap.items(fields["shape"]) if "shape" in fields else None
    if not isinstance(kind, Dtype) or shape is None:
        return "an array has no dtype and shape that can be followed"
    if kind.objects:
        end = nested(after) if nested is not None else -1
        return end if end >= 0 else "the pickle of an array of objects breaks"
    lengths = [heap.value(code) for code in shape]
    numbers = [length for length in lengths if isinstance(length, int)]
    count = elements(numbers)
    if kind.objects is None or kind.size is None or len(numbers) != len(lengths) or count < 0:
        return "an array has no dtype and shape that can be followed"
    view = heap.view
    begin = after
    alignment = (
        heap.value(fields["numpy_array_alignment_bytes"]) if "numpy_array_alignment_bytes" in fields else None
    )
    if alignment is not None:
        if after >= len(view):
            return "an array lies past the end"
        begin += 1 + view[after]
    end = begin + count * kind.size
    return end if end <= len(view) else "an array lies past the end"
