"""The memo of the pickle machine: eight bytes a slot, because a stream may fill a hundred million."""

from __future__ import annotations

from array import array
from typing import Final

from eightysix.scan.budget import OverBudgetError

__all__ = ["BrokenError", "Memo"]

MOST_SPARSE: Final = 100_000
"""Memo slots beyond a gap: no pickler leaves one."""

GAP: Final = 4_096

_UNSET: Final = -1


class BrokenError(Exception):
    """The stream cannot be read on: CPython's unpickler would raise here."""


class Memo:
    """What was memoized. `dense` holds slots from 0 on, `sparse` those beyond a gap; `gaps` counts unset dense ones."""

    __slots__ = ("dense", "gaps", "sparse")

    def __init__(self) -> None:
        self.dense: array[int] = array("q")
        self.sparse: dict[int, int] = {}
        self.gaps = 0

    def put(self, index: int, code: int) -> None:
        """As PUT does."""
        dense = self.dense
        if index < len(dense):
            self.gaps -= dense[index] == _UNSET
            dense[index] = code
        elif index <= len(dense) + GAP and not self.sparse:
            self.gaps += index - len(dense)
            dense.extend([_UNSET] * (index - len(dense)))
            dense.append(code)
        else:
            if len(self.sparse) >= MOST_SPARSE:
                raise OverBudgetError("memo slots beyond a gap", MOST_SPARSE)
            self.sparse[index] = code

    def memoize(self, code: int) -> None:
        """As MEMOIZE does: the next index is the number of slots that are set."""
        self.put(len(self.dense) - self.gaps + len(self.sparse), code)

    def get(self, index: int) -> int:
        """As GET does. Raises `BrokenError` for a slot that was never set."""
        code = self.dense[index] if index < len(self.dense) else self.sparse.get(index, _UNSET)
        if code == _UNSET:
            raise BrokenError(f"memo slot {index} is read before it is set")
        return code
