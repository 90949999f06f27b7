"""Values by name to the row of a table: each as its column's type, without secrets, and an account of what did not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from eightysix.model.table import Row, ScalarType, Table
from eightysix.sources.tables.cells import MISFIT, fit
from eightysix.sources.tables.treatments import treatment_of

__all__ = ["MAX_COLUMNS", "Shaper"]

MAX_COLUMNS = 1024
"""Members of one record that are looked at; the widest documented table has 183 columns."""

TYPE = "Type"
"""The column of Log Analytics that is the table's own name: no row repeats it."""

_Cell = tuple[str, ScalarType, Callable[[object], object] | None]


class Shaper:
    """Makes rows of the tables it is given.

    A column may be named by any environment: where those differ only in letter case they are one column, by the name
    that comes first. Where a value comes twice the later one counts. `misfits` counts values that no column of their name
    could hold, by `Table.Column`.
    """

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self.tables = tables
        self.misfits: dict[str, int] = {}
        self._cells: dict[str, dict[str, _Cell]] = {}

    def __contains__(self, table: str) -> bool:
        return table in self.tables

    def cells(self, table: str) -> Mapping[str, _Cell]:
        """Name, type and treatment of each column, by its name in small letters and as it is."""
        known = self._cells.get(table)
        if known is not None:
            return known
        cells: dict[str, _Cell] = {}
        for columns in self.tables[table].columns.values():
            for column in columns:
                name = column.name
                if name == TYPE:
                    continue
                if name.casefold() not in cells:
                    cells[name.casefold()] = name, column.type, treatment_of(table, name, column.type)
                cells[name] = cells[name.casefold()]
        self._cells[table] = cells
        return cells

    def row(self, table: str, values: Mapping[str, object]) -> Row:
        """The row of `table` with what of `values` its columns hold."""
        cells = self.cells(table)
        row: dict[str, object] = {}
        for number, (key, value) in enumerate(values.items()):
            if number >= MAX_COLUMNS:
                break
            cell = cells.get(key) or cells.get(key.casefold())
            if cell is None or value is None or value == "":
                continue
            name, kind, treat = cell
            told = fit(value, kind)
            if told is not MISFIT and treat is not None and told is not None:
                told = treat(told)
            if told is MISFIT:
                column = f"{table}.{name}"
                self.misfits[column] = self.misfits.get(column, 0) + 1
            elif told is not None and told != "":
                row[name] = told
        return row
