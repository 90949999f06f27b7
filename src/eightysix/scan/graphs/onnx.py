"""Reads ONNX models: which operators they use, and which files they make a runtime open. Numbers are never loaded.

Field numbers are those of onnx.proto (ONNX 1.x, IR versions 1 to 13). A runtime resolves operators by domain: the
published ones it brings itself, another needs a library that somebody registers, and a domain for which the model has
functions of its own needs nothing.
"""

from __future__ import annotations

from eightysix.scan.artifact import Artifact
from eightysix.scan.graphs.location import ODD, leaves
from eightysix.scan.graphs.rest import broken
from eightysix.scan.graphs.wire import BYTES, VARINT, WireError, fields, text
from eightysix.scan.interface import Scan
from eightysix.scan.weights.code import looks_like_code
from eightysix.scan.weights.shown import shown

__all__ = ["read"]

DEPTH = 32
"""Graphs in attributes of nodes of graphs: If, Loop and Scan nest; exporters stay below 10."""

_DOMAINS = frozenset({
    "", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview", "ai.onnx.preview.training",
    "com.microsoft", "com.microsoft.nchwc", "com.microsoft.experimental", "com.microsoft.dml", "com.ms.internal.nhwc",
})  # fmt: skip
"""onnx/defs/schema.h and onnxruntime's docs/ContribOperators.md and graph/constants.h: implemented inside of them."""

_PYTHON = frozenset({
    ("ai.onnx.contrib", "PyOp"), ("com.microsoft.extensions", "PyOp"), ("com.microsoft", "PyOp"),
    ("com.microsoft", "PythonOp"), ("com.microsoft", "PythonOpGrad"),
})  # fmt: skip
"""Operators that call Python by a name in the model: onnxruntime-extensions' custom Python operators, and ORTModule's."""

_BITS = {
    1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128, 16: 16,
    17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2,
}  # fmt: skip
"""Bits of TensorProto.DataType; 8 is a string."""

_MOST = (1 << 63) - 1


def read(artifact: Artifact, scan: Scan) -> None:
    """Judge operators, external data, settings and the bounds of tensors."""
    reader = _Reader(artifact, scan)
    try:
        reader.model(0, len(artifact))
    except WireError as error:
        broken(artifact, scan, error)
    reader.judge_operators()


