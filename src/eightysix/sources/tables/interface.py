"""What readers of tables share: rows go into a list that the caller empties, beside the account that decoders keep."""

from __future__ import annotations

from eightysix.model.table import Row

__all__ = ["Rows", "Seen"]

Rows = list[tuple[str, Row]]
"""Rows that were made and not yet taken, each with the name of its table."""


class Seen:
    """Which things were seen lately: bounded, and begun anew when full, so what it tells is `not lately` at most."""

    __slots__ = ("_most", "_seen")

    def __init__(self, most: int = 65_536) -> None:
        self._most = most
        self._seen: set[tuple[str, ...]] = set()

    def is_new(self, key: tuple[str, ...]) -> bool:
        """Whether `key` was not seen lately; from now on it was."""
        if key in self._seen:
            return False
        if len(self._seen) >= self._most:
            self._seen.clear()
        self._seen.add(key)
        return True
