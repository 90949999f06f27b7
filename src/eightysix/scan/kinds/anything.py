"""The last resort: text in any encoding, which no reader of anything else took."""

from __future__ import annotations

from eightysix.scan.interface import Kind
from eightysix.scan.kinds.others import printable

__all__ = ["KINDS"]

KINDS: tuple[Kind, ...] = (Kind("text", printable, "eightysix.scan.kinds.nothing:read", alone=False),)
