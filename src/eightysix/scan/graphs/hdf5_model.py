"""Reads HDF5 files for what Keras and PyTables make of them: configurations and pickles in attributes."""

from __future__ import annotations

from eightysix.scan.artifact import Artifact
from eightysix.scan.graphs.hdf5 import Attribute, BrokenError, Found, walk
from eightysix.scan.graphs.keras_config import judge_text
from eightysix.scan.graphs.location import leaves
from eightysix.scan.interface import Scan
from eightysix.scan.weights.shown import shown

__all__ = ["read"]

_OPENING = frozenset(b"\x80(]}cIKSUVXJGNLFM")
"""The first byte of pickles that PyTables writes into attributes: PROTO, MARK, or an opcode that makes a value."""


def read(artifact: Artifact, scan: Scan) -> None:
    """Judge the attributes of every object, and links to other files."""
    found = Found(blind=set(), external=[])

    def tell(attribute: Attribute) -> None:
        _attribute(artifact, scan, attribute)

    try:
        walk(artifact, scan.budget, found, tell)
    except BrokenError as error:
        scan.report("graph-broken", artifact, str(error), offset=error.place)
    for why in sorted(found.blind):
        scan.report("no-reader", artifact, f"hdf5: {shown(why)}")
    for target, place in found.external:
        why = leaves(target)
        if why:
            scan.report("outside-path", artifact, f"{shown(target, 160)} {why}", offset=place)
        else:
            scan.report(
                "external-storage", artifact, f"numbers or groups come from {shown(target)}", offset=place
            )


def _attribute(artifact: Artifact, scan: Scan, attribute: Attribute) -> None:
    head = artifact.at(attribute.place, 64)
    if head.lstrip()[:1] == b"{":
        raw = artifact.at(attribute.place, attribute.length).rstrip(b"\0")
        # Whatever the attribute is called: an object in JSON that names classes is a configuration to somebody.
        if b"class_name" in raw or b"\\u" in raw:
            judge_text(raw, artifact, scan)
    elif head[:1] and head[0] in _OPENING:
        raw = artifact.at(attribute.place, attribute.length).rstrip(b"\0")
        if raw.endswith(b".") and len(raw) > 2:
            scan.descend(artifact.window(f"attribute {shown(attribute.name, 40)}", attribute.place, len(raw)))
