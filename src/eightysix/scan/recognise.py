"""Says by content what an artifact is. No name and no extension is ever asked."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Kind, Reader

__all__ = ["HEAD", "kinds", "reader_of", "recognise"]

HEAD = 512
"""Bytes that `sniff` gets: tar has its magic at 257, everything else earlier."""

FAMILIES = ("containers", "weights", "graphs", "agent", "pickles", "others", "texts", "anything")
"""Modules of `eightysix.scan.kinds` in the order in which they are asked: strict magic first, weak signs last."""


@cache
def kinds() -> tuple[Kind, ...]:
    """Every format that is recognised, in order."""
    return tuple(
        kind for family in FAMILIES for kind in import_module(f"eightysix.scan.kinds.{family}").KINDS
    )


def recognise(artifact: Artifact) -> list[Kind]:
    """What `artifact` is: the first kind names it; others follow where it is several things at once. Empty: unknown."""
    head = artifact.head(HEAD)
    found: list[Kind] = []
    for kind in kinds():
        if kind.sniff(artifact, head):
            found.append(kind)
            if kind.alone:
                break
    return found


@cache
def reader_of(kind: Kind) -> Reader:
    """The function that reads this kind; its module is imported here and not before."""
    module, _, function = kind.reader.partition(":")
    reader: Reader = getattr(import_module(module), function)
    return reader
