"""What a document holds, whatever it was written in, and one walk over all of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from eightysix.scan.budget import Budget, OverBudgetError

__all__ = ["DEPTH", "Built", "Doubled", "Place", "find_all", "shown", "walk"]

DEPTH = 500
"""Levels of nesting that are followed. The deepest of 4,800 real configuration files had 14."""

BATCH = 1024


class Doubled(dict[str, Any]):
    """An object in which a key was written twice: the last value is in the mapping, the ones before in `earlier`."""

    __slots__ = ("earlier",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        kept = dict(pairs)
        self.earlier = [(key, value) for key, value in pairs if value is not kept[key]]


class Built:
    """A call that the format itself asks for: a msgpack extension of LangGraph. `arguments` may hold anything."""

    __slots__ = ("arguments", "code", "method", "module", "name", "offset")

    def __init__(self, code: int, module: str, name: str, arguments: Any, method: str, offset: int) -> None:
        self.code = code
        self.module = module
        self.name = name
        self.arguments = arguments
        self.method = method
        self.offset = offset


class Place:
    """One container in a document and the way that led there."""

    __slots__ = ("depth", "key", "node", "parent")

    def __init__(self, node: Any, parent: Place | None = None, key: object = "") -> None:
        self.node = node
        self.parent = parent
        self.key = key
        self.depth: int = parent.depth + 1 if parent else 0

    @property
    def way(self) -> str:
        """`a.b[3].c`, cut where it is long."""
        parts: list[str] = []
        place: Place | None = self
        while place is not None and place.parent is not None:
            parts.append(f"[{place.key}]" if isinstance(place.key, int) else f".{shown(place.key, 40)}")
            place = place.parent
        text = "".join(reversed(parts)).removeprefix(".")
        return text if len(text) <= 160 else f"{text[:60]}...{text[-90:]}"

    def above(self) -> Iterator[Place]:
        """The containers around this one, from the inside out."""
        place = self.parent
        while place is not None:
            yield place
            place = place.parent


_CONTAINERS = frozenset((dict, list, tuple, Doubled, Built))


def walk(root: Any, budget: Budget) -> Iterator[Place]:
    """Every container of a document, each once however often it is referred to.

    Lists and objects that hold plain values alone are not searched, whatever their length: vocabularies are such.
    """
    stack = [Place(root)] if type(root) in _CONTAINERS else []
    seen: set[int] = set()
    count = 0
    while stack:
        place = stack.pop()
        node = place.node
        if id(node) in seen:
            continue
        seen.add(id(node))
        if place.depth > DEPTH:
            raise OverBudgetError("depth", DEPTH)
        count += 1
        if count == BATCH:
            budget.step(count)
            count = 0
        yield place
        if isinstance(node, dict):
            if not _CONTAINERS.isdisjoint(map(type, node.values())):
                stack.extend(
                    Place(value, place, key) for key, value in node.items() if type(value) in _CONTAINERS
                )
            if type(node) is Doubled:
                stack.extend(
                    Place(value, place, key) for key, value in node.earlier if type(value) in _CONTAINERS
                )
        elif isinstance(node, Built):
            if type(node.arguments) in _CONTAINERS:
                stack.append(Place(node.arguments, place, "arguments"))
        elif not _CONTAINERS.isdisjoint(map(type, node)):
            stack.extend(
                Place(value, place, at) for at, value in enumerate(node) if type(value) in _CONTAINERS
            )
    budget.step(count)


def find_all(node: dict[str, Any], key: str) -> Iterator[Any]:
    """Every value that was written for `key`, the one that wins first."""
    if key in node:
        yield node[key]
    if type(node) is Doubled:
        yield from (value for name, value in node.earlier if name == key)


def shown(value: object, limit: int = 80) -> str:
    """A value of the file for a message: one line, no control characters, cut at `limit`."""
    text = (
        value
        if isinstance(value, str)
        else repr(value)
        if isinstance(value, (int, float, bool))
        else type(value).__name__
    )
    text = text[: limit + 1]
    if not text.isprintable():
        text = "".join(one if one.isprintable() else "?" for one in text)
    return text if len(text) <= limit else text[: limit - 1] + "…"
