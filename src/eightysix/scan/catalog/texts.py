"""Rules of the family `texts`."""

from __future__ import annotations

from eightysix.scan.catalog.rule import ScanRule

__all__ = ["RULES"]

RULES: tuple[ScanRule, ...] = ()
