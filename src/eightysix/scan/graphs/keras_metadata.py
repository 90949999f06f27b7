"""Reads keras_metadata.pb, which Keras 2 writes beside a SavedModel: one JSON configuration a layer."""

from __future__ import annotations

from eightysix.scan.artifact import Artifact
from eightysix.scan.graphs.keras_config import judge_text
from eightysix.scan.graphs.wire import BYTES, WireError, fields
from eightysix.scan.interface import Scan

__all__ = ["read"]


def read(artifact: Artifact, scan: Scan) -> None:
    """Judge each configuration (saved_metadata.proto: nodes are field 1, their metadata field 5)."""
    view = artifact.view()
    try:
        for number, wire, start, end in fields(view, 0, len(artifact)):
            scan.budget.step(1)
            if number != 1 or wire != BYTES:
                continue
            for inner, kind, a, b in fields(view, start, end):
                if inner == 5 and kind == BYTES and b > a:
                    judge_text(bytes(view[a:b]), artifact, scan, imports=False)
    except WireError as error:
        scan.report("graph-broken", artifact, str(error), offset=error.place)
