"""torch files from before 1.6: five pickles (magic number, protocol, system, object, keys), then the storages' bytes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from eightysix.scan.pickle.values import Storage

__all__ = ["MAGIC", "PICKLES", "bytes_of", "storages_end"]

MAGIC: Final = 0x1950A86A20F9469CFC6C
"""`MAGIC_NUMBER` of torch/serialization.py."""

PICKLES: Final = 5
_COUNT: Final = 8

_SIZES = {
    "Double": 8,
    "Float": 4,
    "Half": 2,
    "Long": 8,
    "Int": 4,
    "Short": 2,
    "Char": 1,
    "Byte": 1,
    "Bool": 1,
}
_SIZES |= {
    "BFloat16": 2,
    "ComplexDouble": 16,
    "ComplexFloat": 8,
    "QUInt8": 1,
    "QInt8": 1,
    "QInt32": 4,
    "Untyped": 1,
}
_SIZES |= {"QUInt4x2": 1, "QUInt2x4": 1}


def bytes_of(storage: Storage) -> int | None:
    """Bytes that `storage` says it has; None where its type is not known or it says nothing."""
    width = _SIZES.get(storage.type.qualname.removesuffix("Storage"))
    return None if width is None or storage.size is None or storage.size < 0 else storage.size * width


def storages_end(start: int, storages: Iterable[Storage]) -> int | None:
    """Where the storages end that begin at `start`: each a count of eight bytes and its elements. None: not known."""
    end = start
    for storage in {one.key: one for one in storages}.values():
        length = bytes_of(storage)
        if length is None:
            return None
        end += _COUNT + length
    return end
