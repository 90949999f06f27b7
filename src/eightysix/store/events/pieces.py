"""Hours in pieces of bounded size: what is sorted, written and deleted at once must fit into the memory that a store allows
itself, however many rows an hour has.

Pieces of an hour are ranges of time, and ranges of row ids within a second that has too many rows for one. Rows come in the
order of time: so each piece is read from where it lies, where ranges of namespaces would read the whole hour once for each.
Together they are the whole hour, also what comes while the first are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from msgspec import Struct

from eightysix.store.columns import quoted
from eightysix.store.events.shapes import ROW_ID, TIME

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["HOUR_US", "PIECES_AT_ONCE", "PIECE_ROWS", "Piece", "gathered", "pieces"]

HOUR_US = 3_600_000_000
_SECOND_US = 1_000_000
_IDS = 1 << 64

PIECE_ROWS = 1 << 20
"""Rows that are sorted and leave at once: some 45 MB of Parquet. Where even they need too much memory, half of them are tried."""

PIECES_AT_ONCE = 24
"""Pieces of a table that leave in one transaction: while it lasts (not while they are written) nobody can append."""


class Piece(Struct, frozen=True):
    """Rows of one hour from `first_us` to before `end_us`, with ids from `low` to `high`; some `rows` of them."""

    hour: int
    first_us: int
    end_us: int
    rows: int
    low: int = -(_IDS >> 1)
    high: int = (_IDS >> 1) - 1

    @property
    def where(self) -> str:
        """Its condition."""
        time = quoted(TIME)
        found = (
            f"WHERE {time} >= make_timestamp({self.first_us:d}) AND {time} < make_timestamp({self.end_us:d})"
        )
        if self.high - self.low + 1 < _IDS:
            found += f" AND {quoted(ROW_ID)} BETWEEN {self.low:d} AND {self.high:d}"
        return found


def pieces(cursor: DuckDBPyConnection, table: str, hour: int, limit: int) -> list[Piece]:
    """The pieces of an hour of a table, none with more than some `limit` rows."""
    first, end = hour * HOUR_US, (hour + 1) * HOUR_US
    seconds = cursor.execute(
        f"SELECT epoch_us({quoted(TIME)}) // {_SECOND_US}, count(*) FROM {table}"
        f" {Piece(hour, first, end, 0).where} GROUP BY 1 ORDER BY 1"
    ).fetchall()
    return list(_cut(hour, [(int(second) * _SECOND_US, int(rows)) for second, rows in seconds], limit))


def _cut(hour: int, seconds: Sequence[tuple[int, int]], limit: int) -> Iterator[Piece]:
    start, rows = hour * HOUR_US, 0
    for begin, more in seconds:
        if rows and rows + more > limit:
            yield from _split(Piece(hour, start, begin, rows), limit)
            start, rows = begin, 0
        rows += more
    if rows:
        yield from _split(Piece(hour, start, (hour + 1) * HOUR_US, rows), limit)


def _split(piece: Piece, limit: int) -> Iterator[Piece]:
    """Ids are as good as drawn by lot: equal ranges of them have about as many rows."""
    parts = -(-piece.rows // limit)
    bounds = [piece.low + _IDS * number // parts for number in range(parts + 1)]
    for low, after in pairwise(bounds):
        yield Piece(piece.hour, piece.first_us, piece.end_us, -(-piece.rows // parts), low, after - 1)


def gathered(found: Iterable[Piece], limit: int) -> Iterator[list[Piece]]:
    """Pieces that leave in one transaction: no more than some `limit` rows."""
    group: list[Piece] = []
    for piece in found:
        if group and (len(group) == PIECES_AT_ONCE or sum(one.rows for one in group) + piece.rows > limit):
            yield group
            group = []
        group.append(piece)
    if group:
        yield group
