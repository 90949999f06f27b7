"""From YAML text to plain trees, over libyaml's events: nothing is constructed, tags are told apart from values.

libyaml keeps its own stack, so nesting costs it no recursion; PyYAML's own scanner is asked only where libyaml is not
built in, or refuses a text that names Python tags, because the two differ in what they accept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml
from msgspec import Struct

from eightysix.scan.budget import Budget, OverBudgetError
from eightysix.scan.texts.tree import DEPTH, Doubled

__all__ = ["Document", "Tagged", "documents"]

PYTHON_SCANNER = 256 << 10
"""Bytes that PyYAML's own scanner is given: it reads about 0.2 MB a second."""

EXPANDED = 10_000_000
"""Nodes that a document may come to with every alias written out. Real ones with anchors come to some thousands."""

MERGED = 100_000
"""Entries that `<<` may copy in one document."""

MAP_TAG = "tag:yaml.org,2002:"


class Tagged(Struct, frozen=True):
    """A node with a tag that is not one of YAML's own. `value` is its tree, `line` counts from 1."""

    tag: str
    value: Any
    line: int


class Document(Struct):
    """One document: its tree, the tags in it, and how many nodes it comes to with its aliases written out."""

    root: Any
    tags: list[Tagged]
    binaries: list[str]
    size: int = 0
    cyclic: bool = False


class _Level:
    """A container that is being filled."""

    __slots__ = ("anchor", "items", "line", "mapping", "pairs", "size", "tag")

    def __init__(self, mapping: bool, anchor: str | None, tag: str | None, line: int) -> None:
        self.mapping = mapping
        self.anchor = anchor
        self.tag = tag
        self.line = line
        self.size = 1
        self.items: list[Any] = []
        self.pairs: list[tuple[Any, Any]] = []


class _Composer:
    """Builds the trees of one stream. Containers are built from the inside out, so an alias to an outer one is a cycle."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._merged = 0
        self._start()

    def _start(self) -> None:
        self.document = Document(None, [], [])
        self._levels: list[_Level] = []
        self._anchors: dict[str, tuple[Any, int]] = {}

    def feed(self, events: Iterator[Any]) -> Iterator[Document]:
        """Each document once it is complete: a loader constructs none that is not."""
        for count, event in enumerate(events):
            if not count % 1024:
                self._budget.step(1024)
            if isinstance(event, yaml.DocumentStartEvent):
                self._start()
            elif isinstance(event, yaml.ScalarEvent):
                self._scalar(event)
            elif isinstance(event, yaml.AliasEvent):
                self._alias(event)
            elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                if len(self._levels) >= DEPTH:
                    raise OverBudgetError("depth", DEPTH)
                mapping = isinstance(event, yaml.MappingStartEvent)
                self._levels.append(_Level(mapping, event.anchor, event.tag, _line(event)))
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                self._close()
            elif isinstance(event, yaml.DocumentEndEvent):
                yield self.document

    def _scalar(self, event: Any) -> None:
        if event.tag == MAP_TAG + "binary":
            self.document.binaries.append(event.value)
        self._tag(event.tag, event.value, _line(event))
        plain = event.tag is None and event.implicit[0]
        self._put(_resolved(event.value) if plain else event.value, 1, event.anchor)

    def _alias(self, event: Any) -> None:
        if any(level.anchor == event.anchor for level in self._levels):
            self.document.cyclic = True
        value, size = self._anchors.get(event.anchor, (None, 1))
        self._put(value, size, None)

    def _close(self) -> None:
        level = self._levels.pop()
        value: Any = level.items
        if level.mapping:
            pairs = list(zip(level.items[::2], level.items[1::2], strict=False))
            value = self._mapping(pairs)
        self._tag(level.tag, value, level.line)
        self._put(value, level.size, level.anchor)

    def _mapping(self, pairs: list[tuple[Any, Any]]) -> dict[str, Any]:
        named = [(key if isinstance(key, str) else f"({type(key).__name__})", value) for key, value in pairs]
        merged = [value for key, value in named if key == "<<"]
        made: dict[str, Any] = dict(named)
        if len(made) != len(named):
            made = Doubled(named)
        for value in merged:
            for source in value if isinstance(value, list) else [value]:
                if isinstance(source, dict):
                    self._merged += len(source)
                    if self._merged > MERGED:
                        raise OverBudgetError("merged entries", MERGED)
                    for key, one in source.items():
                        made.setdefault(key, one)
        # A key may be a container with tags inside; what it holds is kept to be walked.
        odd = [key for key, _value in pairs if isinstance(key, (dict, list))]
        if odd:
            made.setdefault("(keys)", odd)
        return made

    def _tag(self, tag: str | None, value: Any, line: int) -> None:
        if tag and tag != "!" and not _plain(tag):
            self.document.tags.append(Tagged(tag, value, line))

    def _put(self, value: Any, size: int, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = (value, size)
        if self._levels:
            level = self._levels[-1]
            level.items.append(value)
            level.size = min(level.size + size, 1 << 62)
        else:
            self.document.root = value
            self.document.size = size


_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}


def _resolved(value: str) -> Any:
    """What a plain scalar means, as far as a judge asks: small numbers and YAML's words."""
    if len(value) < 16 and value.isascii() and value.isdigit():
        return int(value)
    if value in ("1.0", "2.0"):
        return float(value)
    return _WORDS.get(value.lower(), value) if len(value) < 6 else value


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


_CORE = frozenset("map seq str null bool int float binary timestamp omap pairs set merge value yaml".split())
"""YAML's own types (https://yaml.org/type/). The rest of that space belongs to loaders of some language."""


def _plain(tag: str) -> bool:
    """One of YAML's own tags."""
    return tag.startswith(MAP_TAG) and tag.removeprefix(MAP_TAG) in _CORE


def documents(text: bytes, budget: Budget) -> Iterator[Document]:
    """The complete documents of a YAML text, as far as it is one. Raises `yaml.YAMLError` where that ends early."""
    loader = getattr(yaml, "CSafeLoader", None)
    if loader is None:
        if len(text) > PYTHON_SCANNER:
            raise OverBudgetError("bytes of YAML without libyaml", PYTHON_SCANNER)
        loader = yaml.SafeLoader
    yield from _Composer(budget).feed(yaml.parse(text, Loader=loader))


def documents_by_python(text: bytes, budget: Budget) -> Iterator[Document]:
    """The same by PyYAML's own scanner."""
    yield from _Composer(budget).feed(yaml.parse(text.decode("utf-8"), Loader=yaml.SafeLoader))
