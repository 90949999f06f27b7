"""Splits a Jinja template into tokens, as Jinja's own lexer does with its default delimiters.

An own lexer: Jinja's works by backtracking expressions, and a folder of a model must be readable without an extra. It
follows `jinja2.lexer` of version 3.1: what is text, a comment or raw there is so here, since a difference would hide
code. It was compared with it on random templates.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

from msgspec import Struct

from eightysix.scan.pythonic import unescaped

__all__ = ["Token", "TokenError", "tokens"]

_OPENS = {"{": "}", "[": "]", "(": ")"}
_CLOSES = {"}": "{", "]": "[", ")": "("}
_PAIRS = frozenset({"//", "**", "==", "!=", ">=", "<="})
_SINGLE = frozenset("+-/*%~[](){}><=.:|,;")
_SPACE = " \t\n\r\f\v"


class Token(Struct, frozen=True):
    """One word: `kind` is `name`, `text` (a string), `number`, `mark`, or `begin`/`end` of a tag.

    `value` is what it says; for `begin` it is the delimiter. `source` is a string's raw text between its quotes.
    """

    kind: str
    value: str
    place: int
    source: str = ""


class TokenError(Exception):
    """The template is not one that Jinja reads. `place` is the character."""

    def __init__(self, why: str, place: int) -> None:
        super().__init__(why)
        self.place = place


def tokens(text: str) -> Iterator[Token]:
    """The tokens of all tags; text between them, comments and raw blocks give none."""
    place = 0
    while True:
        place = text.find("{", place)
        if place < 0:
            return
        mark = text[place : place + 2]
        if mark == "{#":
            end = text.find("#}", place + 2)
            if end < 0:
                raise TokenError("a comment has no end", place)
            place = end + 2
        elif mark == "{%":
            after = _raw(text, place)
            if after is not None:
                place = after
            else:
                place = yield from _tag(text, place, "%}")
        elif mark == "{{":
            place = yield from _tag(text, place, "}}")
        else:
            place += 1


def _word(text: str, place: int, word: str, closing: str) -> int | None:
    """The place behind `{% word %}` if that is what stands at `place`."""
    place += 2
    if text[place : place + 1] in ("-", "+") and text[place : place + 1]:
        place += 1
    place = _spaces(text, place)
    if not text.startswith(word, place):
        return None
    place = _spaces(text, place + len(word))
    if text[place : place + 1] and text[place] in closing:
        place += 1
    return place + 2 if text.startswith("%}", place) else None


def _raw(text: str, place: int) -> int | None:
    """The place behind a raw block that begins at `place`; None where none does."""
    inside = _word(text, place, "raw", "-")
    if inside is None:
        return None
    end = text.find("{%", inside)
    while end >= 0:
        after = _word(text, end, "endraw", "-+")
        if after is not None:
            return after
        end = text.find("{%", end + 1)
    raise TokenError("a raw block has no end", place)


def _spaces(text: str, place: int) -> int:
    while place < len(text) and text[place].isspace():
        place += 1
    return place


def _tag(text: str, place: int, closing: str) -> Generator[Token, None, int]:
    """The tokens of one tag; returns the place behind it."""
    start = place
    yield Token("begin", text[place : place + 2], place)
    place += 2
    if text[place : place + 1] in ("-", "+") and text[place : place + 1]:
        place += 1
    brackets: list[str] = []
    while place < len(text):
        if not brackets:
            after = _close(text, place, closing)
            if after:
                yield Token("end", closing, place)
                return after
        letter = text[place]
        if letter.isspace():
            place = _spaces(text, place)
            continue
        token, place = _one(text, place)
        if token.kind == "mark":
            _balance(brackets, token)
        yield token
    raise TokenError("a tag has no end", start)


def _close(text: str, place: int, closing: str) -> int:
    if text.startswith(closing, place):
        return place + 2
    signs = "-+" if closing == "%}" else "-"
    if text[place] in signs and text.startswith(closing, place + 1):
        return place + 3
    return 0


def _balance(brackets: list[str], token: Token) -> None:
    if token.value in _OPENS:
        brackets.append(token.value)
    elif token.value in _CLOSES:
        if not brackets or brackets.pop() != _CLOSES[token.value]:
            raise TokenError("brackets do not match", token.place)


def _one(text: str, place: int) -> tuple[Token, int]:
    letter = text[place]
    if letter in "'\"":
        return _string(text, place, letter)
    if letter.isdecimal():
        return _number(text, place)
    if letter.isalnum() or letter == "_" or letter.isidentifier():
        end = place
        while end < len(text) and (
            text[end].isalnum() or text[end] == "_" or ("a" + text[end]).isidentifier()
        ):
            end += 1
        return Token("name", text[place:end], place), end
    if text[place : place + 2] in _PAIRS:
        return Token("mark", text[place : place + 2], place), place + 2
    if letter in _SINGLE:
        return Token("mark", letter, place), place + 1
    raise TokenError("a character that Jinja does not know", place)


def _string(text: str, place: int, quote: str) -> tuple[Token, int]:
    end = place + 1
    while True:
        end = _nearest(text, quote, end)
        if end < 0:
            raise TokenError("a string has no end", place)
        if text[end] == quote:
            break
        end += 2
    source = text[place + 1 : end]
    value = source
    if "\\" in source:
        try:
            value = unescaped(source.encode("ascii", "backslashreplace"))
        except UnicodeError:
            raise TokenError("a string has a broken escape", place) from None
    return Token("text", value, place, source), end + 1


def _nearest(text: str, quote: str, place: int) -> int:
    """The next quote or backslash. The second search ends where the first found something: all of it stays linear."""
    end = text.find(quote, place)
    slash = text.find("\\", place, end if end >= 0 else len(text))
    return slash if slash >= 0 else end


def _number(text: str, place: int) -> tuple[Token, int]:
    """An integer or a float. Where exactly a strange one ends makes no difference: no name can begin inside of it."""
    end = place
    if text[place : place + 2].lower() in ("0x", "0b", "0o"):
        end = place + 2
        while end < len(text) and (text[end] in "0123456789abcdefABCDEF_"):
            end += 1
        return Token("number", text[place:end], place), end
    end = _digits(text, end)
    if text[end : end + 1] == "." and text[end + 1 : end + 2].isdecimal():
        end = _digits(text, end + 1)
    if text[end : end + 1] in ("e", "E") and text[end : end + 1]:
        sign = 1 if text[end + 1 : end + 2] in ("+", "-") and text[end + 1 : end + 2] else 0
        if text[end + 1 + sign : end + 2 + sign].isdecimal():
            end = _digits(text, end + 1 + sign)
    return Token("number", text[place:end], place), end


def _digits(text: str, place: int) -> int:
    while place < len(text) and (text[place].isdecimal() or text[place] == "_"):
        place += 1
    return place
