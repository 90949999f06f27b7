"""JSON of ours as text: deterministic, and harmless wherever somebody prints it.

Characters that could act on a terminal or reorder its lines are written as `\\uXXXX`, which means the same to every
JSON parser. A lone surrogate has no UTF-8 and no parser agrees on its escape, so it becomes the visible text `\\udc80`.
"""

from __future__ import annotations

import msgspec

from eightysix.model.stored import as_json
from eightysix.report.inert import is_harmless

__all__ = ["harmless", "indented", "one_line"]


def one_line(value: object) -> str:
    """`value` as compact harmless JSON without a line break: a record of JSON Lines, or a request's body."""
    return harmless(as_json(value).decode())


def indented(value: object) -> str:
    """`value` as harmless JSON for people and machines: a document with its last line break."""
    return harmless(msgspec.json.format(as_json(value), indent=2).decode()) + "\n"


def harmless(text: str) -> str:
    """JSON `text` with what is not harmless escaped: such characters occur only inside of its strings."""
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(
        character if character == "\n" or is_harmless(character) else _json_escape(character)
        for character in text
    )


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
