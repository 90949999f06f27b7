"""What is left: content that holds nothing to load."""

from __future__ import annotations

from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Kind

__all__ = ["KINDS"]


def _empty(artifact: Artifact, head: bytes) -> bool:
    return not head and not len(artifact)


KINDS: tuple[Kind, ...] = (Kind("empty", _empty, "eightysix.scan.kinds.nothing:read"),)
