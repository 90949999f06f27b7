"""The reader of content in which there is nothing to judge."""

from __future__ import annotations

from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Scan

__all__ = ["read"]


def read(artifact: Artifact, scan: Scan) -> None:
    """Nothing: the format itself is the answer."""
