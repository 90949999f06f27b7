"""Says which kind of model a message of protocol buffers is: they have no magic, so their shape has to do.

The order of fields is free and unknown ones are skipped by every loader, so neither may decide: the outermost fields
are walked to a bound, jumping over their content, and what the candidates hold is looked at one or two levels down.
"""

from __future__ import annotations

from eightysix.scan.artifact import Artifact
from eightysix.scan.graphs.wire import BYTES, VARINT, Field, WireError, probe, varint

__all__ = ["SHAPES", "shape_of"]

SHAPES = (
    "onnx",
    "tensorflow-saved-model",
    "tensorflow-graph",
    "tensorflow-meta-graph",
    "keras-metadata",
    "coreml",
    "paddle",
)

_WALKED = 4_096
_LOOKED = 48

_asked: list[tuple[Artifact, str]] = []
"""The kinds ask about one artifact one after the other: the answer is kept until the last of them has asked."""


def shape_of(artifact: Artifact, asking: str = "") -> str:
    """One of `SHAPES`, or empty. `asking` is the shape that the caller hopes for."""
    if not (_asked and _asked[0][0] is artifact):
        _asked[:] = [(artifact, _shape(artifact.view(), len(artifact)))]
    shape = _asked[0][1]
    if asking == SHAPES[-1]:
        _asked.clear()  # holds no map of a file longer than it must
    return shape


def _shape(view: memoryview, end: int) -> str:
    first = _outermost(view, end)
    if not first:
        return ""
    for number, looks, name in (
        (7, _onnx_graph, "onnx"),
        (2, _meta_graph, "tensorflow-saved-model"),
        (1, _saved_object, "keras-metadata"),
        (1, _node_def, "tensorflow-graph"),
        (1, _paddle_block, "paddle"),
    ):
        if any(looks(view, a, b) for a, b in first.get(number, ())):
            return name
    if any(_graph_def(view, a, b) for a, b in first.get(2, ())):
        return "tensorflow-meta-graph"
    if -1 in first and 2 in first and any(200 <= number < 4_000 for number in first):
        return "coreml"
    return ""


def _outermost(view: memoryview, end: int) -> dict[int, list[tuple[int, int]]]:
    """The first few contents of each number; a length behind the end is cut, so that cut files are still known.

    Under -1 there is an entry if field 1 is a number.
    """
    found: dict[int, list[tuple[int, int]]] = {}
    place = 0
    try:
        for _ in range(_WALKED):
            if place >= end:
                break
            key, place = varint(view, place, end)
            number, wire = key >> 3, key & 7
            if not number:
                break
            if wire == BYTES:
                length, place = varint(view, place, end)
                kept = found.setdefault(number, [])
                if len(kept) < 4:
                    kept.append((place, min(place + length, end)))
                place += length
            elif wire == VARINT:
                _, place = varint(view, place, end)
                if number == 1:
                    found.setdefault(-1, [])
            elif wire in (1, 5):
                place += 8 if wire == 1 else 4
            else:
                break
    except WireError:
        pass
    return found


def _within(found: list[Field], number: int) -> list[tuple[int, int]]:
    return [(a, b) for one, wire, a, b in found if one == number and wire == BYTES]


def _word(view: memoryview, spans: list[tuple[int, int]]) -> bool:
    """Whether the first of `spans` holds the name of an operator."""
    if not spans:
        return False
    a, b = spans[0]
    raw = bytes(view[a : min(b, a + 256)])
    return bool(raw) and raw.isascii() and all(chr(byte).isalnum() or byte in b"_.:>-/" for byte in raw)


def _onnx_graph(view: memoryview, a: int, b: int) -> bool:
    found, _ = probe(view, a, b, _LOOKED)
    if not found or any(number not in (1, 2, 5, 10, 11, 12, 13, 14, 15, 16) for number, *_ in found[:4]):
        return False
    nodes = _within(found, 1)
    if nodes:
        inner, _ = probe(view, *nodes[0], _LOOKED)
        return _word(view, _within(inner, 4))
    return bool(_within(found, 5) or (_within(found, 2) and (_within(found, 11) or _within(found, 12))))


def _node_def(view: memoryview, a: int, b: int) -> bool:
    found, whole = probe(view, a, b, _LOOKED)
    # A node that the end of the file cuts is still one.
    return (
        (whole or b >= len(view))
        and _word(view, _within(found, 1))
        and _word(view, _within(found, 2))
        and all(wire == BYTES for _, wire, *_ in found)
    )


def _graph_def(view: memoryview, a: int, b: int) -> bool:
    found, _ = probe(view, a, b, _LOOKED)
    return any(_node_def(view, c, d) for c, d in _within(found, 1)[:2])


def _function_library(view: memoryview, a: int, b: int) -> bool:
    found, _ = probe(view, a, b, 8)
    for c, d in _within(found, 2)[:1]:
        inner, _ = probe(view, c, d, 4)
        for e, f in _within(inner, 1)[:1]:
            signature, _ = probe(view, e, f, 4)
            return any(
                _word(view, _within(op, 1))
                for op in [probe(view, *span, 4)[0] for span in _within(signature, 1)]
            )
    return False


def _meta_graph(view: memoryview, a: int, b: int) -> bool:
    found, _ = probe(view, a, b, _LOOKED)
    graphs = _within(found, 2)
    return any(_graph_def(view, c, d) for c, d in graphs[:2]) or any(
        _function_library(view, c, d) for c, d in graphs[:2]
    )


def _saved_object(view: memoryview, a: int, b: int) -> bool:
    found, _ = probe(view, a, b, 12)
    names, configs = _within(found, 4), _within(found, 5)
    if not names or not configs:
        return False
    return (
        bytes(view[names[0][0] : names[0][0] + 4]) == b"_tf_"
        and bytes(view[configs[0][0] : configs[0][0] + 1]) == b"{"
    )


def _paddle_block(view: memoryview, a: int, b: int) -> bool:
    found, _ = probe(view, a, b, _LOOKED)
    numbers = {number for number, wire, *_ in found if wire == VARINT}
    if not {1, 2} <= numbers:
        return False
    for c, d in _within(found, 4)[:1] or _within(found, 3)[:1]:
        inner, _ = probe(view, c, d, _LOOKED)
        return _word(view, _within(inner, 3)) or _word(view, _within(inner, 1))
    return False
