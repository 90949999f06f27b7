"""Computes what an expression of a template comes to where that can be known, and says where a text is built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eightysix.scan.weights.jinja_node import Node

__all__ = ["Folder"]

_LONGEST = 512
_DEPTH = 8
_ONCE = 400
"""Nodes that one question looks at."""
_IN_ALL = 500_000
"""Nodes that all questions about one template look at: names can stand for expressions that hold names."""

_Names = Mapping[str, Sequence[Node]]

_BUILDERS = frozenset(
    "join replace format lower upper reverse string attr first last title capitalize random".split()
)
"""Filters that make another text of what they get."""
_METHODS = frozenset(
    "join replace format format_map lower upper title capitalize translate swapcase removeprefix".split()
)
_KEPT = frozenset({"trim", "safe", "default", "d", "e", "escape"})


class Folder:
    """Answers for one template. `names` are those that it sets, with all that they are set to."""

    def __init__(self, names: _Names) -> None:
        self.names = names
        self.once = 0
        self.left = _IN_ALL

    @property
    def spent(self) -> bool:
        """True where some answers had to be left open because there were too many questions."""
        return self.left <= 0

    def fold(self, node: Node) -> object:
        """What `node` comes to: a text, a number, a list of them, or None where that is not known."""
        self.once = _ONCE
        return self.value(node)

    def value(self, node: Node, depth: int = 0) -> object:
        """A text, a number or a list of them; None where it cannot be known."""
        self.left -= 1
        self.once -= 1
        if self.left < 0 or self.once < 0 or depth > _DEPTH * 3:
            return None
        if node.kind == "text":
            return node.value[:_LONGEST]
        if node.kind == "number":
            return int(node.value) if node.value.isdecimal() and len(node.value) < 10 else None
        if node.kind == "name":
            values = self.names.get(node.value, ())
            return self.value(values[0], depth + 1) if len(values) == 1 else None
        if node.kind == "list":
            return [self.value(kid, depth + 1) for kid in node.kids[:64]]
        if node.kind == "binary":
            return self._operators(node, depth)
        if node.kind == "filter":
            return self._filter(node, depth)
        if node.kind == "call":
            return self._call(node, depth)
        if node.kind == "item":
            return self._item(node, depth)
        return None

    def _operators(self, node: Node, depth: int) -> object:
        values = [self.value(kid, depth + 1) for kid in node.kids[:64]]
        result: object = values[0]
        for operator, value in zip(node.value.split(" "), values[1:], strict=False):
            result = _operated(operator, result, value)
            if result is None:
                return None
        return result

    def _filter(self, node: Node, depth: int) -> object:
        base = self.value(node.kids[0], depth + 1)
        arguments = [self.value(kid, depth + 1) for kid in node.kids[1:5]]
        if node.value in _KEPT | {"string", "list"}:
            return base
        return _changed(node.value, base, arguments)

    def _call(self, node: Node, depth: int) -> object:
        callee = node.kids[0]
        if callee.kind == "name" and callee.value == "dict":
            return [kid.value for kid in node.kids[1:] if kid.kind == "named"]
        if callee.kind != "attr":
            return None
        base = self.value(callee.kids[0], depth + 1)
        arguments = [self.value(kid, depth + 1) for kid in node.kids[1:5]]
        if callee.value == "join" and isinstance(base, str) and arguments:
            return _changed("join", arguments[0], [base])
        if callee.value == "format" and isinstance(base, str):
            for one in arguments:
                base = base.replace("{}", str(one), 1) if isinstance(one, (str, int)) else base
            return base
        return _changed(callee.value, base, arguments)

    def _item(self, node: Node, depth: int) -> object:
        base = self.value(node.kids[0], depth + 1)
        key = node.kids[1]
        if isinstance(base, str) and key.kind == "slice":
            backwards = any(kid.kind == "unary" for kid in key.kids)
            return base[::-1] if backwards and len(key.kids) == 1 else None
        place = self.value(key, depth + 1)
        if isinstance(base, (str, list)) and isinstance(place, int) and 0 <= place < len(base):
            return base[place]
        return None

    def built(self, root: Node) -> bool:
        """True where `root` makes a text out of pieces, one of which stands in the template."""
        stack, left = [(root, 0)], _ONCE
        while stack and left and self.left > 0:
            left -= 1
            self.left -= 1
            node, depth = stack.pop()
            if _builds(node):
                return True
            if node.kind == "name" and depth < _DEPTH:
                stack.extend((value, depth + 1) for value in self.names.get(node.value, ()))
            elif node.kind in ("binary", "filter", "if", "unary"):
                stack.extend((kid, depth) for kid in node.kids)
        return False


def _builds(node: Node) -> bool:
    if node.kind == "binary":
        operators = node.value.split(" ")
        return "~" in operators or (
            "compare" not in operators and any(kid.kind == "text" for kid in node.kids)
        )
    if node.kind == "filter":
        return node.value in _BUILDERS and not _picks(node)
    return node.kind == "call" and node.kids[0].kind == "attr" and node.kids[0].value in _METHODS


def _operated(operator: str, left: object, right: object) -> object:
    if operator in ("~", "+") and isinstance(left, str) and isinstance(right, str):
        return (left + right)[:_LONGEST]
    if operator == "~" and isinstance(left, (str, int)) and isinstance(right, (str, int)):
        return f"{left}{right}"[:_LONGEST]
    if operator == "*":
        if isinstance(left, int) and isinstance(right, str):
            left, right = right, left
        if isinstance(left, str) and isinstance(right, int):
            return (left * max(0, min(right, _LONGEST)))[:_LONGEST]
    if operator == "%" and isinstance(left, str):
        for one in right if isinstance(right, list) else [right]:
            if isinstance(one, (str, int)):
                left = left.replace("%s", str(one), 1).replace("%c", str(one), 1)
        return left[:_LONGEST]
    return None


def _changed(name: str, base: object, arguments: list[object]) -> object:
    """What the filter or method `name` makes of `base`."""
    if name == "join" and isinstance(base, (list, str)):
        glue = arguments[0] if arguments and isinstance(arguments[0], str) else ""
        if all(isinstance(one, (str, int)) for one in base):
            return glue.join(str(one) for one in base)[:_LONGEST]
        return None
    if name in ("first", "last") and isinstance(base, (str, list)) and base:
        return base[0 if name == "first" else -1]
    if not isinstance(base, str):
        return base[::-1] if name == "reverse" and isinstance(base, list) else None
    if name in ("lower", "upper", "title", "capitalize", "strip", "swapcase"):
        return str(getattr(base, name)())
    if name == "reverse":
        return base[::-1]
    if name == "replace" and len(arguments) > 1 and all(isinstance(one, str) for one in arguments[:2]):
        return base.replace(str(arguments[0]), str(arguments[1]))[:_LONGEST]
    if name == "format":
        return _operated("%", base, list(arguments))
    return None


def _picks(node: Node) -> bool:
    """`messages | first` picks data, it builds nothing: only what starts at a text or a call does."""
    inner = node.kids[0]
    while inner.kind in ("filter", "attr", "item"):
        inner = inner.kids[0]
    return (
        node.value in ("first", "last", "lower", "upper", "string", "title", "capitalize")
        and inner.kind == "name"
    )
