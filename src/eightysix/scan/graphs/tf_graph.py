"""Takes out of TensorFlow's messages what the judgement needs: nodes, their inputs, calls, texts, and who saves."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field

from eightysix.scan.budget import Budget, OverBudgetError
from eightysix.scan.graphs.tf_index import Role, role_of
from eightysix.scan.graphs.wire import BYTES, fields, text

__all__ = ["Body", "Meta", "Node", "read_graph", "read_meta"]

NODES = 400_000
"""Nodes that are kept for one file, some 500 bytes each; the largest public SavedModels have a tenth."""

_DEPTH = 12
"""Functions as attributes of functions as attributes."""


class Node(Struct):
    """One operation. `inputs` are (node, output) without the mark of control; `texts` are its string constants."""

    operator: str = ""
    place: int = 0
    inputs: list[tuple[str, str]] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


class Body(Struct):
    """A graph or the body of a function."""

    nodes: dict[str, Node] = field(default_factory=dict)


class Meta(Struct):
    """What one meta graph says. `guarded` are string attributes as (operator, attribute, value, place)."""

    main: Body = field(default_factory=Body)
    functions: dict[str, Body] = field(default_factory=dict)
    signatures: set[str] = field(default_factory=set)
    saver: set[str] = field(default_factory=set)
    assets: list[str] = field(default_factory=list)
    keras: list[str] = field(default_factory=list)
    guarded: list[tuple[str, str, str, int]] = field(default_factory=list)
    initialises: bool = False
    count: int = 0

    def bodies(self) -> Iterator[tuple[str, Body]]:
        """The main graph under an empty name, then the functions."""
        yield "", self.main
        yield from self.functions.items()

    def body(self, name: str) -> Body:
        """The graph of that name."""
        return self.functions[name] if name else self.main


def read_meta(view: memoryview, first: int, last: int, meta: Meta, budget: Budget) -> None:
    """Fill `meta` from a MetaGraphDef. Raises `WireError`; what was read until then is kept."""
    for number, wire, start, end in fields(view, first, last):
        if wire != BYTES:
            continue
        if number == 2:
            read_graph(view, start, end, meta, budget)
        elif number == 3:
            _saver(view, start, end, meta)
        elif number == 5:
            _signature(view, start, end, meta, budget)
        elif number == 6:
            for inner, kind, a, b in fields(view, start, end):
                if inner == 2 and kind == BYTES:
                    meta.assets.append(text(view, a, b))
        elif number == 7:
            _objects(view, start, end, meta, budget)


def read_graph(view: memoryview, first: int, last: int, meta: Meta, budget: Budget) -> None:
    """Fill `meta` from a GraphDef."""
    for number, wire, start, end in fields(view, first, last):
        if wire != BYTES:
            continue
        if number == 1:
            _node(view, start, end, meta.main, meta, budget)
        elif number == 2:
            for inner, kind, a, b in fields(view, start, end):
                if inner == 1 and kind == BYTES:
                    _function(view, a, b, meta, budget)


def _saver(view: memoryview, first: int, last: int, meta: Meta) -> None:
    for number, wire, start, end in fields(view, first, last):
        if wire == BYTES and number in (1, 2, 3):
            meta.saver.add(text(view, start, end))


def _signature(view: memoryview, first: int, last: int, meta: Meta, budget: Budget) -> None:
    """A map entry: the name, then inputs and outputs as maps to TensorInfo."""
    key = ""
    for number, wire, start, end in fields(view, first, last):
        budget.step(1)
        if number == 1 and wire == BYTES:
            key = text(view, start, end)
        if number != 2 or wire != BYTES:
            continue
        if key == "__saved_model_init_op":
            meta.initialises = True
        for inner, kind, a, b in fields(view, start, end):
            if kind == BYTES and inner in (1, 2):
                for side, what, c, d in fields(view, a, b):
                    if side == 2 and what == BYTES:
                        _tensor_info(view, c, d, meta.signatures)


def _tensor_info(view: memoryview, first: int, last: int, into: set[str], depth: int = 0) -> None:
    """The name of a tensor, or those of its parts."""
    for number, wire, start, end in fields(view, first, last):
        if wire != BYTES:
            continue
        if number == 1:
            into.add(text(view, start, end))
        elif number == 4:
            into.update(text(view, a, b) for _, kind, a, b in fields(view, start, end) if kind == BYTES)
        elif number == 5 and depth < 4:
            for inner, kind, a, b in fields(view, start, end):
                if inner == 2 and kind == BYTES:
                    _tensor_info(view, a, b, into, depth + 1)


def _function(view: memoryview, first: int, last: int, meta: Meta, budget: Budget) -> None:
    body = Body()
    name = ""
    for number, wire, start, end in fields(view, first, last):
        if wire != BYTES:
            continue
        if number == 1:
            for inner, kind, a, b in fields(view, start, end):
                if inner == 1 and kind == BYTES:
                    name = text(view, a, b)
        elif number == 3:
            _node(view, start, end, body, meta, budget)
    while name in meta.functions or not name:
        name += "'"  # two functions of one name: both are judged
    meta.functions[name] = body


def _node(view: memoryview, first: int, last: int, body: Body, meta: Meta, budget: Budget) -> None:
    budget.step(4)
    meta.count += 1
    if meta.count > NODES:
        raise OverBudgetError("nodes", NODES)
    node = Node(place=first)
    name = ""
    attributes: list[tuple[int, int]] = []
    for number, wire, start, end in fields(view, first, last):
        if wire != BYTES:
            continue
        if number == 1:
            name = text(view, start, end)
        elif number == 2:
            node.operator = text(view, start, end)
        elif number == 3:
            source, _, output = text(view, start, end).lstrip("^").partition(":")
            node.inputs.append((source, output))
        elif number == 5:
            attributes.append((start, end))
    for start, end in attributes:
        _attribute(view, start, end, node, meta)
    while name in body.nodes:
        name += "'"
    body.nodes[name] = node


def _attribute(view: memoryview, first: int, last: int, node: Node, meta: Meta) -> None:
    """A map entry from a name to an AttrValue."""
    key = ""
    for number, wire, start, end in fields(view, first, last):
        if wire != BYTES:
            continue
        if number == 1:
            key = text(view, start, end)
        elif number == 2:
            _value(view, start, end, node, meta, key, 0)


def _value(view: memoryview, first: int, last: int, node: Node, meta: Meta, key: str, depth: int) -> None:
    if depth > _DEPTH:
        return
    for number, wire, start, end in fields(view, first, last):
        if wire != BYTES:
            continue
        if number == 1:  # a list: texts in 2, functions in 9
            for inner, kind, a, b in fields(view, start, end):
                if inner == 9 and kind == BYTES:
                    _called(view, a, b, node, meta, depth)
        elif number == 2 and role_of(node.operator) is Role.ATTRIBUTE:
            meta.guarded.append((node.operator, key, text(view, start, end), first))
        elif number == 8 and node.operator == "Const":
            _constant(view, start, end, node)
        elif number == 10:
            _called(view, start, end, node, meta, depth)


def _called(view: memoryview, first: int, last: int, node: Node, meta: Meta, depth: int) -> None:
    """A NameAttrList: a function, and attributes that may hold further ones."""
    for number, wire, start, end in fields(view, first, last):
        if wire != BYTES:
            continue
        if number == 1:
            node.functions.append(text(view, start, end))
        elif number == 2:
            for inner, kind, a, b in fields(view, start, end):
                if inner == 2 and kind == BYTES:
                    _value(view, a, b, node, meta, "", depth + 1)


def _constant(view: memoryview, first: int, last: int, node: Node) -> None:
    """Texts of a TensorProto; numbers are passed over."""
    for number, wire, start, end in fields(view, first, last):
        if number == 8 and wire == BYTES and len(node.texts) < 64:
            node.texts.append(text(view, start, end))


def _objects(view: memoryview, first: int, last: int, meta: Meta, budget: Budget) -> None:
    """The object graph: configurations of Keras that older versions kept in it."""
    for number, wire, start, end in fields(view, first, last):
        budget.step(1)
        if number != 1 or wire != BYTES:
            continue
        for inner, kind, a, b in fields(view, start, end):
            if inner == 4 and kind == BYTES:
                for part, what, c, d in fields(view, a, b):
                    if part == 3 and what == BYTES and d - c > 2 and view[c] == 0x7B:
                        meta.keras.append(text(view, c, d, 4 << 20))