class _Reader:
    def __init__(self, artifact: Artifact, scan: Scan) -> None:
        self.artifact = artifact
        self.scan = scan
        self.view = artifact.view()
        self.operators: dict[tuple[str, str], int] = {}
        self.functions: set[tuple[str, str]] = set()
        self.depth = 0
        self.sparse = False

    def model(self, first: int, last: int) -> None:
        for number, wire, start, end in fields(self.view, first, last):
            if wire != BYTES:
                continue
            if number == 7:
                self.graph(start, end)
            elif number == 14:
                self.property(start, end)
            elif number == 20:
                for inner, kind, a, b in fields(self.view, start, end):
                    if kind == BYTES and inner in (1, 2):
                        self.graph(a, b)
            elif number == 25:
                self.function(start, end)

    def graph(self, first: int, last: int) -> None:
        self.depth += 1
        if self.depth > DEPTH:
            self.scan.report("bomb", self.artifact, f"graphs nest deeper than {DEPTH}", offset=first)
            self.depth -= 1
            return
        for number, wire, start, end in fields(self.view, first, last):
            self.scan.budget.step(1)
            if wire != BYTES:
                continue
            if number == 1:
                self.node(start, end)
            elif number == 5:
                self.tensor(start, end)
            elif number == 15:
                self.sparse_tensor(start, end)
        self.depth -= 1

    def function(self, first: int, last: int) -> None:
        name = domain = ""
        for number, wire, start, end in fields(self.view, first, last):
            if wire != BYTES:
                continue
            if number == 1:
                name = text(self.view, start, end)
            elif number == 10:
                domain = text(self.view, start, end)
            elif number == 7:
                self.node(start, end)
            elif number == 11:
                self.attribute(start, end)
        self.functions.add((domain, name))

    def node(self, first: int, last: int) -> None:
        kind = domain = ""
        settings: dict[str, tuple[int, str]] = {}
        for number, wire, start, end in fields(self.view, first, last):
            self.scan.budget.step(1)
            if wire != BYTES:
                continue
            if number == 4:
                kind = text(self.view, start, end)
            elif number == 7:
                domain = text(self.view, start, end)
            elif number == 5:
                name, value = self.attribute(start, end)
                settings[name] = value
        self.operators.setdefault((domain, kind), first)
        # onnxruntime's EPContext: with embed_mode 0 the attribute is the path of a compiled library or blob.
        if "ep_cache_context" in settings and settings.get("embed_mode", (1, ""))[0] == 0:
            self.location(settings["ep_cache_context"][1], first)

    def attribute(self, first: int, last: int) -> tuple[str, tuple[int, str]]:
        """Name and value (number, text) of an attribute; tensors and graphs in it are read."""
        name = words = ""
        number_of = 0
        for number, wire, start, end in fields(self.view, first, last):
            if wire == VARINT and number == 3:
                number_of = start
            if wire != BYTES:
                continue
            if number == 1:
                name = text(self.view, start, end)
            elif number == 4:
                words = text(self.view, start, end)
            elif number in (5, 10):
                self.tensor(start, end)
            elif number in (6, 11):
                self.graph(start, end)
            elif number in (22, 23):
                self.sparse_tensor(start, end)
        return name, (number_of, words)

    def sparse_tensor(self, first: int, last: int) -> None:
        for number, wire, start, end in fields(self.view, first, last):
            if wire == BYTES and number in (1, 2):
                self.tensor(start, end)

    def tensor(self, first: int, last: int) -> None:
        kind, elements, raw = 0, 1, -1
        name = ""
        external: dict[str, str] = {}
        broken = False
        for number, wire, start, end in fields(self.view, first, last):
            self.scan.budget.step(1)
            if wire == VARINT:
                if number == 1:
                    elements, broken = elements * min(start, _MOST + 1), broken or start > _MOST
                elif number == 2:
                    kind = start
            elif wire == BYTES:
                if number == 1:
                    elements, broken = self.packed(start, end, elements, broken)
                elif number == 8:
                    name = text(self.view, start, end)
                elif number == 9:
                    raw = end - start
                elif number == 13:
                    key, value = self.entry(start, end)
                    external[key] = value
            elements = min(elements, 1 << 70)
        if external:
            self.external(external, first, name)
        self.size(name, kind, elements, raw, broken, first)

    def packed(self, first: int, last: int, elements: int, broken: bool) -> tuple[int, bool]:
        """Dimensions that are written as one run of numbers."""
        from eightysix.scan.graphs.wire import varint

        place, count = first, 0
        while place < last and count < 1_000:
            value, place = varint(self.view, place, last)
            broken = broken or value > _MOST
            elements = min(elements * value, 1 << 70)
            count += 1
        return elements, broken or place < last

    def size(self, name: str, kind: int, elements: int, raw: int, broken: bool, place: int) -> None:
        bits = _BITS.get(kind)
        if broken or (bits and elements * bits >> 3 > _MOST):
            why = f"the tensor {shown(name)} has negative dimensions or more elements than 64 bits count"
            self.scan.report("tensor-bounds", self.artifact, why, offset=place)
        elif bits and raw >= 0 and raw != (elements * bits + 7) >> 3:
            wanted = (elements * bits + 7) >> 3
            why = f"the tensor {shown(name)} has {raw:,} bytes, its shape asks for {wanted:,}"
            # The message around it is whole: no cut made it short, and a loader that trusts the shape reads beyond it.
            self.scan.report(
                "tensor-bounds" if raw < wanted else "tensor-layout", self.artifact, why, offset=place
            )

    def entry(self, first: int, last: int) -> tuple[str, str]:
        """A StringStringEntryProto."""
        key = value = ""
        for number, wire, start, end in fields(self.view, first, last):
            if wire == BYTES and number == 1:
                key = text(self.view, start, end)
            elif wire == BYTES and number == 2:
                value = text(self.view, start, end, 1 << 16)
        return key, value

    def external(self, external: dict[str, str], place: int, name: str) -> None:
        self.location(external.get("location", ""), place)
        for key in ("offset", "length"):
            number = external.get(key, "0")
            if not number.isdecimal() or len(number) > 19:
                why = f"{key} of the external data of {shown(name)} is {shown(number)}"
                self.scan.report("tensor-bounds", self.artifact, why, offset=place)

    def location(self, location: str, place: int) -> None:
        why = leaves(location)
        if why:
            rule = "outside-path" if why not in ODD else "odd-path"
            self.scan.report(rule, self.artifact, f"{shown(location, 160)} {why}", offset=place)

    def property(self, first: int, last: int) -> None:
        key, value = self.entry(first, last)
        if key == "ort_config":
            self.scan.report("runtime-settings", self.artifact, f"ort_config: {shown(value)}", offset=first)
        elif looks_like_code(value):
            why = f"the text under {shown(key)} reads like program code"
            self.scan.report("code-in-metadata", self.artifact, why, offset=first)

    def judge_operators(self) -> None:
        unknown: dict[str, int] = {}
        for (domain, kind), place in self.operators.items():
            if (domain, kind) in _PYTHON:
                why = f"{shown(domain)}.{shown(kind)} calls Python by a name in the model"
                self.scan.report("graph-python", self.artifact, why, offset=place)
            elif domain not in _DOMAINS and (domain, kind) not in self.functions:
                unknown.setdefault(f"{shown(domain)}.{shown(kind)}", place)
        if unknown:
            names = sorted(unknown)
            why = f"operators that need another library: {', '.join(names[:8])}"
            self.scan.report(
                "unknown-operator", self.artifact, why, offset=min(unknown.values()), names=names[:100]
            )
