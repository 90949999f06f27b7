"""Looks through PaddlePaddle's program for operators that call Python (framework.proto)."""

from __future__ import annotations

from eightysix.scan.artifact import Artifact
from eightysix.scan.graphs.wire import BYTES, WireError, fields, text
from eightysix.scan.interface import Scan

__all__ = ["python_calls"]

_PYTHON = frozenset({"py_func", "py_layer", "pylayer"})


def python_calls(artifact: Artifact, scan: Scan) -> None:
    """Report operators that call Python."""
    view = artifact.view()
    try:
        for number, wire, start, end in fields(view, 0, len(artifact)):
            if number == 1 and wire == BYTES:
                _block(artifact, scan, view, start, end)
    except WireError as error:
        scan.report("graph-broken", artifact, str(error), offset=error.place)


def _block(artifact: Artifact, scan: Scan, view: memoryview, first: int, last: int) -> None:
    for number, wire, start, end in fields(view, first, last):
        scan.budget.step(1)
        if number != 4 or wire != BYTES:
            continue
        for inner, kind, a, b in fields(view, start, end):
            if inner == 3 and kind == BYTES and text(view, a, b) in _PYTHON:
                scan.report(
                    "graph-python", artifact, f"the operator {text(view, a, b)} calls Python", offset=start
                )
