"""Models that are known and not read: each is told by its name, and what can be seen at a glance is judged."""

from __future__ import annotations

import msgspec

from eightysix.scan.artifact import Artifact
from eightysix.scan.graphs.paddle import python_calls
from eightysix.scan.interface import Scan

__all__ = ["coreml", "mxnet_symbol", "paddle", "read", "torch7"]

_LARGEST = 64 << 20


def read(artifact: Artifact, scan: Scan) -> None:
    """Nothing is judged."""
    scan.report("no-reader", artifact, "the format is recognised by its magic number alone")


def coreml(artifact: Artifact, scan: Scan) -> None:
    """Core ML's models: known by their shape."""
    scan.report("no-reader", artifact, "Core ML: its layers are not read")


def paddle(artifact: Artifact, scan: Scan) -> None:
    """PaddlePaddle's programs: operators that call Python are looked for."""
    python_calls(artifact, scan)
    scan.report("no-reader", artifact, "PaddlePaddle: its other operators are not in an index")


def torch7(artifact: Artifact, scan: Scan) -> None:
    """Torch 7 writes functions as Lua's byte code: loading makes them callable, and methods of the model call them."""
    for mark in (b"\x1bLua", b"\x1bLJ"):
        place = artifact.find(mark)
        if place >= 0:
            scan.report("foreign-code", artifact, "it carries a compiled function in Lua", offset=place)
            return
    scan.report("no-reader", artifact, "Torch 7: no function was seen, the objects were not read")


class _Node(msgspec.Struct):
    op: str


class _Symbol(msgspec.Struct):
    nodes: list[_Node]


def mxnet_symbol(artifact: Artifact, scan: Scan) -> None:
    """MXNet's operator `Custom` calls a Python class by its registered name."""
    if len(artifact) > _LARGEST:
        scan.report("too-much", artifact, f"a graph of {len(artifact):,} bytes; {_LARGEST:,} are read")
        return
    try:
        symbol = msgspec.json.decode(artifact.view(), type=_Symbol)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        scan.report("graph-broken", artifact, "the graph is no JSON of MXNet")
        return
    scan.budget.step(len(symbol.nodes))
    kinds = {node.op for node in symbol.nodes}
    if kinds & {"Custom", "_Native", "_NDArray"}:
        scan.report("graph-python", artifact, "an operator of MXNet calls a registered Python class")
    scan.report("no-reader", artifact, "MXNet: its other operators are not in an index")
