"""Raw telemetry as rows of the documented tables that hunters query."""

from __future__ import annotations

from eightysix.sources.tables.events import event_row
from eightysix.sources.tables.tabulate import ENOUGH, Tabulator, tabulate, tabulate_blocks

__all__ = ["ENOUGH", "Tabulator", "event_row", "tabulate", "tabulate_blocks"]
