"""YAML files that an operator writes, read with the place of everything in them, so that each error can point to it.

A narrow YAML: one document, UTF-8, no anchors, aliases, tags or duplicate keys, bounded in size, depth and number of
nodes. It is read from the parser's events, not from its composed nodes: composing recurses in C, and both parsers need
minutes for 200 000 nested brackets, which the depth bound ends after a few.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from msgspec import Struct

from eightysix.model.errors import RuleError

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "Fault",
    "Listing",
    "Node",
    "RuleFileError",
    "Scalar",
    "Table",
    "locate",
    "parse_yaml",
    "plain",
    "read_bytes",
]

MAX_BYTES: Final = 256 * 1024
"""Largest file that is read. The largest rule of SigmaHQ has 20 KiB."""

MAX_DEPTH: Final = 24
"""Deepest nesting. A detection inside a signal inside a rule needs 7 levels."""

_MAX_NODES: Final = 20_000
_MAX_DIGITS: Final = 18  # fits in 64 bits
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER: Final[Any] = yaml.resolver.Resolver()
_BOOLS: Final = {"true": True, "false": False}


class Fault(Struct, frozen=True, order=True):
    """One thing wrong in a file; `line` and `column` count from 1."""

    line: int
    column: int
    what: str
    advice: str = ""

    def __str__(self) -> str:
        text = f"line {self.line}, column {self.column}: {self.what}"
        return f"{text}; {self.advice}" if self.advice else text


class RuleFileError(RuleError):
    """Everything that is wrong with one or several files.

    `errors` has one `RuleError` for each fault, in the order of files and lines. The error itself tells the first and
    how many more there are; as a text it tells all, one a line.
    """

    def __init__(self, faults: Sequence[tuple[str, Fault]]) -> None:
        self.faults = tuple(faults)
        self.errors = tuple(
            RuleError(fault.what, fault.advice, file=file, line=fault.line, column=fault.column)
            for file, fault in faults
        )
        first = self.errors[0]
        others = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        super().__init__(
            first.what + others, first.advice, file=first.file, line=first.line, column=first.column
        )

    def __str__(self) -> str:
        return "\n".join(f"{file}: {fault}" for file, fault in self.faults)


class Scalar(Struct, frozen=True):
    """A text, number, bool or null. `text` is what is written, `start` the column where its characters begin."""

    line: int
    column: int
    value: str | int | float | bool | None
    text: str
    start: int


class Listing(Struct, frozen=True):
    """A list."""

    line: int
    column: int
    items: tuple[Node, ...]


class Table(Struct, frozen=True):
    """A map; its keys are texts, and each stands once."""

    line: int
    column: int
    entries: tuple[tuple[Scalar, Node], ...]

    def get(self, name: str) -> Node | None:
        """The value under `name`."""
        return next((value for key, value in self.entries if key.text == name), None)


Node = Scalar | Listing | Table


def read_bytes(path: Path) -> bytes:
    """The bytes of a file; raises `RuleFileError` where it cannot be read or is larger than `MAX_BYTES`."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise RuleFileError([(str(path), Fault(1, 1, f"cannot be read: {reason}"))]) from error
    if len(data) > MAX_BYTES:
        raise RuleFileError([(str(path), Fault(1, 1, f"larger than {MAX_BYTES // 1024} KiB", "split it"))])
    return data


def parse_yaml(data: bytes, faults: list[Fault]) -> Node | None:
    """The document in `data`; None where it cannot be parsed at all, and then `faults` says why."""
    if len(data) > MAX_BYTES:
        faults.append(Fault(1, 1, f"larger than {MAX_BYTES // 1024} KiB", "split it"))
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        column = error.start - before.rfind(b"\n")
        faults.append(Fault(before.count(b"\n") + 1, column, "not UTF-8", "save the file as UTF-8"))
        return None
    builder = _Builder(faults)
    try:
        return builder.document(yaml.parse(text, Loader=_LOADER))
    except _StopReadingError as stop:
        faults.append(stop.fault)
    except yaml.reader.ReaderError as error:
        before_text = text[: error.position]
        line, column = before_text.count("\n") + 1, error.position - before_text.rfind("\n")
        faults.append(Fault(line, column, "a control character", "remove it"))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        faults.append(Fault(line, column, f"not YAML: {error.problem or error.context}"))
    except yaml.YAMLError as error:
        faults.append(Fault(1, 1, f"not YAML: {type(error).__name__}"))
    return None


def plain(node: Node) -> object:
    """The node as dicts, lists and scalars."""
    match node:
        case Scalar(value=value):
            return value
        case Listing(items=items):
            return [plain(item) for item in items]
        case Table(entries=entries):
            return {key.text: plain(value) for key, value in entries}


