"""Recognises Core ML's models; nothing of them is judged yet."""

from __future__ import annotations

from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Scan

__all__ = ["read"]


def read(artifact: Artifact, scan: Scan) -> None:
    """Say so."""
    scan.report("no-reader", artifact, "Core ML: its layers are not read")
