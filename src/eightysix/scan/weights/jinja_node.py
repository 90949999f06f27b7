"""What a Jinja template's tags and expressions are, to those who judge them."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["Node", "Tag", "joined"]


class Node(Struct, frozen=True):
    """One expression. `kind` says what `value` and `kids` mean:

    `text` and `number` (value; `source` of a text as written), `name`, `attr` (value of kid 0), `item` (kid 1 of kid 0),
    `call` (of kid 0 with the rest), `filter` and `test` (value is its name, kid 0 what it is applied to, then arguments),
    `named` (an argument: value is its name), `binary` (value has the operators between the kids, in order, with spaces),
    `unary` (value is the operator), `list`, `slice`, `if`, `none`.
    """

    kind: str
    place: int
    value: str = ""
    kids: tuple[Node, ...] = ()
    source: str = ""


class Tag(Struct, frozen=True):
    """One tag: its word (`print` for `{{ }}`), the names that it sets, and its expressions."""

    word: str
    place: int
    sets: tuple[str, ...] = ()
    kids: tuple[Node, ...] = ()


def joined(kids: list[Node], operators: list[str]) -> Node:
    """One flat node for a chain of operators, however long: a tree of them would be as deep as the attacker likes."""
    if not operators:
        return kids[0]
    return Node("binary", kids[0].place, " ".join(operators), tuple(kids))