def locate(
    node: Node, path: Sequence[str | int], *, at_key: bool = False, offset: int = 0
) -> tuple[int, int]:
    """Line and column of what `path` (keys and indexes) leads to from `node`, as far as the path can be followed."""
    key: Scalar | None = None
    for step in path:
        following: Node | None = None
        if isinstance(node, Table):
            key = next((entry for entry, _ in node.entries if entry.text == step), key)
            following = node.get(str(step))
        elif isinstance(node, Listing) and isinstance(step, int) and step < len(node.items):
            key, following = None, node.items[step]
        if following is None:
            break
        node = following
    if at_key and key is not None:
        return key.line, key.column
    if offset and isinstance(node, Scalar) and "\n" not in node.text:
        return node.line, node.start + offset
    return node.line, node.column


class _StopReadingError(Exception):
    """Nothing after this can be trusted."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.what)
        self.fault = fault


class _Open(Struct):
    """A list or map whose end was not seen yet; `key` is the key that waits for its value."""

    line: int
    column: int
    is_map: bool
    items: list[Node]
    entries: list[tuple[Scalar, Node]]
    names: set[str]
    key: Scalar | None = None


class _Builder:
    """Builds the tree from the parser's events with an explicit stack."""

    def __init__(self, faults: list[Fault]) -> None:
        self._faults = faults
        self._stack: list[_Open] = []
        self._root: Node | None = None
        self._nodes = 0

    def document(self, events: Iterator[yaml.Event]) -> Node | None:
        """The one document; raises `_StopReadingError` for what must not be there."""
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _stop(event, "a second document", "write one document a file")
            elif isinstance(event, yaml.NodeEvent):
                self._node(event)
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                self._close()
        if self._root is None:
            self._faults.append(Fault(1, 1, "the file is empty"))
        return self._root

    def _node(self, event: yaml.NodeEvent) -> None:
        self._nodes += 1
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _stop(event, "anchors and aliases are not allowed", "write the value out")
        if getattr(event, "tag", None) is not None:
            raise _stop(event, "tags are not allowed", "remove the part that begins with '!'")
        if self._nodes > _MAX_NODES:
            raise _stop(event, f"more than {_MAX_NODES} values", "split the file")
        if isinstance(event, yaml.ScalarEvent):
            self._add(self._scalar(event))
            return
        if len(self._stack) >= MAX_DEPTH:
            raise _stop(event, f"nested deeper than {MAX_DEPTH}")
        line, column = _place(event)
        if self._stack and self._stack[-1].is_map and self._stack[-1].key is None:
            raise _stop(event, "a key is a text")
        is_map = isinstance(event, yaml.MappingStartEvent)
        self._stack.append(_Open(line, column, is_map, [], [], set()))

    def _close(self) -> None:
        done = self._stack.pop()
        if done.is_map:
            self._add(Table(done.line, done.column, tuple(done.entries)))
        else:
            self._add(Listing(done.line, done.column, tuple(done.items)))

    def _add(self, node: Node) -> None:
        if not self._stack:
            self._root = node
            return
        parent = self._stack[-1]
        if not parent.is_map:
            parent.items.append(node)
        elif parent.key is not None:
            parent.entries.append((parent.key, node))
            parent.key = None
        elif isinstance(node, Scalar):
            if node.text in parent.names:
                self._faults.append(
                    Fault(node.line, node.column, f"key {node.text!r} stands twice", "remove one")
                )
            parent.names.add(node.text)
            parent.key = node

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        line, column = _place(event)
        written = event.value
        hidden = "" if written.isprintable() else next(filter(_is_hidden, written), "")
        if hidden:
            self._faults.append(Fault(line, column, f"hidden character U+{ord(hidden):04X}", "remove it"))
        quoted = bool(event.style)
        is_key = bool(self._stack) and self._stack[-1].is_map and self._stack[-1].key is None
        value = written if quoted or is_key else self._resolve(written, line, column)
        return Scalar(line, column, value, written, column + 1 if quoted else column)

    def _resolve(self, written: str, line: int, column: int) -> str | int | float | bool | None:
        """What a plain scalar means; where YAML 1.1 and 1.2 differ, it is a fault."""
        if len(written) > 64:
            return written
        tag = str(_RESOLVER.resolve(yaml.ScalarNode, written, (True, False))).rpartition(":")[2]
        if tag == "null":
            return None
        if tag == "bool" and written.lower() in _BOOLS:
            return _BOOLS[written.lower()]
        digits = written.lstrip("+-")
        if (
            tag == "int"
            and digits.isdigit()
            and (digits == "0" or digits[0] != "0")
            and len(digits) <= _MAX_DIGITS
        ):
            return int(written)
        if tag == "float" and digits.replace(".", "").isdigit() and math.isfinite(float(written)):
            return float(written)
        if tag in ("bool", "int", "float"):
            advice = (
                "write true or false, or put a text in quotes" if tag == "bool" else "put a text in quotes"
            )
            self._faults.append(
                Fault(line, column, f"{written!r} can be read as a {tag} or as a text", advice)
            )
        return written


def _is_hidden(character: str) -> bool:
    """Control, format and surrogate characters: they let a reviewer see another text than the one that counts."""
    return (
        character not in " \n\t" and not character.isprintable() and unicodedata.category(character)[0] == "C"
    )


def _place(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)


def _stop(event: yaml.Event, what: str, advice: str = "") -> _StopReadingError:
    return _StopReadingError(Fault(*_place(event), what, advice))
