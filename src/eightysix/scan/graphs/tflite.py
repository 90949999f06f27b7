"""Reads the list of operators of a TensorFlow Lite model (a flatbuffer, schema.fbs): custom ones need native code."""

from __future__ import annotations

from eightysix.scan.artifact import Artifact
from eightysix.scan.graphs.tf_index import Role, role_of
from eightysix.scan.interface import Scan
from eightysix.scan.weights.shown import shown

__all__ = ["read"]

_OWN = frozenset({"AudioSpectrogram", "Mfcc", "NumericVerify", "TFLite_Detection_PostProcess"})
"""Custom operators that TensorFlow Lite registers itself (tensorflow/lite/kernels/register.cc)."""

_MOST = 100_000


class _BrokenError(Exception):
    """An offset leads out of the file."""


class _Flat:
    """Tables, vectors and texts of a flatbuffer, within bounds."""

    def __init__(self, artifact: Artifact) -> None:
        self.view = artifact.view()
        self.size = len(artifact)

    def number(self, place: int, width: int, signed: bool = False) -> int:
        if place < 0 or place + width > self.size:
            raise _BrokenError
        return int.from_bytes(self.view[place : place + width], "little", signed=signed)

    def field(self, table: int, index: int) -> int:
        """Where a field of a table lies; 0 where it is not there."""
        entries = table - self.number(table, 4, signed=True)
        if 4 + 2 * index >= self.number(entries, 2):
            return 0
        offset = self.number(entries + 4 + 2 * index, 2)
        return table + offset if offset else 0

    def follow(self, place: int) -> int:
        return place + self.number(place, 4)

    def text(self, place: int) -> str:
        start = self.follow(place)
        length = self.number(start, 4)
        if start + 4 + length > self.size:
            raise _BrokenError
        return str(self.view[start + 4 : start + 4 + min(length, 4_096)], "utf-8", "replace")


def read(artifact: Artifact, scan: Scan) -> None:
    """Judge the operator codes."""
    flat = _Flat(artifact)
    try:
        names = list(_custom(flat, scan))
    except _BrokenError:
        scan.report("graph-broken", artifact, "an offset leads out of the file")
        return
    unknown = set()
    for name in names:
        operator = name.removeprefix("Flex")
        role = role_of(operator) if name.startswith("Flex") else Role.UNKNOWN
        if role is Role.PYTHON:
            scan.report("graph-python", artifact, f"the operator {shown(name)} calls Python")
        elif role in (Role.EFFECT, Role.CHECKPOINT, Role.ASSET):
            scan.report(
                "graph-effect", artifact, f"the operator {shown(name)} reaches files or other machines"
            )
        elif role is Role.UNKNOWN and name not in _OWN:
            unknown.add(shown(name))
    if unknown:
        names = sorted(unknown)
        why = f"operators that need another library: {', '.join(names[:8])}"
        scan.report("unknown-operator", artifact, why, names=names[:100])


def _custom(flat: _Flat, scan: Scan) -> list[str]:
    """The names of custom operators: Model.operator_codes[].custom_code."""
    found: list[str] = []
    codes = flat.field(flat.follow(0), 1)
    if not codes:
        return found
    vector = flat.follow(codes)
    count = flat.number(vector, 4)
    if count > _MOST:
        raise _BrokenError
    scan.budget.step(count)
    for number in range(count):
        place = flat.field(flat.follow(vector + 4 + 4 * number), 1)
        if place:
            found.append(flat.text(place))
    return [name for name in found if name]
