"""Tables as hunters know them: named columns of Kusto's scalar types, and where a table of that shape exists.

One description serves the store (which keeps such rows), the readers (which make them) and the queries (which are bound
against them by Microsoft's own parser).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

__all__ = ["Column", "Columns", "Environment", "Row", "ScalarType", "Table"]

Row = Mapping[str, object]
"""One row: values by column name. `datetime` is an int of nanoseconds since 1970 (UTC), `dynamic` any JSON value, all
others are what JSON has; a column that is absent is null."""


class Columns(Struct, frozen=True):
    """Some rows of one table, column by column: what a million rows cost less in. Every list has `count` values, None where
    a row has none; a column that is absent is null in all of them."""

    table: str
    count: int
    values: Mapping[str, Sequence[object]]

    def rows(self) -> Iterator[Row]:
        """The same as rows."""
        names = tuple(self.values)
        for told in zip(*self.values.values(), strict=True):
            yield {name: value for name, value in zip(names, told, strict=True) if value is not None}


class ScalarType(StrEnum):
    """Kusto's scalar types (learn.microsoft.com/kusto/query/scalar-data-types)."""

    STRING = "string"
    LONG = "long"
    INT = "int"
    REAL = "real"
    BOOL = "bool"
    DATETIME = "datetime"
    TIMESPAN = "timespan"
    GUID = "guid"
    DYNAMIC = "dynamic"


class Environment(StrEnum):
    """Where queries run. The unified Defender portal has the tables of both under their native names."""

    LOG_ANALYTICS = "log-analytics"
    """Azure Monitor Logs, which Microsoft Sentinel stands on: rows have `TimeGenerated`."""
    DEFENDER = "defender-xdr"
    """Advanced hunting in Microsoft Defender XDR: rows have `Timestamp`."""
    LOCAL = "local"
    """`eightysix hunt run`, over files or a store."""


class Column(Struct, frozen=True):
    """A column, as documented."""

    name: str
    type: ScalarType


class Table(Struct, frozen=True, kw_only=True):
    """A table. `columns` are those of each environment that has it: they are never quite the same.

    `time` is the column that a row is placed by (`TimeGenerated` or `Timestamp`); `source` is the page that documents the
    columns; `own` tells that the table is this project's, created by a template in `deploy/`.
    """

    name: str
    title: str
    columns: Mapping[Environment, tuple[Column, ...]]
    source: str
    sources: Mapping[Environment, str] = {}
    """Pages of the environments whose columns stand elsewhere than on `source`."""
    own: bool = False
    plans: tuple[str, ...] = ()
    """Plans of Log Analytics that allow it: `Analytics`, `Basic`, `Auxiliary`."""
    renamed: Mapping[str, str] = {}
    """Columns that Log Analytics calls otherwise: name in Defender XDR -> name there. The time column needs no entry."""
    undocumented: tuple[str, ...] = ()
    """Columns that rows have and the page does not list."""
    note: str = ""
    filled: str = ""
    """What makes its rows here."""
