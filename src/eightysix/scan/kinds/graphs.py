"""How the formats of the family `graphs` are recognised."""

from __future__ import annotations

from eightysix.scan.interface import Kind

__all__ = ["KINDS"]

KINDS: tuple[Kind, ...] = ()
