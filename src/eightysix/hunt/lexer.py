"""KQL as tokens: enough to rewrite and to bound a query without mistaking a text or a comment for code.

Literals as in learn.microsoft.com/kusto/query/scalar-data-types/string: quoted with either quote and backslash escapes,
verbatim with `@` and doubled quotes, multi-line between three backticks or tildes; `h` before any of them hides it from
logs. Linear in the length of the text.
"""

from __future__ import annotations

from msgspec import Struct

__all__ = ["Token", "tokens"]

_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$")
_FENCES = ("```", "~~~")


class Token(Struct, frozen=True, gc=False):
    """A piece of the text. `kind` is `word`, `text` (a string literal), `space` (white space or a comment) or `sign`."""

    kind: str
    text: str
    start: int


def tokens(query: str) -> list[Token]:
    """The whole text in pieces: joined they are the text again, whatever it holds."""
    found: list[Token] = []
    at = 0
    while at < len(query):
        kind, end = _next(query, at)
        found.append(Token(kind, query[at:end], at))
        at = end
    return found


def _next(query: str, at: int) -> tuple[str, int]:
    character = query[at]
    if character.isspace():
        end = at + 1
        while end < len(query) and query[end].isspace():
            end += 1
        return "space", end
    if query.startswith("//", at):
        end = query.find("\n", at)
        return "space", len(query) if end < 0 else end
    literal = _literal(query, at)
    if literal:
        return "text", literal
    if character in _WORD:
        end = at + 1
        while end < len(query) and query[end] in _WORD:
            end += 1
        return "word", end
    return "sign", at + (2 if query.startswith("..", at) else 1)


def _literal(query: str, at: int) -> int:
    """Where the string literal ends that begins at `at`; 0 where none does. One that never ends takes the rest."""
    start = at + 1 if query[at] in "hH" else at
    verbatim = query.startswith("@", start)
    if verbatim:
        start += 1
    if start >= len(query):
        return 0
    for fence in _FENCES:
        if query.startswith(fence, start):
            end = query.find(fence, start + 3)
            return len(query) if end < 0 else end + 3
    quote = query[start]
    if quote not in "\"'":
        return 0
    end = start + 1
    while end < len(query):
        if query[end] == "\\" and not verbatim:
            end += 2
            continue
        if query[end] == quote:
            if verbatim and query.startswith(quote, end + 1):
                end += 2
                continue
            return end + 1
        end += 1
    return len(query)
