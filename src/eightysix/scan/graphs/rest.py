"""What is done where a message stops being one: it is told, and what lies there is read for what it may be."""

from __future__ import annotations

from eightysix.scan.artifact import Artifact
from eightysix.scan.graphs.wire import WireError
from eightysix.scan.interface import Scan

__all__ = ["broken"]


def broken(artifact: Artifact, scan: Scan, error: WireError) -> None:
    """Report the break; something else can have been put behind a model, such as a pickle."""
    scan.report("graph-broken", artifact, str(error), offset=error.place)
    if error.place:
        scan.descend(artifact.window(f"bytes at {error.place}", error.place, len(artifact) - error.place))
