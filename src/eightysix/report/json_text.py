"""JSON of ours as text: deterministic, and harmless wherever somebody prints it.

Characters that could act on a terminal or reorder its lines are written as `\\uXXXX`, which means the same to every
JSON parser. A lone surrogate has no UTF-8 and no parser agrees on its escape, so it becomes the visible text `\\udc80`.
"""

from __future__ import annotations

import msgspec

from eightysix.report.inert import is_harmless

__all__ = ["encode", "harmless", "one_line"]


def one_line(value: object) -> str:
    """`value` as compact harmless JSON without a line break: a record of JSON Lines, or a request's body."""
    return harmless(encode(value).decode())


def encode(value: object) -> bytes:
    """`value` (Structs, dictionaries, lists) as compact JSON; the same value gives the same bytes."""
    # NOTE: "deterministic" sorts dictionaries and leaves the fields of structs in the order of the contract.
    try:
        return msgspec.json.encode(value, order="deterministic")
    except UnicodeEncodeError:
        builtins = msgspec.to_builtins(value, order="deterministic")
        return msgspec.json.encode(_without_surrogates(builtins))


def _without_surrogates(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, list | tuple):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


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
