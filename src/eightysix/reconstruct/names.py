"""Ids of the things in a story: the same for the same input, safe in every format."""

from __future__ import annotations

from eightysix.detect.digests import digest
from eightysix.model.story import EntityKind

__all__ = ["entity_id"]


def entity_id(kind: EntityKind, *names: str) -> str:
    """`kind:` and 16 hexadecimal digits that stand for what it is called."""
    return f"{kind}:{digest(*names)}"
