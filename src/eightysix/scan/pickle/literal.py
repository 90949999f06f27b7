"""Reads the Python literal of an npy header: dictionary, tuple, list, text, integer, truth value. Bounded, no recursion
of the interpreter beyond `DEEPEST`: `ast.literal_eval` crashes on a thousand brackets."""

from __future__ import annotations

from typing import Final

__all__ = ["Literal", "LiteralError", "read_literal"]

DEEPEST: Final = 32
"""Levels of brackets. A structured dtype takes two for each structure within another."""

Literal = str | int | bool | None | list["Literal"] | tuple["Literal", ...] | dict[str, "Literal"]

_WORDS: dict[str, bool | None] = {"True": True, "False": False, "None": None}
_SPACE = " \t\r\n\f"


class LiteralError(ValueError):
    """The text is no literal of this kind; `bomb`: it was made to cost whoever evaluates it."""

    def __init__(self, why: str, *, bomb: bool = False) -> None:
        super().__init__(why)
        self.bomb = bomb


def read_literal(text: str) -> Literal:
    """The value of `text`. Raises `LiteralError`."""
    value, place = _value(text, _skip(text, 0), 0)
    if _skip(text, place) != len(text):
        raise LiteralError("something follows the header")
    return value


def _skip(text: str, place: int) -> int:
    while place < len(text) and text[place] in _SPACE:
        place += 1
    return place


def _value(text: str, place: int, depth: int) -> tuple[Literal, int]:
    if depth > DEEPEST:
        raise LiteralError("the header is nested too deep")
    first = text[place : place + 1]
    if first in ("'", '"') and first:
        return _string(text, place)
    if first == "[":
        items, place, _ = _items(text, place + 1, "]", depth)
        return items, place
    if first == "(":
        items, place, commas = _items(text, place + 1, ")", depth)
        return (items[0] if len(items) == 1 and not commas else tuple(items)), place
    if first == "{":
        return _dictionary(text, place + 1, depth)
    return _word(text, place)


def _string(text: str, place: int) -> tuple[str, int]:
    end = text.find(text[place], place + 1)
    body = text[place + 1 : end]
    if end < 0 or "\\" in body:
        # NOTE: numpy writes names of fields with repr; an escape in one is possible and nothing here needs it.
        raise LiteralError("a text in the header has no end or holds an escape")
    return body, end + 1


def _word(text: str, place: int) -> tuple[Literal, int]:
    end = place
    while end < len(text) and (text[end].isalnum() or text[end] in "_+-"):
        end += 1
    word = text[place:end]
    if word in _WORDS:
        return _WORDS[word], end
    digits = word.rstrip("L").lstrip("+-")
    if digits.isascii() and digits.isdecimal() and len(digits) <= 40:
        return int(word.rstrip("L")), end
    raise LiteralError("the header holds something that is no literal")


def _items(text: str, place: int, end: str, depth: int) -> tuple[list[Literal], int, int]:
    items: list[Literal] = []
    commas = 0
    while True:
        place = _skip(text, place)
        if text[place : place + 1] == end:
            return items, place + 1, commas
        if len(items) > commas:
            raise LiteralError("a comma is missing in the header")
        value, place = _value(text, place, depth + 1)
        items.append(value)
        place = _skip(text, place)
        if text[place : place + 1] == ",":
            commas += 1
            place += 1


def _dictionary(text: str, place: int, depth: int) -> tuple[dict[str, Literal], int]:
    found: dict[str, Literal] = {}
    while True:
        place = _skip(text, place)
        if text[place : place + 1] == "}":
            return found, place + 1
        key, place = _value(text, place, depth + 1)
        place = _skip(text, place)
        if not isinstance(key, str) or text[place : place + 1] != ":":
            raise LiteralError("the header is no dictionary")
        found[key], place = _value(text, _skip(text, place + 1), depth + 1)
        place = _skip(text, place)
        if text[place : place + 1] == ",":
            place += 1
        elif text[place : place + 1] != "}":
            raise LiteralError("a comma is missing in the header")
