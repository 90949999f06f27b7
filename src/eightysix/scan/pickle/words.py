"""How a value reads in a finding: short, inert, with what may be a secret cut out."""

from __future__ import annotations

from typing import Final

from eightysix.context.packages import looks_secret
from eightysix.scan.pickle.values import Dtype, Heap, Items, Made, Name, Storage, Value

__all__ = ["call_text", "escaped", "value_text"]

LONGEST: Final = 120
"""Characters of one text that are shown: enough for a command line, too little for a dump."""

MOST: Final = 6
DEEPEST: Final = 3


def escaped(text: str, limit: int = LONGEST) -> str:
    """`text` as one line of plain characters; what is too long loses its end, what may be a secret is left out."""
    words = text[: limit + 1].split(" ")
    text = (
        " ".join("[cut: may be a secret]" if looks_secret(word) else word for word in words)
        + text[limit + 1 :]
    )
    shown = ascii(text[:limit])[1:-1]
    return shown + "..." if len(text) > limit else shown


def value_text(heap: Heap, code: int, depth: int = 0) -> str:
    """What is known about the value `code`, as near to Python as it goes."""
    return _value(heap, heap.value(code), depth)


def _value(heap: Heap, value: Value, depth: int) -> str:
    if isinstance(value, str):
        return f"'{escaped(value)}'"
    if isinstance(value, bytes):
        return f"b'{escaped(value[: LONGEST + 1].decode('latin-1'))}'"
    if value is None or isinstance(value, bool | int | float):
        return str(value)
    if isinstance(value, Name):
        return escaped(value.full)
    if isinstance(value, Made):
        return f"<made by {escaped(value.by.full)}>"
    if isinstance(value, Dtype):
        return f"dtype('{escaped(value.text)}')"
    if isinstance(value, Storage):
        return f"<storage {escaped(value.key)}>"
    if isinstance(value, Items):
        return _items(heap, value, depth)
    return "..."


def _items(heap: Heap, value: Items, depth: int) -> str:
    if value.items is None or depth >= DEEPEST:
        return f"<{value.kind}>"
    inner = ", ".join(value_text(heap, item, depth + 1) for item in value.items[:MOST])
    more = ", ..." if len(value.items) > MOST else ""
    return f"({inner}{more})" if value.kind == "tuple" else f"<{value.kind} of {inner}{more}>"


def call_text(heap: Heap, name: Name, arguments: tuple[int, ...] | None) -> str:
    """A call of `name` as it would stand in a program."""
    if arguments is None:
        return f"{escaped(name.full)}(...)"
    inner = ", ".join(value_text(heap, argument, 1) for argument in arguments[:MOST])
    return f"{escaped(name.full)}({inner}{', ...' if len(arguments) > MOST else ''})"
