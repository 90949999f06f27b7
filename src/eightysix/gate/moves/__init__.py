"""What is wrong with where a tag points: the history of tags, judged. Pure: rows in, findings out."""

from __future__ import annotations

from eightysix.gate.moves.context import MoveContext, Promotion
from eightysix.gate.moves.findings import findings
from eightysix.gate.moves.sources import source_findings

__all__ = ["MoveContext", "Promotion", "findings", "source_findings"]
