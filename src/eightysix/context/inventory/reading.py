"""Records of an inventory as bytes: objects and lists of `kubectl get ... -o json`, answers of `az`, in any mixture.

A record that cannot be used is a problem with its place, and costs nothing else. How files become records, compressed ones
and documents of many lines among them, is the business of `sources.reading`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct, field

from eightysix.context.inventory.azure import Resource, is_azure, take_resource
from eightysix.context.inventory.kubernetes import KINDS, take_object
from eightysix.context.inventory.kubernetes_records import Head, Item
from eightysix.context.inventory.view import Inventory
from eightysix.model.incident import Problem

__all__ = ["MAX_PROBLEMS", "Taken", "read_inventory", "read_items"]

MAX_PROBLEMS = 1_000
"""Problems that are kept; all are counted."""

_head: Callable[[bytes | msgspec.Raw], Head] = msgspec.json.Decoder(Head).decode
_item: Callable[[bytes | msgspec.Raw], Item] = msgspec.json.Decoder(Item).decode
_resource: Callable[[bytes | msgspec.Raw], Resource] = msgspec.json.Decoder(Resource).decode
_several: Callable[[bytes | msgspec.Raw], list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Taken(Struct):
    """What became of records: `kinds` counts what was used, `unknown` what means nothing here."""

    kinds: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    malformed: int = 0

    def problem(self, file: str, line: int, reason: str) -> None:
        """Note a record that could not be used."""
        self.malformed += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(file, line, "malformed", reason))


def read_inventory(
    inventory: Inventory,
    data: bytes,
    file: str = "",
    line: int = 1,
    *,
    cluster: str = "",
    collected_ns: int = 0,
    taken: Taken | None = None,
) -> Taken:
    """Take the records of `data`, one a line. `collected_ns` is when they were asked for: without it an object is known to
    have been there only until the latest time that it tells itself. Never raises."""
    taken = taken if taken is not None else Taken()
    for place, text in enumerate(data.split(b"\n"), line):
        if text.strip():
            _record(inventory, text, _Where(file, place, cluster, collected_ns), taken, "", 0)
    return taken


def read_items(
    inventory: Inventory,
    kind: str,
    items: Sequence[msgspec.Raw],
    *,
    file: str,
    cluster: str = "",
    collected_ns: int = 0,
    taken: Taken,
) -> None:
    """Take objects of one kind, as an API server lists them: each without its own kind. The number of an object stands for
    its line."""
    for number, item in enumerate(items, 1):
        _record(inventory, item, _Where(file, number, cluster, collected_ns), taken, kind, 1)


class _Where(Struct, frozen=True):
    file: str
    line: int
    cluster: str
    collected_ns: int


def _record(
    inventory: Inventory, text: bytes | msgspec.Raw, where: _Where, taken: Taken, kind: str, depth: int
) -> None:
    try:
        if bytes(memoryview(text)[:64]).lstrip().startswith(b"["):
            _members(inventory, _several(text), where, taken, "", depth)
            return
        head = _head(text)
        if head.items is not None and (head.kind or "List").endswith("List"):
            _members(inventory, head.items, where, taken, (head.kind or "List").removesuffix("List"), depth)
        elif head.value and not head.kind and not head.subject:
            _members(inventory, _several(head.value), where, taken, "", depth)
        else:
            _one(inventory, text, head, where, taken, kind)
    except (ValueError, RecursionError) as error:
        taken.problem(where.file, where.line, _why(error))


def _members(
    inventory: Inventory, items: list[msgspec.Raw], where: _Where, taken: Taken, kind: str, depth: int
) -> None:
    if depth >= 2:
        taken.problem(where.file, where.line, "lists in lists")
        return
    for item in items:
        _record(inventory, item, where, taken, kind, depth + 1)


def _one(
    inventory: Inventory, text: bytes | msgspec.Raw, head: Head, where: _Where, taken: Taken, kind: str
) -> None:
    known = head.kind or kind
    if known in KINDS and not (head.kind is None and is_azure(head.type, head.subject)):
        item = _item(text)
        item.kind = known
        used = take_object(inventory.facts, item, where.cluster, where.collected_ns)
    elif not head.kind and is_azure(head.type, head.subject):
        known = (head.type or "federated credential")[:64]
        used = take_resource(inventory.facts, _resource(text))
    else:
        used = False
    table = taken.kinds if used else taken.unknown
    called = (known or head.type or "no kind")[:64]
    if called in table or len(table) < 256:
        table[called] = table.get(called, 0) + 1


def _why(error: Exception) -> str:
    """What is wrong, without any of the record's content."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    kind = "wrongly typed" if isinstance(error, msgspec.ValidationError) else "not JSON"
    return f"{kind}: {error}"[:160]
