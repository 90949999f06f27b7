"""Which table a row is of that does not say so: the results of queries have columns and no name."""

from __future__ import annotations

from collections.abc import Mapping

from eightysix.sources.tables.shape import MAX_COLUMNS, Shaper

__all__ = ["Guess"]

_EVERYWHERE = frozenset(
    name.casefold()
    for name in (
        *("TimeGenerated", "Timestamp", "TenantId", "Type", "SourceSystem", "Category", "Level", "Message"),
        *(
            "OperationName",
            "ResultType",
            "ResultDescription",
            "CorrelationId",
            "Identity",
            "Computer",
            "Name",
        ),
        *("Namespace", "PodName", "ContainerName", "ContainerId", "Properties", "Id", "Location", "Verdict"),
        *("Rule", "Title", "Path", "Host", "Node", "Kind", "Cluster", "Image", "Severity", "ReportId"),
        *("_ResourceId", "_SubscriptionId", "_BilledSize", "_IsBillable"),
    )
)
"""Columns that many tables have, and other people's logs too."""

_ENOUGH = 3
"""Columns of its own that a row must have to be taken for a table's."""

_BESIDE = frozenset({"tablename", "_internal_workspaceresourceid", "_itemid", "_timereceived", "$table"})
"""Members that export and tools add to a row (`az monitor log-analytics query` names `PrimaryResult`)."""

_KEPT = 4096


class Guess:
    """Tells tables by their columns: all of a row's must be the table's, and enough of them no other log's."""

    def __init__(self, shaper: Shaper) -> None:
        self._shaper = shaper
        self._known: dict[frozenset[str], tuple[str, ...]] = {}

    def fits(self, row: Mapping[str, object]) -> bool:
        """Whether any table has these columns."""
        return bool(self._candidates(row))

    def table_of(self, row: Mapping[str, object], file: str) -> str:
        """The table of a row, empty where none or several fit. `file` decides between those that do."""
        fitting = self._candidates(row)
        if len(fitting) > 1:
            stem = file.replace("\\", "/").rpartition("/")[2].partition(".")[0]
            category = row.get("Category")
            told = f"AAD{category}" if isinstance(category, str) else ""
            return stem if stem in fitting else told if told in fitting else ""
        return fitting[0] if fitting else ""

    def _candidates(self, row: Mapping[str, object]) -> tuple[str, ...]:
        if not 1 + _ENOUGH <= len(row) <= MAX_COLUMNS or not ("TimeGenerated" in row or "Timestamp" in row):
            return ()
        names = frozenset(name.casefold() for name in row) - _BESIDE
        fitting = self._known.get(names)
        if fitting is None:
            if len(self._known) >= _KEPT:
                self._known.clear()
            fitting = self._known[names] = self._fitting(names)
        return fitting

    def _fitting(self, names: frozenset[str]) -> tuple[str, ...]:
        if len(names - _EVERYWHERE) < _ENOUGH:
            return ()
        return tuple(
            sorted(table for table in self._shaper.tables if names <= self._shaper.cells(table).keys())
        )
